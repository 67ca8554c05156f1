"""Driving the chain from the command line: which batches are due, in which runs, and what came of it.

What belongs here: the decision of what to run and the runs themselves. What does not: the stages.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog
from dagster import AssetKey, DagsterInstance, RunsFilter

from tweet_profiles.definitions import defs
from tweet_profiles.ingest.landing import LandingZone
from tweet_profiles.instance import UNFINISHED, execute, fail_orphans
from tweet_profiles.partitions import BATCHES

log = structlog.get_logger(__name__)

LAST_BATCH_ASSET = AssetKey("user_profiles")


@dataclass(frozen=True)
class Processed:
    """What one call of `process_batches` did."""

    batches: int
    runs: int


def contiguous(ordered: Sequence[str], wanted: Iterable[str]) -> list[list[str]]:
    """Split `wanted` into runs of neighbours in `ordered`, in that order.

    Dagster names the partitions of a single run by its first and last; a gap between two due batches would
    silently take the batches in the gap along.
    """
    due = set(wanted)
    groups: list[list[str]] = []
    open_group = False
    for key in ordered:
        if key not in due:
            open_group = False
        elif open_group:
            groups[-1].append(key)
        else:
            groups.append([key])
            open_group = True
    return groups


def register(instance: DagsterInstance, landed: Sequence[str]) -> list[str]:
    """Make every landed batch a partition; returns all partitions in their order."""
    name = BATCHES.name
    assert name is not None
    known = set(instance.get_dynamic_partitions(name))
    new = [key for key in landed if key not in known]
    if new:
        instance.add_dynamic_partitions(name, new)
    return list(instance.get_dynamic_partitions(name))


def due_batches(instance: DagsterInstance, landed: Sequence[str]) -> list[str]:
    """Landed batches that no finished run has folded into the profiles yet."""
    done = instance.get_materialized_partitions(LAST_BATCH_ASSET)
    return [key for key in landed if key not in done]


def process_batches(instance: DagsterInstance, zone: LandingZone) -> Processed:
    """Take every landed batch that is not folded yet to updated profiles.

    Raises:
        RunFailedError: if a run fails; what was folded before stays folded.
    """
    fail_orphans(instance)
    landed = zone.keys()
    ordered = register(instance, landed)
    due = due_batches(instance, landed)
    groups = contiguous(ordered, due)
    for group in groups:
        execute(defs.resolve_job_def("process_batch"), instance, partitions=group)
    return Processed(batches=len(due), runs=len(groups))


def recluster(instance: DagsterInstance) -> None:
    """Group all authors anew. Raises RunFailedError if the run fails; the last grouping then stays."""
    execute(defs.resolve_job_def("recluster"), instance)


def unfinished_runs(instance: DagsterInstance) -> int:
    """How many runs are under way or waiting."""
    return len(instance.get_runs(RunsFilter(statuses=UNFINISHED)))
