"""scored_tweets: sentiment and subjectivity a tweet, under pseudonyms. From here on no text and no id."""

from collections.abc import Iterator

import dagster as dg
import pandas as pd

from tweet_profiles import plots
from tweet_profiles.contracts import LABELS, RAW_TWEETS, SCORED_TWEETS
from tweet_profiles.orchestration import checks
from tweet_profiles.orchestration.assets.metadata import OWNERS, inline_plot
from tweet_profiles.orchestration.partitions import BATCHES
from tweet_profiles.orchestration.resources import HomeResource, ModelResource
from tweet_profiles.privacy.generalise import to_scored
from tweet_profiles.sentiment.scoring import score_tweets
from tweet_profiles.tables import partition_file, read_table, write_table

NAME = "scored_tweets"


@dg.asset(
    name=NAME,
    deps=["raw_tweets", "sentiment_model"],
    partitions_def=BATCHES,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="sentiment",
    owners=OWNERS,
    kinds={"tensorflow", "parquet"},
    code_version="1",
    pool="model",
    check_specs=[checks.contract_spec(NAME)],
    description=(
        "Each tweet's sentiment (0 negative to 1 positive), label and subjectivity, under HMAC-SHA256 pseudonyms. "
        "No text, handle, name, bio, location or id."
    ),
)
def scored_tweets(
    context: dg.AssetExecutionContext, home: HomeResource, model: ModelResource
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Score the run's batches with one loaded model and write one Parquet file a batch."""
    opened, settings = home.open(), home.settings()
    key, scorer = opened.pseudonym_key(settings), model.scorer()
    scores = []
    for partition in context.partition_keys:
        raw = read_table(partition_file(opened.raw, partition), RAW_TWEETS, "raw_tweets")
        texts, languages = (
            raw[name].astype(object).where(raw[name].notna(), None).tolist() for name in ("text", "lang")
        )
        scored = to_scored(raw, score_tweets(scorer, texts, languages), key, settings.k_anonymity)
        found = checks.faults(scored, SCORED_TWEETS)
        yield from checks.stop_on(NAME, found, len(scored))
        write_table(partition_file(opened.scored, partition), scored)
        scores.append(scored[["sentiment", "subjectivity", "label"]])
    every = pd.concat(scores)
    yield dg.MaterializeResult(
        metadata={
            "dagster/partition_row_count": len(every),
            "tweets": len(every),
            "model_version": scorer.version,
            "sentiment_mean": float(every["sentiment"].mean()) if len(every) else 0.0,
            **{f"{label}_share": float((every["label"] == label).mean()) for label in LABELS if len(every)},
            "sentiment": inline_plot(
                plots.png_bytes(plots.sentiment_histogram(every["sentiment"].to_numpy(), every["label"].to_numpy())),
                "Distribution of sentiment",
            ),
        },
        check_results=[checks.check_result(NAME, [], len(every))],
    )
