"""Search, stream and purge as Dagster runs them, against a server over real HTTP."""

import time
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster import AssetKey
from dagster._core.definitions.data_version import StaleStatus
from dagster._utils.test.data_versions import get_stale_status_resolver

from tweet_profiles.errors import SettingError
from tweet_profiles.landing.zone import STAMP, LandingZone
from tweet_profiles.orchestration.assets import x_stream
from tweet_profiles.orchestration.batches import purge_batches
from tweet_profiles.orchestration.definitions import build_definitions
from tweet_profiles.orchestration.instance import dagster_instance
from tweet_profiles.orchestration.partitions import NAME as PARTITIONS
from tweet_profiles.orchestration.resources import HomeResource, XResource
from tweet_profiles.orchestration.sensors import landed_batches
from tweet_profiles.settings import load_settings
from tweet_profiles.sources.x.health import Health, write
from tweet_profiles_tests.conftest import KEY
from tweet_profiles_tests.fake_x import FakeX, snowflake
from tweet_profiles_tests.landing.made import land, tweet
from tweet_profiles_tests.sources.x.peer import landed, run, x_environment

pytestmark = pytest.mark.integration


@pytest.fixture
def x(monkeypatch):
    with FakeX() as server:
        for name, value in x_environment(server).items():
            if name.startswith("TWEET_PROFILES_X_"):
                monkeypatch.setenv(name, value)
        yield server


@pytest.fixture
def instance(home):
    with dagster_instance(home) as opened:
        yield opened


def ids_before_now(count, seconds=3600):
    now = time.time() * 1000
    return [snowflake(now - seconds * 1000 + number * 10) for number in range(count)]


def tick(name, instance, cursor=None):
    repository = build_definitions().get_repository_def()
    if name in {schedule.name for schedule in repository.schedule_defs}:
        context = dg.build_schedule_context(instance=instance, scheduled_execution_time=datetime.now(UTC))
        return repository.get_schedule_def(name).evaluate_tick(context)
    context = dg.build_sensor_context(instance, cursor, repository_def=repository, resources={"home": HomeResource()})
    return repository.get_sensor_def(name).evaluate_tick(context)


def execute(job, instance, **options):
    return (
        build_definitions().resolve_job_def(job).execute_in_process(instance=instance, raise_on_error=False, **options)
    )


def test_the_hourly_pull_lands_what_is_new_and_shows_the_counts(x, home, instance):
    ids = ids_before_now(25)
    x.add(ids)
    assert len(tick("hourly_pull", instance).run_requests) == 1
    assert execute("pull", instance).success
    assert set(landed(home)) == set(ids)
    new = x.publish(3)
    assert execute("pull", instance).success
    assert set(landed(home)) == {*ids, *new} and set(landed(home).values()) == {1}
    event = instance.get_latest_materialization_event(AssetKey("pulled_tweets"))
    assert event.asset_materialization.metadata["landed"].value == 3
    assert x.violations == []


def test_use_of_the_api_is_serialised_by_a_pool():
    graph = build_definitions().get_repository_def().asset_graph
    assert {graph.get(AssetKey(name)).pools.copy().pop() for name in ("pulled_tweets", "searched_days")} == {"x_api"}


def test_without_a_token_the_pull_is_off_and_skips_with_the_setting_to_mend(home, instance):
    ticked = tick("hourly_pull", instance)
    assert ticked.run_requests == []
    assert "TWEET_PROFILES_X_BEARER_TOKEN is not set" in ticked.skip_message
    assert "TWEET_PROFILES_X_HANDLES" in ticked.skip_message
    schedule = build_definitions().get_repository_def().get_schedule_def("hourly_pull")
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED


def test_with_a_token_the_pull_and_the_watch_over_the_stream_are_on(x):
    repository = build_definitions().get_repository_def()
    assert repository.get_schedule_def("hourly_pull").default_status == dg.DefaultScheduleStatus.RUNNING
    assert repository.get_sensor_def("stream_health").default_status == dg.DefaultSensorStatus.RUNNING


def test_while_a_pull_runs_the_next_one_waits(x, instance):
    job = build_definitions().resolve_job_def("pull")
    instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    assert "still runs" in tick("hourly_pull", instance).skip_message


def test_a_refused_token_fails_the_run_once_and_names_the_setting_but_not_the_token(x, home, instance, monkeypatch):
    monkeypatch.setenv("TWEET_PROFILES_X_BEARER_TOKEN", "a-wrong-token")
    result = execute("pull", instance)
    assert not result.success
    stored = b"".join(path.read_bytes() for path in home.dagster.rglob("*") if path.is_file())
    assert b"TWEET_PROFILES_X_BEARER_TOKEN" in stored and b"X says 401" in stored
    assert b"a-wrong-token" not in stored
    assert not any(event.is_step_up_for_retry for event in result.all_events)


def test_the_token_stands_nowhere_in_dagsters_records(x, home, instance):
    x.add(ids_before_now(5))
    assert execute("pull", instance).success
    for path in home.dagster.rglob("*"):
        assert not path.is_file() or x.token.encode() not in path.read_bytes(), path


def test_a_range_of_days_is_searched_as_one_run_and_only_those_days_land(x, home, instance, monkeypatch):
    monkeypatch.setenv("TWEET_PROFILES_X_SEARCH", "all")
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    days = [noon - timedelta(days=number) for number in (6, 5, 4, 3, 2)]
    ids = [snowflake(day.timestamp() * 1000) for day in days]
    x.add(ids)
    keys = [f"{day:%Y-%m-%d}" for day in days]
    days = {"dagster/asset_partition_range_start": keys[1], "dagster/asset_partition_range_end": keys[3]}
    assert execute("search_days", instance, tags=days).success
    assert set(landed(home)) == set(ids[1:4])
    assert instance.get_materialized_partitions(AssetKey("searched_days")) == set(keys[1:4])
    assert x.violations == []


def observed(instance, asset):
    """The text of the one observation of an asset."""
    [told] = instance.fetch_observations(AssetKey(asset), limit=5).records
    return told.event_log_entry.dagster_event.asset_observation_data.asset_observation.description


@pytest.mark.parametrize("asset", ["pulled_tweets", "searched_days"])
def test_materialize_all_asks_x_for_nothing_and_says_how_to_ask(x, home, instance, asset):
    x.add(ids_before_now(5))
    day = {} if asset == "pulled_tweets" else {"partition_key": f"{datetime.now(UTC) - timedelta(days=2):%Y-%m-%d}"}
    assert execute("__ASSET_JOB", instance, asset_selection=[AssetKey(asset)], **day).success
    assert x.ledger == [] and landed(home) == {}
    assert instance.get_latest_materialization_event(AssetKey(asset)) is None
    assert "costs money: run the job" in observed(instance, asset)


def test_whoever_confirms_may_pull_by_materializing_the_asset(x, home, instance):
    ids = ids_before_now(5)
    x.add(ids)
    meant = {"ops": {"pulled_tweets": {"config": {"confirm": True}}}}
    assert execute("__ASSET_JOB", instance, asset_selection=[AssetKey("pulled_tweets")], run_config=meant).success
    assert set(landed(home)) == set(ids)


def test_days_beyond_the_reach_of_search_are_skipped_with_a_sentence(x, home, instance):
    assert execute("search_days", instance, partition_key="2026-01-02").success
    assert x.ledger == [] and instance.get_materialized_partitions(AssetKey("searched_days")) == set()
    text = observed(instance, "searched_days")
    assert "recent search reaches no further back" in text and "TWEET_PROFILES_X_SEARCH=all" in text


def test_a_pull_makes_no_batch_stale_and_the_way_from_the_sources_is_drawn(x, home, instance):
    graph = build_definitions().get_repository_def().asset_graph
    assert graph.get(AssetKey("raw_tweets")).parent_keys == {AssetKey("landing_zone")}
    sources = {AssetKey(name) for name in ("x_stream", "pulled_tweets", "searched_days")}
    assert graph.get(AssetKey("landing_zone")).parent_keys == sources
    x.add(ids_before_now(5))
    assert execute("pull", instance).success
    [key] = LandingZone(home).keys()
    instance.add_dynamic_partitions(PARTITIONS, [key])
    raw = AssetKey("raw_tweets")
    assert execute("__ASSET_JOB", instance, asset_selection=[raw], partition_key=key).success
    x.publish(3)
    assert execute("pull", instance).success
    status = get_stale_status_resolver(instance, list(graph.assets_defs))
    assert status.get_status(raw, key) == StaleStatus.FRESH


def test_what_a_run_asks_for_can_be_set_in_the_resource_but_a_token_cannot(x):
    assert XResource(query="oat drink", monthly_post_cap=7).configured().search_query == "oat drink"
    assert not any("token" in name for name in XResource.model_fields)


def test_the_purge_removes_old_batches_with_their_partitions_and_keeps_the_unprocessed(x, home, instance, monkeypatch):
    monkeypatch.setenv("TWEET_PROFILES_PSEUDONYM_KEY", KEY)
    x.add(ids_before_now(30))
    monkeypatch.setenv("TWEET_PROFILES_BATCH_SIZE", "10")
    monkeypatch.setenv("TWEET_PROFILES_X_PAGE_SIZE", "10")
    assert execute("pull", instance).success
    zone = LandingZone(home)
    first, second, third = zone.keys()
    instance.add_dynamic_partitions(PARTITIONS, zone.keys())
    for key in (first, second):
        instance.report_runless_asset_event(dg.AssetMaterialization("user_profiles", partition=key))
    later = datetime.strptime(second.partition("-")[0], STAMP).replace(tzinfo=UTC) + timedelta(days=31)

    done = purge_batches(instance, zone, timedelta(days=30), later)

    assert (done.batches, done.overdue, done.partitions) == ([first, second], [third], 2)
    assert zone.keys() == [third] == list(instance.get_dynamic_partitions(PARTITIONS))
    again = purge_batches(instance, zone, timedelta(days=30), later)
    assert (again.batches, again.partitions) == ([], 0)
    assert execute("purge", instance).success


def test_partitions_left_by_a_purge_that_was_killed_go_with_the_next(home, instance):
    old = f"{datetime.now(UTC) - timedelta(days=40):{STAMP}}-000001-search"
    instance.add_dynamic_partitions(PARTITIONS, [old])
    assert purge_batches(instance, LandingZone(home), timedelta(days=30)).partitions == 1
    assert list(instance.get_dynamic_partitions(PARTITIONS)) == []


def test_purge_from_the_command_line_tells_what_went(x, home):
    done = run("purge", "--days", "1", env=x_environment(x))
    assert done.returncode == 0, done.stderr
    assert "Purged: 0 batches, 0 partitions" in " ".join(done.stdout.split())


def test_a_stream_that_is_not_well_is_a_warning_told_at_once_and_then_only_now_and_then(home, instance):
    assert "no collector has run" in tick("stream_health", instance).skip_message
    write(home, Health(pid=2**22 + 1, started_at=time.time(), state="connected", received=12, connects=3, gap_fills=2))

    ticked = tick("stream_health", instance)

    observation, check = ticked.asset_events
    assert observation.metadata["reconnects"].value == 2 and observation.metadata["gap_fills"].value == 2
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "has ended" in check.description
    assert "as before" in tick("stream_health", instance, ticked.cursor).skip_message


def test_the_check_of_the_stream_can_be_run_by_hand(home):
    found = x_stream.stream_is_well(home=HomeResource())
    assert not found.passed and found.severity == dg.AssetCheckSeverity.WARN
    assert "tweet-profiles stream" in found.description


@pytest.mark.parametrize(
    ("name", "value"),
    [("TIME_ZONE", "Mars/Phobos"), ("PULL_CRON", "hourly"), ("PURGE_CRON", "1 2 3"), ("RETENTION_DAYS", "0")],
)
def test_a_schedule_that_cannot_be_kept_is_refused_by_its_settings_name(monkeypatch, name, value):
    monkeypatch.setenv(f"TWEET_PROFILES_{name}", value)
    with pytest.raises(SettingError, match=f"TWEET_PROFILES_{name}"):
        load_settings()


def test_a_batch_that_cannot_be_read_is_parked_with_its_reason_and_the_next_goes_on(home, instance, monkeypatch):
    monkeypatch.setenv("TWEET_PROFILES_MAX_ATTEMPTS", "2")
    zone = LandingZone(home)
    for number in (1, 2):
        land(zone, tweet(number))
    damaged, good = zone.keys()
    path = zone.path(damaged)
    path.write_bytes(path.read_bytes()[:-20])
    instance.add_dynamic_partitions(PARTITIONS, [damaged, good])
    context = dg.build_sensor_context(instance, resources={"home": HomeResource()})
    for attempt in ("with its neighbour", "alone"):
        request = landed_batches(context).run_requests[0]
        assert (request.partition_key == damaged) == (attempt == "alone")
        partition = {"dagster/partition": damaged} if attempt == "alone" else {}
        assert not execute("process_batch", instance, tags={**request.tags, **partition}).success
    assert [request.partition_key for request in landed_batches(context).run_requests] == [good]
    assert damaged in context.cursor and "step raw_tweets" in context.cursor and path.name in context.cursor
