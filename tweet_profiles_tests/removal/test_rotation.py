"""Rotating the pseudonyms' key: everybody keeps their profile under a new name, whenever it is killed."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pymongo.database import Database

from tweet_profiles.contracts import SCORED_TWEETS
from tweet_profiles.errors import HomeError, SettingError
from tweet_profiles.home import Home
from tweet_profiles.privacy.pseudonyms import author_key, topic_key, tweet_key
from tweet_profiles.privacy.suppression import SuppressionList
from tweet_profiles.profiles.store import ProfileStore
from tweet_profiles.removal import rotation
from tweet_profiles.removal.rotation import RunningError, rotate_key
from tweet_profiles.settings import load_settings
from tweet_profiles.tables import partition_file, read_table, write_table
from tweet_profiles_tests.conftest import Command
from tweet_profiles_tests.profiles.scratch import frame, row

Store = Database[dict[str, Any]]
STEPS = ["_copy_collections", "_copy_tables", "_copy_list", "_switch_collections", "_switch_folders", "_append_key",
         "_switch_list"]  # fmt: skip
GONE = "4711"


def scored(secret: bytes) -> pd.DataFrame:
    """The same six tweets under any key."""
    rows = []
    for number in range(6):
        topics = [topic_key(secret, "oats")] if number % 2 else []
        entry = row(number, 0, position=number, likes=number, topics=topics, topic_names=["oats"] * len(topics))
        rows.append(
            {**entry, "tweet_key": tweet_key(secret, str(number)), "author_key": author_key(secret, str(number % 3))}
        )
    return frame(rows)


@pytest.fixture
def filled(home: Home, database: Store) -> Store:
    """A home and a database after a batch, with somebody forgotten."""
    secret = home.pseudonym_key(load_settings())
    write_table(partition_file(home.scored, "b1"), scored(secret))
    store = ProfileStore(database)
    store.prepare()
    store.fold(scored(secret), "b1")
    database.profiles.update_many({}, {"$set": {"assignments.v1": {"segment": 4, "confidence": 0.5}}})
    SuppressionList(home).add(frozenset({author_key(secret, GONE)}))
    return database


def everything_stored(home: Home, database: Store) -> str:
    documents = [document for name in database.list_collection_names() for document in database[name].find()]
    tables = [table.read_bytes() for table in home.root.rglob("*.parquet")]
    frames = [pd.read_parquet(table).to_csv() for table in home.root.rglob("*.parquet")]
    return repr(documents) + repr(tables) + "".join(frames) + home.forgotten_file.read_text()


def assert_rotated(home: Home, database: Store, old: bytes, before: pd.DataFrame) -> None:
    secret = home.pseudonym_key(load_settings())
    assert secret != old and len(secret.split()) == 2
    # What a new batch of the same authors would be called is what they are called now.
    store = ProfileStore(database)
    again = store.fold(scored(secret), "b1")
    assert (again.tweets_known, again.created, again.updated, again.unchanged) == (6, 0, 0, 3)
    after = store.frame()
    numbers = before.columns.drop("author_key")
    pd.testing.assert_frame_equal(
        after.sort_values("likes_per_tweet")[numbers].reset_index(drop=True),
        before.sort_values("likes_per_tweet")[numbers].reset_index(drop=True),
    )
    assert all(document["assignments"]["v1"]["segment"] == 4 for document in database.profiles.find())
    table = read_table(partition_file(home.scored, "b1"), SCORED_TWEETS, "scored_tweets")
    pd.testing.assert_frame_equal(table.drop(columns="topics"), scored(secret).drop(columns="topics"))
    assert [list(topics) for topics in table["topics"]] == scored(secret)["topics"].tolist()
    assert SuppressionList(home).covers(GONE)
    # Nothing that is left can be tested with the old key.
    stored = everything_stored(home, database)
    assert not any(author_key(old, author) in stored for author in ("0", "1", "2", GONE))
    assert not any(tweet_key(old, str(number)) in stored for number in range(6))
    assert topic_key(old, "oats") not in stored
    assert not [path for path in home.root.iterdir() if re.search(r"rotated|_old|rotation", path.name)]
    assert not [name for name in database.list_collection_names() if "rotated" in name]
    with pytest.raises(Exception, match=r"(?i)valid"):
        database.scores.insert_one({"_id": "no pseudonym", "writes": 1, "tweets": "[]"})


def test_everybody_keeps_their_profile_and_nobody_is_found_with_the_old_key(home: Home, filled: Store) -> None:
    old, before = home.pseudonym_key(load_settings()), ProfileStore(filled).frame()
    done = rotate_key(home, load_settings(), filled, lambda: False)
    assert (done.authors, done.topics, done.tables) == (3, 1, 1)
    assert_rotated(home, filled, old, before)
    assert home.secret_key_file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", STEPS)
def test_a_rotation_killed_anywhere_stops_everything_and_goes_on_when_asked_again(
    home: Home, filled: Store, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    old, before = home.pseudonym_key(load_settings()), ProfileStore(filled).frame()
    real = getattr(rotation, step)

    def killed(*arguments: Any) -> None:
        if after:
            real(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(rotation, step, killed)
    with pytest.raises(KeyboardInterrupt):
        rotate_key(home, load_settings(), filled, lambda: False)
    with pytest.raises(HomeError, match="tweet-profiles db rotate-key"):
        home.pseudonym_key(load_settings())
    monkeypatch.setattr(rotation, step, real)
    rotate_key(home, load_settings(), filled, lambda: False)
    assert_rotated(home, filled, old, before)


def test_a_key_rotated_twice_is_of_three_lines_and_still_names_everybody(home: Home, filled: Store) -> None:
    for _ in range(2):
        rotate_key(home, load_settings(), filled, lambda: False)
    secret = home.pseudonym_key(load_settings())
    assert len(secret.split()) == 3
    assert ProfileStore(filled).fold(scored(secret), "b1").tweets_known == 6


def test_while_a_run_is_in_progress_nothing_is_begun(home: Home, filled: Store) -> None:
    before = everything_stored(home, filled)
    with pytest.raises(RunningError, match="a run is in progress"):
        rotate_key(home, load_settings(), filled, lambda: True)
    assert everything_stored(home, filled) == before and not home.rotation_file.exists()


def test_a_key_of_a_setting_is_not_rotated_and_the_way_out_is_told(
    home: Home, filled: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWEET_PROFILES_PSEUDONYM_KEY", "x" * 40)
    with pytest.raises(SettingError, match=r"TWEET_PROFILES_PSEUDONYM_KEY.*write it into"):
        rotate_key(home, load_settings(), filled, lambda: False)


def test_the_command_rotates_and_while_interrupted_a_run_names_it(
    home: Home, own_database: str, command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("TWEET_PROFILES_PSEUDONYM_KEY")
    done = command("db", "rotate-key")
    assert done.returncode == 0, done.stderr
    assert "The key is rotated: 0 authors" in done.stdout
    home.rotation_file.write_text("{}")
    (tmp_path / "t.jsonl").write_text(
        '{"id":"1990000000000000001","author_id":"2","text":"I love it","created_at":"2026-11-20","lang":"en"}\n'
    )
    assert command("import", tmp_path / "t.jsonl").returncode == 0
    failed = command("run")
    assert failed.returncode == 1 and "tweet-profiles db rotate-key" in failed.stderr
    assert "Traceback" not in failed.stderr
