"""user_profiles: one profile an author in MongoDB, updated if the author is known, created if not."""

from collections.abc import Iterator

import dagster as dg
import pandas as pd

from tweet_profiles.contracts import SCORED_TWEETS, USER_PROFILES
from tweet_profiles.orchestration import checks
from tweet_profiles.orchestration.assets.metadata import OWNERS, columns_of
from tweet_profiles.orchestration.partitions import BATCHES
from tweet_profiles.orchestration.progress import Progress
from tweet_profiles.orchestration.resources import HomeResource, MongoResource
from tweet_profiles.profiles.store import FoldResult, ProfileStore
from tweet_profiles.release.counts import roughly
from tweet_profiles.tables import partition_file, read_table

NAME = "user_profiles"


@dg.asset(
    name=NAME,
    deps=["scored_tweets"],
    partitions_def=BATCHES,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="profiles",
    owners=OWNERS,
    metadata=columns_of(USER_PROFILES),
    kinds={"mongodb"},
    code_version="2",
    pool="profiles",
    retry_policy=dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL),
    check_specs=[checks.contract_spec(NAME)],
    description=(
        "One document an author in MongoDB, under a pseudonym, recomputed from the scores of every tweet seen: "
        "folding a batch twice changes nothing."
    ),
)
def user_profiles(
    context: dg.AssetExecutionContext, home: HomeResource, mongo: MongoResource
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Fold the run's batches, in order of arrival, into the profiles."""
    folder = home.open().scored
    with mongo.database() as database:
        store, progress = ProfileStore(database), Progress(context.log)
        k, authors = home.settings().k_anonymity, dict[str, int]()

        def batches() -> Iterator[tuple[str, pd.DataFrame]]:
            for partition in context.partition_keys:
                scored = read_table(partition_file(folder, partition), SCORED_TWEETS, "scored_tweets")
                authors[partition] = scored["author_key"].nunique()
                yield partition, scored

        def tell(batch: str, outcome: FoldResult) -> None:
            context.add_asset_metadata(
                {
                    "dagster/partition_row_count": roughly(authors[batch], k),
                    "tweets_new": outcome.tweets_new,
                    "tweets_replaced": outcome.tweets_replaced,
                    "tweets_known": outcome.tweets_known,
                },
                partition_key=batch,
            )
            progress.tell(f"the scores of {len(authors):,} of {len(context.partition_keys):,} batches are written")

        folded = store.fold_all(batches(), tell)
        total = store.count()
        border = checks.Border(NAME, USER_PROFILES)
        for frame in store.frames(50_000, folded.authors):
            yield from border.hold(frame)
    # The run's own figures are no partition's: they go to its log.
    context.log.info(
        f"about {roughly(folded.created, k):,} profiles are new, and about {roughly(folded.updated, k):,} have changed"
    )
    yield dg.MaterializeResult(
        # The whole table's. Roughly: beside the rows of the release an exact count would leave the withheld authors.
        metadata={"dagster/row_count": roughly(total, k)},
        check_results=[border.kept()],
    )
