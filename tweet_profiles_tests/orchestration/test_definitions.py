"""What Dagster loads, and that it hangs together."""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml

from tweet_profiles.orchestration.definitions import build_definitions
from tweet_profiles.orchestration.resources import HomeResource
from tweet_profiles.settings import project_root

ASSETS = {
    "x_stream",
    "pulled_tweets",
    "searched_days",
    "landing_zone",
    "sentiment_model",
    "raw_tweets",
    "scored_tweets",
    "user_profiles",
    "assigned_authors",
    "scaled_features",
    "customer_clusters",
    "segment_report",
    "released_profiles",
    "exported_profiles",
}
CHAIN = ["raw_tweets", "scored_tweets", "user_profiles", "scaled_features", "customer_clusters", "released_profiles"]


def test_everything_that_should_load_does() -> None:
    repository = build_definitions().get_repository_def()
    checks = {str(key.to_user_string()) for key in repository.asset_graph.asset_check_keys}
    assert {key.to_user_string() for key in repository.asset_graph.get_all_asset_keys()} == ASSETS
    assert {job.name for job in repository.get_all_jobs() if not job.name.startswith("__")} == {
        "process_batch",
        "recluster",
        "report",
        "prepare_model",
        "pull",
        "search_days",
        "purge",
    }
    assert {schedule.name for schedule in repository.schedule_defs} == {
        "nightly_reclustering",
        "hourly_pull",
        "daily_purge",
    }
    assert {sensor.name for sensor in repository.sensor_defs} == {
        "landed_batches",
        "stream_health",
        "release_freshness",
        "report_follows",
        "tell_of_failures",
    }
    assert checks == {
        "x_stream:stream_is_well",
        "sentiment_model:fit_to_serve",
        "raw_tweets:raw_tweets_contract",
        "scored_tweets:scored_tweets_contract",
        "user_profiles:user_profiles_contract",
        "scaled_features:scaled_features_contract",
        "customer_clusters:clustering_quality",
        "released_profiles:released_profiles_contract",
        "released_profiles:no_group_too_small",
        "released_profiles:holds_what_the_profiles_hold",
    }


def test_the_chain_is_connected_in_its_order() -> None:
    graph = build_definitions().get_repository_def().asset_graph
    for upstream, downstream in itertools.pairwise(CHAIN):
        assert dg.AssetKey(upstream) in graph.get(dg.AssetKey(downstream)).parent_keys
    assert dg.AssetKey("sentiment_model") in graph.get(dg.AssetKey("scored_tweets")).parent_keys


def test_every_asset_tells_its_owner_its_kinds_and_what_it_is() -> None:
    graph = build_definitions().get_repository_def().asset_graph
    for name in ASSETS:
        node = graph.get(dg.AssetKey(name))
        assert node.owners and node.kinds and node.code_version and node.group_name != "default"
        assert node.description and len(node.description) > 40


def test_every_table_shows_its_columns_with_what_they_mean() -> None:
    graph = build_definitions().get_repository_def().asset_graph
    for name in ("raw_tweets", "scored_tweets", "user_profiles", "released_profiles", "exported_profiles"):
        schema = graph.get(dg.AssetKey(name)).metadata["dagster/column_schema"]
        columns = schema.columns
        assert columns and [column.name for column in columns if not column.description or not column.type] == []


@pytest.mark.parametrize(
    ("asset", "config", "told"),
    [
        ("customer_clusters", {"k_min": 9, "k_max": 3}, "k_min 9 is above k_max 3"),
        ("customer_clusters", {"max_share": 1.5}, "less than or equal to 1"),
        ("scaled_features", {"winsor": 0.5}, "less than 0.5"),
        ("sentiment_model", {"preset": "huge"}, "should match pattern"),
    ],
)
def test_a_configuration_out_of_its_bounds_is_refused_before_anything_is_read(
    asset: str, config: dict[str, object], told: str
) -> None:
    job = build_definitions().resolve_job_def("__ASSET_JOB")
    with dg.DagsterInstance.ephemeral() as instance:
        done = job.execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(asset)],
            run_config={"ops": {asset: {"config": config}}},
            raise_on_error=False,
        )
        [failed] = done.filter_events(lambda event: event.is_step_failure)
    assert told in str(failed.step_failure_data.error)


def test_every_field_that_a_run_may_configure_says_what_it_is() -> None:
    graph = build_definitions().get_repository_def().asset_graph
    ops = {name: graph.get(dg.AssetKey(name)).assets_def.op for name in ASSETS - {"x_stream", "landing_zone"}}
    configured = {
        (name, field): shape.description
        for name, op in ops.items()
        for field, shape in getattr(op.config_schema.config_type, "fields", {}).items()
    }
    assert ("customer_clusters", "k_max") in configured and ("pulled_tweets", "confirm") in configured
    assert [field for field, description in configured.items() if not description] == []


def test_every_contract_check_blocks_what_comes_after_it() -> None:
    graph = build_definitions().get_repository_def().asset_graph
    unblocking = {key.name for key in graph.asset_check_keys if not graph.get_check_spec(key).blocking}
    # Neither a stream that is away nor a release that is late must hold up what comes after it.
    assert unblocking == {"stream_is_well", "holds_what_the_profiles_hold"}


def test_resources_can_be_swapped_by_name(tmp_path: Path) -> None:
    definitions = build_definitions({"home": HomeResource(root=str(tmp_path / "other"))})
    home = definitions.resources["home"]
    assert home.open().root == tmp_path / "other"


@pytest.mark.integration
def test_the_workspace_names_a_module_that_loads() -> None:
    workspace = yaml.safe_load((project_root() / "workspace.yaml").read_text())
    entry = workspace["load_from"][0]["python_module"]
    code = f"import {entry['module_name']} as m; assert m.{entry['attribute']}"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.integration
def test_loading_the_definitions_imports_no_tensorflow() -> None:
    code = "import sys, tweet_profiles.orchestration.definitions; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.integration
def test_dg_finds_what_pyproject_says_the_project_is() -> None:
    dg_command = [Path(sys.executable).with_name("dg"), "list", "defs", "--json"]
    shown = subprocess.run(dg_command, cwd=project_root(), capture_output=True, text=True, check=True)
    assert {asset["asset_key"] for asset in json.loads(shown.stdout)["assets"]} == ASSETS
