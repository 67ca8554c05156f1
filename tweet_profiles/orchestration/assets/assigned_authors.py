"""assigned_authors: the new authors of a batch, each in the current segment whose centre is nearest."""

from typing import Any

import dagster as dg

from tweet_profiles.contracts import SCORED_TWEETS
from tweet_profiles.orchestration.assets.metadata import OWNERS, table
from tweet_profiles.orchestration.partitions import BATCHES
from tweet_profiles.orchestration.resources import HomeResource, MongoResource
from tweet_profiles.release.counts import shown
from tweet_profiles.segments.arrivals import Arrivals
from tweet_profiles.segments.store import SegmentStore
from tweet_profiles.tables import partition_file, read_table

NAME = "assigned_authors"


@dg.asset(
    name=NAME,
    deps=["user_profiles"],
    partitions_def=BATCHES,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="segments",
    owners=OWNERS,
    kinds={"mongodb"},
    code_version="1",
    pool="profiles",
    retry_policy=dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL),
    description=(
        "Authors who came since the last clustering, in its segments, by its own scaler and centres: nothing is "
        "clustered anew, and what is released stays as it is until the next night."
    ),
)
def assigned_authors(
    context: dg.AssetExecutionContext, home: HomeResource, mongo: MongoResource
) -> dg.MaterializeResult:
    """Assign the authors of the run's batches who are not in the clustering that readers use."""
    folder = home.open().scored
    authors: set[str] = set()
    for partition in context.partition_keys:
        authors.update(read_table(partition_file(folder, partition), SCORED_TWEETS, "scored_tweets")["author_key"])
    k = home.settings().k_anonymity
    with mongo.database() as database:
        store = SegmentStore(database)
        done = store.assign_arrivals(sorted(authors))
        current = None if done.version is None else store.read(done.version)
    if done.reason is not None:
        context.log.warning(f"no author was assigned: {done.reason}")
    return dg.MaterializeResult(metadata=_metadata(done, {} if current is None else current.document["names"], k))


def _metadata(done: Arrivals, names: dict[str, str], k: int) -> dict[str, Any]:
    """What was done; no segment is told to have got fewer than `k` authors."""
    rows = [
        {"segment": segment, "name": names[str(segment)], "new authors": shown(count, k)}
        for segment, count in sorted(done.assigned.items())
    ]
    return {
        "assigned": shown(sum(done.assigned.values()), k),
        "far_from_every_centre": shown(done.far, k),
        "already_clustered": shown(done.clustered, k),
        "nearer_to_another_segment_now": shown(done.leaning, k),
        "segments": table(rows),
        "clustering": done.version or "none",
        "note": done.reason or "assigned with the scaler and the centres of this clustering",
    }
