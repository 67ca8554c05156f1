"""The sensors: what notices that something has arrived.

What belongs here: gathering what the decision needs, and turning it into Dagster's answers. What does not: the
decision itself (`orchestration.due`), which a test calls with plain values.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg

from tweet_profiles.database.unreleased import unreleased_since
from tweet_profiles.notify import send
from tweet_profiles.orchestration.assets import x_stream
from tweet_profiles.orchestration.assets.released_profiles import freshness
from tweet_profiles.orchestration.batches import failures, plan
from tweet_profiles.orchestration.instance import fail_orphans, range_tags
from tweet_profiles.orchestration.jobs import PROCESS_BATCH
from tweet_profiles.orchestration.partitions import BATCHES
from tweet_profiles.orchestration.resources import HomeResource, MongoResource
from tweet_profiles.settings import Settings
from tweet_profiles.sources.x.config import faults_of_environment
from tweet_profiles.sources.x.health import read


@dg.sensor(
    name="landed_batches",
    job=PROCESS_BATCH,
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Makes each landed batch a partition and takes it to updated profiles, in order of arrival.",
)
def landed_batches(context: dg.SensorEvaluationContext, home: HomeResource) -> dg.SensorResult | dg.SkipReason:
    """Run the batches that are due; parked ones are told with their reason in the cursor and the skip reason."""
    fail_orphans(context.instance)
    zone, settings = home.landing_zone(), home.settings()
    decision = plan(context.instance, zone.keys(), settings.max_attempts)
    why = failures(context.instance, decision.parked)
    parked = ", ".join(f"{key} ({why.get(key, 'no run is known')})" for key in decision.parked)
    waiting = f"parked after {settings.max_attempts} failures: {parked}" if parked else ""
    if waiting and waiting != context.cursor:
        context.log.warning(f"{waiting}. `tweet-profiles run` tries them again")
    context.update_cursor(waiting)
    if not decision.runs and not decision.new_partitions:
        return dg.SkipReason("; ".join(["no batch is due", waiting]) if waiting else "no batch is due")
    # One run at a time: the next tick takes the rest, in order.
    requests = [
        dg.RunRequest(run_key=None, partition_key=run[0] if len(run) == 1 else None, tags=range_tags(run))
        for run in decision.runs[:1]
    ]
    return dg.SensorResult(
        run_requests=requests,
        dynamic_partitions_requests=[BATCHES.build_add_request(decision.new_partitions)]
        if decision.new_partitions
        else [],
    )


OBSERVE_EVERY_S = 600
"""A stream that stays as it is, is told of this often; a change is told of at once."""


FRESHNESS_EVERY_S = 43_200


def build_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """All sensors. On from the start are the stream's only where X is configured, and the one that tells of failures
    only where somebody is to be told.
    """
    follows = dg.AutomationConditionSensorDefinition(
        "report_follows",
        target=dg.AssetSelection.assets("segment_report"),
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Makes segment_report anew once a release is made.",
    )
    return [landed_batches, release_freshness, follows, _stream_sensor(), _failure_sensor(settings)]


@dg.sensor(
    name="release_freshness",
    minimum_interval_seconds=600,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells on released_profiles whether the profiles have been newer than the release for two nights.",
)
def release_freshness(
    context: dg.SensorEvaluationContext, home: HomeResource, mongo: MongoResource
) -> dg.SensorResult | dg.SkipReason:
    """Evaluate the freshness check; what stays as it is, is told again twice a day."""
    if not home.open().has_data and home.settings().mongodb_uri is None:
        return dg.SkipReason("nothing has come into this home yet")
    with mongo.database() as database:
        found = freshness(unreleased_since(database), datetime.now(UTC))
    told, _, last = (context.cursor or "").partition("@")
    if told == str(found.passed) and time.time() - float(last) < FRESHNESS_EVERY_S:
        return dg.SkipReason(f"as before: {found.description}")
    context.update_cursor(f"{found.passed}@{time.time():.0f}")
    return dg.SensorResult(asset_events=[found])


def _failure_sensor(settings: Settings) -> dg.SensorDefinition:
    on = dg.DefaultSensorStatus.STOPPED if settings.notify_urls is None else dg.DefaultSensorStatus.RUNNING

    @dg.run_failure_sensor(
        name="tell_of_failures",
        minimum_interval_seconds=30,
        default_status=on,
        # Runs of commands too: their records hold no code location (docs/decisions/0008).
        monitor_all_code_locations=True,
        description="Mails or posts that a run failed, to TWEET_PROFILES_NOTIFY_URLS; off until that is set.",
    )
    def tell_of_failures(context: dg.RunFailureSensorContext, home: HomeResource) -> dg.SkipReason | None:
        now = home.settings()
        if now.notify_urls is None:
            return dg.SkipReason("TWEET_PROFILES_NOTIFY_URLS is not set: nobody is told")
        run = context.dagster_run
        steps = [event.step_key for event in context.get_step_failure_events() if event.step_key is not None]
        send(now.notify_urls.get_secret_value(), f"tweet_profiles: {run.job_name} failed", told_of(run, steps, now))
        return None

    return tell_of_failures


def told_of(run: dg.DagsterRun, steps: Sequence[str], settings: Settings) -> str:
    """What people are told of a failed run: where to look, and nothing that a tweet or its author could be in.

    The error itself stays in Dagster: an unexpected one may quote what it broke on.
    """
    at = f" at step {', '.join(steps)}" if steps else ""
    return f"Run {run.run_id[:8]} of the job {run.job_name} failed{at}. Why: {settings.dagster_url}/runs/{run.run_id}"


def _stream_sensor() -> dg.SensorDefinition:
    on = dg.DefaultSensorStatus.STOPPED if faults_of_environment() else dg.DefaultSensorStatus.RUNNING

    @dg.sensor(
        name="stream_health",
        minimum_interval_seconds=30,
        default_status=on,
        description="Tells the health of the stream collector on x_stream; a stream that is not well is a warning.",
    )
    def stream_health(context: dg.SensorEvaluationContext, home: HomeResource) -> dg.SensorResult | dg.SkipReason:
        opened = home.open()
        found, health = x_stream.evaluation(opened), read(opened)
        if found is None or health is None:
            return dg.SkipReason("no collector has run in this home: `tweet-profiles stream` starts one")
        told, _, last = (context.cursor or "").partition("@")
        if told == str(found.passed) and time.time() - float(last) < OBSERVE_EVERY_S:
            return dg.SkipReason(f"as before: {found.description}")
        context.update_cursor(f"{found.passed}@{time.time():.0f}")
        observation = dg.AssetObservation(
            x_stream.KEY, description=found.description, metadata=x_stream.metadata_of(health)
        )
        return dg.SensorResult(asset_events=[observation, found])

    return stream_health
