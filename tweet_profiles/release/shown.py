"""Segments as they are shown to people: their size from released rows, their means no finer than one author moves them.

What belongs here: what of a segment's document, of its clustering and of earlier nights may be shown, and how coarse;
and reading everything small of a release. What does not: HTTP (`api`), what a segment is like (`segments.describe`),
and writing a release (`store`, `make`).

A document of a segment holds figures of all of its authors. Beside the number of released rows they would tell of the
withheld authors, and from one night to the next of a single one. So they are made coarse here, once, when a release is
made, and stored with it (`view_of`). Whoever shows anything reads that, and needs no access to what it was made from.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

from pymongo import DESCENDING
from pymongo.database import Database

from tweet_profiles.release.counts import roughly
from tweet_profiles.release.store import COUNTED, VIEWS, ReleaseStore, count_rows, row_parts
from tweet_profiles.segments.describe import Trait, brief, campaign, gaps_in_words
from tweet_profiles.segments.features import FEATURES, Scaler

Document = dict[str, Any]

STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
HISTORY = 30
NOT_KNOWN = "not_known"
"""What rows without a known mood are counted under."""
_MEANS = ("positive_share", "neutral_share", "negative_share", "sentiment_mean", "subjectivity_mean")
_ELBOW = ("k", "inertia", "silhouette", "calinski_harabasz", "stability", "null_inertia")


@dataclass(frozen=True)
class Snapshot:
    """One release with everything small about it: what the page, the API and the notebooks show.

    Attributes:
        version: of the release.
        release: its document.
        segments: the shown segments, the largest first, each with its `nights`, `brief` and `campaign`.
        clusterings: the clustering it was made of and those before it, the newest first: when, k, elbow, faults.
        placing: what places an account among the shown segments, as coarse as they are; see `placing`.
        counts: released rows by segment.
        labels: released rows by mood.
    """

    version: str
    release: Document
    segments: list[Document]
    clusterings: list[Document]
    placing: Document
    counts: dict[int, int]
    labels: dict[str, int]

    @property
    def k(self) -> int:
        """Fewest authors of a group."""
        return int(self.release["k_anonymity"])

    @property
    def clustering(self) -> Document:
        """The clustering that the release was made of."""
        return self.clusterings[0]

    def segment(self, number: int) -> Document | None:
        """A shown segment."""
        return next((segment for segment in self.segments if segment["segment"] == number), None)


def read_snapshot(database: Database[Document], version: str | None = None) -> Snapshot | None:
    """Everything small of a release, by default the current one; None if it is not there.

    Reads what was written when the release was made, and nothing to the left of it.
    """
    if version is None:
        current = ReleaseStore(database).current()
        if current is None:
            return None
        version = current.version
    release = database.releases.find_one({"_id": version, "complete": True})
    view = None if release is None else database[VIEWS].find_one({"_id": version})
    if release is None or view is None or "counts" not in release:
        return None
    counts, labels = counts_of(release["counts"])
    return Snapshot(version, release, view["segments"], view["clusterings"], view["placing"], counts, labels)


def complete_view(database: Database[Document]) -> None:
    """Write the view of the current release where an earlier version of this package made it without one.

    For whoever may read all of the database; the API reads releases only and finds it there.
    """
    release = ReleaseStore(database).current()
    if release is None or read_snapshot(database, release.version) is not None:
        return
    rows = chain.from_iterable(row_parts(database, release.version, release.authors))
    counted = count_rows((row["segment"], row[COUNTED[1]]) for row in rows)
    view = view_of(database, release.clustering, counts_of(counted)[0], release.k_anonymity)
    if view is not None:
        database[VIEWS].replace_one({"_id": release.version}, view, upsert=True)
        database.releases.update_one({"_id": release.version}, {"$set": {"counts": counted}})


def counts_of(counted: Sequence[Sequence[Any]]) -> tuple[dict[int, int], dict[str, int]]:
    """Released rows by segment and by mood, from what `store.count_rows` counted."""
    counts: dict[int, int] = {}
    labels: dict[str, int] = {}
    for segment, label, authors in counted:
        counts[segment] = counts.get(segment, 0) + authors
        labels[label or NOT_KNOWN] = labels.get(label or NOT_KNOWN, 0) + authors
    return counts, labels


def view_of(database: Database[Document], clustering: str, counts: Mapping[int, int], k: int) -> Document | None:
    """Everything small that a release shows, made of a clustering and its segments; None if that is not there.

    Args:
        database: with the clusterings and their segments.
        clustering: the version that the release is made of.
        counts: released rows by segment; a segment with fewer than `k` is not shown.
        k: fewest authors of a group.
    """
    document = database.clusterings.find_one({"_id": clustering})
    if document is None:
        return None
    # Not what readers may never learn of: of nights before, what is shown of them alone.
    history = list(
        database.clusterings.find({"complete": True, "created": {"$lte": document["created"]}}, {"centroids": 0})
        .sort("created", DESCENDING)
        .limit(HISTORY)
    )
    shown = [
        {**public_segment(segment, counts, document, history), "nights": nights_of(segment["segment"], history, k)}
        for segment in database.segments.find({"version": clustering})
        if counts.get(int(segment["segment"]), 0) >= k
    ]
    shown.sort(key=lambda segment: (-segment["authors"], segment["segment"]))
    return {
        "segments": shown,
        "clusterings": [public_clustering(entry, k) for entry in history],
        "placing": placing(document, [segment["segment"] for segment in shown]),
    }


def public_clustering(document: Document, k: int) -> Document:
    """A clustering as it is shown: when, how many segments and why, and its elbow to three digits."""
    moved = document.get("moved_authors")
    return {
        "version": document["_id"],
        "created": document["created"].isoformat(),
        "k": int(document["k"]),
        "authors": roughly(document["authors"], k),
        "features": list(document["features"]),
        "elbow": [
            {name: None if row.get(name) is None else significant(row[name], 3) for name in _ELBOW}
            | {"k": int(row["k"])}
            for row in document["sweep"]
        ],
        "faults": list(document["faults"]),
        "moved_authors": None if moved is None else round(moved, 2),
    }


def placing(clustering: Document, segments: Sequence[int]) -> Document:
    """What places an account among the shown segments: scaler and centres, to two digits and steps of 0.1.

    Whoever asks often enough learns them; so they are made as coarse as the fingerprints on the page, and hold nothing
    of a segment that is not shown.
    """
    scaler = [
        {name: significant(value) if isinstance(value, float) else value for name, value in asdict(column).items()}
        for column in Scaler.from_json(clustering["scaler"]).columns
    ]
    rows = dict(zip(clustering["segments"], clustering["centroids"], strict=True))
    return {
        "scaler": scaler,
        "segments": list(segments),
        "centroids": [[round(value, 1) for value in rows[number]] for number in segments],
    }


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


def nights_of(number: int, history: Sequence[Document], k: int) -> list[Document]:
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
