"""Choosing k: right where there are kinds of author, and honest where there are none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tweet_profiles.segments.elbow import choose_k
from tweet_profiles.segments.kmeans import SweepPoint, assign, fit, sweep


def population(kinds: int, seed: int, authors: int = 1500, features: int = 10) -> np.ndarray:
    """Kinds of unequal size that overlap, heavy tails, and 5 % of authors who fit nowhere."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(kinds, features))
    centres *= 3.2 / np.sqrt(((centres[:, None] - centres[None]) ** 2).sum(axis=-1) + np.eye(kinds) * 1e9).min()
    centres *= 2.2
    shares = random.dirichlet(np.full(kinds, 12.0))
    kind = random.choice(kinds, size=authors, p=shares)
    matrix = centres[kind] + random.standard_t(6, size=(authors, features)) * 0.8
    outliers = random.random(authors) < 0.05
    matrix[outliers] = random.normal(size=(int(outliers.sum()), features)) * np.abs(centres).max()
    low, high = np.quantile(matrix, [0.005, 0.995], axis=0)
    matrix = np.clip(matrix, low, high)
    scaled: np.ndarray = (matrix - matrix.mean(axis=0)) / matrix.std(axis=0)
    return scaled


@pytest.mark.parametrize("kinds", [3, 5])
def test_the_number_of_kinds_is_found_in_nine_of_ten_populations(kinds: int) -> None:
    chosen = [choose_k(sweep(population(kinds, seed), range(2, 13), seed)).k for seed in range(10)]
    assert chosen.count(kinds) >= 9, chosen


def test_noise_is_said_to_have_no_elbow_in_nine_of_ten() -> None:
    said = []
    for seed in range(10):
        noise = np.random.default_rng(seed).uniform(-1.7, 1.7, size=(1500, 10))
        choice = choose_k(sweep(noise, range(2, 13), seed))
        said.append(not choice.is_elbow and choice.reason.startswith("no elbow"))
    assert said.count(True) >= 9


def points(inertias: list[float], silhouettes: list[float] | None = None, null: float = 1000.0) -> list[SweepPoint]:
    values = silhouettes or [0.3] * len(inertias)
    return [
        SweepPoint(k, inertia, float("nan") if k == 1 else values[k - 1], 0.0, 1.0, null)
        for k, inertia in enumerate(inertias, start=1)
    ]


def test_a_clear_bend_is_the_elbow() -> None:
    choice = choose_k(points([1000, 600, 200, 180, 165, 155, 150]))
    assert (choice.k, choice.is_elbow) == (3, True)


def test_without_a_bend_the_best_silhouette_is_taken_and_said() -> None:
    curve = [1000.0 - 100 * k for k in range(7)]
    choice = choose_k(points(curve, [0, 0.1, 0.2, 0.5, 0.2, 0.1, 0.1]))
    assert (choice.k, choice.is_elbow) == (4, False) and "no elbow" in choice.reason


def test_a_pinned_k_wins_and_is_said() -> None:
    choice = choose_k(points([1000, 600, 200, 180, 165]), pinned=5)
    assert choice.k == 5 and "set by the user" in choice.reason


@given(st.integers(2, 40), st.integers(2, 6), st.integers(0, 1000))
def test_every_author_is_in_the_cluster_of_the_nearest_centroid(authors: int, features: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    matrix, centroids = random.normal(size=(authors, features)), random.normal(size=(3, features))
    labels, confidence = assign(matrix, centroids)
    distances = np.linalg.norm(matrix[:, None] - centroids[None], axis=-1)
    assert np.allclose(distances[np.arange(authors), labels], distances.min(axis=1))
    assert ((confidence >= 0) & (confidence <= 1)).all()


def test_the_same_data_and_seed_give_the_same_clusters() -> None:
    matrix = population(5, 1)
    first, second = fit(matrix, 5, 7), fit(matrix, 5, 7)
    assert (first.labels == second.labels).all() and (first.centroids == second.centroids).all()
    sizes = np.bincount(first.labels)
    assert (np.diff(sizes) <= 0).all()


def test_more_clusters_than_different_authors_are_refused() -> None:
    with pytest.raises(ValueError, match="distinct authors"):
        fit(np.zeros((10, 3)), 2, 7)
