"""The sensors: what notices that something has arrived.

What belongs here: gathering what the decision needs, and turning it into Dagster's answers. What does not: the
decision itself (`orchestration.due`), which a test calls with plain values.
"""

import time
from datetime import UTC, datetime

import dagster as dg

from tweet_profiles.database.unreleased import unreleased_since
from tweet_profiles.orchestration.assets import x_stream
from tweet_profiles.orchestration.assets.released_profiles import freshness
from tweet_profiles.orchestration.batches import failures, plan
from tweet_profiles.orchestration.instance import fail_orphans, range_tags
from tweet_profiles.orchestration.jobs import PROCESS_BATCH
from tweet_profiles.orchestration.partitions import BATCHES
from tweet_profiles.orchestration.resources import HomeResource, MongoResource
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


def build_sensors() -> list[dg.SensorDefinition]:
    """All sensors. The stream's is on from the start only where X is configured."""
    follows = dg.AutomationConditionSensorDefinition(
        "report_follows",
        target=dg.AssetSelection.assets("segment_report"),
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Makes segment_report anew once a release is made.",
    )
    return [landed_batches, release_freshness, follows, _stream_sensor()]


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
