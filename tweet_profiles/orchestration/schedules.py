"""The schedules: what happens at which hour."""

import dagster as dg
from dagster import RunsFilter

from tweet_profiles.orchestration.instance import UNFINISHED, fail_orphans
from tweet_profiles.orchestration.jobs import PULL, PURGE, RECLUSTER
from tweet_profiles.settings import Settings
from tweet_profiles.sources.x.config import faults_of_environment


def build_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """The schedules at the configured times and in the configured time zone.

    The pull is on from the start only where X is configured; the purge always is.
    """
    return [
        dg.ScheduleDefinition(
            name="nightly_reclustering",
            job=RECLUSTER,
            cron_schedule=settings.recluster_cron,
            execution_timezone=settings.time_zone,
            description="Groups all authors anew every night.",
        ),
        _pull_schedule(settings),
        dg.ScheduleDefinition(
            name="daily_purge",
            job=PURGE,
            cron_schedule=settings.purge_cron,
            execution_timezone=settings.time_zone,
            default_status=dg.DefaultScheduleStatus.RUNNING,
            description=f"Removes raw batches older than {settings.retention_days} days, with their partitions.",
        ),
    ]


def _pull_schedule(settings: Settings) -> dg.ScheduleDefinition:
    on = dg.DefaultScheduleStatus.STOPPED if faults_of_environment() else dg.DefaultScheduleStatus.RUNNING

    @dg.schedule(
        name="hourly_pull",
        job=PULL,
        cron_schedule=settings.pull_cron,
        execution_timezone=settings.time_zone,
        default_status=on,
        description="Pulls what is new from the search of X.",
    )
    def hourly_pull(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        faults = faults_of_environment()
        if faults:
            return dg.SkipReason("; ".join(faults))
        fail_orphans(context.instance)
        if context.instance.get_runs_count(RunsFilter(job_name=PULL.name, statuses=UNFINISHED)):
            return dg.SkipReason("the pull before still runs: what came since is in the next one")
        return dg.RunRequest()

    return hourly_pull
