"""`tweet-profiles import` as a user sees it."""

import gzip
import subprocess

from tweet_profiles.landing.zone import LandingZone
from tweet_profiles_tests.commands.refusals import refused
from tweet_profiles_tests.conftest import executable
from tweet_profiles_tests.sources.files.made import lines, row, table, tweet


def test_a_file_that_is_read_whole_ends_with_0_and_says_what_it_was(tmp_path, home, command):
    (tmp_path / "a.txt").write_bytes(gzip.compress(table([row(1), row(1)], delimiter=";")))
    done = command("import", tmp_path / "a.txt")
    assert done.returncode == 0, done.stderr
    assert "gzip" in done.stdout and "separated by semicolons" in done.stdout
    assert "2 read, 1 landed, 1 known before" in done.stdout
    assert "{" not in done.stdout + done.stderr


def test_of_a_folder_every_file_is_told_and_the_code_says_that_something_was_left(tmp_path, home, command):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "good.csv").write_bytes(table([row(1), row(2)]))
    (folder / "half.csv").write_bytes(table([row(3), row(4)[:2]]))
    (folder / "none.pdf").write_bytes(b"%PDF-1.7")
    done = command("import", folder)
    assert "good.csv: " in done.stdout and "none.pdf: refused" in done.stdout
    assert "4 read from 3 files: 3 landed, 0 known before, 1 quarantined" in done.stdout
    assert "PDF" in done.stdout and "line 3: 2 fields where there should be 4" in done.stdout
    refused(done, "2 of 3 files were not read whole")
    assert done.returncode == 1


def test_standard_input_is_read(tmp_path, home):
    done = subprocess.run(
        [executable(), "import", "-"],
        input=gzip.compress(lines([tweet(1), tweet(2)])),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"standard input" in done.stdout and b"2 landed" in done.stdout


def test_a_preview_shows_how_a_file_would_be_read_and_lands_nothing(tmp_path, home, command):
    rows = [(*row(number), "Elsewhere") for number in range(20)]
    (tmp_path / "a.csv").write_bytes(
        table([*rows, row(3)[:2]], header=("id", "author_id", "text", "created_at", "place"))
    )
    done = command("import", "--preview", tmp_path / "a.csv")
    assert done.returncode == 0, done.stderr
    assert "separated by commas" in done.stdout and "not used: place" in done.stdout
    assert "no reach in segments" in done.stdout and "the language is detected" in done.stdout
    assert done.stdout.count('"text":"I like it"') == 5
    assert "of the first 21 records 1 could not be used" in done.stdout
    assert LandingZone(home).keys() == [] and not list(home.quarantine.iterdir())


def test_options_that_cannot_be_used_are_refused_before_anything_is_read(tmp_path, home, command):
    (tmp_path / "a.csv").write_bytes(table([row(1)]))
    refused(command("import", tmp_path / "a.csv", "--encoding", "klingon"), "--encoding klingon")
    refused(command("import", tmp_path / "a.csv", "--delimiter", "::"), "--delimiter ::")
    refused(command("import", tmp_path / "a.csv", "--column", "text"), "--column FIELD=")
    assert LandingZone(home).keys() == []


def test_a_table_without_a_header_is_read_by_the_numbers_of_its_columns(tmp_path, home, command):
    (tmp_path / "a.csv").write_bytes(table([row(1), row(2)], header=None))
    columns = [f"--column={name}={number}" for number, name in enumerate(("id", "author_id", "text", "created_at"), 1)]
    done = command("import", tmp_path / "a.csv", "--no-header", *columns)
    assert done.returncode == 0, done.stderr
    assert "2 landed" in done.stdout
