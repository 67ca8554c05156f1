"""Features: which numbers of a profile are clustered, how each is transformed, and how they are scaled.

What belongs here: the declared table of features and the scaler, which can be stored and used on new authors. What
does not: clustering, and reading profiles.

Mood, engagement and habits are of what people wrote themselves (`profiles.compute`). What they passed on is a feature
of its own, which the default leaves out.

Heavy-tailed counts are put on a log scale and every feature is winsorised before it is standard-scaled. Without
that, a few accounts with millions of followers fill a cluster of their own and everybody else lands in one.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

Transform = Literal["identity", "log", "sqrt"]


@dataclass(frozen=True)
class Feature:
    """One column to cluster on.

    `read` takes the profiles and gives one float an author, NaN where the profile does not tell.
    """

    name: str
    label: str
    transform: Transform
    read: Callable[[pd.DataFrame], np.ndarray]
    natural: bool = True
    """Whether a mean of it means something to a reader (the two coordinates of the hour do not)."""
    unknown: str = "the source does not tell it"
    """What it means to a reader that authors lack it."""


_NO_MOOD = "nothing that they wrote themselves has a score"
_NO_RETWEETS = "whether they repost is not known: collected without retweets"
_NO_HOUR = "when they tweet is not known: the source tells days without hours"


def _column(name: str) -> Callable[[pd.DataFrame], np.ndarray]:
    return lambda profiles: profiles[name].astype("float64").to_numpy()


def _hour(coordinate: Callable[[np.ndarray], np.ndarray]) -> Callable[[pd.DataFrame], np.ndarray]:
    """Mean of sine or cosine of the hours at which an author tweets: a point in the unit disc, near its rim for
    authors who keep to one time of day, near its middle for those who tweet around the clock.
    """

    def read(profiles: pd.DataFrame) -> np.ndarray:
        counts = np.array(profiles["hours"].tolist(), dtype=np.float64).reshape(len(profiles), 24)
        total = counts.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return counts @ coordinate(2 * np.pi * (np.arange(24) + 0.5) / 24) / total

    return read


FEATURES: dict[str, Feature] = {
    feature.name: feature
    for feature in (
        Feature("sentiment_mean", "sentiment", "identity", _column("sentiment_mean"), unknown=_NO_MOOD),
        Feature("sentiment_std", "spread of sentiment", "identity", _column("sentiment_std"), unknown=_NO_MOOD),
        Feature("subjectivity_mean", "subjectivity", "identity", _column("subjectivity_mean"), unknown=_NO_MOOD),
        Feature(
            "passed_on_positive_share",
            "share of positive tweets among those passed on",
            "identity",
            _column("passed_on_positive_share"),
            unknown="nothing that they passed on has a score, or retweets were not collected",
        ),
        Feature("tweets_seen", "tweets about the brand", "log", _column("tweets_seen")),
        Feature("likes_per_tweet", "likes a tweet", "log", _column("likes_per_tweet")),
        Feature("retweets_per_tweet", "retweets a tweet", "log", _column("retweets_per_tweet")),
        Feature("replies_per_tweet", "replies a tweet", "log", _column("replies_per_tweet")),
        Feature("retweet_share", "share of retweets", "identity", _column("retweet_share"), unknown=_NO_RETWEETS),
        Feature("reply_share", "share of replies", "identity", _column("reply_share")),
        Feature("link_share", "share with links", "identity", _column("link_share")),
        Feature("media_share", "share with media", "identity", _column("media_share")),
        Feature("followers", "followers", "log", _column("followers")),
        Feature("following", "accounts followed", "log", _column("following")),
        Feature("posts", "posts ever", "log", _column("posts")),
        Feature("account_age_days", "account age in days", "sqrt", _column("account_age_days")),
        Feature("hour_sin", "hour (sine)", "identity", _hour(np.sin), natural=False, unknown=_NO_HOUR),
        Feature("hour_cos", "hour (cosine)", "identity", _hour(np.cos), natural=False, unknown=_NO_HOUR),
    )
}

SMALLEST_SCALE = 1e-9
"""A feature that spreads no further than the rounding of its values tells nobody apart."""

DEFAULT_FEATURES = (
    "sentiment_mean",
    "subjectivity_mean",
    "tweets_seen",
    "likes_per_tweet",
    "retweet_share",
    "reply_share",
    "link_share",
    "followers",
    "following",
    "posts",
    "account_age_days",
    "hour_sin",
    "hour_cos",
)


@dataclass(frozen=True)
class FeatureConfig:
    """Which features, and how missing and extreme values are treated.

    `winsor` is the share of authors at each end whose value is pulled in to the quantile there. A feature that
    more than `max_missing` of the authors lack is dropped; else the median stands in for what is missing.
    """

    features: tuple[str, ...] = DEFAULT_FEATURES
    winsor: float = 0.005
    max_missing: float = 0.5

    def __post_init__(self) -> None:
        """Refuse unknown features and shares that make no sense."""
        unknown = [name for name in self.features if name not in FEATURES]
        if unknown or not self.features:
            raise ValueError(f"features: {unknown or 'none'} not known; known are {', '.join(FEATURES)}")
        if not 0 <= self.winsor < 0.5:
            raise ValueError(f"winsor: {self.winsor} is not in 0 to 0.5")


@dataclass(frozen=True)
class ScaledFeature:
    """How one feature was scaled: `(clip(transform(x), low, high) - mean) / scale`, x = fill where missing."""

    name: str
    transform: Transform
    fill: float
    low: float
    high: float
    mean: float
    scale: float
    missing: float


@dataclass(frozen=True)
class Scaler:
    """The stored transformation of profiles into features; a new author can be scaled with it alone."""

    columns: tuple[ScaledFeature, ...]

    @property
    def names(self) -> list[str]:
        """The features, in the order of the matrix' columns."""
        return [column.name for column in self.columns]

    def transform(self, profiles: pd.DataFrame) -> np.ndarray:
        """Profiles (n rows) to a finite float64 matrix (n, features)."""
        matrix = np.empty((len(profiles), len(self.columns)))
        for position, column in enumerate(self.columns):
            values = transformed(FEATURES[column.name], profiles)
            values = np.where(np.isfinite(values), values, column.fill)
            matrix[:, position] = (np.clip(values, column.low, column.high) - column.mean) / column.scale
        return matrix

    def natural(self, matrix: np.ndarray) -> np.ndarray:
        """Scaled values back in transformed units, (n, features)."""
        means = np.array([column.mean for column in self.columns])
        scales = np.array([column.scale for column in self.columns])
        return matrix * scales + means

    def to_json(self) -> str:
        """As JSON."""
        return json.dumps([asdict(column) for column in self.columns])

    @classmethod
    def from_json(cls, text: str) -> "Scaler":
        """From `to_json`."""
        return cls(tuple(ScaledFeature(**column) for column in json.loads(text)))


@dataclass(frozen=True)
class FeatureMatrix:
    """Scaled features of all authors.

    `frame` keeps `contracts.SCALED_FEATURES`; `warnings` says what was dropped and why; `imputed` is the share of
    values a feature for which the median stands in.
    """

    frame: pd.DataFrame
    scaler: Scaler
    warnings: list[str] = field(default_factory=list)

    @property
    def imputed(self) -> Mapping[str, float]:
        """Share of authors a feature whose value was missing."""
        return {column.name: column.missing for column in self.scaler.columns}


def transformed(feature: Feature, profiles: pd.DataFrame) -> np.ndarray:
    """One feature on its scale, float64, NaN where missing or not finite."""
    with np.errstate(invalid="ignore"):
        values = np.asarray(feature.read(profiles), dtype=np.float64)
        values = np.where(np.isfinite(values), values, np.nan)
        if feature.transform == "log":
            return np.log1p(values)
        if feature.transform == "sqrt":
            return np.sqrt(values)
    return values


def back(name: str, values: np.ndarray) -> np.ndarray:
    """Transformed values in natural units again."""
    transform = FEATURES[name].transform
    if transform == "log":
        return np.expm1(values)
    return np.square(values) if transform == "sqrt" else values


def build_features(profiles: pd.DataFrame, config: FeatureConfig | None = None) -> FeatureMatrix:
    """Transform, winsorise and standard-scale the configured features of all authors."""
    config = config or FeatureConfig()
    columns, warnings = [], []
    for feature in (FEATURES[name] for name in config.features):
        values = transformed(feature, profiles)
        known = values[~np.isnan(values)]
        missing = 1.0 - len(known) / max(1, len(values))
        if len(known) == 0 or missing > config.max_missing:
            warnings.append(
                f"{_subject(feature)} is left out: {missing:.0%} of the authors lack it ({feature.unknown})"
            )
            continue
        fill = float(np.median(known))
        low, high = (float(bound) for bound in np.quantile(known, [config.winsor, 1 - config.winsor]))
        clipped = np.clip(np.where(np.isnan(values), fill, values), low, high)
        # Summed in the order of the values, so that the last bits do not depend on the order of the authors.
        clipped.sort()
        mean, scale = float(clipped.mean()), float(clipped.std())
        if scale < SMALLEST_SCALE:
            warnings.append(f"{_subject(feature)} is left out: it is the same for all authors")
            continue
        columns.append(ScaledFeature(feature.name, feature.transform, fill, low, high, mean, scale, missing))
        if missing > 0:
            warnings.append(
                f"{_subject(feature)}: {missing:.1%} of the authors lack it ({feature.unknown}), the median stands in"
            )
    scaler = Scaler(tuple(columns))
    frame = pd.DataFrame(scaler.transform(profiles), columns=scaler.names)
    frame.insert(0, "author_key", profiles["author_key"].to_numpy())
    frame["author_key"] = frame["author_key"].astype("string")
    # Once for the two coordinates of the hour.
    return FeatureMatrix(frame, scaler, list(dict.fromkeys(warnings)))


def _subject(feature: Feature) -> str:
    return feature.label.partition(" (")[0]


def matrix_of(frame: pd.DataFrame) -> tuple[np.ndarray, Sequence[str]]:
    """The numeric part of `scaled_features`: float64 (authors, features), and the features' names."""
    names = [name for name in frame.columns if name != "author_key"]
    return frame[names].to_numpy(dtype=np.float64), names


def describe_features(matrix: FeatureMatrix) -> list[dict[str, Any]]:
    """The feature table for metadata: transform, median, missing share."""
    return [
        {
            "feature": column.name,
            "meaning": FEATURES[column.name].label,
            "transform": column.transform,
            "mean (transformed)": column.mean,
            "scale": column.scale,
            "missing": f"{column.missing:.1%}",
        }
        for column in matrix.scaler.columns
    ]
