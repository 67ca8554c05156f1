"""scored_tweets: sentiment and subjectivity a tweet, under pseudonyms. From here on no text and no id."""

from collections.abc import Iterator
from functools import partial

import dagster as dg
import pandas as pd

from tweet_profiles import plots
from tweet_profiles.contracts import LABELS, RAW_TWEETS, SCORED_TWEETS
from tweet_profiles.orchestration import checks
from tweet_profiles.orchestration.assets.metadata import OWNERS, columns_of, inline_plot
from tweet_profiles.orchestration.partitions import BATCHES
from tweet_profiles.orchestration.progress import Progress
from tweet_profiles.orchestration.resources import HomeResource, ModelResource
from tweet_profiles.privacy.generalise import to_scored
from tweet_profiles.profiles.compute import why_not_scored
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
    metadata=columns_of(SCORED_TWEETS),
    kinds={"onnx", "parquet"},
    code_version="2",
    pool="model",
    check_specs=[checks.contract_spec(NAME)],
    description=(
        "Each tweet's sentiment (0 negative to 1 positive), label and subjectivity, under HMAC-SHA256 pseudonyms. "
        "No text, handle, name, bio, location or id. What the model cannot read has no score, and says why."
    ),
)
def scored_tweets(
    context: dg.AssetExecutionContext, home: HomeResource, model: ModelResource
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Score the run's batches with one loaded model and write one Parquet file a batch."""
    opened, settings = home.open(), home.settings()
    key, scorer = opened.pseudonym_key(settings), model.scorer()
    border = checks.Border(NAME, SCORED_TWEETS)
    progress = Progress(context.log)
    for number, partition in enumerate(context.partition_keys, 1):
        raw = read_table(partition_file(opened.raw, partition), RAW_TWEETS, "raw_tweets")
        texts, languages = (
            raw[name].astype(object).where(raw[name].notna(), None).tolist() for name in ("text", "lang")
        )
        where = f"batch {number:,} of {len(context.partition_keys):,}"
        scores = score_tweets(scorer, texts, languages, partial(_tell, progress, where))
        scored = to_scored(raw, scores, key, settings.k_anonymity)
        yield from border.hold(scored, partial(write_table, partition_file(opened.scored, partition)))
        context.add_asset_metadata(
            {"model_version": scorer.version, **facts_of(scored, scorer.languages)}, partition_key=partition
        )
    yield dg.MaterializeResult(check_results=[border.kept()])


def _tell(progress: Progress, where: str, texts: int) -> None:
    progress.tell(f"scored {texts:,} texts of {where}")


def facts_of(scored: pd.DataFrame, languages: frozenset[str]) -> dict[str, dg.MetadataValue]:
    """What the UI shows of a batch's SCORED_TWEETS; `languages` are those that the model reads."""
    scores = scored.dropna(subset=["sentiment"])
    facts: dict[str, dg.MetadataValue] = {
        "dagster/partition_row_count": dg.MetadataValue.int(len(scored)),
        "tweets": dg.MetadataValue.int(len(scored)),
        "scored": dg.MetadataValue.int(len(scores)),
        "not_scored": dg.MetadataValue.text(not_scored(why_not_scored(scored))),
        "languages_scored": dg.MetadataValue.text(", ".join(sorted(languages))),
        "passed_on": dg.MetadataValue.int(int(scored["is_retweet"].fillna(False).sum())),
    }
    if len(scores):
        facts["sentiment_mean"] = dg.MetadataValue.float(float(scores["sentiment"].mean()))
        facts |= {
            f"{label}_share": dg.MetadataValue.float(float((scores["label"] == label).mean())) for label in LABELS
        }
        histogram = plots.sentiment_histogram(scores["sentiment"].to_numpy(), scores["label"].to_numpy())
        facts["sentiment"] = inline_plot(plots.png_bytes(histogram), "Distribution of sentiment")
    return facts


def not_scored(reasons: pd.Series) -> str:
    """Reasons counted in words: `not scored (es 120, tr 14, no text 3)`."""
    counts = reasons.dropna().value_counts().sort_index().sort_values(ascending=False, kind="stable")
    told = ", ".join(f"{reason} {count}" for reason, count in counts.items())
    return f"not scored ({told})" if told else "all scored"
