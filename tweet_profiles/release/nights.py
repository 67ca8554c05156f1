"""Whether a night makes a release: only where enough authors' rows differ from the last one's, or that is old enough.

What belongs here: telling how many authors changed, and the decision. What does not: making and storing releases.

What one author shows is made of their own row: their figures as they would be released if nobody were grouped with
them. A release that differs from the last by fewer than k of these rows (of authors who came, left, changed or were
forgotten) would tell of them by the difference, so readers stay on the last one until k differ. Segments are no part
of the rows: that authors are grouped differently is no change of theirs, and must not open the door for one who is.
"""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from tweet_profiles.release.anonymise import Facts, summarise, typed
from tweet_profiles.release.store import Release

LONGEST = timedelta(days=7)
"""How old a release grows, if not told otherwise, before a new one is made for fewer changes than k."""
_OF_GROUPING = ["segment", "segment_confidence"]


def row_numbers(facts: Facts) -> np.ndarray:
    """A number for each author's own row, the same for equal rows: uint64 (authors,)."""
    alone = np.arange(len(facts))
    rows = typed(summarise(facts, alone, len(facts))).drop(columns=_OF_GROUPING)
    return pd.util.hash_pandas_object(rows, index=False).to_numpy(np.uint64)


def own_rows(facts: Facts) -> np.ndarray:
    """The `row_numbers` of all authors, sorted, so that they stand in no order: uint64 (authors,)."""
    return np.sort(row_numbers(facts))


def changed(before: np.ndarray, now: np.ndarray) -> int:
    """By how many authors two nights differ at least, from their `own_rows`.

    Who changed is counted once; of those who came and those who left, the more.
    """
    values, counts = np.unique(before, return_counts=True)
    others, their_counts = np.unique(now, return_counts=True)
    _, here, there = np.intersect1d(values, others, assume_unique=True, return_indices=True)
    return int(max(len(before), len(now)) - np.minimum(counts[here], their_counts[there]).sum())


def stays(last: Release, differing: int, k: int, now: datetime, longest: timedelta) -> bool:
    """Whether readers stay on the last release.

    Args:
        last: that release.
        differing: authors who changed since, see `changed`.
        k: authors a group, at least; if it is not that of the release, a new one is made at once.
        now: the present.
        longest: the age at which a new release is made for fewer changes than `k`.
    """
    return differing < k == last.k_anonymity and now < last.created + longest


def in_words(last: Release, longest: timedelta) -> str:
    """Why readers stay on the last release, and until when, for people."""
    k = last.k_anonymity
    return (
        f"readers stay on the release of {last.created:%Y-%m-%d %H:%M} UTC: fewer than {k} authors changed since, and "
        f"a release that differs by so few would tell of them; the next is made once {k} have, at the latest from "
        f"{last.created + longest:%Y-%m-%d %H:%M} UTC on"
    )
