"""The schedules: what happens at which hour."""

import dagster as dg
from dagster import RunsFilter

from tweet_profiles.orchestration.instance import UNFINISHED, fail_orphans
from tweet_profiles.orchestration.jobs import PULL, PURGE, RECLUSTER
from tweet_profiles.orchestration.resources import HomeResource
from tweet_profiles.settings import Settings
from tweet_profiles.sources.x.config import faults_of_environment


def build_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """The schedules at the configured times and in the configured time zone.

    The pull is on from the start only where X is configured; the others always are.
    """
    return [
        _nightly_schedule(settings),
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


def _nightly_schedule(settings: Settings) -> dg.ScheduleDefinition:
    @dg.schedule(
        name="nightly_reclustering",
        job=RECLUSTER,
        cron_schedule=settings.recluster_cron,
        execution_timezone=settings.time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Groups all authors anew every night and releases the groups; the report follows.",
    )
    def nightly_reclustering(
        context: dg.ScheduleEvaluationContext, home: HomeResource
    ) -> dg.RunRequest | dg.SkipReason:
        if not home.open().has_data and home.settings().mongodb_uri is None:
            return dg.SkipReason("nothing has come into this home yet: there is nobody to group")
        if _still_runs(context.instance, RECLUSTER.name):
            return dg.SkipReason("a grouping still runs, and takes in what there is")
        return dg.RunRequest()

    return nightly_reclustering


def _still_runs(instance: dg.DagsterInstance, job: str) -> bool:
    fail_orphans(instance)
    return instance.get_runs_count(RunsFilter(job_name=job, statuses=UNFINISHED)) > 0


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
        if _still_runs(context.instance, PULL.name):
            return dg.SkipReason("the pull before still runs: what came since is in the next one")
        return dg.RunRequest()

    return hourly_pull
