import multiprocessing
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from tweet_profiles.errors import HomeError, InputError
from tweet_profiles.home import Home
from tweet_profiles.landing import zone as zone_module
from tweet_profiles.landing.zone import LandingZone, Tally
from tweet_profiles_tests.landing.made import land, tweet


def test_a_batch_lands_when_it_is_full(home: Home) -> None:
    zone = LandingZone(home, batch_size=10)
    land(zone, *[tweet(number) for number in range(25)])
    assert [len(zone.read(key)) for key in zone.keys()] == [10, 10, 5]


def test_a_batch_lands_when_it_is_old_enough(home: Home) -> None:
    now = [0.0]
    with LandingZone(home, batch_age_s=60).writer("stream", clock=lambda: now[0]) as writer:
        writer.add(tweet(1))
        assert not writer.flush_if_due()
        now[0] = 61
        assert writer.flush_if_due()
    assert writer.batches == 1


def test_only_the_owner_may_enter_the_landing_zone(home: Home) -> None:
    land(LandingZone(home), tweet(1))
    for folder in (home.private, home.landing):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for file in home.landing.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_tweet_lands_again_only_with_a_later_observation(home: Home) -> None:
    zone = LandingZone(home)
    land(zone, tweet(1, "2026-01-02T00:00:00Z"))
    assert land(zone, tweet(1, "2026-01-02T00:00:00Z"), tweet(1, "2026-01-01T00:00:00Z")).landed == 0
    assert land(zone, tweet(1, "2026-01-03T00:00:00Z")).landed == 1


def test_the_last_version_of_an_edited_tweet_counts_whenever_it_was_observed(home: Home) -> None:
    zone = LandingZone(home)
    first, second = tweet(1, "2026-01-05T00:00:00Z"), tweet(1, "2026-01-01T00:00:00Z") | {"version": 2}
    assert land(zone, first).landed == 1
    assert land(zone, second).landed == 1
    assert land(zone, first, tweet(1, "2026-01-09T00:00:00Z")).landed == 0
    writer = land(zone, *[tweet(2) | {"version": version} for version in (1, 3, 2)])
    assert (writer.landed, writer.duplicates) == (1, 2)
    assert zone.read(zone.keys()[-1])[0]["version"] == 3


def test_the_open_batch_lands_even_if_its_writer_fails(home: Home) -> None:
    zone = LandingZone(home)
    with pytest.raises(RuntimeError), zone.writer("stream") as writer:
        writer.add(tweet(1))
        raise RuntimeError
    assert [entry["id"] for key in zone.keys() for entry in zone.read(key)] == ["1"]


def test_removed_batches_stay_known(home: Home) -> None:
    zone = LandingZone(home)
    land(zone, tweet(1))
    assert zone.remove(zone.keys()) == 1
    assert land(zone, tweet(1)).duplicates == 1
    assert zone.keys() == []


def test_a_lost_index_is_made_again_from_what_is_landed(home: Home) -> None:
    zone = LandingZone(home)
    land(zone, *[tweet(number) for number in range(5)])
    for file in home.private.glob("landed.sqlite*"):
        file.unlink()
    assert land(zone, *[tweet(number) for number in range(6)]).landed == 1


def test_a_damaged_batch_is_named_with_what_to_do(home: Home) -> None:
    zone = LandingZone(home)
    land(zone, tweet(1))
    path = zone.path(zone.keys()[0])
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(InputError, match="is damaged"):
        zone.read(zone.keys()[0])
    with pytest.raises(InputError, match="purged"):
        zone.read("20200101T000000000000Z-import")


def _land_range(root: str, start: int) -> None:
    land(LandingZone(Home.open(Path(root)), batch_size=20), *[tweet(number) for number in range(start, start + 300)])


@pytest.mark.integration
def test_writers_at_the_same_time_land_every_tweet_once(home: Home) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_land_range, args=(str(home.root), start)) for start in (0, 100, 200)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    zone = LandingZone(home)
    ids = [entry["id"] for key in zone.keys() for entry in zone.read(key)]
    assert sorted(map(int, ids)) == list(range(500))
    assert zone.keys() == sorted(zone.keys())


def test_every_tally_of_one_writer_balances(home: Home) -> None:
    zone = LandingZone(home, batch_size=10)
    land(zone, *[tweet(number) for number in range(5)])
    first, second = Tally(), Tally()
    with zone.writer("import") as writer:
        for number in range(12):
            writer.add(tweet(number), first)
        for number in range(8, 20):
            writer.add(tweet(number, "2026-01-01T05:00:00Z" if number == 9 else "2026-01-01T00:00:00Z"), second)
    assert (first.landed, first.duplicates, first.suppressed) == (6, 6, 0)
    assert (second.landed, second.duplicates) == (9, 3)
    assert (writer.landed, writer.duplicates) == (15, 9)


def test_the_later_version_of_an_edited_tweet_wins_over_a_later_look_at_the_earlier(home: Home) -> None:
    zone = LandingZone(home)
    edited = tweet(1, "2026-01-01T00:00:00Z") | {"version": 2}
    assert land(zone, edited).landed == 1
    assert land(zone, tweet(1, "2026-02-01T00:00:00Z")).landed == 0
    assert land(zone, edited | {"version": 3}).landed == 1


def test_batches_are_full_where_most_tweets_have_landed_before(home: Home) -> None:
    zone = LandingZone(home, batch_size=50)
    land(zone, *[tweet(2 * number) for number in range(200)])
    before = set(zone.keys())
    land(zone, *[tweet(number) for number in range(400)])
    assert [len(zone.read(key)) for key in zone.keys() if key not in before] == [50, 50, 50, 50]


def test_an_index_that_another_process_holds_is_no_damaged_file(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zone_module, "_LOCK_WAIT_S", 0.2)
    zone = LandingZone(home)
    with zone.writer("import"):
        pass
    with closing(sqlite3.connect(zone.index_file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(HomeError, match="in use by another process") as raised, zone.writer("import"):
            pass
    assert "move it away" not in str(raised.value)
