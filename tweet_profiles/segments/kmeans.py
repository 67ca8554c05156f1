"""K-Means behind a small interface, and the figures that judge a clustering.

What belongs here: fitting, assigning, joining what is too small, inertia, silhouette, Calinski-Harabasz, stability.
What does not: choosing k.

Starts: k-means++ with restarts on a sample, then one full run from the best of them. On 200,000 authors that gave the
inertia of ten full restarts to 0.03 % in a seventh of the time.
"""

import itertools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:
    from sklearn.cluster import KMeans

SAMPLE = 10_000
RESTARTS = 10
SAMPLE_RESTARTS = 8
SHUFFLES = 12
SHUFFLED_SAMPLE = 2_500
CORE_SAMPLE = 5_000
TRIM = 0.1
"""Share of the authors, those farthest from every centre, who have no say in how much structure there is."""
SILHOUETTE_SAMPLE = 2_000
STABILITY_SAMPLE = 2_000
STABILITY_ROUNDS = 6


@dataclass(frozen=True)
class Clustering:
    """A fitted clustering: centroids (k, features), labels int (authors,), inertia, confidence in 0..1 (authors,)."""

    centroids: np.ndarray
    labels: np.ndarray
    inertia: float
    confidence: np.ndarray

    @property
    def k(self) -> int:
        """Number of clusters."""
        return len(self.centroids)


@dataclass(frozen=True)
class SweepPoint:
    """The figures of one k. `stability` is the mean adjusted Rand index between fits on overlapping half samples;
    `null_inertia` is the inertia of the same columns, each shuffled by itself (geometric mean of several shuffles).

    `core_structure` is how much nearer authors are to their centres than if no feature went with another: natural log,
    0 for k = 1 and near 0 for noise. It is the gap statistic (Tibshirani, Walther and Hastie 2001) with shuffled
    columns as its reference, over those whom trimmed k-means (Cuesta-Albertos, Gordaliza and Matran 1997) would keep:
    outliers reward every further centre, which hides where the real kinds end.
    """

    k: int
    inertia: float
    silhouette: float
    calinski_harabasz: float
    stability: float
    null_inertia: float
    core_structure: float = float("nan")


def assign(matrix: np.ndarray, centroids: np.ndarray, chunk: int = 50_000) -> tuple[np.ndarray, np.ndarray]:
    """Nearest centroid of each row and how sure that is.

    Confidence is 1 - d1 / d2, distances to the nearest and the second nearest centroid: 0 on the border between two
    clusters, 1 at a centroid (and 1 if there is but one cluster).
    """
    labels = np.empty(len(matrix), np.int64)
    confidence = np.ones(len(matrix))
    squared_norms = (centroids**2).sum(axis=1)
    for start in range(0, len(matrix), chunk):
        part = matrix[start : start + chunk]
        distances = np.sqrt(
            np.maximum((part**2).sum(axis=1)[:, None] - 2 * part @ centroids.T + squared_norms[None, :], 0)
        )
        labels[start : start + chunk] = distances.argmin(axis=1)
        if len(centroids) > 1:
            nearest = np.partition(distances, 1, axis=1)[:, :2]
            far = np.where(nearest[:, 1] > 0, nearest[:, 1], 1)
            confidence[start : start + chunk] = 1 - nearest[:, 0] / far
    return labels, confidence


def distances_to(matrix: np.ndarray, centroids: np.ndarray, labels: np.ndarray, chunk: int = 50_000) -> np.ndarray:
    """Distance of each row (authors, features) to the centroid that its label names, (authors,)."""
    distances = np.empty(len(matrix))
    for at in range(0, len(matrix), chunk):
        part = slice(at, at + chunk)
        distances[part] = np.linalg.norm(matrix[part] - centroids[labels[part]], axis=1)
    return distances


def fit(matrix: np.ndarray, k: int, seed: int, start: np.ndarray | None = None) -> Clustering:
    """Fit k clusters to a finite matrix (authors, features), the same for the same matrix and seed.

    Clusters are numbered from the largest to the smallest. `start` are the centroids to begin with, by default those of
    `start_of`.

    Raises:
        ValueError: if there are fewer distinct rows than k.
    """
    distinct = distinct_rows(matrix, k)
    if distinct < k:
        raise ValueError(f"{distinct} distinct authors cannot form {k} clusters")
    centroids = start_of(matrix, k, seed) if start is None else start
    if len(matrix) > SAMPLE:
        from sklearn.cluster import KMeans

        # In single precision: half the memory to read, and centroids that agree to six digits.
        model = KMeans(k, init=centroids.astype(np.float32), n_init=1, random_state=seed)
        centroids = model.fit(matrix.astype(np.float32)).cluster_centers_.astype(np.float64)
    labels, confidence = assign(matrix, centroids)
    return _by_size(matrix, centroids, labels, confidence)


def _by_size(matrix: np.ndarray, centroids: np.ndarray, labels: np.ndarray, confidence: np.ndarray) -> Clustering:
    """A clustering with its clusters numbered from the largest to the smallest."""
    order = np.argsort(-np.bincount(labels, minlength=len(centroids)), kind="stable")
    rank = np.empty(len(centroids), np.int64)
    rank[order] = np.arange(len(centroids))
    centroids, labels = centroids[order], rank[labels]
    return Clustering(centroids, labels, _inertia(matrix, centroids, labels), confidence)


def join_small(matrix: np.ndarray, clustering: Clustering, least: int) -> Clustering:
    """The clustering without clusters of fewer than `least` authors.

    The smallest is dissolved, its authors go to the nearest of the centres that remain, and so on until every cluster
    has `least` authors or one is left. Nobody else moves: whoever was nearest to a centre that remains still is.

    Args:
        matrix: what was clustered (authors, features).
        clustering: its clustering.
        least: how many authors a cluster must have.
    """
    centroids, labels, confidence = clustering.centroids, clustering.labels, clustering.confidence
    while len(centroids) > 1:
        sizes = np.bincount(labels, minlength=len(centroids))
        if sizes.min() >= least:
            break
        centroids = np.delete(centroids, sizes.argmin(), axis=0)
        labels, confidence = assign(matrix, centroids)
    if len(centroids) == clustering.k:
        return clustering
    return _by_size(matrix, centroids, labels, confidence)


def canonical_order(matrix: np.ndarray) -> np.ndarray:
    """The order of the rows (authors, features) by their values, first column first.

    Samples and starts are drawn by position, so authors are put into this order before: else the clusters depend on the
    order in which the authors are stored, which is that of their pseudonyms and so of a secret.
    """
    return np.lexsort(matrix.T[::-1]) if matrix.size else np.arange(len(matrix))


def start_of(matrix: np.ndarray, k: int, seed: int) -> np.ndarray:
    """Centroids (k, features) of the best of the restarts, on a sample where there are many rows."""
    restarts = RESTARTS if len(matrix) <= SAMPLE else SAMPLE_RESTARTS
    sample = _sample(matrix, SAMPLE, np.random.default_rng(seed))
    centroids: np.ndarray = _small_fit(sample, k, restarts, seed).cluster_centers_
    return centroids


def _inertia(matrix: np.ndarray, centroids: np.ndarray, labels: np.ndarray, chunk: int = 100_000) -> float:
    parts = range(0, len(matrix), chunk)
    return float(
        sum(((matrix[at : at + chunk] - centroids[labels[at : at + chunk]]) ** 2).sum(dtype=np.float64) for at in parts)
    )


def distinct_rows(matrix: np.ndarray, enough: int) -> int:
    """How many distinct rows there are; counting stops once `enough` are found, because sorting a million is slow."""
    head = len(np.unique(matrix[:SAMPLE], axis=0))
    return head if head >= enough or len(matrix) <= SAMPLE else len(np.unique(matrix, axis=0))


@cache
def _threads() -> ThreadpoolController:
    """Found once: looking for the libraries at every fit took as long as a fit of 1,500 rows."""
    import sklearn.cluster  # noqa: F401 - what is not loaded yet is not found

    return ThreadpoolController()


def _small_fit(matrix: np.ndarray, k: int, restarts: int, seed: int) -> "KMeans":
    """Fit at most `SAMPLE` rows on one thread.

    An iteration over so few rows takes less than waking threads for it: on a machine that was busy otherwise, a sweep
    over 5,886 authors took 126 s with OpenMP's own number of threads and 2 s with one.
    """
    from sklearn.cluster import KMeans

    with _threads().limit(limits=1):
        return KMeans(k, n_init=restarts, random_state=seed).fit(matrix)


def core_inertia(matrix: np.ndarray, centroids: np.ndarray) -> float:
    """Mean squared distance to the nearest centroid of all but the farthest `TRIM` of the rows."""
    return float(_core(_squares(matrix, centroids)))


def core_sample(matrix: np.ndarray, seed: int) -> np.ndarray:
    """The rows on which `sweep` measures `core_inertia`."""
    return _sample(matrix, CORE_SAMPLE, np.random.default_rng(seed))


def _squares(matrix: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    labels, _ = assign(matrix, centroids)
    squares: np.ndarray = distances_to(matrix, centroids, labels) ** 2
    return squares


def _core(squares: np.ndarray) -> float:
    kept = max(1, round(len(squares) * (1 - TRIM)))
    return float(np.partition(squares, kept - 1)[:kept].mean())


def _log(value: float) -> float:
    return float(np.log(max(value, 1e-12)))


def _shuffled(matrix: np.ndarray, random: np.random.Generator) -> list[np.ndarray]:
    """Samples of the rows with each column shuffled by itself: the same features, but none goes with another."""
    samples = (_sample(matrix, SHUFFLED_SAMPLE, random) for _ in range(SHUFFLES))
    return [np.column_stack([random.permutation(column) for column in sample.T]) for sample in samples]


def _reference(shuffles: Sequence[np.ndarray], k: int, seed: int) -> tuple[float, float]:
    """Mean logs of the inertia a row and of the core inertia, of `k` clusters fitted to each of the shuffles.

    One start each: many shuffles told more than many starts. Of ten seeds on 5,886 authors one shuffle of 5,000 rows
    with three starts put the bend anywhere from 4 to 7, ten of 2,500 rows with one start put it at 5 eight times.
    """
    logs = []
    for rows in shuffles:
        centroids = rows.mean(axis=0, keepdims=True) if k == 1 else _small_fit(rows, k, 1, seed).cluster_centers_
        squares = _squares(rows, centroids)
        logs.append((_log(float(squares.mean())), _log(_core(squares))))
    inertia, core = np.mean(logs, axis=0)
    return float(inertia), float(core)


def sweep(
    matrix: np.ndarray, ks: Sequence[int], seed: int, progress: Callable[[int], None] | None = None
) -> list[SweepPoint]:
    """The figures of every k that the authors allow, k = 1 first. Silhouette and stability are of fixed samples."""
    from sklearn.metrics import pairwise_distances, silhouette_score

    random = np.random.default_rng(seed)
    distinct = distinct_rows(matrix, max(ks, default=1) + 1)
    sample = _sample(matrix, SILHOUETTE_SAMPLE, random)
    apart = pairwise_distances(sample) if len(sample) else np.empty((0, 0))
    np.fill_diagonal(apart, 0)
    rows = core_sample(matrix, seed)
    shuffles = _shuffled(matrix, random)
    base = _sample(matrix, SAMPLE, random)
    total = float(((matrix - matrix.mean(axis=0)) ** 2).sum())

    def on_samples(k: int) -> tuple[np.ndarray, tuple[float, float], float]:
        return start_of(matrix, k, seed), _reference(shuffles, k, seed), stability(base, k, seed)

    points = [SweepPoint(1, total, float("nan"), float("nan"), 1.0, total, 0.0)]
    fitted = [k for k in sorted(set(ks)) if 2 <= k < distinct]
    if not fitted:
        return points
    zero = _reference(shuffles, 1, seed)[1] - _log(core_inertia(rows, rows.mean(axis=0, keepdims=True)))
    # Samples are fitted on one thread each, so that several values of k are worked on at a time; the slowest first.
    with _threads().limit(limits=1), ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        prepared = pool.map(on_samples, reversed(fitted))
        starts = dict(zip(reversed(fitted), prepared, strict=True))
    for k in fitted:
        start, (null_log, null_core_log), stable = starts[k]
        clustering = fit(matrix, k, seed, start)
        sample_labels, _ = assign(sample, clustering.centroids)
        several = len(np.unique(sample_labels)) > 1
        between, within = total - clustering.inertia, max(clustering.inertia, 1e-12)
        points.append(
            SweepPoint(
                k=k,
                inertia=clustering.inertia,
                silhouette=float(silhouette_score(apart, sample_labels, metric="precomputed"))
                if several
                else float("nan"),
                calinski_harabasz=(between / (k - 1)) / (within / (len(matrix) - k)),
                stability=stable,
                null_inertia=float(np.exp(null_log)) * len(matrix),
                core_structure=null_core_log - _log(core_inertia(rows, clustering.centroids)) - zero,
            )
        )
        if progress is not None:
            progress(k)
    return points


def stability(matrix: np.ndarray, k: int, seed: int) -> float:
    """Mean adjusted Rand index (Hubert and Arabie 1985) of fits on random halves, judged on one sample."""
    from sklearn.metrics import adjusted_rand_score

    random = np.random.default_rng(seed)
    judged = _sample(matrix, STABILITY_SAMPLE, random)
    verdicts = []
    for _ in range(STABILITY_ROUNDS):
        half = _sample(matrix, max(min(len(matrix) // 2, STABILITY_SAMPLE), min(len(matrix), 2 * k)), random)
        if len(np.unique(half, axis=0)) < k:
            return 0.0
        centroids = _small_fit(half, k, 3, int(random.integers(2**31))).cluster_centers_
        verdicts.append(assign(judged, centroids)[0])
    return float(np.mean([adjusted_rand_score(a, b) for a, b in itertools.pairwise(verdicts)]))


def silhouette(matrix: np.ndarray, labels: np.ndarray, seed: int) -> float:
    """Mean silhouette coefficient (Rousseeuw 1987) of a fixed sample; NaN if all of it is in one cluster."""
    from sklearn.metrics import silhouette_score

    chosen = _sample(np.arange(len(matrix)), SILHOUETTE_SAMPLE, np.random.default_rng(seed))
    if not 2 <= len(np.unique(labels[chosen])) < len(chosen):
        return float("nan")
    return float(silhouette_score(matrix[chosen], labels[chosen]))


def _sample(matrix: np.ndarray, size: int, random: np.random.Generator) -> np.ndarray:
    return matrix if len(matrix) <= size else matrix[random.choice(len(matrix), size, replace=False)]
