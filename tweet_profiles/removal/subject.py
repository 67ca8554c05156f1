"""What is stored of one person, for that person: an answer to "what do you know about me?".

What belongs here: looking an author up in every place where something of them may lie. What does not: removing it
(`forget`). Looking needs the person's own id and the key of the pseudonyms; nobody can go the other way.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from tweet_profiles.landing.zone import LandingZone
from tweet_profiles.privacy.pseudonyms import author_key
from tweet_profiles.privacy.suppression import SuppressionList
from tweet_profiles.profiles.buckets import FIELDS, unpack
from tweet_profiles.profiles.store import ProfileStore
from tweet_profiles.removal.forget import in_quarantine, people

_NO_FACTS = ("_id", "clock", "schema_version", "assignments", "arrival")


@dataclass(frozen=True)
class Subject:
    """What is stored of one person.

    Attributes:
        landed_tweets: tweets with text and ids in the landing zone, which is purged.
        quarantined: records of theirs that could not be read, with their content, purged as well.
        scores: one row a tweet under pseudonyms: scores and coarse facts, no text.
        profile: the profile, by the names of its columns; None if there is none.
        segment: the group that the current clustering put them into; None if it has not.
        kept_away: they asked to be forgotten, and nothing of them is taken in any more.
    """

    landed_tweets: int
    quarantined: int
    scores: list[dict[str, Any]]
    profile: dict[str, Any] | None
    segment: int | None
    kept_away: bool

    @property
    def is_known(self) -> bool:
        """Whether anything is stored at all, the wish to be forgotten aside."""
        return bool(self.landed_tweets or self.quarantined or self.scores or self.profile)

    def to_json(self) -> str:
        """As JSON, for the person."""
        return orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2 | orjson.OPT_NAIVE_UTC).decode()

    def sentence(self) -> str:
        """As a sentence, for the person."""
        if not self.is_known:
            return "Nothing is stored of this person" + (
                ", and nothing will be: they asked to be forgotten." if self.kept_away else "."
            )
        parts = [
            f"{self.landed_tweets} tweets as they were read and {self.quarantined} records that could not be read, "
            "which are removed after the retention",
            f"the scores of {len(self.scores)} tweets without text, by hour and under a pseudonym",
            "a profile made of them" if self.profile is not None else "no profile",
        ]
        group = "" if self.segment is None else f" They are in segment {self.segment}."
        return (
            f"Stored of this person: {'; '.join(parts)}.{group} No name, handle, biography, location or id is stored "
            "beside the profile; what leaves the system are rows that at least k authors share."
        )


def subject_of(
    zone: LandingZone, store: ProfileStore, secret: bytes, *, author: str | None = None, handle: str | None = None
) -> Subject:
    """Look one author up, by id or, where a file told the handle alone, by handle.

    Args:
        zone: the landing zone of the home.
        store: the profiles.
        secret: the key of the pseudonyms.
        author: the id, digits.
        handle: instead of the id.

    Raises:
        InputError: if the id or the handle is none, or a landed batch is damaged.
        DatabaseError: if the store cannot be reached.
    """
    ids, names = people([] if author is None else [author], [] if handle is None else [handle])
    (author_id,) = ids
    key = author_key(secret, author_id)
    database = store.database
    landed, kept_away = zone.keys(), SuppressionList(zone.home).keys()
    document = database.profiles.find_one({"_id": key})
    bucket = database.scores.find_one({"_id": key})
    clustering = database.state.find_one({"_id": "clustering"})
    return Subject(
        landed_tweets=sum(tweet["author_id"] == author_id for batch in landed for tweet in zone.read(batch)),
        quarantined=in_quarantine(zone.home, ids | names),
        scores=[] if bucket is None else [_score(row) for row in unpack(bucket)],
        profile=None
        if document is None
        else {name: value for name, value in document.items() if name not in _NO_FACTS},
        segment=None if document is None or clustering is None else _segment(document, clustering["version"]),
        kept_away=key in kept_away,
    )


def _score(row: list[Any]) -> dict[str, Any]:
    told = dict(zip(FIELDS, row, strict=True))
    return {name: value for name, value in told.items() if value is not None and name not in ("tweet_key", "order")}


def _segment(document: Mapping[str, Any], version: str) -> int | None:
    arrival = document.get("arrival", {})
    found = document.get("assignments", {}).get(version) or (arrival if arrival.get("version") == version else {})
    return found.get("segment")
