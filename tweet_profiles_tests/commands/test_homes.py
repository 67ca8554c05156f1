"""Whose home a command works on: the demo's apart from one's own, emptied only when nobody uses it."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tweet_profiles.commands.homes import shows_demo, use_home
from tweet_profiles.errors import SettingError
from tweet_profiles.home import Home
from tweet_profiles.landing.zone import LandingZone
from tweet_profiles.settings import DEMO_MARK, current_home, demo_home
from tweet_profiles_tests.conftest import Command

ROWS = "id,author_id,text,created_at\n" + "".join(
    f"{199 * 10**16 + n},{900 + n},I love Norvella,2026-01-0{1 + n}\n" for n in range(8)
)


@pytest.fixture
def own_file(tmp_path: Path) -> Path:
    file = tmp_path / "brand.csv"
    file.write_text(ROWS)
    return file


def test_the_demo_shows_segments_in_sentences_and_one_s_own_tweets_never_meet_it(
    home: Home, own_file: Path, command: Command
) -> None:
    done = command("demo", "--tweets", "600")
    assert done.returncode == 0, done.stderr
    assert "{" not in done.stdout + done.stderr  # no log lines between the sentences
    for stage in ("score the tweets", "fold the scores into profiles", "group the authors", "release the groups"):
        assert f"{stage}: done in" in done.stdout
    assert "api-key make" in done.stdout and "--demo serve" in done.stdout and "import FILE" in done.stdout
    assert not home.has_data and Home(demo_home(home.root)).has_data
    assert command("import", own_file).returncode == 0
    assert {tweet["id"] for key in LandingZone(home).keys() for tweet in LandingZone(home).read(key)} == {
        str(199 * 10**16 + n) for n in range(8)
    }
    shown = command("--demo", "segments").stdout
    assert "Segments of" in shown
    assert "no groups yet" in " ".join(command("segments").stdout.split())
    emptied = command("reset", "--demo", "--yes")
    assert emptied.returncode == 0, emptied.stderr
    assert home.has_data and not list(demo_home(home.root).iterdir())
    assert command("db", "stop").returncode == 0


def test_home_and_demo_choose_for_every_command_and_not_both(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    use_home(None, demo=True)
    assert current_home() == demo_home(home.root) != home.root
    use_home(None, demo=True)
    assert current_home() == demo_home(home.root)  # there is no demo of the demo
    use_home(home.root, demo=False)
    assert current_home() == home.root
    with pytest.raises(SettingError, match="give one of them"):
        use_home(home.root, demo=True)


def test_what_is_no_home_is_not_emptied(tmp_path: Path, command: Command) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("mine")
    done = command("--home", tmp_path / "thesis", "reset", "--yes")
    assert done.returncode == 1 and "is no home of tweet_profiles: nothing was removed" in done.stderr
    assert (tmp_path / "thesis" / "chapter.txt").read_text() == "mine"


def test_a_home_is_emptied_after_asking_but_for_its_settings(home: Home, command: Command) -> None:
    (home.root / ".env").write_text("TWEET_PROFILES_BATCH_SIZE=5\n")
    (home.landing / "batch").touch()
    refused = command("reset", stdin="n\n")
    assert refused.returncode != 0 and "Go on?" in refused.stdout and (home.landing / "batch").exists()
    assert command("reset", stdin="y\n").returncode == 0
    assert [path.name for path in home.root.iterdir()] == [".env"]
    assert command("reset", "--yes").returncode == 1  # it is no home any more
    Home.open(home.root)


def test_a_home_that_somebody_uses_is_not_emptied_and_who_is_told(home: Home, command: Command) -> None:
    (home.landing / "batch").touch()
    code = (
        "import sys; from pathlib import Path; from tweet_profiles.home import Home\n"
        "with Home(Path(sys.argv[1])).in_use('serve'):\n print('in', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(home.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "in\n"
        done = command("reset", "--yes")
        process.kill()
    assert done.returncode == 1 and f"in use by serve (process {process.pid})" in done.stderr
    assert (home.landing / "batch").exists()


def test_a_process_of_dagster_on_the_home_counts_as_its_user(home: Home) -> None:
    environment = {**os.environ, "DAGSTER_HOME": str(home.dagster)}
    with subprocess.Popen(["sleep", "60"], env=environment) as process:
        assert home.used_by() == {process.pid: "Dagster"}
        process.kill()


def test_collections_of_a_mongodb_go_too_and_what_is_not_ours_stays(
    home: Home, own_database: str, mongodb_server: str, command: Command
) -> None:
    import pymongo

    with pymongo.MongoClient(mongodb_server) as client:  # type: ignore[var-annotated]
        client[own_database].profiles.insert_one({"_id": "a"})
        client[own_database].invoices.insert_one({"_id": "b"})
        done = command("reset", stdin="y\n")
        assert f"1 collections of the database {own_database} at MONGODB_URI" in done.stdout
        assert client[own_database].list_collection_names() == ["invoices"]


def test_a_busy_port_is_named_with_who_has_it_before_anything_is_started(home: Home, command: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for arguments in (("serve", "--port", port), ("dev", "--port", port), ("dev", "--api-port", port)):
            done = command(*map(str, arguments))
            assert done.returncode == 2 and f"port {port} is taken by process {os.getpid()}" in done.stderr
            assert f"name another port with {arguments[1]}" in done.stderr


def test_dev_shows_the_demo_only_where_nothing_is_or_comes_into_one_s_own_home(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not shows_demo(home.root)  # there is no demo either
    (Home.open(demo_home(home.root)).landing / "batch").touch()
    assert shows_demo(home.root)
    with monkeypatch.context() as x:
        x.setenv("X_BEARER_TOKEN", "t")
        x.setenv("TWEET_PROFILES_X_HANDLES", "brand")
        assert not shows_demo(home.root)  # the next hour brings tweets
    (home.landing / "batch").touch()
    assert not shows_demo(home.root)


def test_nothing_has_landed_is_one_sentence_with_the_ways_out(home: Home, own_database: str, command: Command) -> None:
    done = command("run")
    assert done.returncode == 1
    assert "no tweets have landed in" in done.stderr and "`tweet-profiles import FILE`" in done.stderr


def test_nothing_of_a_brand_is_taken_into_the_demos_home(home: Home, own_file: Path, command: Command) -> None:
    demo = Home.open(demo_home(home.root))
    (demo.root / DEMO_MARK).touch()
    done = command("--demo", "import", own_file)
    assert done.returncode == 1 and "the demo's home" in done.stderr and list(demo.landing.iterdir()) == []
