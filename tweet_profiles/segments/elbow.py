"""The choice of k: where the inertia curve bends, or that it does not.

What belongs here: the decision, from plain figures. What does not: computing them (`kmeans`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tweet_profiles.segments.kmeans import SweepPoint

MIN_EXPLAINED = 0.06
"""How much lower (natural log) than that of shuffled columns the inertia must be for a bend to count."""
NEARLY_ALL = 0.98
"""The kinds end where this share of the most structure is reached."""
NEAR = 2
"""How far from Kneedle's bend their end may be: Kneedle stops early where some kinds are small or alike."""


@dataclass(frozen=True)
class Choice:
    """The number of segments, the second best, whether it is an elbow, and why, in a sentence for the user.

    `looked_for` is the k that was chosen from the sweep where groups too small to show were joined to others since
    then, so that k is less; else None.
    """

    k: int
    runner_up: int | None
    is_elbow: bool
    reason: str
    looked_for: int | None = None

    @property
    def on_curve(self) -> int:
        """The k to mark on the curve of the sweep."""
        return self.k if self.looked_for is None else self.looked_for

    def joined(self, k: int) -> "Choice":
        """This choice after small groups were joined to others and `k` are left."""
        if k == self.k:
            return self
        left = "; that leaves one segment" if k == 1 else ""
        reason = f"{self.reason}; groups too small to show were joined to the nearest{left}"
        return Choice(k, self.runner_up, self.is_elbow, reason, self.on_curve)


def structure(points: Sequence[SweepPoint]) -> dict[int, float]:
    """By k, log of the shuffled columns' inertia less log of the real one: how much of the fall comes from
    features going together rather than from each feature's own shape. Near 0 for noise.

    It is the gap statistic's idea (Tibshirani, Walther and Hastie 2001) with shuffled columns as reference.
    """
    return {
        point.k: float(np.log(max(point.null_inertia, 1e-12)) - np.log(max(point.inertia, 1e-12)))
        for point in points
        if point.k > 1
    }


def choose_k(points: Sequence[SweepPoint], pinned: int | None = None) -> Choice:
    """Choose k from a sweep.

    The elbow is first Kneedle's (Satopaa et al. 2011) on the inertia curve, seen against that of shuffled columns
    (`structure`): the inertia itself falls for any data as k grows, and bends too early where there are many kinds. It
    counts only if the inertia there is clearly below that of shuffled columns; else there is no elbow, and the k of the
    best silhouette is taken.

    Where there are real kinds, the structure without the outliers (`SweepPoint.core_structure`) rises until each kind
    has its centre, and then no more. If that end, the smallest k with `NEARLY_ALL` of the most, is within `NEAR` of
    Kneedle's bend, it is the elbow. Where the structure goes on rising there is no such end, and the bend stays.

    A pinned k wins.

    Raises:
        ValueError: if no k above 1 could be fitted.
    """
    fitted = [point for point in points if point.k > 1]
    if not fitted:
        raise ValueError("no k above 1 could be fitted: there are too few different authors")
    by_silhouette = sorted(fitted, key=lambda point: -np.nan_to_num(point.silhouette, nan=-1))
    best = by_silhouette[0]
    second = by_silhouette[1].k if len(by_silhouette) > 1 else None
    if pinned is not None:
        other = best.k if best.k != pinned else second
        return Choice(pinned, other, False, f"k = {pinned} was set by the user")
    knee = _knee(points)
    gaps = structure(points)
    if knee is None or gaps[knee] < MIN_EXPLAINED:
        why = (
            "the inertia falls evenly"
            if knee is None
            else f"the bend at {knee} is hardly more than shuffled features show"
        )
        return Choice(
            best.k, second, False, f"no elbow: {why}; k = {best.k} has the best silhouette ({best.silhouette:.2f})"
        )
    end = _end_of_kinds(fitted)
    if end is None or abs(end - knee) > NEAR:
        chosen, reason = knee, f"elbow: the inertia curve bends at k = {knee} (Kneedle)"
    else:
        reason = (
            f"elbow: the inertia curve bends at k = {end}; more segments tell hardly more than of shuffled features"
        )
        chosen = end
    rivals = [k for k in (knee, best.k, second) if k is not None and k != chosen]
    return Choice(chosen, rivals[0] if rivals else None, True, reason)


def _end_of_kinds(fitted: Sequence[SweepPoint]) -> int | None:
    """The smallest k with nearly all of the structure without outliers; None if there is none, or it still rises."""
    most = max(fitted, key=lambda point: point.core_structure)
    if not most.core_structure > 0 or most.k == fitted[-1].k:
        return None
    return next(point.k for point in fitted if point.core_structure >= NEARLY_ALL * most.core_structure)


def _knee(points: Sequence[SweepPoint]) -> int | None:
    gaps = {1: 0.0, **structure(points)}
    if len(gaps) < 3:
        return None
    from kneed import KneeLocator

    locator = KneeLocator(list(gaps), list(gaps.values()), curve="concave", direction="increasing")
    return int(locator.knee) if locator.knee is not None and locator.knee > 1 else None
