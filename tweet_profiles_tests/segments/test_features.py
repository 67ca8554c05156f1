"""Features: what is not known is left out and said, and whatever a profile may be the numbers are finite."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from tweet_profiles.contracts import SCALED_FEATURES, USER_PROFILES
from tweet_profiles.profiles.buckets import rows_of, score_frame
from tweet_profiles.profiles.compute import profiles_of
from tweet_profiles.segments.features import FEATURES, FeatureConfig, build_features
from tweet_profiles.segments.pipeline import ClusterConfig, TooFewAuthorsError, cluster
from tweet_profiles_tests.profiles.made import scored_rows
from tweet_profiles_tests.profiles.scratch import frame, row
from tweet_profiles_tests.segments.made import made_profiles


def profiles_from(rows: list[Any]) -> pd.DataFrame:
    """USER_PROFILES of scored tweets."""
    kept: dict[str, list[Any]] = {}
    table = frame(rows)
    for author, one in zip(table["author_key"], rows_of(table, "b1"), strict=True):
        kept.setdefault(author, []).append(one)
    return USER_PROFILES.validate(profiles_of(score_frame(kept))[list(USER_PROFILES.columns)])


@settings(max_examples=60, deadline=None)
@given(rows=scored_rows(most=8, authors=5))
def test_whatever_profiles_may_be_their_features_are_finite(rows: list[Any]) -> None:
    matrix = build_features(profiles_from(rows), FeatureConfig(tuple(FEATURES)))
    SCALED_FEATURES.validate(matrix.frame)
    known = set(matrix.scaler.names)
    assert len(matrix.frame) == len({one["author_key"] for one in rows})
    for name in set(FEATURES) - known:
        assert any(FEATURES[name].label.startswith(said.split(" is left out")[0]) for said in matrix.warnings)


def test_where_retweets_were_not_collected_their_share_is_left_out_and_that_is_said() -> None:
    profiles = made_profiles(60, 3).assign(retweet_share=np.nan)
    matrix = build_features(profiles)
    assert "retweet_share" not in matrix.scaler.names
    assert (
        "share of retweets is left out: 100% of the authors lack it "
        "(whether they repost is not known: collected without retweets)"
    ) in matrix.warnings


def test_where_only_days_are_told_the_hour_is_left_out_and_said_once() -> None:
    profiles = made_profiles(60, 3)
    profiles["hours"] = [[0] * 24 for _ in range(len(profiles))]
    matrix = build_features(profiles)
    assert not {"hour_sin", "hour_cos"} & set(matrix.scaler.names)
    assert [said for said in matrix.warnings if said.startswith("hour")] == [
        "hour is left out: 100% of the authors lack it "
        "(when they tweet is not known: the source tells days without hours)"
    ]


def test_a_feature_that_is_the_same_for_all_is_said_to_be() -> None:
    matrix = build_features(made_profiles(60, 3).assign(reply_share=0.25))
    assert "share of replies is left out: it is the same for all authors" in matrix.warnings


@pytest.mark.parametrize(
    ("authors", "remedy"), [(0, "import tweets"), (1, "collect more tweets"), (6, "collect more tweets")]
)
def test_authors_whom_nothing_tells_apart_end_in_one_clear_sentence(authors: int, remedy: str) -> None:
    profiles = profiles_from([row(50 * author, author) for author in range(max(authors, 1))]).iloc[:authors]
    matrix = build_features(profiles)
    assert matrix.scaler.names == [] and len(matrix.frame) == authors
    SCALED_FEATURES.validate(matrix.frame)
    with pytest.raises(TooFewAuthorsError, match=remedy):
        cluster(matrix.frame, profiles, matrix.scaler, ClusterConfig())
