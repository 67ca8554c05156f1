"""Making a release: rows, timelines, and everything small that is shown, of one clustering.

What belongs here: reading what a release is made of, and the order of the steps. What does not: the steps themselves
(`anonymise`, `timelines` and `periods`, `shown`), and documents (`store`).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from pymongo.database import Database

from tweet_profiles.errors import DatabaseError
from tweet_profiles.profiles.buckets import FIELDS
from tweet_profiles.profiles.store import ProfileStore
from tweet_profiles.release.anonymise import DIVERSITY, Anonymised, Facts, anonymise, facts_of
from tweet_profiles.release.nights import changed, own_rows, stays
from tweet_profiles.release.periods import LATE, close_weeks, published_cells
from tweet_profiles.release.shown import counts_of, view_of
from tweet_profiles.release.store import COUNTED, Release, ReleaseStore, count_rows, plain

Document = dict[str, Any]


@dataclass(frozen=True)
class Grouped:
    """All grouped authors of a clustering: their pseudonyms, segments and facts in one order, their `own_rows`, and how
    many others were not grouped yet.
    """

    clustering: str
    authors: pd.Series
    segment: np.ndarray
    facts: Facts
    basis: np.ndarray
    ungrouped: int


def read_grouped(database: Database[Document], clustering: str) -> Grouped:
    """The authors of a clustering as they are now."""
    profiles = ProfileStore(database).frame()
    segment, confidence = _assignments(database, clustering, profiles["author_key"])
    grouped = segment >= 0
    chosen = profiles[grouped].reset_index(drop=True)
    facts = facts_of(chosen, segment[grouped], confidence[grouped])
    return Grouped(
        clustering, chosen["author_key"], segment[grouped], facts, own_rows(facts), len(profiles) - len(chosen)
    )


def standing_release(
    database: Database[Document], grouped: Grouped, *, k: int, longest: timedelta, now: datetime | None = None
) -> Release | None:
    """The release that readers stay on, because too few authors changed since; None if a new one is to be made.

    Args:
        database: where.
        grouped: of whom it would be made.
        k: authors a group, at least.
        longest: the age at which a new release is made for fewer changes than `k`.
        now: the present if not told.
    """
    store = ReleaseStore(database)
    last = store.current()
    if last is None:
        return None
    differing = changed(store.basis(last), grouped.basis)
    return last if stays(last, differing, k, now or datetime.now(UTC), longest) else None


def make_release(
    database: Database[Document],
    grouped: Grouped | str,
    *,
    model_version: str,
    k: int,
    late: timedelta = LATE,
    now: datetime | None = None,
) -> tuple[str, Anonymised]:
    """Anonymise all grouped authors of a clustering and store the release, without switching to it.

    Args:
        database: with profiles and the assignments of the clustering.
        grouped: its authors, or the version of a clustering.
        model_version: of the model that scored the tweets.
        k: authors a group, at least.
        late: how long after its end a week of the timelines waits for late tweets.
        now: the moment up to which weeks are over; the present if not told.

    Returns:
        The release's version, and what is in it; authors who were not grouped yet count as withheld.

    Raises:
        DatabaseError: if the clustering is not there.
    """
    if isinstance(grouped, str):
        grouped = read_grouped(database, grouped)
    # A pseudonym is made with the home's key, so nobody else knows these numbers.
    secrets = np.array([int(author[:16], 16) for author in grouped.authors], np.uint64)
    result = anonymise(grouped.facts, k=k, secrets=secrets)
    result = Anonymised(
        result.frame, result.withheld + grouped.ungrouped, result.groups, result.smallest_group, result.row_of
    )
    shown = result.row_of >= 0
    of_author = pd.Series(grouped.segment[shown], index=grouped.authors[shown].astype(object))
    close_weeks(database, _tweets(database, of_author), k, now or datetime.now(UTC), late)
    rows = published_cells(database, k)
    counted = count_rows(zip(*(plain(result.frame[name]) for name in COUNTED), strict=True))
    view = view_of(database, grouped.clustering, counts_of(counted)[0], k)
    if view is None:
        raise DatabaseError(f"clustering {grouped.clustering} is not there: materialize customer_clusters again")
    version = ReleaseStore(database).write_version(
        result,
        rows,
        counted,
        view,
        grouped.basis,
        clustering=grouped.clustering,
        model_version=model_version,
        k=k,
        diversity=min(DIVERSITY, k),
    )
    return version, result


def _assignments(database: Database[Document], clustering: str, authors: pd.Series) -> tuple[Any, Any]:
    """Segment (-1 if none) and confidence of each author."""
    field = f"assignments.{clustering}"
    found = {
        profile["_id"]: profile["assignments"][clustering]
        for profile in database.profiles.find({field: {"$exists": True}}, {field: 1})
    }
    rows = [found.get(author, {"segment": -1, "confidence": 0.0}) for author in authors]
    frame = pd.DataFrame(rows, columns=["segment", "confidence"])
    return frame["segment"].to_numpy("int64"), frame["confidence"].to_numpy("float64")


def _tweets(database: Database[Document], segment_of: pd.Series) -> pd.DataFrame:
    """The tweets of released authors, as `timelines` takes them."""
    places = {author: place for place, author in enumerate(segment_of.index)}
    chosen = [FIELDS.index(name) for name in ("created_hour", "sentiment", "label", "is_retweet")]
    rows = [
        (places[author], *(row[place] for place in chosen))
        for author, bucket in ProfileStore(database).buckets()
        if author in places
        for row in bucket.rows
    ]
    frame = pd.DataFrame(rows, columns=["author", "day", "sentiment", "label", "is_retweet"])
    frame["day"] = pd.to_datetime(frame["day"] * 3600, unit="s", utc=True).dt.floor("D")
    frame["sentiment"] = frame["sentiment"].astype("float64")
    frame["label"] = frame["label"].astype("category")
    # As in a profile: what is not known to be a retweet is its author's own.
    own = frame.pop("is_retweet").map(lambda flag: flag is not True).astype(bool)
    return frame.assign(own=own, segment=segment_of.to_numpy()[frame["author"].to_numpy("int64")])
