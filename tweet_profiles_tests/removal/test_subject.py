"""What a person is told of what is stored, and how they have it erased."""

import json
from typing import Any

import pandas as pd
import pytest

from tweet_profiles.errors import InputError
from tweet_profiles.home import Home
from tweet_profiles.landing.frames import raw_frame
from tweet_profiles.landing.tweets import author_id_of
from tweet_profiles.landing.zone import LandingZone
from tweet_profiles.privacy.generalise import to_scored
from tweet_profiles.profiles.store import ProfileStore
from tweet_profiles.removal.subject import subject_of
from tweet_profiles_tests.conftest import KEY, Command

SECRET = KEY.encode()
ASKS, OTHER, BY_HANDLE = "1111", "2222", author_id_of("norvella_fan")


def tweet(number: int, author: str) -> dict[str, Any]:
    return {
        "id": str(number),
        "author_id": author,
        "text": f"what was said in {number}",
        "created_at": "2026-01-01T10:20:30Z",
        "observed_at": "2026-01-02T00:00:00Z",
        "hashtags": [],
        "author": {"public_metrics": {"followers_count": 12345}},
    }


@pytest.fixture
def zone(home: Home, own_database: str) -> LandingZone:
    return LandingZone(home)


@pytest.fixture
def store(zone: LandingZone, own_database: str, database: Any) -> ProfileStore:
    """A store and a landing zone in which three authors have tweeted."""
    found = ProfileStore(database.client[own_database])
    found.prepare()
    with zone.writer("import") as writer:
        for number, author in enumerate([ASKS, OTHER, ASKS, BY_HANDLE], start=1):
            writer.add(tweet(number, author))  # type: ignore[arg-type]
    for key in zone.keys():
        raw = raw_frame(zone.read(key)).frame
        scores = pd.DataFrame({"sentiment": [0.9] * len(raw), "subjectivity": [0.5] * len(raw)}, dtype="float32")
        scores = scores.assign(label="positive", not_scored=None, lang="en")
        found.fold(to_scored(raw, scores, SECRET, 2), key)
    return found


def test_a_person_sees_their_own_tweets_scores_and_profile_and_nobody_elses(
    zone: LandingZone, store: ProfileStore
) -> None:
    found = subject_of(zone, store, SECRET, author=ASKS)
    assert found.landed_tweets == 2 and len(found.scores) == 2
    assert found.profile is not None and found.profile["tweets_seen"] == 2
    told = json.loads(found.to_json())
    assert told["profile"]["followers"] == 12589, "account counts are stored coarse"
    assert "what was said" not in found.to_json()
    assert "2 tweets as they were read" in found.sentence() and "the scores of 2 tweets" in found.sentence()


def test_somebody_unknown_is_told_that_nothing_is_stored(zone: LandingZone, store: ProfileStore) -> None:
    found = subject_of(zone, store, SECRET, author="987654321")
    assert not found.is_known and found.sentence() == "Nothing is stored of this person."


def test_what_is_no_id_is_refused_with_the_way_out(zone: LandingZone, store: ProfileStore) -> None:
    with pytest.raises(InputError, match="--handle"):
        subject_of(zone, store, SECRET, author="norvella_fan")


def test_erasing_leaves_nothing_of_the_person_and_gives_a_receipt_that_names_nobody(
    zone: LandingZone, store: ProfileStore, command: Command
) -> None:
    bad = zone.home.quarantine / "bad.jsonl"
    bad.write_text('{"reason":"no time","content":"x,Norvella_Fan,hello"}\n{"reason":"no time","content":"other"}\n')
    assert subject_of(zone, store, SECRET, handle="norvella_fan").quarantined == 1
    done = command("subject", "--handle", "@Norvella_Fan", "--erase", "--yes")
    assert done.returncode == 0, done.stderr
    receipt = done.stdout[done.stdout.index("Receipt ") :]
    assert BY_HANDLE not in done.stdout and "norvella_fan" not in done.stdout.lower()
    assert "everything stored of one person was erased" in receipt
    assert "orvella_" not in bad.read_text() and "other" in bad.read_text()
    after = subject_of(zone, store, SECRET, handle="Norvella_Fan")
    assert not after.is_known and after.kept_away
    assert after.sentence().endswith("nothing will be: they asked to be forgotten.")
    assert subject_of(zone, store, SECRET, author=ASKS).is_known


def test_one_of_id_and_handle_is_needed(command: Command) -> None:
    done = command("subject")
    assert done.returncode == 2 and "--handle" in done.stderr and "Traceback" not in done.stderr
