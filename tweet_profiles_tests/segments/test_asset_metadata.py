"""What the asset customer_clusters shows beside its plots."""

import pytest

from tweet_profiles.assets.customer_clusters import page_link, segment_rows
from tweet_profiles.errors import SettingError
from tweet_profiles.settings import load_settings
from tweet_profiles_tests.segments.test_nights import KINDS, clustered, made_profiles


def test_the_page_is_linked_where_it_is_served_and_only_there() -> None:
    assert page_link(load_settings()) == {}
    linked = page_link(load_settings(page_url="https://audience.example/"))
    assert linked["page"].value == "https://audience.example/"


def test_an_address_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(SettingError, match="TWEET_PROFILES_PAGE_URL"):
        load_settings(page_url="javascript:alert(1)")


def test_the_table_of_segments_has_a_row_for_each() -> None:
    result = clustered(made_profiles(300, 71), k=len(KINDS), k_min=len(KINDS), k_max=len(KINDS))
    rows = segment_rows(result)
    assert [row["segment"] for row in rows] == [segment.segment for segment in result.segments]
    assert all(str(row["share"]).endswith("%") and row["name"] for row in rows)
