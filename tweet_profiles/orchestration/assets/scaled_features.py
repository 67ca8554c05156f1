"""scaled_features: the numeric side of every profile, transformed and standard-scaled."""

from collections.abc import Iterator
from functools import partial

import dagster as dg
from pydantic import Field

from tweet_profiles import plots
from tweet_profiles.contracts import SCALED_FEATURES
from tweet_profiles.home import write_atomically
from tweet_profiles.orchestration import checks
from tweet_profiles.orchestration.assets.metadata import OWNERS, columns_of, inline_plot, table
from tweet_profiles.orchestration.resources import HomeResource, MongoResource
from tweet_profiles.profiles.store import ProfileStore
from tweet_profiles.release.counts import roughly
from tweet_profiles.segments.features import (
    DEFAULT_FEATURES,
    FEATURES,
    FeatureConfig,
    FeatureMatrix,
    build_features,
    describe_features,
    matrix_of,
)
from tweet_profiles.segments.views import correlation
from tweet_profiles.tables import write_table

NAME = "scaled_features"
TABLE_FILE = "scaled_features.parquet"
SCALER_FILE = "scaler.json"
CORRELATION_FILE = "feature_correlation.png"


class ScaledFeaturesConfig(dg.Config):
    """Which features are clustered on, and the share pulled in at each end."""

    features: list[str] = Field(
        default_factory=lambda: list(DEFAULT_FEATURES),
        min_length=1,
        description=f"what authors are grouped by, among {', '.join(FEATURES)}",
    )
    winsor: float = Field(
        default=0.005, ge=0, lt=0.5, description="share of the authors at each end whose value is pulled in"
    )


@dg.asset(
    name=NAME,
    deps=["user_profiles"],
    group_name="segments",
    owners=OWNERS,
    kinds={"scikitlearn", "parquet"},
    code_version="2",
    pool="clustering",
    check_specs=[checks.contract_spec(NAME)],
    description=(
        "One row an author: heavy tails on a log scale, extremes winsorised, missing values at the median, all "
        "standard-scaled. The scaler is stored beside it."
    ),
)
def scaled_features(
    config: ScaledFeaturesConfig, home: HomeResource, mongo: MongoResource
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Read all profiles and write their scaled features and the scaler."""
    with mongo.database() as database:
        profiles = ProfileStore(database).frame()
    matrix = build_features(profiles, FeatureConfig(tuple(config.features), config.winsor))
    opened, border = home.open(), checks.Border(NAME, SCALED_FEATURES)
    folder = opened.features
    yield from border.hold(matrix.frame, partial(write_table, folder / TABLE_FILE))
    write_atomically(folder / SCALER_FILE, lambda file: file.write(matrix.scaler.to_json().encode()))
    pictures: dict[str, dg.MetadataValue] = {}
    if matrix.scaler.columns:
        picture = correlation_plot(matrix)
        write_atomically(opened.plots / CORRELATION_FILE, lambda file: file.write(picture))
        pictures = {
            "correlation": inline_plot(picture, "Correlation of the features"),
            "correlation_file": dg.MetadataValue.path(opened.plots / CORRELATION_FILE),
        }
    yield dg.MaterializeResult(
        metadata={
            "dagster/row_count": roughly(len(matrix.frame), home.settings().k_anonymity),
            "features": len(matrix.scaler.columns),
            "feature_table": table(describe_features(matrix)),
            **pictures,
            **columns_of(SCALED_FEATURES, {name: ("float64", FEATURES[name].label) for name in matrix.scaler.names}),
            "authors_without_mood": int((profiles["tweets_scored"] == 0).sum()),
            "warnings": dg.MetadataValue.md("\n".join(f"- {warning}" for warning in matrix.warnings) or "*none*"),
        },
        check_results=[border.kept()],
    )


def correlation_plot(matrix: FeatureMatrix) -> bytes:
    """The correlation of the features as PNG."""
    values, names = matrix_of(matrix.frame)
    return plots.png_bytes(plots.feature_correlation([FEATURES[name].label for name in names], correlation(values)))
