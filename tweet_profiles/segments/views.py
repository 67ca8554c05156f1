"""The numbers behind the plots of a clustering: aggregates that no single author can be read from.

What belongs here: silhouettes, the map of authors, correlations. What does not: drawing them (`tweet_profiles.plots`),
and judging a clustering (`kmeans`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tweet_profiles.segments.kmeans import canonical_order

SILHOUETTE_SAMPLE = 2_000
CURVE_POINTS = 41
MAP_COLUMNS, MAP_ROWS = 34, 22


def silhouette_curves(
    matrix: np.ndarray, segment_of: np.ndarray, segments: Sequence[int], k_anonymity: int, seed: int
) -> dict[int, np.ndarray]:
    """By segment, the silhouette coefficients of its authors as quantiles from the lowest to the highest.

    Coefficients (Rousseeuw 1987) are of a fixed sample of the authors. Quantiles, because a curve of all would show
    single authors; a segment with fewer than `k_anonymity` authors in the sample has none (an empty array).

    Args:
        matrix: scaled features (authors, features).
        segment_of: segment id of each author.
        segments: the ids, in the order wanted.
        k_anonymity: see above.
        seed: of the sample.
    """
    chosen = canonical_order(matrix)
    if len(matrix) > SILHOUETTE_SAMPLE:
        chosen = np.random.default_rng(seed).choice(chosen, SILHOUETTE_SAMPLE, replace=False)
    labels = segment_of[chosen]
    empty: dict[int, np.ndarray] = {int(segment): np.empty(0) for segment in segments}
    if not 2 <= len(np.unique(labels)) < len(labels):
        return empty
    from sklearn.metrics import silhouette_samples

    values = silhouette_samples(matrix[chosen], labels)
    positions = np.linspace(0, 1, CURVE_POINTS)
    curves = {
        segment: np.quantile(values[labels == segment], positions)
        for segment in empty
        if (labels == segment).sum() >= k_anonymity
    }
    return empty | curves


@dataclass(frozen=True)
class AuthorMap:
    """Squares of the plane of the first two principal components, each with at least the privacy threshold of authors.

    Attributes:
        x, y: centres of the squares.
        authors: how many are in each.
        segment: the one that most of them belong to.
        explained: share of the variance that each component holds.
        withheld: share of the authors whose square holds too few; None if they are fewer than the threshold themselves.
    """

    x: np.ndarray
    y: np.ndarray
    authors: np.ndarray
    segment: np.ndarray
    explained: tuple[float, float]
    withheld: float | None


def author_map(matrix: np.ndarray, segment_of: np.ndarray, k_anonymity: int) -> AuthorMap:
    """Bin the authors in the plane of their first two principal components (PCA); far ones land in the outermost
    squares.

    Args:
        matrix: scaled features (authors, features), finite.
        segment_of: segment id of each author.
        k_anonymity: squares with fewer authors are withheld.
    """
    points, explained = _principal(matrix)
    x, column = _binned(points[:, 0], MAP_COLUMNS)
    y, row = _binned(points[:, 1], MAP_ROWS)
    ids, place = np.unique(segment_of, return_inverse=True)
    counts = np.zeros((MAP_ROWS, MAP_COLUMNS, len(ids)), np.int64)
    np.add.at(counts, (row, column, place), 1)
    totals = counts.sum(axis=2)
    rows, columns = np.nonzero(totals >= k_anonymity)
    shown = totals[rows, columns]
    left = len(matrix) - int(shown.sum())
    return AuthorMap(
        x=x[columns],
        y=y[rows],
        authors=shown,
        segment=ids[counts[rows, columns].argmax(axis=1)] if len(ids) else np.empty(0, np.int64),
        explained=explained,
        withheld=None if 0 < left < k_anonymity else left / max(1, len(matrix)),
    )


def correlation(matrix: np.ndarray) -> np.ndarray:
    """Pearson's correlation of the columns, (features, features); 0 where a column does not vary."""
    if len(matrix) < 2:
        return np.eye(matrix.shape[1])
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.atleast_2d(np.corrcoef(matrix, rowvar=False))
    return np.nan_to_num(found)


def _principal(matrix: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """The first two principal components of each row (rows, 2), and their shares of the variance."""
    if len(matrix) == 0 or matrix.shape[1] == 0:
        return np.zeros((len(matrix), 2)), (0.0, 0.0)
    centred = matrix - matrix.mean(axis=0)
    values, vectors = np.linalg.eigh(centred.T @ centred / len(matrix))
    axes = vectors[:, ::-1][:, :2]
    # The sign of a component is arbitrary: its largest loading is made positive, so that maps of two nights compare.
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])])
    shares = values[::-1][:2] / max(float(values.sum()), 1e-12)
    points = np.zeros((len(matrix), 2))
    points[:, : axes.shape[1]] = centred @ axes
    return points, (float(shares[0]), float(shares[1]) if len(shares) > 1 else 0.0)


def _binned(values: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Centres of equal bins between the 0.5 % and 99.5 % quantiles, and the bin of each value."""
    low, high = np.quantile(values, [0.005, 0.995]) if len(values) else (0.0, 0.0)
    width = max(float(high - low), 1e-9) / bins
    return low + width * (np.arange(bins) + 0.5), np.clip(((values - low) / width).astype(np.int64), 0, bins - 1)
