"""raw_tweets: a landed batch as a table. Personal data: lives under the home's private folder only."""

from collections.abc import Iterator
from functools import partial

import dagster as dg
import orjson
import pandas as pd

from tweet_profiles.contracts import RAW_TWEETS
from tweet_profiles.landing.frames import raw_frame
from tweet_profiles.landing.quarantine import Quarantine
from tweet_profiles.orchestration import checks
from tweet_profiles.orchestration.assets.landing_zone import KEY as LANDING_ZONE
from tweet_profiles.orchestration.assets.metadata import OWNERS, columns_of, table
from tweet_profiles.orchestration.partitions import BATCHES
from tweet_profiles.orchestration.resources import HomeResource
from tweet_profiles.tables import partition_file, write_table

NAME = "raw_tweets"


@dg.asset(
    name=NAME,
    deps=[LANDING_ZONE],
    partitions_def=BATCHES,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="ingest",
    owners=OWNERS,
    metadata=columns_of(RAW_TWEETS),
    kinds={"parquet"},
    code_version="2",
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
    zone, opened = home.landing_zone(), home.open()
    border = checks.Border(NAME, RAW_TWEETS)
    for key in context.partition_keys:
        records = zone.read(key)
        batch = raw_frame(records)
        yield from border.hold(batch.frame, partial(write_table, partition_file(opened.raw, key)))
        with Quarantine(opened, zone.path(key).name, key) as quarantine:
            for number, reason in batch.left_out:
                quarantine.add(number, "line", reason, orjson.dumps(records[number - 1]))
        context.add_asset_metadata(
            {
                "dagster/partition_row_count": len(batch.frame),
                "tweets": len(batch.frame),
                "duplicate": batch.duplicates,
                "quarantined": len(batch.left_out),
                "quarantined_because": table(
                    [{"reason": reason, "records": count} for reason, count in batch.reasons.most_common()]
                ),
                "without_text": int(batch.frame["text"].isna().sum()),
                "without_language": int(batch.frame["lang"].isna().sum()),
                "without_hour": int((~batch.frame["has_hour"]).sum()),
                "edited": int((batch.frame["version"] > 1).sum()),
                "retweets_collected": _collected(batch.frame["retweets_collected"]),
            },
            partition_key=key,
        )
    yield dg.MaterializeResult(check_results=[border.kept()])


def _collected(column: pd.Series) -> str:
    """Whether the batch was collected in a way that returns retweets, in a word."""
    told = {"not known" if pd.isna(value) else "yes" if value else "no" for value in column}
    return " and ".join(sorted(told)) or "no tweets"
