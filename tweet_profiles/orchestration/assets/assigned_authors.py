"""assigned_authors: the new authors of a batch, each in the current segment whose centre is nearest."""

from typing import Any

import dagster as dg

from tweet_profiles.contracts import SCORED_TWEETS
from tweet_profiles.orchestration.assets.metadata import OWNERS, table
from tweet_profiles.orchestration.partitions import BATCHES
from tweet_profiles.orchestration.progress import Progress
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
    """Assign the authors of each batch who are not in the clustering that readers use."""
    folder, k = home.open().scored, home.settings().k_anonymity
    progress = Progress(context.log)
    reasons: set[str] = set()
    with mongo.database() as database:
        store = SegmentStore(database)
        for number, partition in enumerate(context.partition_keys, 1):
            scored = read_table(partition_file(folder, partition), SCORED_TWEETS, "scored_tweets")
            done = store.assign_arrivals(sorted(set(scored["author_key"])))
            current = None if done.version is None else store.read(done.version)
            names = {} if current is None else current.document["names"]
            context.add_asset_metadata(_metadata(done, names, k), partition_key=partition)
            reasons |= {done.reason} if done.reason is not None else set()
            progress.tell(f"the authors of {number:,} of {len(context.partition_keys):,} batches are looked at")
    for reason in sorted(reasons):
        context.log.warning(f"no author was assigned: {reason}")
    return dg.MaterializeResult()


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
