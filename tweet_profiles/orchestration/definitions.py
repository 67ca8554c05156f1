"""The one Definitions of the project.

What belongs here: the list of what Dagster loads, and the seam where tests swap resources. What does not:
any asset, job, sensor or schedule itself.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from tweet_profiles.orchestration import jobs, schedules, sensors
from tweet_profiles.orchestration.assets import x_search, x_stream
from tweet_profiles.orchestration.assets.assigned_authors import assigned_authors
from tweet_profiles.orchestration.assets.customer_clusters import customer_clusters
from tweet_profiles.orchestration.assets.landing_zone import landing_zone
from tweet_profiles.orchestration.assets.raw_tweets import raw_tweets
from tweet_profiles.orchestration.assets.released_profiles import (
    exported_profiles,
    holds_what_the_profiles_hold,
    released_profiles,
)
from tweet_profiles.orchestration.assets.scaled_features import scaled_features
from tweet_profiles.orchestration.assets.scored_tweets import scored_tweets
from tweet_profiles.orchestration.assets.segment_report import segment_report
from tweet_profiles.orchestration.assets.sentiment_model import sentiment_model
from tweet_profiles.orchestration.assets.user_profiles import user_profiles
from tweet_profiles.orchestration.resources import default_resources
from tweet_profiles.settings import load_settings

EXECUTORS = {"in_process": dg.in_process_executor, "multiprocess": dg.multiprocess_executor}
"""By setting. In one process the model is loaded once a run and no step pays for an import twice; in processes of their
own a step that runs out of memory does not take the run along."""


def build_definitions(resources: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Everything that Dagster loads; `resources` replace the deployment's own by name (home, mongo, model)."""
    settings = load_settings()
    return dg.Definitions(
        assets=[
            x_stream.x_stream,
            *x_search.ALL,
            landing_zone,
            sentiment_model,
            raw_tweets,
            scored_tweets,
            user_profiles,
            assigned_authors,
            scaled_features,
            customer_clusters,
            segment_report,
            released_profiles,
            exported_profiles,
        ],
        jobs=[*jobs.ALL, jobs.PURGE],
        schedules=schedules.build_schedules(settings),
        asset_checks=[x_stream.stream_is_well, holds_what_the_profiles_hold],
        sensors=sensors.build_sensors(settings),
        resources={**default_resources(), **(resources or {})},
        executor=EXECUTORS[settings.executor],
    )


defs = build_definitions()
