"""The elbow sweep on many authors: ours beside scikit-learn's KMeans and MiniBatchKMeans, in one run.

    .venv/bin/python benchmarks/clustering.py [AUTHORS ...]

By default on 200,000 and on 1,000,000 made-up authors by 16 features, k = 2 to 12. Ours is the whole sweep as the asset
does it, with silhouette, stability and the shuffled reference beside the inertia. scikit-learn's is the inertia alone:
KMeans with n_init=10 and k-means++ for every k, and MiniBatchKMeans with its defaults.

The last line is one JSON object: speedup_vs_sklearn and max_inertia_excess are the worst over both sizes, peak_mb is
the highest memory of this process while ours ran.
"""

import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import psutil
from sklearn.cluster import KMeans, MiniBatchKMeans

from tweet_profiles.segments.elbow import choose_k
from tweet_profiles.segments.kmeans import SweepPoint, core_inertia, core_sample, fit, sweep

SIZES = (200_000, 1_000_000)
FEATURES = 16
KS = tuple(range(2, 13))
SEED = 7


def made_authors(count: int, kinds: int = 6) -> np.ndarray:
    """Overlapping kinds of unequal size with heavy tails and 5 % outliers, winsorised and standard-scaled."""
    random = np.random.default_rng(SEED)
    centres = random.normal(size=(kinds, FEATURES)) * 1.4
    kind = random.choice(kinds, count, p=random.dirichlet(np.full(kinds, 8.0)))
    matrix = centres[kind] + random.standard_t(5, size=(count, FEATURES)) * 0.8
    outliers = random.random(count) < 0.05
    matrix[outliers] = random.normal(size=(int(outliers.sum()), FEATURES)) * 3
    low, high = np.quantile(matrix, [0.005, 0.995], axis=0)
    matrix = np.clip(matrix, low, high)
    scaled: np.ndarray = (matrix - matrix.mean(axis=0)) / matrix.std(axis=0)
    return scaled


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What `work` returns, and its seconds."""
    start = time.perf_counter()
    return work(), time.perf_counter() - start


class PeakMemory:
    """The highest resident memory of this process while the block runs, in MB."""

    def __enter__(self) -> "PeakMemory":
        self.mb, self._done = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        process = psutil.Process()
        while not self._done.wait(0.05):
            self.mb = max(self.mb, process.memory_info().rss / 1e6)


def with_centres_of(model: KMeans, point: SweepPoint, matrix: np.ndarray) -> SweepPoint:
    """A point of our sweep, with what scikit-learn's centres make of it: what k would have been chosen of them."""
    rows = core_sample(matrix, SEED)
    ours = core_inertia(rows, fit(matrix, point.k, SEED).centroids)
    change = float(np.log(ours / core_inertia(rows, model.cluster_centers_)))
    return replace(point, inertia=float(model.inertia_), core_structure=point.core_structure + change)


def compare(authors: int) -> dict[str, Any]:
    """Sweep one population each way."""
    matrix = made_authors(authors)
    with PeakMemory() as memory:
        points, seconds = timed(lambda: sweep(matrix, KS, SEED))
    print(f"{authors:,} authors: ours {seconds:.1f} s, {memory.mb:.0f} MB", flush=True)
    reference: dict[int, KMeans] = {}
    total = 0.0
    for k in KS:
        model, took = timed(lambda k=k: KMeans(k, n_init=10, random_state=SEED).fit(matrix))  # type: ignore[misc]
        reference[k], total = model, total + took
        print(f"  KMeans k = {k:2}: {took:6.1f} s", flush=True)
    mini, mini_seconds = timed(
        lambda: {k: float(MiniBatchKMeans(k, random_state=SEED).fit(matrix).inertia_) for k in KS}
    )
    ours = {point.k: point.inertia for point in points}
    theirs = [with_centres_of(reference[point.k], point, matrix) if point.k > 1 else point for point in points]
    best = {k: float(model.inertia_) for k, model in reference.items()}
    outcome = {
        "authors": authors,
        "speedup": total / seconds,
        "excess": max(ours[k] / best[k] - 1 for k in KS),
        "chosen": [choose_k(points).k, choose_k(theirs).k],
        "mb": memory.mb,
    }
    print(
        f"  ours {seconds:.1f} s, KMeans {total:.1f} s ({outcome['speedup']:.1f} times ours), MiniBatchKMeans "
        f"{mini_seconds:.1f} s with up to {max(mini[k] / best[k] - 1 for k in KS):.2%} more inertia than KMeans; "
        f"ours {outcome['excess']:+.3%}; k chosen {outcome['chosen']}",
        flush=True,
    )
    return outcome


def main() -> None:
    """Measure and print."""
    sizes = [int(size) for size in sys.argv[1:]] or list(SIZES)
    outcomes = [compare(size) for size in sizes]
    print(
        json.dumps(
            {
                "speedup_vs_sklearn": round(min(outcome["speedup"] for outcome in outcomes), 1),
                "max_inertia_excess": round(max(outcome["excess"] for outcome in outcomes), 5),
                "same_k": all(len(set(outcome["chosen"])) == 1 for outcome in outcomes),
                "peak_mb": round(max(outcome["mb"] for outcome in outcomes)),
            }
        )
    )


if __name__ == "__main__":
    main()
