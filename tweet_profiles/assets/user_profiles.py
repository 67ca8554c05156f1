"""user_profiles: one profile an author in MongoDB, updated if the author is known, created if not."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from tweet_profiles import checks
from tweet_profiles.assets.metadata import OWNERS, table
from tweet_profiles.contracts import SCORED_TWEETS, USER_PROFILES
from tweet_profiles.partitions import BATCHES
from tweet_profiles.profiles.store import ProfileStore
from tweet_profiles.resources import HomeResource, MongoResource
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
    code_version="1",
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
        store.prepare()
        folded, touched = [], set()
        for partition in context.partition_keys:
            scored = read_table(partition_file(folder, partition), SCORED_TWEETS, "scored_tweets")
            outcome = store.fold(scored, partition)
            touched.update(outcome.authors)
            folded.append(
                {
                    "batch": partition,
                    "tweets": len(scored),
                    "new tweets": outcome.tweets_new,
                    "replaced": outcome.tweets_replaced,
                    "known": outcome.tweets_known,
                    "profiles created": outcome.created,
                    "profiles updated": outcome.updated,
                }
            )
        total = store.count()
        found: list[dict[str, Any]] = []
        for frame in store.frames(50_000, sorted(touched)):
            found = found or checks.faults(frame, USER_PROFILES)
    yield from checks.stop_on(NAME, found, len(touched))
    yield dg.MaterializeResult(
        metadata={
            "dagster/row_count": total,
            "profiles": total,
            "profiles_created": sum(int(row["profiles created"]) for row in folded),
            "profiles_updated": sum(int(row["profiles updated"]) for row in folded),
            "tweets_new": sum(int(row["new tweets"]) for row in folded),
            "tweets_replaced": sum(int(row["replaced"]) for row in folded),
            "tweets_known": sum(int(row["known"]) for row in folded),
            "batches": table(folded),
        },
        check_results=[checks.check_result(NAME, [], len(touched))],
    )
