"""Making a release: rows, timelines, and everything small that is shown, of one clustering.

What belongs here: reading what a release is made of, and the order of the steps. What does not: the steps themselves
(`anonymise`, `timelines` and `periods`, `shown`), and documents (`store`).
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
from pymongo.database import Database

from tweet_profiles.errors import DatabaseError
from tweet_profiles.profiles.buckets import FIELDS
from tweet_profiles.profiles.store import ProfileStore
from tweet_profiles.release.anonymise import DIVERSITY, Anonymised, anonymise, facts_of
from tweet_profiles.release.periods import LATE, close_weeks, published_cells
from tweet_profiles.release.shown import counts_of, view_of
from tweet_profiles.release.store import COUNTED, ReleaseStore, count_rows, plain

Document = dict[str, Any]


def make_release(
    database: Database[Document],
    clustering: str,
    *,
    model_version: str,
    k: int,
    late: timedelta = LATE,
    now: datetime | None = None,
) -> tuple[str, Anonymised]:
    """Anonymise all grouped authors of a clustering and store the release, without switching to it.

    Args:
        database: with profiles and the assignments of `clustering`.
        clustering: the version that readers use.
        model_version: of the model that scored the tweets.
        k: authors a group, at least.
        late: how long after its end a week of the timelines waits for late tweets.
        now: the moment up to which weeks are over; the present if not told.

    Returns:
        The release's version, and what is in it; authors who were not grouped yet count as withheld.

    Raises:
        DatabaseError: if the clustering is not there.
    """
    profiles = ProfileStore(database).frame()
    segment, confidence = _assignments(database, clustering, profiles["author_key"])
    grouped = segment >= 0
    chosen = profiles[grouped].reset_index(drop=True)
    result = anonymise(facts_of(chosen, segment[grouped], confidence[grouped]), k=k)
    result = Anonymised(
        result.frame, result.withheld + int((~grouped).sum()), result.groups, result.smallest_group, result.row_of
    )
    shown = result.row_of >= 0
    of_author = pd.Series(segment[grouped][shown], index=chosen["author_key"][shown].astype(object))
    close_weeks(database, _tweets(database, of_author), k, now or datetime.now(UTC), late)
    rows = published_cells(database, k)
    counted = count_rows(zip(*(plain(result.frame[name]) for name in COUNTED), strict=True))
    view = view_of(database, clustering, counts_of(counted)[0], k)
    if view is None:
        raise DatabaseError(f"clustering {clustering} is not there: materialize customer_clusters again")
    version = ReleaseStore(database).write_version(
        result, rows, view, clustering=clustering, model_version=model_version, k=k, diversity=min(DIVERSITY, k)
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
