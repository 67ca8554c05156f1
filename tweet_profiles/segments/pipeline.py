"""From scaled features to described segments, without any input or output.

What belongs here: the order of the steps and the verdict on the result. What does not: the steps themselves, files,
MongoDB or Dagster.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from tweet_profiles.segments.arrivals import reach_of
from tweet_profiles.segments.describe import SegmentDescription, describe
from tweet_profiles.segments.elbow import Choice, choose_k
from tweet_profiles.segments.features import Scaler, matrix_of
from tweet_profiles.segments.kmeans import (
    Clustering,
    SweepPoint,
    canonical_order,
    distances_to,
    distinct_rows,
    fit,
    join_small,
    silhouette,
    sweep,
)
from tweet_profiles.segments.matching import Matching, match


class TooFewAuthorsError(ValueError):
    """There are too few different authors to group, or to show as a group."""


@dataclass(frozen=True)
class ClusterConfig:
    """How to choose k and when to worry.

    `max_share` and `min_silhouette` are the limits of the quality check; `outlier_share` marks segments that are too
    small for a campaign.
    """

    k_min: int = 2
    k_max: int = 12
    k: int | None = None
    seed: int = 7
    k_anonymity: int = 5
    max_share: float = 0.7
    min_silhouette: float = 0.05
    min_stability: float = 0.3
    outlier_share: float = 0.01


@dataclass(frozen=True)
class PreviousClustering:
    """What last night's clustering left to compare with: the segments of the authors it was made of, and of those who
    came since (`arrivals`).
    """

    scaler: Scaler
    centroids: np.ndarray
    segments: list[int]
    ever_used: int
    assignments: dict[str, int] = field(default_factory=dict)
    arrivals: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ClusterResult:
    """A clustering with everything that is stored and shown of it. No segment has fewer than `k_anonymity` authors.

    `point` holds the figures of the segments as they are; None if the chosen k was not in the sweep. Beside last
    night's, None where there was none: the share of its authors who moved to another segment, how many authors are new
    since, and of those who were assigned in between the share that stays where it was put.
    """

    choice: Choice
    sweep: list[SweepPoint]
    clustering: Clustering
    matching: Matching
    segments: list[SegmentDescription]
    segment_of: np.ndarray
    scaler: Scaler
    effects: np.ndarray
    reach: dict[int, float]
    moved_authors: float | None
    new_authors: int | None
    arrivals_kept: float | None
    faults: list[str]
    point: SweepPoint | None


def cluster(
    features: pd.DataFrame,
    profiles: pd.DataFrame,
    scaler: Scaler,
    config: ClusterConfig,
    previous: PreviousClustering | None = None,
    progress: Callable[[int], None] | None = None,
) -> ClusterResult:
    """Choose k, fit, join groups too small to show, match to last night's and describe.

    The result depends on the authors' values alone, not on their order, and so not on the key of their pseudonyms.

    Args:
        features: SCALED_FEATURES.
        profiles: USER_PROFILES of the same authors in the same order.
        scaler: how the features were scaled.
        config: see `ClusterConfig`.
        previous: last night's clustering; segments that continue keep their ids.
        progress: told each k of the sweep when it is done.

    Raises:
        TooFewAuthorsError: if there are fewer authors than a segment must have, fewer than two different ones, or fewer
            than a pinned k.
    """
    _require_finite(features)
    _require_enough(features, config)
    order = canonical_order(matrix_of(features)[0])
    features = features.iloc[order].reset_index(drop=True)
    matrix, _ = matrix_of(features)
    ks = range(config.k_min, config.k_max + 1)
    points = sweep(matrix, sorted({*ks, *([config.k] if config.k else [])}), config.seed, progress)
    chosen = choose_k(points, config.k)
    clustering = join_small(matrix, fit(matrix, chosen.k, config.seed), config.k_anonymity)
    choice = chosen.joined(clustering.k)
    matching = _match(clustering, scaler, previous)
    segment_of = np.array(matching.segments)[clustering.labels]
    segments = describe(
        profiles.iloc[order].reset_index(drop=True),
        matrix,
        scaler,
        segment_of,
        clustering.confidence,
        matching.segments,
        k_anonymity=config.k_anonymity,
        outlier_share=config.outlier_share,
    )
    point = _figures(matrix, clustering, next((p for p in points if p.k == chosen.k), None), config.seed)
    keys = features["author_key"]
    moved = None if previous is None else _moved(keys, segment_of, previous.assignments)
    swayed = None if previous is None else _moved(keys, segment_of, previous.arrivals)
    # Back in the order in which the authors came.
    given = np.argsort(order)
    return ClusterResult(
        choice=choice,
        sweep=points,
        clustering=replace(clustering, labels=clustering.labels[given], confidence=clustering.confidence[given]),
        matching=matching,
        segments=segments,
        segment_of=segment_of[given],
        scaler=scaler,
        effects=np.array([matrix[segment_of == segment].mean(axis=0) for segment in matching.segments]),
        reach=reach_of(distances_to(matrix, clustering.centroids, clustering.labels), segment_of, matching.segments),
        moved_authors=moved,
        new_authors=None if previous is None else sum(key not in previous.assignments for key in keys),
        arrivals_kept=None if swayed is None else 1 - swayed,
        faults=quality_faults(segments, point, config),
        point=point,
    )


def _figures(matrix: np.ndarray, clustering: Clustering, chosen: SweepPoint | None, seed: int) -> SweepPoint | None:
    """The figures of the clustering: those of the chosen k, measured anew where small groups were joined since."""
    if chosen is None or chosen.k == clustering.k:
        return chosen
    measured = silhouette(matrix, clustering.labels, seed)
    return replace(chosen, k=clustering.k, inertia=clustering.inertia, silhouette=measured)


def quality_faults(segments: list[SegmentDescription], point: SweepPoint | None, config: ClusterConfig) -> list[str]:
    """What an operator should look at before the segments are used; empty if nothing."""
    faults = []
    largest = max(segments, key=lambda segment: segment.share)
    # One segment alone was left by small groups: true of few authors, and said in the choice.
    if len(segments) > 1 and largest.share > config.max_share:
        faults.append(
            f"segment {largest.segment} holds {largest.share:.0%} of the authors (limit {config.max_share:.0%})"
        )
    if point is not None and point.silhouette < config.min_silhouette:
        faults.append(f"silhouette {point.silhouette:.2f} is below {config.min_silhouette}")
    if point is not None and point.stability < config.min_stability:
        faults.append(f"stability {point.stability:.2f} is below {config.min_stability}")
    return faults


def _require_enough(features: pd.DataFrame, config: ClusterConfig) -> None:
    if features.empty:
        raise TooFewAuthorsError(
            "there are no profiles yet: import tweets, then take them in with `tweet-profiles run`"
        )
    if len(features) < config.k_anonymity:
        raise TooFewAuthorsError(
            f"there are fewer authors than the {config.k_anonymity} that a segment must have to be shown: "
            "collect more tweets"
        )
    matrix, _ = matrix_of(features)
    needed = max(config.k or config.k_min, 2)
    distinct = distinct_rows(matrix, needed + 1) if matrix.size else 0
    if distinct <= needed:
        raise TooFewAuthorsError(
            f"{len(matrix)} authors with {distinct} different profiles cannot be grouped into {needed}: "
            "collect more tweets, or pin a smaller k"
        )


def _require_finite(features: pd.DataFrame) -> None:
    for name in features.columns:
        if name != "author_key" and not np.isfinite(features[name].to_numpy(dtype=float)).all():
            raise ValueError(f"feature {name} holds values that are not finite")


def _match(clustering: Clustering, scaler: Scaler, previous: PreviousClustering | None) -> Matching:
    if previous is None:
        return match(clustering.centroids, None)
    if previous.scaler.names != scaler.names:
        # Other features: nothing can be compared, every segment is new.
        return match(clustering.centroids, None, previous.segments, previous.ever_used)
    transformed = previous.scaler.natural(previous.centroids)
    means = np.array([column.mean for column in scaler.columns])
    scales = np.array([column.scale for column in scaler.columns])
    return match(clustering.centroids, (transformed - means) / scales, previous.segments, previous.ever_used)


def _moved(keys: pd.Series, segment_of: np.ndarray, segments_before: dict[str, int]) -> float | None:
    """Share of the authors with a segment before who are in another one now, None if there are none."""
    before = [segments_before.get(key) for key in keys]
    known = [(old, new) for old, new in zip(before, segment_of, strict=True) if old is not None]
    return float(sum(old != new for old, new in known) / len(known)) if known else None


def sweep_rows(points: list[SweepPoint]) -> list[dict[str, Any]]:
    """The sweep as plain rows, NaN as None."""
    return [
        {name: (None if value != value else value) for name, value in vars(point).items()}  # noqa: PLR0124
        for point in points
    ]
