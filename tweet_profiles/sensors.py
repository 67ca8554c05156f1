"""The sensors: what notices that something has arrived.

What belongs here: gathering what the decision needs, and turning it into Dagster's answers. What does not: the
decision itself (`ingest.arrivals`), which a test calls with plain values.
"""

import dagster as dg

from tweet_profiles.instance import fail_orphans, range_tags
from tweet_profiles.jobs import PROCESS_BATCH
from tweet_profiles.partitions import BATCHES
from tweet_profiles.pipeline import plan
from tweet_profiles.resources import HomeResource


@dg.sensor(
    name="landed_batches",
    job=PROCESS_BATCH,
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Makes each landed batch a partition and takes it to updated profiles, in order of arrival.",
)
def landed_batches(context: dg.SensorEvaluationContext, home: HomeResource) -> dg.SensorResult | dg.SkipReason:
    """Run the batches that are due; parked ones are named in the tick's cursor and in its skip reason."""
    fail_orphans(context.instance)
    zone, settings = home.landing_zone(), home.settings()
    decision = plan(context.instance, zone.keys(), settings.max_attempts)
    context.update_cursor(",".join(decision.parked))
    if not decision.runs and not decision.new_partitions:
        waiting = f"; parked after {settings.max_attempts} failures: {', '.join(decision.parked)}" * bool(
            decision.parked
        )
        return dg.SkipReason(f"no batch is due{waiting}")
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


ALL = [landed_batches]
