"""Segments as they are shown to people: their size from released rows, their means no finer than one author moves them.

What belongs here: reading everything small of a release; what of a segment's document, and of earlier nights, may be
shown, and how coarse. What does not: HTTP (`api`), and what a segment is like (`segments.describe`).

A document holds figures of all authors of a segment. Beside the number of released rows they would tell of the withheld
authors, and from one night to the next of a single one, so nothing of it is shown but through here.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from pymongo import DESCENDING
from pymongo.database import Database

from tweet_profiles.release.counts import roughly
from tweet_profiles.release.store import ReleaseStore, count_rows, row_parts
from tweet_profiles.segments.describe import Trait, brief, campaign, gaps_in_words
from tweet_profiles.segments.features import FEATURES

Document = dict[str, Any]

STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
HISTORY = 30
NOT_KNOWN = "not_known"
"""What rows without a known mood are counted under."""
_MEANS = ("positive_share", "neutral_share", "negative_share", "sentiment_mean", "subjectivity_mean")


@dataclass(frozen=True)
class Snapshot:
    """One release with everything small about it: what the page, the API and the notebooks show."""

    version: str
    release: Document
    clustering: Document
    segments: list[Document]
    counts: dict[int, int]
    labels: dict[str, int]
    history: list[Document]

    @property
    def k(self) -> int:
        """Fewest authors of a group."""
        return int(self.release["k_anonymity"])

    def segment(self, number: int) -> Document | None:
        """A shown segment."""
        return next((segment for segment in self.segments if segment["segment"] == number), None)


def read_snapshot(database: Database[Document], version: str | None = None) -> Snapshot | None:
    """Everything small of a release, by default the current one; None if it, or its clustering, is not there."""
    if version is None:
        current = ReleaseStore(database).current()
        if current is None:
            return None
        version = current.version
    release = database.releases.find_one({"_id": version, "complete": True})
    clustering = None if release is None else database.clusterings.find_one({"_id": release["clustering"]})
    if release is None or clustering is None:
        return None
    counts, labels = _counts(database, release)
    documents = database.segments.find({"version": release["clustering"]})
    history = list(
        database.clusterings.find(
            {"complete": True, "created": {"$lte": clustering["created"]}},
            {"created": 1, "k": 1, "shares": 1, "names": 1, "authors": 1},
        )
        .sort("created", DESCENDING)
        .limit(HISTORY)
    )
    k = int(release["k_anonymity"])
    shown = [
        public_segment(document, counts, clustering, history)
        for document in documents
        if counts.get(int(document["segment"]), 0) >= k
    ]
    shown.sort(key=lambda segment: (-segment["authors"], segment["segment"]))
    return Snapshot(version, release, clustering, shown, counts, labels, history)


def _counts(database: Database[Document], release: Document) -> tuple[dict[int, int], dict[str, int]]:
    """Released rows a segment and a mood."""
    found = release.get("counts")
    if found is None:
        # Written before releases were counted as they are made.
        rows = chain.from_iterable(row_parts(database, release["_id"], release["authors"]))
        found = count_rows((row["segment"], row["sentiment_label"]) for row in rows)
    counts: dict[int, int] = {}
    labels: dict[str, int] = {}
    for segment, label, authors in found:
        counts[segment] = counts.get(segment, 0) + authors
        labels[label or NOT_KNOWN] = labels.get(label or NOT_KNOWN, 0) + authors
    return counts, labels


def step_for(authors: int) -> float:
    """The finest step in which a mean of values in 0..1 over so many authors is shown: at least 1 / authors."""
    return next(step for step in STEPS if step >= 1 / max(1, authors))


def coarse(value: float, step: float) -> float:
    """A value to the nearest step."""
    return round(round(value / step) * step, 2)


def significant(value: float, digits: int = 2) -> float:
    """A value to so many significant digits."""
    if value == 0 or not math.isfinite(value):
        return 0.0
    return round(value, digits - 1 - math.floor(math.log10(abs(value))))


def public_segment(
    document: Document, counts: Mapping[int, int], clustering: Document, history: Sequence[Document]
) -> Document:
    """A segment as it is shown: its size from released rows, its means coarse (see the module's docstring).

    Args:
        document: of the segment.
        counts: released rows by segment.
        clustering: the document of its clustering.
        history: the nights until then, the newest first.
    """
    number = int(document["segment"])
    authors, total = counts[number], sum(counts.values())
    step = step_for(authors)
    passed_on = document.get("passed_on")
    counted = {name: document.get(name) for name in ("tweets", "tweets_own", "tweets_passed_on", "tweets_scored")}
    traits = [
        {**trait, "effect": round(trait["effect"], 1), "mean": significant(trait["mean"]),
         "rest": significant(trait["rest"])}
        for trait in document["traits"]
    ]  # fmt: skip
    shown = {
        "segment": number,
        "name": document["name"],
        "authors": authors,
        "share": coarse(authors / total, 0.01),
        "trend": _trend(number, history),
        **{name: _coarse(document[name], step) for name in _MEANS},
        **{name: None if count is None else int(significant(count)) for name, count in counted.items()},
        "passed_on": None if passed_on is None else {mood: coarse(share, step) for mood, share in passed_on.items()},
        "not_scored": {name: int(significant(count)) for name, count in document.get("not_scored", {}).items()},
        # Documents of earlier versions know no difference between what is written and what is passed on.
        "retweets_known": bool(document.get("retweets_known")),
        "share_of_tweets": coarse(document["share_of_tweets"], step),
        "part_of_day": document["part_of_day"],
        "best_hours": document["best_hours"],
        "languages": {name: coarse(share, step) for name, share in document["languages"].items()},
        "clients": {name: coarse(share, step) for name, share in document["clients"].items()},
        "topics": list(document["topics"]),
        "traits": traits,
        "fingerprint": _fingerprint(number, clustering, document.get("not_known", [])),
        "confidence": coarse(document["confidence"], step),
        "is_outlier_group": bool(document["is_outlier_group"]),
    }
    typical = {name: significant(value) for name, value in document["typical"].items()}
    told = {
        **shown,
        "typical": typical,
        "not_known": document.get("not_known", []),
        "traits": [Trait(**trait) for trait in traits],
    }
    words = {"gaps": gaps_in_words(shown["not_scored"]), "brief": brief(told), "campaign": campaign(told)}
    return {**shown, "typical": typical, **words}


def _coarse(value: float | None, step: float) -> float | None:
    return None if value is None else coarse(value, step)


def _trend(number: int, history: Sequence[Document]) -> float | None:
    """By how much its share of the authors grew since the clustering before; None if it is new."""
    if len(history) < 2 or str(number) not in history[1]["shares"] or str(number) not in history[0]["shares"]:
        return None
    return coarse(history[0]["shares"][str(number)] - history[1]["shares"][str(number)], 0.01)


def _fingerprint(number: int, clustering: Document, not_known: Sequence[str]) -> list[Document]:
    """The segment's centre, in standard deviations from the average author; None where most of its authors lack it."""
    row = clustering["centroids"][clustering["segments"].index(number)]
    return [
        {"feature": name, "label": FEATURES[name].label, "value": None if name in not_known else round(value, 1)}
        for name, value in zip(clustering["features"], row, strict=True)
        if FEATURES[name].natural
    ]


def segment_history(number: int, history: Sequence[Document], k: int) -> list[Document]:
    """The nights of a segment in which it had at least `k` authors, the oldest first."""
    nights = []
    for entry in reversed(history):
        authors = round(entry["shares"].get(str(number), 0) * entry["authors"])
        if authors >= k:
            nights.append(
                {
                    "version": entry["_id"],
                    "created": entry["created"].isoformat(),
                    "name": entry["names"].get(str(number)),
                    "share": coarse(entry["shares"][str(number)], step_for(int(entry["authors"]))),
                    "authors": roughly(authors, k),
                }
            )
    return nights
