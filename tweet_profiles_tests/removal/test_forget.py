"""Forgetting and purging: gone from every place, for good, and others' numbers put right."""

import gzip
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tweet_profiles.contracts import RAW_TWEETS, SCORED_TWEETS
from tweet_profiles.errors import InputError
from tweet_profiles.landing.frames import raw_frame
from tweet_profiles.landing.quarantine import append
from tweet_profiles.landing.tweets import author_id_of
from tweet_profiles.landing.zone import STAMP, LandingZone
from tweet_profiles.privacy.generalise import to_scored
from tweet_profiles.privacy.pseudonyms import author_key
from tweet_profiles.profiles.store import ProfileStore
from tweet_profiles.removal.forget import forget, read_notices
from tweet_profiles.removal.retention import expired, purge
from tweet_profiles.sources.x.search import pull, put_aside
from tweet_profiles.tables import partition_file, read_table, write_table
from tweet_profiles_tests.conftest import KEY
from tweet_profiles_tests.fake_x import FakeX, snowflake
from tweet_profiles_tests.sources.x.peer import run, x_config, x_environment

SECRET = KEY.encode()
GONE, OTHER, RETWEETER = "1111", "2222", "3333"


@pytest.fixture
def zone(home, own_database):
    return LandingZone(home, batch_size=4)


@pytest.fixture
def store(own_database, database):
    found = ProfileStore(database.client[own_database])
    found.prepare()
    return found


def tweet(number, author, original=None):
    made = {
        "id": str(number),
        "author_id": author,
        "text": f"what {author} says in {number}",
        "created_at": "2026-01-01T00:00:00Z",
        "observed_at": f"2026-01-02T{number % 24:02d}:00:00Z",
        "hashtags": ["brand"],
        "author": {"public_metrics": {"followers_count": 5}},
        "is_retweet": original is not None,
    }
    return made if original is None else {**made, "original_author_id": original}


TWEETS = [
    tweet(1, GONE), tweet(2, OTHER), tweet(3, GONE), tweet(4, RETWEETER, GONE), tweet(5, RETWEETER),
    tweet(6, OTHER), tweet(7, GONE), tweet(8, OTHER, GONE), tweet(9, "4444", GONE),
]  # fmt: skip


def land(zone, tweets):
    with zone.writer("import") as writer:
        for one in tweets:
            writer.add(one)
    return writer


def process(zone, store, keys=None):
    """What the pipeline does with batches, with made-up scores."""
    for key in keys or zone.keys():
        raw = raw_frame(zone.read(key)).frame
        write_table(partition_file(zone.home.raw, key), raw)
        scores = pd.DataFrame({"sentiment": [0.9] * len(raw), "subjectivity": [0.5] * len(raw)}, dtype="float32")
        scored = to_scored(raw, scores.assign(label="positive", not_scored=None, lang="en"), SECRET, 2)
        write_table(partition_file(zone.home.scored, key), scored)
        store.fold(scored, key)
    features = pd.DataFrame({"author_key": [author_key(SECRET, name) for name in (GONE, OTHER)], "x": [1.0, 2.0]})
    write_table(zone.home.features / "scaled_features.parquet", features)


def everything(folder: Path) -> bytes:
    """All bytes under a folder, Parquet and gzip read."""
    parts = []
    for path in folder.rglob("*"):
        if path.suffix == ".parquet":
            parts.append(pd.read_parquet(path).to_csv().encode())
        elif path.suffix == ".gz":
            parts.append(gzip.decompress(path.read_bytes()))
        elif path.suffix == ".jsonl":
            parts.append(path.read_bytes())
    return b"\n".join(parts)


def test_an_author_is_gone_from_every_place_and_the_others_stay(zone, store):
    land(zone, TWEETS)
    process(zone, store)
    put_aside(zone.home, "stream", "has no text", orjson.dumps({"id": "77", "author_id": GONE}))
    put_aside(zone.home, "stream", "has no text", orjson.dumps({"id": "78", "author_id": OTHER}))
    done = forget(zone, store, SECRET, authors=[GONE])
    key = author_key(SECRET, GONE)
    kept = everything(zone.home.root)
    assert GONE.encode() not in kept and key.encode() not in kept
    assert (done.landed_tweets, done.raw_rows, done.scored_rows, done.feature_rows, done.quarantined) == (6, 6, 6, 1, 1)
    assert store.database.scores.count_documents({"_id": key}) == 0
    assert store.database.profiles.find_one({"_id": key}) is None
    assert {int(one["id"]) for batch in zone.keys() for one in zone.read(batch)} == {2, 5, 6}
    for batch in zone.keys():
        RAW_TWEETS.validate(read_table(partition_file(zone.home.raw, batch), RAW_TWEETS, "raw_tweets"))
        SCORED_TWEETS.validate(read_table(partition_file(zone.home.scored, batch), SCORED_TWEETS, "scored_tweets"))


def test_profiles_of_those_who_repeated_the_author_are_computed_anew(zone, store):
    land(zone, TWEETS)
    process(zone, store)
    counts = {name: store.frame([author_key(SECRET, name)]) for name in (OTHER, RETWEETER, "4444")}
    assert [int(counts[name]["tweets_seen"].iloc[0]) for name in (OTHER, RETWEETER, "4444")] == [3, 2, 1]
    done = forget(zone, store, SECRET, authors=[GONE])
    after = store.frame().set_index("author_key")["tweets_seen"].to_dict()
    assert after == {author_key(SECRET, OTHER): 2, author_key(SECRET, RETWEETER): 1}
    assert (done.profiles, done.profiles_recomputed) == (2, 2)


def test_a_later_batch_still_counts_after_a_profile_lost_tweets(zone, store):
    land(zone, TWEETS)
    process(zone, store)
    forget(zone, store, SECRET, authors=[GONE])
    known = set(zone.keys())
    land(zone, [tweet(20, OTHER)])
    process(zone, store, [key for key in zone.keys() if key not in known])
    assert int(store.frame([author_key(SECRET, OTHER)])["tweets_seen"].iloc[0]) == 3


def test_forgetting_twice_or_after_a_replay_changes_nothing(zone, store):
    land(zone, TWEETS)
    process(zone, store)
    forget(zone, store, SECRET, authors=[GONE])
    before = store.frame().to_csv()
    again = forget(zone, store, SECRET, authors=[GONE])
    assert (again.landed_tweets, again.scored_rows, again.profiles) == (0, 0, 0)
    process(zone, store)
    assert store.frame().to_csv() == before


def test_a_forgotten_author_does_not_come_back_by_any_way(zone, store):
    forget(zone, store, SECRET, authors=[GONE])
    writer = land(zone, [*TWEETS, tweet(30, GONE)])
    assert (writer.landed, writer.suppressed) == (3, 7)


def test_a_forgotten_author_does_not_come_back_from_an_interrupted_search(zone, store):
    with FakeX() as x:
        ids = [snowflake(datetime.now(UTC).timestamp() * 1000 - 60_000 + number * 100) for number in range(40)]
        x.add(ids)
        pull(zone, x_config(x, page_size=10, monthly_post_cap=10))
        author = next(one["author_id"] for key in zone.keys() for one in zone.read(key))
        forget(zone, store, SECRET, authors=[author])
        pull(zone, x_config(x, page_size=10))
    assert author.encode() not in everything(zone.home.landing)


def test_a_handle_is_refused_because_none_is_stored(zone, store):
    with pytest.raises(InputError, match="id is a number"):
        forget(zone, store, SECRET, authors=["@somebody"])


def test_an_author_known_by_handle_alone_is_forgotten_whatever_its_case_and_nothing_else(zone, store):
    by_handle, same_name = author_id_of("Some_Body"), author_id_of("some_body2")
    land(zone, [tweet(1, by_handle), tweet(2, same_name), tweet(3, OTHER)])
    process(zone, store)
    for row in (b"7\tSOME_body\thi", b"8\tsome_body2\thi", b"9\tanother\tawesome_body"):
        append(zone.home, "import", "a file", "has no text", row)
    done = forget(zone, store, SECRET, handles=["@sOmE_bOdY"])
    assert (done.landed_tweets, done.raw_rows, done.profiles, done.quarantined) == (1, 1, 1, 1)
    assert {int(one["id"]) for batch in zone.keys() for one in zone.read(batch)} == {2, 3}
    assert land(zone, [tweet(4, author_id_of("SOME_BODY"))]).suppressed == 1


def test_what_is_no_handle_is_refused_without_repeating_it(zone, store):
    with pytest.raises(InputError, match="1 to 15 letters") as told:
        forget(zone, store, SECRET, handles=["Some Body"])
    assert "Some" not in str(told.value)


def test_the_command_forgets_a_handle_and_never_logs_it(zone, store):
    land(zone, [tweet(1, author_id_of("Some_Body"))])
    process(zone, store)
    with FakeX() as x:
        ended = run("forget", "--handle", "@some_BODY", env=x_environment(x))
    assert ended.returncode == 0, ended.stderr
    assert "1 landed tweets" in ended.stdout and "by that id alone" in " ".join(ended.stdout.split())
    assert "some_body" not in (ended.stdout + ended.stderr).lower()
    assert not zone.read(zone.keys()[0])


STREAM_DUMP = [
    {"id_str": "1", "full_text": "about the brand", "user": {"id_str": GONE}},
    {"data": {"id": "2", "text": "about the brand"}, "includes": {"users": []}},
    {"data": [{"id": "3", "text": "a"}, {"id": "4", "text": "b"}]},
    {"delete": {"status": {"id": 1, "id_str": "1", "user_id": 1111}, "timestamp_ms": "1"}},
    {"status_withheld": {"id": 5, "user_id": 2, "withheld_in_countries": ["DE"]}},
    {"user_withheld": {"id": 6, "withheld_in_countries": ["DE"]}},
    {"limit": {"track": 5, "timestamp_ms": "1"}},
    {"scrub_geo": {"user_id": 14, "up_to_status_id": 23}},
]


@pytest.mark.parametrize("packed", [False, True])
def test_notices_are_found_among_the_tweets_of_a_stream_dump(tmp_path, packed):
    path = written(tmp_path / "dump.jsonl", STREAM_DUMP)
    if packed:
        (tmp_path / "dump.jsonl.gz").write_bytes(gzip.compress(path.read_bytes()))
        path = tmp_path / "dump.jsonl.gz"
    read = read_notices(path)
    assert (read.tweets, read.authors, read.bad_lines) == ({"1", "5"}, {"6"}, [])
    assert read.others == {"tweets": 4, "limit": 1, "scrub_geo": 1}


def test_a_packed_file_that_breaks_off_is_refused_whole(tmp_path):
    path = tmp_path / "dump.jsonl.gz"
    path.write_bytes(gzip.compress(b"".join(orjson.dumps(one) + b"\n" for one in STREAM_DUMP * 50))[:-20])
    with pytest.raises(InputError, match=r"dump\.jsonl\.gz breaks off .* nothing of it was honoured"):
        read_notices(path)


NOTICES = [
    {"data": {"delete": {"tweet": {"id": "2", "author_id": OTHER}, "event_at": "2026-01-03T00:00:00.000Z"}}},
    {"data": {"user_delete": {"user": {"id": GONE}, "event_at": "2026-01-03T00:00:00.000Z"}}},
    {"user_suspend": {"user": {"id": "51"}, "event_at": "2026-01-03T00:00:00.000Z"}},
    {"user_protect": {"user": {"id": "52"}, "event_at": "2026-01-03T00:00:00.000Z"}},
    {"withheld": {"tweet": {"id": "53", "author_id": "9"}, "withheld_in_countries": ["DE"], "event_at": "x"}},
    {"tweet_edit": {"tweet": {"id": "57"}, "initial_tweet_id": "55", "edit_tweet_ids": ["55", "56", "57"]}},
    {"delete": {"status": {"id": 58, "id_str": "58", "user_id_str": "9"}}},
    {"delete": {"favorite": {"id": "59", "user_id": "9"}, "event_at": "x"}},
    {"user_undelete": {"user": {"id": "60"}, "event_at": "x"}},
    {"scrub_geo": {"user": {"id": "61"}, "up_to_tweet_id": "62", "event_at": "x"}},
]


def written(path: Path, notices) -> Path:
    path.write_bytes(b"".join(orjson.dumps(notice, option=orjson.OPT_APPEND_NEWLINE) for notice in notices))
    return path


def test_every_kind_of_notice_is_understood(tmp_path):
    read = read_notices(written(tmp_path / "notices.jsonl", NOTICES))
    assert read.authors == {GONE, "51", "52"}
    assert read.tweets == {"2", "53", "55", "56", "58"}
    assert read.others == {"unlike": 1, "user_undelete": 1, "scrub_geo": 1}
    assert read.bad_lines == []


def test_a_batch_jobs_lines_need_their_kind(tmp_path):
    lines = [
        {"id": "1", "action": "delete", "created_at": "x", "redacted_at": "x", "reason": "deleted"},
        {"id": "2", "action": "delete", "reason": "scrub_geo"},
    ]
    path = written(tmp_path / "job.jsonl", lines)
    assert read_notices(path).bad_lines == [1]
    assert read_notices(path, "users").authors == {"1"}
    assert read_notices(path, "tweets").tweets == {"1"}


@given(st.binary(max_size=200))
def test_no_line_breaks_the_reading_of_notices(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("notices") / "any.jsonl"
    # Behind a first line: a file that begins as packed ones do is read as such a one.
    path.write_bytes(orjson.dumps(NOTICES[2]) + b"\n" + content + b"\n" + orjson.dumps(NOTICES[1]) + b"\n")
    assert GONE in read_notices(path).authors


def test_the_command_honours_notices_and_names_the_lines_it_could_not_read(zone, store):
    land(zone, TWEETS)
    process(zone, store)
    path = written(zone.home.root / "notices.json", [*NOTICES[:2], {"what": "is this"}])
    with FakeX() as x:
        env = x_environment(x)
        ended = run("forget", "--notices", str(path), env=env)
        assert ended.returncode == 1
        assert "1 lines are no notices" in ended.stderr and "(line 3)" in ended.stderr
        assert "Traceback" not in ended.stderr
        assert {int(one["id"]) for key in zone.keys() for one in zone.read(key)} == {5, 6}
        # X may bring an account back, so a notice does not keep its author away.
        assert land(zone, [tweet(40, GONE)]).landed == 1
        store.database.state.insert_one({"_id": "release", "version": "1"})
        ended = run("forget", GONE, env=env)
        assert ended.returncode == 0, ended.stderr
        assert "made anew with the next clustering" in " ".join(ended.stdout.split())
    assert land(zone, [tweet(41, GONE)]).suppressed == 1


def key_of(age: timedelta, now: datetime) -> str:
    return f"{(now - age).strftime(STAMP)}-stream"


def test_batches_are_purged_after_the_retention_but_never_before_they_are_folded(zone, store):
    land(zone, TWEETS)
    process(zone, store)
    keys = zone.keys()
    profiles = store.frame().to_csv()
    later = datetime.now(UTC) + timedelta(days=31)
    assert purge(zone, keys, timedelta(days=30)).batches == []
    purged = purge(zone, keys[:2], timedelta(days=30), later)
    assert (purged.batches, purged.overdue) == (keys[:2], keys[2:])
    assert zone.keys() == keys[2:] == [path.stem for path in zone.home.raw.iterdir()]
    assert len(list(zone.home.scored.iterdir())) == len(keys)
    assert store.frame().to_csv() == profiles
    assert land(zone, TWEETS[:4]).landed == 0


def test_old_quarantined_records_are_purged(zone, store):
    put_aside(zone.home, "stream", "no text", b"{}")
    (path,) = zone.home.quarantine.iterdir()
    assert purge(zone, [], timedelta(days=30)).quarantine_files == 0
    os.utime(path, (0, 0))
    assert purge(zone, [], timedelta(days=30)).quarantine_files == 1
    assert not path.exists()


@given(st.lists(st.integers(0, 100)), st.integers(1, 50))
def test_exactly_what_is_older_than_the_retention_is_expired(ages, days):
    now = datetime(2026, 5, 1, tzinfo=UTC)
    keys = [key_of(timedelta(days=age), now) for age in ages]
    assert expired(keys, now, timedelta(days=days)) == [key for key, age in zip(keys, ages, strict=True) if age > days]
