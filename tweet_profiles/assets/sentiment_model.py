"""sentiment_model: the fine-tuned model that scores tweets; verified as it ships, or trained anew."""

import dagster as dg

from tweet_profiles.assets.metadata import OWNERS
from tweet_profiles.resources import ModelResource

NAME = "sentiment_model"


@dg.asset(
    name=NAME,
    group_name="sentiment",
    owners=OWNERS,
    kinds={"tensorflow", "keras"},
    code_version="1",
    pool="model",
    description="The two-headed BERT that scores sentiment and subjectivity: its files verified, ready to serve.",
)
def sentiment_model(model: ModelResource) -> dg.MaterializeResult:
    """Load the model, which verifies its checksums, and score two plain sentences with it."""
    scorer = model.scorer()
    probe = scorer.score(["I love this!", "This is terrible."])["sentiment"]
    return dg.MaterializeResult(
        metadata={
            "model_version": scorer.version,
            "probe_positive": float(probe.iloc[0]),
            "probe_negative": float(probe.iloc[1]),
        },
        data_version=dg.DataVersion(scorer.version),
    )
