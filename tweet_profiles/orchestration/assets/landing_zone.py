"""landing_zone: where every source puts its tweets, as Dagster draws it between the sources and raw_tweets.

What belongs here: the edges. What does not: landing (`landing.zone`), and noticing (`sensors.landed_batches`).
"""

import dagster as dg

from tweet_profiles.orchestration.assets.metadata import OWNERS
from tweet_profiles.orchestration.assets.x_stream import KEY as X_STREAM

KEY = dg.AssetKey("landing_zone")

landing_zone = dg.AssetSpec(
    KEY,
    deps=[X_STREAM, "pulled_tweets", "searched_days"],
    group_name="ingest",
    owners=OWNERS,
    kinds={"file"},
    code_version="1",
    description=(
        "The folder in which tweets land, as batches that are never changed: from the stream, from search, and from "
        "files (`tweet-profiles import`). Outside Dagster: the sensor landed_batches makes each batch a partition. A "
        "new pull makes no old batch stale."
    ),
)
