"""raw_tweets: a landed batch as a table. Personal data: lives under the home's private folder only."""

from collections.abc import Iterator

import dagster as dg

from tweet_profiles.contracts import RAW_TWEETS
from tweet_profiles.landing.frames import raw_frame
from tweet_profiles.orchestration import checks
from tweet_profiles.orchestration.assets.metadata import OWNERS, table
from tweet_profiles.orchestration.partitions import BATCHES
from tweet_profiles.orchestration.resources import HomeResource
from tweet_profiles.tables import partition_file, write_table

NAME = "raw_tweets"


@dg.asset(
    name=NAME,
    partitions_def=BATCHES,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="ingest",
    owners=OWNERS,
    kinds={"parquet"},
    code_version="1",
    check_specs=[checks.contract_spec(NAME)],
    description=(
        "Tweets that mention the brand, with their authors, one row a tweet and one partition a landed batch. "
        "Holds personal data: private folder, purged after the retention."
    ),
)
def raw_tweets(
    context: dg.AssetExecutionContext, home: HomeResource
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Read each batch of the run, give it the contract's types, write one Parquet file a batch."""
    zone, folder = home.landing_zone(), home.open().raw
    rows, batches = 0, []
    for key in context.partition_keys:
        batch = raw_frame(zone.read(key))
        found = checks.faults(batch.frame, RAW_TWEETS)
        yield from checks.stop_on(NAME, found, len(batch.frame))
        write_table(partition_file(folder, key), batch.frame)
        rows += len(batch.frame)
        batches.append({"batch": key, "in": batch.read, "out": len(batch.frame), "quarantined": batch.quarantined})
    yield dg.MaterializeResult(
        metadata={
            "dagster/partition_row_count": rows,
            "tweets": rows,
            "duplicate": sum(batch["in"] - batch["out"] - batch["quarantined"] for batch in batches),
            "quarantined": sum(batch["quarantined"] for batch in batches),
            "batches": table(batches),
        },
        check_results=[checks.check_result(NAME, [], rows)],
    )
