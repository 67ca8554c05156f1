"""Groups too small to show are never formed, and clusters depend on the authors' values alone."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymongo.database import Database

from tweet_profiles.orchestration.assets.customer_clusters import ELBOW_FILE, figures, segment_rows
from tweet_profiles.privacy.pseudonyms import author_key
from tweet_profiles.segments.features import build_features, matrix_of
from tweet_profiles.segments.kmeans import assign, canonical_order, fit, join_small
from tweet_profiles.segments.pipeline import ClusterResult, TooFewAuthorsError
from tweet_profiles.segments.store import SegmentStore
from tweet_profiles_tests.segments.made import KINDS, clustered, made_profiles, night, save

Store = Database[dict[str, Any]]
K = 5


def outliers(count: int, first: int = 10**6) -> pd.DataFrame:
    """Authors who are far from everybody and alike."""
    return made_profiles(count, 90, first=first).assign(
        followers=5e7, posts=2e6, tweets_seen=900, likes_per_tweet=9e5, account_age_days=6000.0, sentiment_mean=0.01
    )


def with_outliers(authors: int = 97, count: int = 3) -> pd.DataFrame:
    return pd.concat([made_profiles(authors, 91), outliers(count)], ignore_index=True)


def sizes(result: ClusterResult) -> list[int]:
    return [segment.authors for segment in result.segments]


@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_natural_group_of_fewer_than_k_authors_is_joined_to_the_nearest_and_that_is_said(count: int) -> None:
    profiles = with_outliers(count=count)
    result = clustered(profiles, k=len(KINDS) + 1)
    assert min(sizes(result)) >= K and sum(sizes(result)) == len(profiles)
    assert (
        result.choice.k == len(result.segments) == result.clustering.k == len(result.clustering.centroids) <= len(KINDS)
    )
    assert "groups too small to show were joined to the nearest" in result.choice.reason
    assert str(count) not in result.choice.reason.replace("k = 5", "")
    assert result.point is not None and result.point.k == result.choice.k
    # The nearest of the centres that are left, as whoever arrives later is assigned.
    matrix, _ = matrix_of(build_features(profiles).frame)
    assert (assign(matrix, result.clustering.centroids)[0] == result.clustering.labels).all()


def test_where_every_group_is_large_enough_nothing_is_joined_or_said() -> None:
    result = clustered(with_outliers(count=6), k=len(KINDS) + 1)
    assert (
        result.choice.k == len(KINDS) + 1
        and result.choice.looked_for is None
        and "too small" not in result.choice.reason
    )
    assert 6 in sizes(result)


def test_few_authors_may_be_left_in_one_segment_that_is_described_and_drawn() -> None:
    profiles = made_profiles(7, 92)
    result = clustered(profiles, k=2)
    assert sizes(result) == [7] and "that leaves one segment" in result.choice.reason
    assert result.faults == [] and result.segments[0].name
    matrix, _ = matrix_of(build_features(profiles).frame)
    assert len(segment_rows(result)) == 1
    assert ELBOW_FILE.removesuffix(".png") in figures(result, matrix, [], K, 7)


def test_fewer_authors_than_a_segment_must_have_are_refused_without_their_number() -> None:
    with pytest.raises(TooFewAuthorsError, match="fewer authors than the 5 that a segment must have") as refused:
        clustered(made_profiles(4, 93))
    assert "4" not in str(refused.value)


def test_nothing_that_is_stored_or_assigned_later_tells_of_a_small_group(database: Store) -> None:
    profiles, late = with_outliers(), outliers(2, first=2 * 10**6)
    save(database, pd.concat([profiles, late], ignore_index=True))
    version, result = night(database, profiles, k=len(KINDS) + 1)
    store = SegmentStore(database)
    stored = store.current()
    assert stored is not None and len(stored.segments) == stored.k == len(stored.document["centroids"]) <= len(KINDS)
    assert all(segment["authors"] >= K for segment in stored.segments)
    assert all(share * len(profiles) >= K - 1e-9 for share in stored.document["shares"].values())
    assert set(dict(store.assignments(version)).values()) == set(stored.document["segments"])
    assert set(store.assign_latecomers().assigned) <= set(stored.document["segments"])
    assert result.choice.on_curve == len(KINDS) + 1


@given(st.integers(10, 60), st.integers(2, 8), st.integers(2, 9), st.integers(0, 50))
def test_no_cluster_is_ever_left_with_fewer_than_asked(authors: int, k: int, least: int, seed: int) -> None:
    matrix = np.random.default_rng(seed).standard_cauchy((authors, 3))
    before = fit(matrix, k, seed)
    after = join_small(matrix, before, least)
    counts = np.bincount(after.labels, minlength=after.k)
    assert counts.min() >= min(least, authors) and (np.diff(counts) <= 0).all()
    kept = {tuple(centroid) for centroid in after.centroids}
    assert kept <= {tuple(centroid) for centroid in before.centroids}
    stayed = [tuple(before.centroids[label]) in kept for label in before.labels]
    moved = (before.centroids[before.labels] != after.centroids[after.labels]).any(axis=1)
    assert not moved[stayed].any()


def test_the_canonical_order_is_that_of_the_values_however_the_rows_came() -> None:
    matrix = np.random.default_rng(1).integers(0, 3, (50, 4)).astype(float)
    shuffled = np.random.default_rng(2).permutation(matrix)
    assert (matrix[canonical_order(matrix)] == shuffled[canonical_order(shuffled)]).all()


def under_key(profiles: pd.DataFrame, key: bytes) -> pd.DataFrame:
    """The same authors as a home with this key stores them: other pseudonyms, and so another order."""
    keys = [author_key(key, str(number)) for number in range(len(profiles))]
    named = profiles.assign(author_key=pd.array(keys, dtype="string"), who=range(len(profiles)))
    return named.sort_values("author_key", ignore_index=True)


@pytest.mark.parametrize("authors", [120, 3000])
def test_the_same_data_give_the_same_k_clusters_and_names_in_homes_of_different_keys(authors: int) -> None:
    profiles = made_profiles(authors, 94)
    found = []
    for key in (b"a" * 32, b"b" * 32, b"c" * 32, b"d" * 32):
        stored = under_key(profiles, key)
        result = clustered(stored.drop(columns="who"), k_max=7)
        segment_of = dict(zip(stored["who"], result.segment_of.tolist(), strict=True))
        names = [(segment.segment, segment.name, segment.authors) for segment in result.segments]
        found.append((result.choice, names, [segment_of[who] for who in range(authors)]))
    assert all(one == found[0] for one in found[1:])
