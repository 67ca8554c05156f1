"""How often the number of real kinds of author is found, and noise is said to have none.

    .venv/bin/python benchmarks/choosing_k.py [SEEDS]

By default ten made populations each of 3, 5 and 8 kinds of 1,500 authors by 10 features: kinds of unequal size that
overlap, heavy tails, 5 % of authors who belong to none, 3 % of the values missing. A population counts where its kinds
are separable: K-Means that is told their number recovers them with an adjusted Rand index of at least 0.9; the others
are told and replaced. Noise is uniform.

The last line is one JSON object: by number of kinds the share of populations in which it was chosen, and the share of
noise of which no elbow was said.
"""

import json
import sys
from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from tweet_profiles.segments.elbow import Choice, choose_k
from tweet_profiles.segments.kmeans import sweep

KINDS = (3, 5, 8)
KS = range(2, 13)
AUTHORS, FEATURES = 1500, 10
OUTLIERS, MISSING = 0.05, 0.03
APART = 4.0
"""Least distance between two kinds' centres, where the standard deviation within a kind is 0.98 a feature."""
SEPARABLE = 0.9


@dataclass(frozen=True)
class Population:
    """Scaled features (authors, features), and the kind of each author, -1 for who belongs to none."""

    matrix: np.ndarray
    kind: np.ndarray

    def recovered(self, kinds: int) -> float:
        """Adjusted Rand index between the kinds and K-Means that is told how many there are."""
        labels = KMeans(kinds, n_init=10, random_state=0).fit_predict(self.matrix)
        inside = self.kind >= 0
        return float(adjusted_rand_score(self.kind[inside], labels[inside]))


def population(kinds: int, seed: int) -> Population:
    """Overlapping kinds of unequal size with heavy tails, outliers and gaps; winsorised, imputed and scaled as the
    features of authors are.
    """
    random = np.random.default_rng(seed)
    kind = random.choice(kinds, AUTHORS, p=random.dirichlet(np.full(kinds, 12.0)))
    matrix = _centres(kinds, random)[kind] + random.standard_t(6, size=(AUTHORS, FEATURES)) * 0.8
    outlier = random.random(AUTHORS) < OUTLIERS
    matrix[outlier] = random.normal(size=(int(outlier.sum()), FEATURES)) * 3
    matrix[random.random(matrix.shape) < MISSING] = np.nan
    matrix = np.where(np.isnan(matrix), np.nanmedian(matrix, axis=0), matrix)
    matrix = np.clip(matrix, *np.quantile(matrix, [0.005, 0.995], axis=0))
    return Population((matrix - matrix.mean(axis=0)) / matrix.std(axis=0), np.where(outlier, -1, kind))


def _centres(kinds: int, random: np.random.Generator) -> np.ndarray:
    found: list[np.ndarray] = []
    while len(found) < kinds:
        centre = random.normal(size=FEATURES) * 1.5
        if all(np.linalg.norm(centre - other) >= APART for other in found):
            found.append(centre)
    return np.array(found)


def noise(seed: int) -> np.ndarray:
    """Uniform noise of the same size."""
    return np.random.default_rng(seed).uniform(-1.7, 1.7, size=(AUTHORS, FEATURES))


def chosen(matrix: np.ndarray, seed: int) -> Choice:
    """What the sweep of the nightly clustering chooses."""
    return choose_k(sweep(matrix, KS, seed))


def main() -> None:
    """Measure and print."""
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    shares: dict[str, float] = {}
    for kinds in KINDS:
        found: list[int] = []
        seed = 0
        while len(found) < wanted:
            made = population(kinds, seed)
            recovered = made.recovered(kinds)
            if recovered >= SEPARABLE:
                found.append(chosen(made.matrix, seed).k)
                print(f"{kinds} kinds, seed {seed}: recovered {recovered:.2f}, k = {found[-1]}", flush=True)
            else:
                print(f"{kinds} kinds, seed {seed}: recovered {recovered:.2f}, not separable", flush=True)
            seed += 1
        shares[f"{kinds} kinds"] = found.count(kinds) / wanted
    said = [not chosen(noise(seed), seed).is_elbow for seed in range(wanted)]
    print(json.dumps({**shares, "no elbow on noise": said.count(True) / wanted}))


if __name__ == "__main__":
    main()
