"""Choosing k: right where there are kinds of author, and honest where there are none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.choosing_k import SEPARABLE, chosen, noise, population
from tweet_profiles.segments.elbow import choose_k
from tweet_profiles.segments.kmeans import SweepPoint, assign, core_inertia, fit

SEEDS = (0, 1, 2)
"""`benchmarks/choosing_k.py` has ten of each."""


@pytest.mark.parametrize("kinds", [3, 5, 8])
def test_the_number_of_separable_kinds_is_found(kinds: int) -> None:
    made = [population(kinds, seed) for seed in SEEDS]
    assert all(one.recovered(kinds) >= SEPARABLE for one in made)
    choices = [chosen(one.matrix, seed) for one, seed in zip(made, SEEDS, strict=True)]
    assert [choice.k for choice in choices] == [kinds] * len(SEEDS)
    assert all(choice.is_elbow for choice in choices)


def test_noise_is_said_to_have_no_elbow() -> None:
    for seed in SEEDS:
        choice = chosen(noise(seed), seed)
        assert not choice.is_elbow and choice.reason.startswith("no elbow")


def points(
    inertias: list[float],
    silhouettes: list[float] | None = None,
    null: float = 1000.0,
    core: list[float] | None = None,
) -> list[SweepPoint]:
    values = silhouettes or [0.3] * len(inertias)
    cores = core or [float("nan")] * len(inertias)
    return [
        SweepPoint(k, inertia, float("nan") if k == 1 else values[k - 1], 0.0, 1.0, null, cores[k - 1])
        for k, inertia in enumerate(inertias, start=1)
    ]


def test_a_clear_bend_is_the_elbow() -> None:
    choice = choose_k(points([1000, 600, 200, 180, 165, 155, 150]))
    assert (choice.k, choice.is_elbow) == (3, True)


BENT_AT_3 = [1000.0, 600, 200, 180, 165, 155, 150, 146]


@pytest.mark.parametrize(
    ("core", "k"),
    [
        ([0, 0.2, 0.6, 0.7, 0.7, 0.69, 0.68, 0.67], 4),  # one kind more shows once outliers have no say
        ([0, 0.4, 0.4, 0.39, 0.38, 0.38, 0.37, 0.36], 2),
        ([0, 0.2, 0.3, 0.4, 0.5, 0.9, 0.9, 0.8], 3),  # too far from the bend
        ([0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8], 3),  # rises to the end: no number of kinds
        ([0, -0.2, -0.3, -0.4, -0.5, -0.6, -0.7, -0.8], 3),
    ],
)
def test_the_bend_moves_to_where_the_structure_ends_if_that_is_near(core: list[float], k: int) -> None:
    choice = choose_k(points(BENT_AT_3, core=core))
    assert (choice.k, choice.is_elbow) == (k, True)
    assert f"bends at k = {k}" in choice.reason
    assert choice.runner_up != k and (k == 3 or choice.runner_up == 3)


def test_outliers_have_no_say_in_the_core() -> None:
    matrix = np.random.default_rng(1).normal(size=(1000, 4))
    centre = np.zeros((1, 4))
    far = matrix.copy()
    far[:60] *= 1000
    assert core_inertia(far, centre) == pytest.approx(core_inertia(matrix, centre), rel=0.15)


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
    matrix = population(5, 1).matrix
    first, second = fit(matrix, 5, 7), fit(matrix, 5, 7)
    assert (first.labels == second.labels).all() and (first.centroids == second.centroids).all()
    sizes = np.bincount(first.labels)
    assert (np.diff(sizes) <= 0).all()


def test_more_clusters_than_different_authors_are_refused() -> None:
    with pytest.raises(ValueError, match="distinct authors"):
        fit(np.zeros((10, 3)), 2, 7)
