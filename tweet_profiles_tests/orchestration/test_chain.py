"""The whole chain on a small sample: run, run again, killed anywhere, and broken on purpose."""

import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import dagster as dg
import pandas as pd
import pymongo
import pytest
from dagster import AssetKey
from pymongo.database import Database

from tweet_profiles.contracts import USER_PROFILES
from tweet_profiles.home import Home
from tweet_profiles.landing.zone import LandingZone
from tweet_profiles.orchestration.definitions import build_definitions
from tweet_profiles.orchestration.instance import dagster_instance, execute
from tweet_profiles.orchestration.partitions import NAME as PARTITIONS
from tweet_profiles.profiles.store import ProfileStore
from tweet_profiles.segments.store import SegmentStore
from tweet_profiles.sources.files import import_paths
from tweet_profiles.sources.sample import generate
from tweet_profiles_tests.conftest import KEY, OF_THE_MACHINE, Command, executable

pytestmark = pytest.mark.integration

TWEETS = 500
BATCH = 100


@pytest.fixture
def landed(home: Home, own_database: str, monkeypatch: pytest.MonkeyPatch) -> LandingZone:
    """A home in which a small sample has landed in several batches."""
    monkeypatch.setenv("TWEET_PROFILES_BATCH_SIZE", str(BATCH))
    zone = LandingZone(home, batch_size=BATCH)
    import_paths([generate(home.private / "sample.jsonl", tweets=TWEETS)], zone)
    return zone


@pytest.fixture
def profiles(mongodb_server: str, own_database: str) -> Callable[[], pd.DataFrame]:
    """Reads all profiles of the test's database."""

    def read() -> pd.DataFrame:
        with pymongo.MongoClient(mongodb_server, tz_aware=True) as client:  # type: ignore[var-annotated]
            return ProfileStore(client[own_database]).frame()

    return read


def run(command: Command) -> None:
    done = command("run")
    assert done.returncode == 0, done.stderr


@dataclass(frozen=True)
class Ran:
    """What a run of the whole chain left: its home, what had landed, its database, and what it printed."""

    home: Home
    landed: LandingZone
    database: Database[dict[str, Any]]
    printed: "subprocess.CompletedProcess[str]"
    settings: dict[str, str]

    def profiles(self) -> pd.DataFrame:
        """All profiles."""
        return ProfileStore(self.database).frame()


@pytest.fixture(scope="module")
def one_run(mongodb_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """One run for all tests that look at it, or show that what they do changes nothing."""
    home = Home.open(tmp_path_factory.mktemp("chain") / "home")
    zone = LandingZone(home, batch_size=BATCH)
    import_paths([generate(home.private / "sample.jsonl", tweets=TWEETS)], zone)
    settings = {
        "TWEET_PROFILES_HOME": str(home.root),
        "TWEET_PROFILES_BATCH_SIZE": str(BATCH),
        "TWEET_PROFILES_PSEUDONYM_KEY": KEY,
        "TWEET_PROFILES_MONGODB_DATABASE": f"test_{uuid4().hex[:12]}",
        "TWEET_PROFILES_ENV_FILE": "",
        "MONGODB_URI": mongodb_server,
    }
    others = {name: value for name, value in os.environ.items() if not name.startswith(OF_THE_MACHINE)}
    printed = subprocess.run(
        [executable(), "run"], env={**others, **settings}, capture_output=True, text=True, timeout=250, check=False
    )
    assert printed.returncode == 0, printed.stderr
    with pymongo.MongoClient(mongodb_server, tz_aware=True) as client:  # type: ignore[var-annotated]
        database = client[settings["TWEET_PROFILES_MONGODB_DATABASE"]]
        yield Ran(home, zone, database, printed, settings)
        client.drop_database(database.name)


@pytest.fixture
def ran(one_run: Ran, monkeypatch: pytest.MonkeyPatch) -> Ran:
    """The run, with the settings that it had."""
    for name, value in one_run.settings.items():
        monkeypatch.setenv(name, value)
    return one_run


def test_landed_tweets_become_profiles_and_segments(ran: Ran) -> None:
    home, landed, done = ran.home, ran.landed, ran.printed

    assert "Segments of" in done.stdout and str(home.plots / "elbow.png") in done.stdout.replace("\n", "")
    assert (home.plots / "elbow.png").read_bytes().startswith(b"\x89PNG")
    frame = USER_PROFILES.validate(ran.profiles())
    tweets = [tweet for batch in landed.keys() for tweet in landed.read(batch)]
    assert len(frame) == len({tweet["author_id"] for tweet in tweets})
    assert frame["tweets_seen"].sum() == len({tweet["id"] for tweet in tweets})
    with dagster_instance(home) as instance:
        for name in ("raw_tweets", "scored_tweets", "user_profiles"):
            assert instance.get_materialized_partitions(AssetKey(name)) == set(landed.keys())
        for name in ("scaled_features", "customer_clusters"):
            assert instance.get_latest_materialization_event(AssetKey(name)) is not None
        event = instance.get_latest_materialization_event(AssetKey("customer_clusters"))
        assert event is not None and event.asset_materialization is not None
        elbow = event.asset_materialization.metadata["elbow"]
        assert isinstance(elbow, dg.MarkdownMetadataValue) and elbow.md_str is not None
        assert "data:image/png;base64," in elbow.md_str and len(elbow.md_str) < 140_000


def test_importing_and_running_again_changes_nothing(ran: Ran, command: Command) -> None:
    before = ran.profiles()
    again = command("import", ran.home.private / "sample.jsonl")
    assert "0 landed" in again.stdout
    assert "Processed 0 batches" in command("run").stdout
    pd.testing.assert_frame_equal(ran.profiles(), before)


def test_materializing_any_batch_twice_changes_nothing(ran: Ran) -> None:
    before, keys = ran.profiles(), ran.landed.keys()
    job = build_definitions().resolve_job_def("process_batch")
    with dagster_instance(ran.home) as instance:
        for key in (keys[0], keys[-1]):
            execute(job, instance, partitions=[key])
        execute(job, instance, partitions=keys[1:3])
    pd.testing.assert_frame_equal(ran.profiles(), before)


STAGES = ("raw_tweets", "scored_tweets", "user_profiles", "scaled_features", "customer_clusters")


@pytest.mark.slow
def test_a_run_killed_in_any_stage_and_run_again_ends_as_a_clean_run(
    home: Home,
    landed: LandingZone,
    command: Command,
    profiles: Callable[[], pd.DataFrame],
    mongodb_server: str,
    own_database: str,
) -> None:
    with pymongo.MongoClient(mongodb_server) as client:  # type: ignore[var-annotated]
        store = client[own_database]
        begun: dict[str, Callable[[], bool]] = {
            "raw_tweets": lambda: any(home.raw.glob("*.parquet")),
            "scored_tweets": lambda: any(home.scored.glob("*.parquet")),
            "user_profiles": lambda: store.scores.count_documents({}) > 0,
            "scaled_features": lambda: any(home.features.glob("*")),
            "customer_clusters": lambda: store.clusterings.count_documents({}) > 0,
        }
        for stage in STAGES:
            process = subprocess.Popen(
                [executable(), "run"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
            )
            deadline = time.monotonic() + 200
            while not begun[stage]() and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.01)
            assert begun[stage](), f"{stage} did not begin"
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        run(command)
        killed = profiles()
        segments = SegmentStore(store).current()
        assert segments is not None and segments.authors == len(killed)
        for collection in ("scores", "profiles", "topics", "clusterings", "segments", "state"):
            store.drop_collection(collection)
    with dagster_instance(home) as instance:
        instance.wipe_assets([AssetKey(name) for name in STAGES])
    run(command)
    pd.testing.assert_frame_equal(profiles(), killed)


def test_a_table_that_breaks_its_contract_stops_the_run_and_nothing_is_written(
    home: Home, landed: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Lying:
        version = "lying"
        languages = frozenset({"en"})

        def score(self, texts: list[str]) -> pd.DataFrame:
            return pd.DataFrame({"sentiment": 7.0, "subjectivity": 0.5, "label": "positive"}, index=range(len(texts)))

    monkeypatch.setattr("tweet_profiles.orchestration.resources._load_once", lambda _: Lying())
    key = landed.keys()[0]
    with dagster_instance(home) as instance:
        instance.add_dynamic_partitions(PARTITIONS, landed.keys())
        result = (
            build_definitions()
            .resolve_job_def("process_batch")
            .execute_in_process(instance=instance, partition_key=key, raise_on_error=False)
        )
        assert not result.success
        failed = [event for event in result.all_events if event.is_step_failure]
        assert [event.step_key for event in failed] == ["scored_tweets"]
        error = failed[0].step_failure_data.error
        assert error is not None and "sentiment" in error.message and "Nothing was written" in error.message
    assert not list(home.scored.glob("*.parquet"))


def test_the_model_is_loaded_once_for_a_run_of_many_batches(ran: Ran) -> None:
    assert len(ran.landed.keys()) > 1
    assert ran.printed.stderr.count("loaded the sentiment model") == 1


def test_runs_of_killed_processes_are_marked_failed(home: Home, landed: LandingZone, command: Command) -> None:
    process = subprocess.Popen([executable(), "run"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not any(home.raw.glob("*.parquet")):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert "marked runs of ended processes as failed" in command("run", "--no-cluster").stderr
    with dagster_instance(home) as instance:
        assert {run.status for run in instance.get_runs()} == {dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS}


def test_what_lies_right_of_the_scores_holds_no_id_text_or_handle(ran: Ran) -> None:
    """Everything stored, shown or logged after a full run, searched for everything that could name somebody."""
    home, landed, done = ran.home, ran.landed, ran.printed
    secret: set[str] = set()
    for key in landed.keys():
        for tweet in landed.read(key):
            secret |= {tweet["id"], tweet["author_id"], tweet["text"][:40]}
    sample = (home.private / "sample.jsonl").read_text()
    secret |= set(_values(sample, "username")) | set(_values(sample, "name")) | set(_values(sample, "location"))
    files = [path for path in home.root.rglob("*") if path.is_file() and home.private not in path.parents]
    kinds = {path.suffix for path in files}
    assert {".parquet", ".csv", ".png", ".db"} <= kinds, "tables, the export, plots and Dagster's records are searched"
    kept = [path.read_bytes() for path in files]
    for path in files:
        # Strings are packed in Parquet and cut into pages in SQLite: unpack them before searching.
        if path.suffix == ".parquet":
            kept.append(pd.read_parquet(path).to_json(orient="records", date_format="iso").encode())
        elif path.suffix == ".db":
            with closing(sqlite3.connect(path)) as records:
                kept.append("\n".join(records.iterdump()).encode())
    kept += [repr(list(ran.database[name].find())).encode() for name in ran.database.list_collection_names()]
    kept += [done.stdout.encode(), done.stderr.encode()]
    stored = b"\n".join(kept)
    assert len(secret) > 1000 and len(stored) > 100_000
    assert not [value for value in secret if value.encode() in stored]


def _values(text: str, field: str) -> list[str]:
    import re

    return re.findall(rf'"{field}":"([^"]+)"', text)


def test_profiles_are_the_same_however_the_batches_are_cut(
    tmp_path: Path, home: Home, landed: LandingZone, command: Command, profiles: Callable[[], pd.DataFrame]
) -> None:
    assert command("run", "--no-cluster").returncode == 0
    small = profiles()
    other = {"TWEET_PROFILES_HOME": str(tmp_path / "other"), "TWEET_PROFILES_BATCH_SIZE": "1000"}
    other["TWEET_PROFILES_MONGODB_DATABASE"] = f"{os.environ['TWEET_PROFILES_MONGODB_DATABASE']}b"
    assert command("import", home.private / "sample.jsonl", **other).returncode == 0
    assert command("run", "--no-cluster", **other).returncode == 0
    with pymongo.MongoClient(os.environ["MONGODB_URI"], tz_aware=True) as client:  # type: ignore[var-annotated]
        database = client[other["TWEET_PROFILES_MONGODB_DATABASE"]]
        large = ProfileStore(database).frame()
        client.drop_database(database.name)
    # Only how many hashtags are shared by enough authors of one batch depends on the cut.
    pd.testing.assert_frame_equal(small.drop(columns="topics"), large.drop(columns="topics"))
