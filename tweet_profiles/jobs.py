"""The jobs: what is run together."""

import dagster as dg

PROCESS_BATCH = dg.define_asset_job(
    "process_batch",
    selection=["raw_tweets", "scored_tweets", "user_profiles"],
    description="Takes landed batches to updated profiles; a range of partitions is one run.",
)

RECLUSTER = dg.define_asset_job(
    "recluster",
    selection=["scaled_features", "customer_clusters"],
    description="Scales every profile, chooses k at the elbow and stores the groups as a new version.",
)

PREPARE_MODEL = dg.define_asset_job(
    "prepare_model",
    selection=["sentiment_model"],
    description="Verifies the sentiment model that scores tweets.",
)

ALL = [PROCESS_BATCH, RECLUSTER, PREPARE_MODEL]
