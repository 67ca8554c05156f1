"""Driving the chain: which batches are due in this instance, and running them from the command line.

What belongs here: asking Dagster what was done, and starting runs. What does not: the decision (`orchestration.due`)
and the stages.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dagster import AssetKey, DagsterInstance, DagsterRun, DagsterRunStatus, JobDefinition, RunsFilter

from tweet_profiles.landing.zone import LandingZone
from tweet_profiles.orchestration.due import Decision, decide
from tweet_profiles.orchestration.instance import (
    RANGE_END_TAG,
    RANGE_START_TAG,
    UNFINISHED,
    Watch,
    dagster_instance,
    execute,
    fail_orphans,
    failure_of,
)
from tweet_profiles.orchestration.partitions import NAME
from tweet_profiles.removal.retention import Purged, expired, purge

LAST_BATCH_ASSET = AssetKey("user_profiles")
JOB = "process_batch"


@dataclass(frozen=True)
class Processed:
    """What one call of `process_batches` did."""

    batches: int
    runs: int
    parked: list[str]


def batches_of(run: DagsterRun, ordered: Sequence[str]) -> list[str]:
    """The batches that a run takes, from its tags."""
    single = run.tags.get("dagster/partition")
    if single is not None:
        return [single]
    first, last = run.tags.get(RANGE_START_TAG), run.tags.get(RANGE_END_TAG)
    if first is None or last is None or first not in ordered or last not in ordered:
        return []
    return list(ordered[ordered.index(first) : ordered.index(last) + 1])


def plan(instance: DagsterInstance, landed: Sequence[str], max_attempts: int) -> Decision:
    """What is due now, by what the instance knows of earlier runs."""
    ordered = list(instance.get_dynamic_partitions(NAME))
    done = instance.get_materialized_partitions(LAST_BATCH_ASSET)
    pending = [key for key in landed if key not in done]
    if not pending:
        return decide(landed, ordered, done=done)
    unfinished = instance.get_runs(RunsFilter(job_name=JOB, statuses=UNFINISHED))
    failed = instance.get_runs(RunsFilter(job_name=JOB, statuses=[DagsterRunStatus.FAILURE]))
    return decide(
        landed,
        ordered,
        in_progress={key for run in unfinished for key in batches_of(run, ordered)},
        done=done,
        failed_attempts=Counter(key for run in failed for key in batches_of(run, ordered)),
        max_attempts=max_attempts,
    )


def waiting(instance: DagsterInstance, landed: Sequence[str], max_attempts: int) -> tuple[list[str], list[str]]:
    """The landed batches that are not in the profiles yet, and those of them that are parked."""
    done = instance.get_materialized_partitions(LAST_BATCH_ASSET)
    return [key for key in landed if key not in done], plan(instance, landed, max_attempts).parked


@dataclass(frozen=True)
class PurgedBatches(Purged):
    """What was removed, with the number of partitions that went too."""

    partitions: int


def purge_batches(
    instance: DagsterInstance, zone: LandingZone, retention: timedelta, now: datetime | None = None
) -> PurgedBatches:
    """Remove what is older than the retention from the landing zone, and the partitions whose batch is gone.

    A kill in between leaves partitions without a batch: the next call removes them.
    """
    now = now or datetime.now(UTC)
    done = purge(zone, instance.get_materialized_partitions(LAST_BATCH_ASSET), retention, now)
    landed = set(zone.keys())
    known = [key for key in instance.get_dynamic_partitions(NAME) if key not in landed]
    gone = expired(known, now, retention)
    for key in gone:
        instance.delete_dynamic_partition(NAME, key)
    return PurgedBatches(done.batches, done.overdue, done.quarantine_files, len(gone))


def purge_home(zone: LandingZone, retention: timedelta) -> PurgedBatches:
    """`purge_batches` on the instance of the zone's home."""
    with dagster_instance(zone.home) as instance:
        return purge_batches(instance, zone, retention)


def failures(instance: DagsterInstance, batches: Sequence[str]) -> dict[str, str]:
    """Why the last run of each of these batches failed, as far as one did."""
    wanted, ordered = set(batches), list(instance.get_dynamic_partitions(NAME))
    told: dict[str, str] = {}
    if wanted:
        # The newest run comes first.
        for run in instance.get_runs(RunsFilter(job_name=JOB, statuses=[DagsterRunStatus.FAILURE])):
            for key in wanted.intersection(batches_of(run, ordered)) - told.keys():
                told[key] = f"{failure_of(instance, run)} (run {run.run_id[:8]})"
    return told


def process_batches(
    instance: DagsterInstance, zone: LandingZone, job: JobDefinition, max_attempts: int, watch: Watch | None = None
) -> Processed:
    """Take every landed batch that is not folded yet to updated profiles.

    Parked batches are tried again too: whoever calls this by hand has mended something. While another run folds
    batches, none is begun here.

    Args:
        instance: what knows of earlier runs.
        zone: with the batches.
        job: what takes them.
        max_attempts: failures after which a batch is parked.
        watch: is told of the steps while they run.

    Raises:
        RunFailedError: if a run fails; what was folded before stays folded.
    """
    fail_orphans(instance)
    batches = runs = 0
    landed = zone.keys()
    decision = plan(instance, landed, max_attempts)
    if decision.new_partitions:
        instance.add_dynamic_partitions(NAME, decision.new_partitions)
    for group in [*decision.runs, *([key] for key in decision.parked)]:
        execute(job, instance, partitions=group, watch=watch)
        batches, runs = batches + len(group), runs + 1
    return Processed(batches, runs, decision.parked)
