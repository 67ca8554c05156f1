"""What the asset customer_clusters shows beside its plots."""

from typing import Any

import dagster as dg
import pytest

from tweet_profiles.errors import SettingError
from tweet_profiles.home import Home
from tweet_profiles.orchestration.assets.customer_clusters import (
    QUALITY_CHECK,
    customer_clusters,
    page_link,
    segment_rows,
)
from tweet_profiles.orchestration.assets.scaled_features import scaled_features
from tweet_profiles.orchestration.instance import RunFailedError, dagster_instance, execute
from tweet_profiles.orchestration.resources import HomeResource, MongoResource
from tweet_profiles.segments.store import SegmentStore
from tweet_profiles.settings import load_settings
from tweet_profiles_tests.segments.made import KINDS, clustered, made_profiles, save


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


def test_readers_stay_on_the_last_clustering_that_is_good_enough_and_old_ones_go(
    home: Home, own_database: str, mongodb_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWEET_PROFILES_NIGHTS_KEPT", "2")
    resource = HomeResource(root=str(home.root))
    mongo = MongoResource(home=resource)
    with mongo.database() as database:
        save(database, made_profiles(300, 72))

    def night(**limits: float) -> tuple[bool, str | None, int]:
        config: dict[str, Any] = {"k": 3, "k_min": 2, "k_max": 4, **limits}
        with dg.DagsterInstance.ephemeral() as instance:
            done = dg.materialize(
                [scaled_features, customer_clusters],
                instance=instance,
                resources={"home": resource, "mongo": mongo},
                raise_on_error=False,  # a check that blocks fails the run
                run_config={"ops": {"customer_clusters": {"config": config}}},
            )
        (check,) = (found for found in done.get_asset_check_evaluations() if found.check_name == QUALITY_CHECK)
        with mongo.database() as database:
            return check.passed, SegmentStore(database).current_version(), database.clusterings.count_documents({})

    passed, first, _ = night()
    assert passed
    assert night(min_silhouette=0.99)[:2] == (False, first)
    assert night(min_stability=1.0)[:2] == (False, first)
    passed, last, kept = night()
    assert passed and last != first and kept == 2


def test_a_poor_grouping_is_refused_with_its_limit_its_value_and_the_way_out_but_the_first_is_shown(
    home: Home, own_database: str
) -> None:
    resource = HomeResource(root=str(home.root))
    mongo = MongoResource(home=resource)
    with mongo.database() as database:
        save(database, made_profiles(90, 73))
    definitions = dg.Definitions(
        [scaled_features, customer_clusters],
        jobs=[dg.define_asset_job("group", selection=["scaled_features", "customer_clusters"])],
        resources={"home": resource, "mongo": mongo},
        executor=dg.in_process_executor,
    )
    config = {"ops": {"customer_clusters": {"config": {"k": 3, "k_min": 2, "k_max": 3, "min_silhouette": 0.99}}}}
    told: list[tuple[str, bool]] = []
    with dagster_instance(home) as instance:
        job = definitions.resolve_job_def("group")
        first = execute(job, instance, run_config=config, watch=lambda *step: told.append(step))
        (check,) = (one for one in first.get_asset_check_evaluations() if one.check_name == QUALITY_CHECK)
        assert not check.passed and check.severity == dg.AssetCheckSeverity.WARN
        assert check.description is not None and "because there is none before it" in check.description
        with pytest.raises(RunFailedError, match=r"silhouette 0\.\d\d is below 0\.99.*run --k N.*--min-silhouette"):
            execute(job, instance, run_config=config)
        config["ops"]["customer_clusters"]["config"]["k"] = 100
        with pytest.raises(RunFailedError, match=r"step customer_clusters: 90 authors .* pin a smaller k\. The last"):
            execute(job, instance, run_config=config)
    steps = [(name, ended) for name in ("scaled_features", "customer_clusters") for ended in (False, True)]
    assert told == steps
