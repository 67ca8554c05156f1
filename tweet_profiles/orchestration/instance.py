"""The Dagster instance of a home, and runs started from the command line on it.

What belongs here: DAGSTER_HOME, runs in this process, and what a killed process left behind. What does not:
what a run does, and which batches it takes.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.resources import as_file, files
from typing import Any
from uuid import uuid4

import dagster as dg
import psutil
import structlog
from dagster import (
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    EventLogEntry,
    RunsFilter,
)

from tweet_profiles.errors import TweetProfilesError
from tweet_profiles.home import Home

log = structlog.get_logger(__name__)

PROCESS_TAG = "tweet_profiles/process"
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"
STARTED_BY_TAG = "tweet_profiles/started_by"
CODE_LOCATION = "tweet_profiles"
"""The name of the code location in workspace.yaml and pyproject.toml."""
OF_THE_COMMAND = {STARTED_BY_TAG: "command", ".dagster/repository": f"__repository__@{CODE_LOCATION}"}
"""The tags of every run that a command starts. By the second a job's page finds its runs: docs/decisions/0008."""
UNFINISHED = [
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]


Watch = Callable[[str, bool], None]
"""Is told the name of a step as it begins (False) and as it has ended well (True)."""


class RunFailedError(TweetProfilesError):
    """A run failed; its text tells the failed step and the first cause."""


def dagster_instance(home: Home) -> DagsterInstance:
    """The instance stored in the home, shared by the UI, the daemon and the command line."""
    target = home.dagster / "dagster.yaml"
    if not target.exists():
        with as_file(files("tweet_profiles.orchestration") / "dagster.yaml") as template:
            shutil.copyfile(template, target)
    os.environ["DAGSTER_HOME"] = str(home.dagster)
    return DagsterInstance.get()


def process_tag(pid: int) -> str:
    """A name for a process that outlives its pid: pid and start time."""
    return f"{pid}@{psutil.Process(pid).create_time():.2f}"


def is_alive(tag: str) -> bool:
    """Whether the process that `process_tag` named still runs."""
    pid = int(tag.partition("@")[0])
    try:
        return process_tag(pid) == tag
    except psutil.NoSuchProcess:
        return False


def fail_orphans(instance: DagsterInstance) -> list[str]:
    """Mark as failed the command-line runs whose process is gone, and free the pool slots they held.

    A killed process cannot say that its run ended: without this the run would show as started for ever and
    its batches would never be taken up again.

    Returns:
        The ids of the runs that were marked.
    """
    orphans = []
    for run in instance.get_runs(RunsFilter(statuses=UNFINISHED)):
        tag = run.tags.get(PROCESS_TAG)
        if tag is not None and not is_alive(tag):
            instance.report_run_failed(run, "The process of this run ended before the run did (killed?).")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            orphans.append(run.run_id)
    if orphans:
        log.warning("marked runs of ended processes as failed", runs=len(orphans))
    return orphans


def range_tags(partitions: Sequence[str]) -> dict[str, str]:
    """The tags that make one run take several neighbouring partitions; none for a single one."""
    if len(partitions) < 2:
        return {}
    return {RANGE_START_TAG: partitions[0], RANGE_END_TAG: partitions[-1]}


def execute(
    job: dg.JobDefinition,
    instance: DagsterInstance,
    *,
    partitions: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
    run_config: Mapping[str, Any] | None = None,
    watch: Watch | None = None,
) -> dg.ExecuteInProcessResult:
    """Run `job` in this process; `partitions`, if any, is one contiguous range, run as a single run.

    Args:
        job: what to run.
        instance: where it is recorded.
        partitions: see above.
        tags: of the run.
        run_config: see Dagster.
        watch: is told of the steps while they run.

    Raises:
        RunFailedError: if a step fails, with its message and where to read the rest.
    """
    extra = {**(tags or {}), **OF_THE_COMMAND, PROCESS_TAG: process_tag(os.getpid()), **range_tags(partitions)}
    config = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}, **(run_config or {})}
    run_id = str(uuid4())
    if watch is not None:
        instance.add_event_listener(run_id, lambda entry: _tell(entry, watch))
    result = job.execute_in_process(
        instance=instance,
        run_id=run_id,
        partition_key=partitions[0] if len(partitions) == 1 else None,
        tags=extra,
        run_config=config,
        raise_on_error=False,
    )
    if not result.success:
        why = _cause(result.all_events).rstrip(".")
        raise RunFailedError(f"{job.name} failed: {why} (`tweet-profiles dev` shows run {result.run_id})")
    return result


def _tell(entry: EventLogEntry, watch: Watch) -> None:
    event = entry.dagster_event
    if event is not None and event.step_key is not None and (event.is_step_start or event.is_step_success):
        watch(event.step_key, event.is_step_success)


def failure_of(instance: DagsterInstance, run: DagsterRun) -> str:
    """The step at which a failed run stopped, and what it raised."""
    records = instance.all_logs(
        run.run_id, of_type={DagsterEventType.STEP_FAILURE, DagsterEventType.ASSET_CHECK_EVALUATION}
    )
    return _cause([record.dagster_event for record in records if record.dagster_event is not None])


_WRAPPERS = ("Dagster", "RetryRequested")
"""How the names of those errors begin that Dagster puts around what a stage raised."""


def _cause(events: Iterable[DagsterEvent]) -> str:
    known = list(events)
    for event in known:
        if event.is_step_failure:
            error = event.step_failure_data.error
            # Dagster says only that a check failed; the check itself says why.
            why = _failed_checks(known, event.step_key) if error and error.cls_name == _CHECK_FAILED else ""
            if why:
                return f"step {event.step_key}: {why}"
            # Dagster wraps what the stage raised; what that was caused by is a detail of the run's log.
            while error is not None and error.cause is not None and (error.cls_name or "").startswith(_WRAPPERS):
                error = error.cause
            text = _ERROR_NAME.sub("", error.message.strip()) if error is not None else "unknown"
            return f"step {event.step_key}: {text}"
    return "the run did not start, or its process was killed"


_ERROR_NAME = re.compile(r"^(dagster|tweet_profiles)[\w.]*: ")
"""Dagster puts an error's class before its message; of errors that are meant for people that is noise."""
_CHECK_FAILED = "DagsterAssetCheckFailedError"


def _failed_checks(events: Sequence[DagsterEvent], step: str | None) -> str:
    """Why the checks of a step failed that stopped it."""
    evaluations = [
        event.asset_check_evaluation_data
        for event in events
        if event.step_key == step and event.event_type == DagsterEventType.ASSET_CHECK_EVALUATION
    ]
    return "; ".join(
        evaluation.description or f"the check {evaluation.check_name} failed"
        for evaluation in evaluations
        if not evaluation.passed and evaluation.severity == dg.AssetCheckSeverity.ERROR
    )
