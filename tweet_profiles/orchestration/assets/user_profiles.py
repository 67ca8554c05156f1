"""user_profiles: one profile an author in MongoDB, updated if the author is known, created if not."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pandas as pd

from tweet_profiles.contracts import SCORED_TWEETS, USER_PROFILES
from tweet_profiles.orchestration import checks
from tweet_profiles.orchestration.assets.metadata import OWNERS
from tweet_profiles.orchestration.partitions import BATCHES
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
        store = ProfileStore(database)

        def batches() -> Iterator[tuple[str, pd.DataFrame]]:
            for partition in context.partition_keys:
                yield partition, read_table(partition_file(folder, partition), SCORED_TWEETS, "scored_tweets")

        def tell(batch: str, outcome: FoldResult) -> None:
            changes = {"new": outcome.tweets_new, "replaced": outcome.tweets_replaced, "known": outcome.tweets_known}
            context.add_asset_metadata(
                {f"tweets_{name}": count for name, count in changes.items()}, partition_key=batch
            )

        folded = store.fold_all(batches(), tell)
        total = store.count()
        found: list[dict[str, Any]] = []
        for frame in store.frames(50_000, folded.authors):
            found = found or checks.faults(frame, USER_PROFILES)
    yield from checks.stop_on(NAME, found, len(folded.authors))
    yield dg.MaterializeResult(
        metadata={
            # Roughly: beside the rows of the release an exact count would leave the withheld authors.
            "dagster/row_count": roughly(total, home.settings().k_anonymity),
            "profiles_created_by_the_run": folded.created,
            "profiles_updated_by_the_run": folded.updated,
        },
        check_results=[checks.check_result(NAME, [], len(folded.authors))],
    )
