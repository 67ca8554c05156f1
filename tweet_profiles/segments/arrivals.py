"""Authors between two clusterings: each is put into the current segment whose centre is nearest.

What belongs here: scaling authors with a stored scaler, finding their segment, and saying when that cannot be done.
What does not: forming segments (`pipeline`), and documents (`store`).
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from tweet_profiles.segments.features import FEATURES, Scaler
from tweet_profiles.segments.kmeans import assign, distances_to

NO_CLUSTERING = "there is no clustering yet: the next one takes these authors in"


@dataclass(frozen=True)
class Centres:
    """What of a stored clustering is needed to assign authors.

    `segments` are the ids of the centroids' rows; `reach` is, by segment, the distance that holds 99 of 100 of its
    members, in scaled units; empty for a clustering that was stored without it.
    """

    version: str
    scaler: Scaler
    centroids: np.ndarray
    segments: tuple[int, ...]
    reach: dict[int, float]


@dataclass(frozen=True)
class Placement:
    """Segment id, confidence in 0..1, and whether every centre is far, of each author in turn."""

    segment: np.ndarray
    confidence: np.ndarray
    far: np.ndarray


@dataclass
class Arrivals:
    """What assigning authors between two clusterings did.

    Attributes:
        version: of the clustering, None if there is none.
        reason: why nothing was assigned, None if all went well.
        assigned: new authors by segment.
        far: new authors farther from their centre than 99 of 100 members are.
        clustered: authors who are in the clustering already and stay in their segment until the next.
        leaning: those of them who are nearer to another segment by now.
    """

    version: str | None = None
    reason: str | None = None
    assigned: Counter[int] = field(default_factory=Counter)
    far: int = 0
    clustered: int = 0
    leaning: int = 0


def obstacle(scaler: Scaler) -> str | None:
    """Why authors cannot be scaled as the clustering's were: a feature is gone, or transformed in another way now."""
    gone = [column.name for column in scaler.columns if column.name not in FEATURES]
    other = [
        column.name
        for column in scaler.columns
        if column.name in FEATURES and FEATURES[column.name].transform != column.transform
    ]
    if not gone and not other:
        return None
    told = [f"{', '.join(names)} {what}" for names, what in ((gone, "no longer known"), (other, "changed")) if names]
    return f"the features changed since the clustering was made ({'; '.join(told)}): run the job recluster"


def place(profiles: pd.DataFrame, centres: Centres) -> Placement:
    """Assign authors as the clustering itself would.

    Args:
        profiles: USER_PROFILES.
        centres: of a clustering whose features are still what they were (`obstacle` is None).
    """
    matrix = centres.scaler.transform(profiles)
    nearest, confidence = assign(matrix, centres.centroids)
    segment = np.array(centres.segments, np.int64)[nearest]
    reach = np.array([centres.reach.get(number, np.inf) for number in segment.tolist()])
    return Placement(segment, confidence, distances_to(matrix, centres.centroids, nearest) > reach)


def reach_of(distances: np.ndarray, segment_of: np.ndarray, segments: Iterable[int]) -> dict[int, float]:
    """By segment, the distance from its centre that holds 99 of 100 of its members."""
    return {segment: float(np.quantile(distances[segment_of == segment], 0.99)) for segment in segments}
