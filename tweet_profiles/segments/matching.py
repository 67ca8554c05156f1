"""Matching a night's clusters to the night before, so that a segment keeps its identity.

What belongs here: who is whom, who is new, who is gone. What does not: naming or storing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Matching:
    """Segment ids of the new clusters, in their order, and what became of the old ones.

    `moved` is the distance of each matched segment's centroid from where it was, in scaled units.
    """

    segments: tuple[int, ...]
    births: tuple[int, ...]
    deaths: tuple[int, ...]
    moved: dict[int, float]


def match(
    centroids: np.ndarray,
    old_centroids: np.ndarray | None,
    old_segments: Sequence[int] = (),
    ever_used: int = 0,
    max_distance: float | None = None,
) -> Matching:
    """Give each new cluster the id of the old one it continues (Hungarian method on centroid distances).

    Args:
        centroids: new ones (k, features), in the scale of the new night.
        old_centroids: last night's in the same scale, None if there are none to compare with.
        old_segments: their ids.
        ever_used: largest segment id ever given; an id is never given again.
        max_distance: farther apart than this is not the same segment. By default half of the mean distance between
            the new centroids.
    """
    if old_centroids is None or len(old_centroids) == 0:
        fresh = tuple(range(ever_used + 1, ever_used + 1 + len(centroids)))
        return Matching(fresh, fresh, tuple(old_segments), {})
    from scipy.optimize import linear_sum_assignment

    distances = np.linalg.norm(centroids[:, None, :] - old_centroids[None, :, :], axis=2)
    limit = max_distance if max_distance is not None else _half_mean_distance(centroids)
    given: dict[int, int] = {}
    moved: dict[int, float] = {}
    for new, old in zip(*linear_sum_assignment(distances), strict=True):
        if distances[new, old] <= limit:
            given[int(new)] = old_segments[old]
            moved[old_segments[old]] = float(distances[new, old])
    births = []
    segments = []
    for cluster in range(len(centroids)):
        if cluster not in given:
            ever_used = max(ever_used, *old_segments) + 1
            given[cluster] = ever_used
            births.append(ever_used)
        segments.append(given[cluster])
    deaths = tuple(segment for segment in old_segments if segment not in segments)
    return Matching(tuple(segments), tuple(births), deaths, moved)


def _half_mean_distance(centroids: np.ndarray) -> float:
    if len(centroids) < 2:
        return float("inf")
    apart = np.linalg.norm(centroids[:, None, :] - centroids[None, :, :], axis=2)
    return float(apart[np.triu_indices(len(centroids), 1)].mean()) / 2
