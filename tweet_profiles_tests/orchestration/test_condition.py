"""A home tells what is off, and a release that stays behind is told where people look."""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from pymongo.database import Database

from tweet_profiles.database.unreleased import note_change, note_release, unreleased_since
from tweet_profiles.home import Home
from tweet_profiles.orchestration.assets.released_profiles import FRESHNESS_CHECK, freshness
from tweet_profiles.orchestration.condition import Condition, troubles
from tweet_profiles.orchestration.definitions import build_definitions
from tweet_profiles.orchestration.instance import PROCESS_TAG, dagster_instance, process_tag
from tweet_profiles.orchestration.resources import HomeResource, MongoResource
from tweet_profiles_tests.conftest import Command

NOW = datetime(2026, 11, 25, 9, tzinfo=UTC)
Store = Database[dict[str, Any]]


def days(count: float) -> datetime:
    return NOW - timedelta(days=count)


def test_a_home_in_which_all_is_done_is_well() -> None:
    well = Condition(last_landed=days(9), profiles=80, grouped=days(0.2), released=days(0.2))
    assert troubles(well, NOW) == [] and not well.is_empty and Condition().is_empty


@pytest.mark.parametrize(
    ("condition", "part"),
    [
        (Condition(unreleased_since=days(2.1)), "since 2026-11-23 that no release shows, for more than two nights"),
        (Condition(waiting=3, waits_since=days(1.1)), "3 batches wait since 2026-11-24: `tweet-profiles run`"),
        (Condition(waiting=1, parked={"b1": "no text"}, waits_since=days(9)), "b1 (no text); `tweet-profiles run`"),
        (Condition(failure="step customer_clusters: too few"), "the last grouping failed: step customer_clusters"),
    ],
)
def test_what_is_off_is_one_sentence_each_with_the_way_out(condition: Condition, part: str) -> None:
    (told,) = troubles(condition, NOW)
    assert part in told


@pytest.mark.parametrize(
    "condition", [Condition(unreleased_since=days(1.9)), Condition(waiting=3, waits_since=days(0.5))]
)
def test_what_the_next_night_takes_up_is_not_off(condition: Condition) -> None:
    assert troubles(condition, NOW) == []


def test_what_came_while_a_release_was_made_counts_from_then_on_and_the_rest_is_released(database: Store) -> None:
    assert unreleased_since(database) is None
    note_change(database, days(5))
    note_change(database, days(3))
    assert unreleased_since(database) == days(5)
    note_release(database, days(4))
    assert unreleased_since(database) == days(4)
    note_release(database, days(2))
    assert unreleased_since(database) is None
    note_change(database, days(1))
    assert unreleased_since(database) == days(1)


@pytest.mark.parametrize(("age", "passed"), [(None, True), (1.9, True), (2.1, False)])
def test_the_freshness_check_fails_after_two_nights(age: float | None, passed: bool) -> None:
    found = freshness(None if age is None else days(age), NOW)
    assert found.passed is passed and found.check_name == FRESHNESS_CHECK and found.description
    assert found.severity == dg.AssetCheckSeverity.ERROR


def tick(name: str, instance: dg.DagsterInstance, cursor: str | None = None) -> Any:
    repository = build_definitions().get_repository_def()
    home = HomeResource()
    resources = {"home": home, "mongo": MongoResource(home=home)}
    with dg.build_sensor_context(instance, cursor, repository_def=repository, resources=resources) as context:
        return repository.get_sensor_def(name).evaluate_tick(context)


def test_the_sensor_tells_a_release_that_is_behind_once_and_does_not_start_a_database_for_nothing(
    home: Home, own_database: str, mongodb_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pymongo import MongoClient

    with dg.DagsterInstance.ephemeral() as instance, MongoClient(mongodb_server) as client:  # type: ignore[var-annotated]
        note_change(client[own_database], datetime.now(UTC) - timedelta(days=3))
        told = tick("release_freshness", instance)
        (found,) = told.asset_events
        assert not found.passed and "for more than two nights" in found.description
        again = tick("release_freshness", instance, told.cursor)
        assert not again.asset_events and again.skip_message.startswith("as before")
        monkeypatch.delenv("MONGODB_URI")
        assert "nothing has come" in tick("release_freshness", instance).skip_message
        assert not home.mongodb.exists()


def night(instance: dg.DagsterInstance) -> Any:
    schedule = build_definitions().get_repository_def().get_schedule_def("nightly_reclustering")
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    with dg.build_schedule_context(instance, resources={"home": HomeResource()}) as context:
        return schedule.evaluate_tick(context)


def test_the_night_groups_what_there_is_and_waits_for_a_grouping_by_hand(home: Home) -> None:
    with dagster_instance(home) as instance:
        assert "nobody to group" in night(instance).skip_message
        (home.landing / "20261101T000000000000-import.jsonl.gz").touch()
        assert len(night(instance).run_requests) == 1
        job = build_definitions().resolve_job_def("recluster")
        run = instance.create_run_for_job(
            job, status=dg.DagsterRunStatus.STARTED, tags={PROCESS_TAG: process_tag(os.getpid())}
        )
        assert "still runs" in night(instance).skip_message
        instance.report_run_failed(run)
        assert len(night(instance).run_requests) == 1


def test_the_report_follows_each_release() -> None:
    definitions = build_definitions()
    sensor = definitions.get_repository_def().get_sensor_def("report_follows")
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    with dg.DagsterInstance.ephemeral() as instance:
        first = dg.evaluate_automation_conditions(definitions, instance, asset_selection=_REPORT)
        assert first.total_requested == 0
        instance.report_runless_asset_event(dg.AssetMaterialization("released_profiles"))
        after = dg.evaluate_automation_conditions(definitions, instance, asset_selection=_REPORT, cursor=first.cursor)
        assert after.total_requested == 1


_REPORT = dg.AssetSelection.assets("segment_report")


def test_status_tells_an_empty_home_how_to_begin_and_a_behind_one_what_to_do(
    home: Home, own_database: str, mongodb_server: str, command: Command
) -> None:
    from pymongo import MongoClient

    empty = command("status")
    assert empty.returncode == 1 and "nothing has come in yet: `tweet-profiles import FILE`" in empty.stdout
    with MongoClient(mongodb_server) as client:  # type: ignore[var-annotated]
        database = client[own_database]
        database.profiles.insert_many([{"_id": f"{n:032x}"} for n in range(8)])
        well = command("status")
        assert well.returncode == 0, well.stdout + well.stderr
        assert "about 10" in well.stdout and "No collector has run" in well.stdout
        note_change(database, datetime.now(UTC) - timedelta(days=3))
        behind = command("status")
    assert behind.returncode == 1 and "for more than two nights: `tweet-profiles run`" in behind.stdout
