"""The home folder: whose it is, by which key it was made, and who uses it."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from tweet_profiles.errors import HomeError
from tweet_profiles.home import Home, write_atomically
from tweet_profiles.settings import load_settings

OTHER = "o" * 40


def test_a_folder_with_other_things_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "thesis.txt").write_text("mine")
    with pytest.raises(HomeError, match="holds something else and no home of tweet_profiles"):
        Home.open(tmp_path / "theirs")
    assert [path.name for path in (tmp_path / "theirs").iterdir()] == ["thesis.txt"]


def test_a_folder_with_only_settings_in_it_becomes_a_home(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / ".env").write_text("TWEET_PROFILES_BATCH_SIZE=5\n")
    assert Home.open(tmp_path / "new").is_home


def test_a_home_from_before_layouts_were_named_is_taken_over(home: Home) -> None:
    home.layout_file.unlink()
    assert home.is_home and Home.open(home.root) == home
    assert home.layout_file.is_file()


def test_a_home_of_a_newer_version_and_one_with_a_damaged_mark_are_refused(home: Home) -> None:
    home.layout_file.write_text('{"layout": 2}')
    with pytest.raises(HomeError, match=r"made by a newer version .* upgrade"):
        Home.open(home.root)
    home.layout_file.write_text("{")
    with pytest.raises(HomeError, match="is damaged"):
        Home.open(home.root)


def test_a_key_of_a_setting_that_differs_from_the_homes_is_refused_by_name_and_not_shown(home: Home) -> None:
    made = home.pseudonym_key(load_settings())
    assert home.pseudonym_key(load_settings(pseudonym_key=made.decode())) == made
    with pytest.raises(
        HomeError, match=r"TWEET_PROFILES_PSEUDONYM_KEY is another key .* `tweet-profiles reset`"
    ) as told:
        home.pseudonym_key(load_settings(pseudonym_key=OTHER))
    assert OTHER not in str(told.value) and made.decode() not in str(told.value)
    assert made not in home.key_check_file.read_bytes()


def test_a_home_made_with_a_setting_refuses_another_one_and_none(home: Home) -> None:
    home.pseudonym_key(load_settings(pseudonym_key=OTHER))
    assert home.pseudonym_key(load_settings(pseudonym_key=OTHER)) == OTHER.encode()
    with pytest.raises(HomeError, match="another key"):
        home.pseudonym_key(load_settings(pseudonym_key="p" * 40))
    with pytest.raises(HomeError, match=r"pseudonym\.key is gone.*restore it"):
        home.pseudonym_key(load_settings())
    assert not home.secret_key_file.exists()


def test_a_home_of_today_takes_its_own_key_as_the_one_and_no_other(home: Home) -> None:
    made = home.pseudonym_key(load_settings())
    home.key_check_file.unlink()
    with pytest.raises(HomeError, match="another key"):
        home.pseudonym_key(load_settings(pseudonym_key=OTHER))
    assert home.pseudonym_key(load_settings()) == made and home.key_check_file.exists()
    home.secret_key_file.write_text(OTHER)
    with pytest.raises(HomeError, match=r"pseudonym\.key is another key"):
        home.pseudonym_key(load_settings())


def test_two_homes_of_one_key_do_not_show_that_by_their_checks(tmp_path: Path) -> None:
    checks = set()
    for name in ("a", "b"):
        home = Home.open(tmp_path / name)
        home.pseudonym_key(load_settings(pseudonym_key=OTHER))
        checks.add(home.key_check_file.read_bytes())
    assert len(checks) == 2


def test_who_uses_a_home_is_known_until_they_end(home: Home) -> None:
    code = (
        "import sys; from pathlib import Path; from tweet_profiles.home import Home\n"
        "with Home(Path(sys.argv[1])).in_use('serve'):\n print('in', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(home.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "in\n"
        assert home.used_by() == {process.pid: "serve"}
        process.kill()
    assert home.used_by() == {}
    with home.in_use("run"):
        assert home.used_by() == {}  # oneself is not in one's own way


def test_a_full_disk_is_told_as_that_and_leaves_the_file_as_it_was(home: Home) -> None:
    path = write_atomically(home.root / "x", lambda file: file.write(b"before"))

    def fill(_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(HomeError, match=r"the disk is full: free some of it, then give the same command again"):
        write_atomically(path, fill)
    assert path.read_bytes() == b"before" and not list(home.root.glob(".x.*"))
