"""The jobs: what is run together."""

from datetime import timedelta

import dagster as dg

from tweet_profiles.orchestration.assets.x_search import DAYS_JOB, PULL_JOB
from tweet_profiles.orchestration.batches import purge_batches
from tweet_profiles.orchestration.resources import HomeResource

PROCESS_BATCH = dg.define_asset_job(
    "process_batch",
    selection=["raw_tweets", "scored_tweets", "user_profiles", "assigned_authors"],
    description="Takes landed batches to updated profiles and new authors to segments; a range of partitions is one "
    "run.",
)

RECLUSTER = dg.define_asset_job(
    "recluster",
    selection=["scaled_features", "customer_clusters", "released_profiles", "exported_profiles"],
    description="Scales every profile, chooses k at the elbow, stores the groups as a new version and releases them.",
)

REPORT = dg.define_asset_job(
    "report",
    selection=["segment_report"],
    description="Runs the notebook that reads the segments, and keeps it as a page.",
)

PREPARE_MODEL = dg.define_asset_job(
    "prepare_model",
    selection=["sentiment_model"],
    description="Verifies the sentiment model that scores tweets.",
)

PULL = dg.define_asset_job(
    PULL_JOB,
    selection=["pulled_tweets"],
    description="Pulls what is new from the search of X into the landing zone.",
)

SEARCH_DAYS = dg.define_asset_job(
    DAYS_JOB,
    selection=["searched_days"],
    description="Searches a range of past days on X and lands what is found. Costs money.",
)


@dg.op(description="Removes raw batches older than the retention, their tables, partitions and quarantined records.")
def purge_old_batches(context: dg.OpExecutionContext, home: HomeResource) -> None:
    """Purge; batches that were never folded into profiles stay, and are told."""
    retention = timedelta(days=home.settings().retention_days)
    done = purge_batches(context.instance, home.landing_zone(), retention)
    context.add_output_metadata(
        {
            "batches": len(done.batches),
            "partitions": done.partitions,
            "quarantine_files": done.quarantine_files,
            "never_processed": len(done.overdue),
        }
    )
    if done.overdue:
        context.log.warning(f"{len(done.overdue)} batches are as old but were never processed: run or remove them")


@dg.job(name="purge", description="Removes raw tweets older than the retention.")
def purge_job() -> None:
    """One step."""
    purge_old_batches()


PURGE = purge_job

ALL = [PROCESS_BATCH, RECLUSTER, REPORT, PREPARE_MODEL, PULL, SEARCH_DAYS]
"""The jobs over assets; `PURGE` is one of its own."""
