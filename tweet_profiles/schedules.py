"""The schedules: what happens at which hour of the night."""

import dagster as dg

from tweet_profiles.jobs import RECLUSTER
from tweet_profiles.settings import Settings


def build_schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """The schedules at the configured times and in the configured time zone."""
    return [
        dg.ScheduleDefinition(
            name="nightly_reclustering",
            job=RECLUSTER,
            cron_schedule=settings.recluster_cron,
            execution_timezone=settings.time_zone,
            description="Groups all authors anew every night.",
        )
    ]
