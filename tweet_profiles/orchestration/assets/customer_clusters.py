"""customer_clusters: the authors in groups, stored as one version that readers switch to at once."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Self

import dagster as dg
import numpy as np
from matplotlib.figure import Figure
from pydantic import Field, model_validator

from tweet_profiles import plots
from tweet_profiles.contracts import SCALED_FEATURES
from tweet_profiles.home import write_atomically
from tweet_profiles.orchestration.assets.metadata import OWNERS, inline_plot, table
from tweet_profiles.orchestration.assets.scaled_features import SCALER_FILE, TABLE_FILE
from tweet_profiles.orchestration.progress import Progress
from tweet_profiles.orchestration.resources import HomeResource, MongoResource
from tweet_profiles.profiles.store import ProfileStore
from tweet_profiles.release.counts import shown
from tweet_profiles.segments.describe import gaps_in_words
from tweet_profiles.segments.features import FEATURES, Scaler, matrix_of
from tweet_profiles.segments.pipeline import ClusterConfig, ClusterResult, TooFewAuthorsError, cluster, sweep_rows
from tweet_profiles.segments.store import SegmentStore
from tweet_profiles.segments.views import author_map, silhouette_curves
from tweet_profiles.settings import Settings
from tweet_profiles.tables import read_table

NAME = "customer_clusters"
QUALITY_CHECK = "clustering_quality"
ELBOW_FILE = "elbow.png"
NOT_KNOWN = "not known"


class CustomerClustersConfig(dg.Config):
    """How k is chosen, and when a clustering is too bad to be shown."""

    k: int | None = Field(default=None, ge=2, le=100, description="number of groups; without it the elbow decides")
    k_min: int = Field(default=2, ge=2, le=100, description="least number of groups that is looked at")
    k_max: int = Field(default=12, ge=2, le=100, description="greatest number of groups that is looked at")
    seed: int = Field(default=7, ge=0, le=2**32 - 1, description="of starts and samples")
    max_share: float = Field(
        default=0.7, ge=0, le=1, description="a clustering with a larger segment, as a share of the authors, is poor"
    )
    min_silhouette: float = Field(
        default=0.05, ge=-1, le=1, description="a clustering of a lower mean silhouette is poor"
    )
    min_stability: float = Field(
        default=0.3,
        ge=-1,
        le=1,
        description="a clustering below this adjusted Rand index between bootstrap samples is poor",
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.k_min > self.k_max:
            raise ValueError(f"k_min {self.k_min} is above k_max {self.k_max}")
        return self


@dg.asset(
    name=NAME,
    deps=["scaled_features"],
    group_name="segments",
    owners=OWNERS,
    kinds={"scikitlearn", "mongodb"},
    code_version="1",
    pool="clustering",
    check_specs=[
        dg.AssetCheckSpec(
            QUALITY_CHECK,
            asset=NAME,
            blocking=True,
            description="No segment holds nearly everybody; silhouette and stability are above their limits.",
        )
    ],
    description=(
        "K-Means at the elbow of the inertia curve. Writes each author's segment and one described document a segment "
        "to MongoDB as one version, and then switches readers to it."
    ),
)
def customer_clusters(
    context: dg.AssetExecutionContext, config: CustomerClustersConfig, home: HomeResource, mongo: MongoResource
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Choose k, group the authors, store the version, switch to it."""
    opened, settings = home.open(), home.settings()
    progress = Progress(context.log)
    features = read_table(opened.features / TABLE_FILE, SCALED_FEATURES, "scaled_features")
    scaler = Scaler.from_json((opened.features / SCALER_FILE).read_text())
    with mongo.database() as database:
        profiles = ProfileStore(database).frame().set_index("author_key", drop=False)
        known = features["author_key"].isin(profiles.index)
        features = features[known].reset_index(drop=True)
        profiles = profiles.loc[features["author_key"]].reset_index(drop=True)
        store = SegmentStore(database, keep=settings.nights_kept)
        store.prepare()
        try:
            result = cluster(
                features,
                profiles,
                scaler,
                ClusterConfig(
                    k=config.k,
                    k_min=config.k_min,
                    k_max=config.k_max,
                    seed=config.seed,
                    max_share=config.max_share,
                    min_silhouette=config.min_silhouette,
                    min_stability=config.min_stability,
                    k_anonymity=settings.k_anonymity,
                ),
                store.previous(),
                lambda k: progress.tell(f"looked at {k} groups of at most {config.k_max}"),
            )
        except TooFewAuthorsError as error:
            raise dg.Failure(f"{error}. The last grouping stays", allow_retries=False) from error
        version = store.write_version(result, features["author_key"])
        # A bad clustering is kept for a look, but readers stay on the last good one; the first of all is shown anyway.
        switched = not result.faults or store.current_version() is None
        if switched:
            store.switch(version)
        late = store.assign_latecomers()
        nights = store.history()
    pictures = figures(result, matrix_of(features)[0], nights, settings.k_anonymity, config.seed)
    for name, png in pictures.items():
        write_atomically(opened.plots / f"{name}.png", lambda file, png=png: file.write(png))  # type: ignore[misc]
    yield dg.MaterializeResult(
        metadata={
            "version": version,
            "shown_to_readers": switched,
            "k": result.choice.k,
            "why": result.choice.reason,
            "inertia": result.clustering.inertia,
            **_figures_of_merit(result),
            "came_meanwhile": shown(sum(late.assigned.values()), settings.k_anonymity),
            "segments": table(segment_rows(result)),
            **{name: inline_plot(png, name.replace("_", " ").capitalize()) for name, png in pictures.items()},
            "sweep": table(sweep_rows(result.sweep)),
            "elbow_file": dg.MetadataValue.path(opened.plots / ELBOW_FILE),
            **page_link(settings),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name=QUALITY_CHECK,
                passed=not result.faults,
                # What is shown is released too: the first grouping of all is better than none.
                severity=dg.AssetCheckSeverity.WARN if switched else dg.AssetCheckSeverity.ERROR,
                description=verdict(result.faults, is_shown=switched),
                metadata={"faults": dg.MetadataValue.json(result.faults)},
            )
        ],
    )


def verdict(faults: Sequence[str], *, is_shown: bool) -> str:
    """What the quality check says: each limit that is broken, and what to do."""
    if not faults:
        return "every figure is within its limit"
    then = (
        "it is shown all the same, because there is none before it"
        if is_shown
        else "readers stay on the last grouping; `tweet-profiles run --k N` asks for another number of groups, "
        "--max-share, --min-silhouette and --min-stability for other limits"
    )
    return f"the grouping is poor: {'; '.join(faults)}. {then[0].upper()}{then[1:]}"


def page_link(settings: Settings) -> dict[str, dg.UrlMetadataValue]:
    """The marketer's page, if it is told where it is served; it shows the new segments once they are released."""
    return {} if settings.page_url is None else {"page": dg.MetadataValue.url(settings.page_url)}


def _figures_of_merit(result: ClusterResult) -> dict[str, float]:
    point = result.point
    figures_of_merit = {} if point is None else {"silhouette": point.silhouette, "stability": point.stability}
    since = {
        "moved_authors": result.moved_authors,
        "new_authors": result.new_authors,
        "arrivals_kept": result.arrivals_kept,
    }
    return figures_of_merit | {name: value for name, value in since.items() if value is not None}


def segment_rows(result: ClusterResult) -> list[dict[str, object]]:
    """The segments as a table for people, mood of own words.

    Authors are not counted here: beside the rows of the release, which are, that would tell of the withheld ones.
    """
    return [
        {
            "segment": segment.segment,
            "name": segment.name,
            "share": f"{segment.share:.0%}",
            "positive": _percent(segment.positive_share),
            "neutral": _percent(segment.neutral_share),
            "negative": _percent(segment.negative_share),
            "not scored": gaps_in_words(segment.not_scored),
            "tweets an author": round(segment.tweets_per_author, 1),
            "most active": segment.part_of_day or NOT_KNOWN,
        }
        for segment in result.segments
    ]


def _percent(share: float | None) -> str:
    return NOT_KNOWN if share is None else f"{share:.0%}"


def figures(
    result: ClusterResult, matrix: np.ndarray, nights: Sequence[dict[str, Any]], k_anonymity: int, seed: int
) -> dict[str, bytes]:
    """The plots of a clustering as PNG, by file name.

    Args:
        result: the clustering.
        matrix: the features it was made of (authors, features).
        nights: `SegmentStore.history`, the newest first.
        k_anonymity: what fewer authors share is not drawn.
        seed: of the sample for silhouettes.
    """
    called = {segment.segment: segment.name for segment in result.segments}
    names = [f"{number} {name}" for number, name in called.items()]
    shares = {
        "authors": [segment.share for segment in result.segments],
        "positive": [_number(segment.positive_share) for segment in result.segments],
        "neutral": [_number(segment.neutral_share) for segment in result.segments],
        "negative": [_number(segment.negative_share) for segment in result.segments],
    }
    point = result.point
    curves = silhouette_curves(matrix, result.segment_of, result.matching.segments, k_anonymity, seed)
    drawn_map = author_map(matrix, result.segment_of, k_anonymity)
    drawn = {
        "elbow": plots.elbow_plot(
            [point.k for point in result.sweep],
            [point.inertia for point in result.sweep],
            [None if point.k == 1 else point.silhouette for point in result.sweep],
            result.choice.on_curve,
            result.choice.runner_up,
            is_elbow=result.choice.is_elbow,
        ),
        "fingerprint": plots.fingerprint(names, [FEATURES[name].label for name in result.scaler.names], result.effects),
        "sizes": plots.segment_sizes(names, shares),
        "sentiment": plots.sentiment_by_segment(names, shares),
        "silhouettes": plots.silhouettes(
            called,
            [curves[segment.segment].tolist() for segment in result.segments],
            point.silhouette if point else None,
        ),
        "author_map": plots.author_map(
            drawn_map.x,
            drawn_map.y,
            drawn_map.authors,
            drawn_map.segment,
            called,
            explained=drawn_map.explained,
            withheld=drawn_map.withheld,
            k_anonymity=k_anonymity,
        ),
        "sizes_over_nights": sizes_over_nights(nights, k_anonymity),
    }
    return {name: plots.png_bytes(figure) for name, figure in drawn.items()}


def _number(share: float | None) -> float:
    return float("nan") if share is None else share


def sizes_over_nights(nights: Sequence[dict[str, Any]], k_anonymity: int) -> Figure:
    """The sizes of the segments that are or were, from `SegmentStore.history`, the newest night first.

    Nights of before small groups were joined may have segments of fewer than `k_anonymity`; those are not drawn.
    """
    in_order = list(reversed(nights))
    shares = [
        {
            int(segment): share
            for segment, share in night["shares"].items()
            if round(share * night["authors"]) >= k_anonymity
        }
        for night in in_order
    ]
    return plots.sizes_over_nights(
        [f"{night['created']:%d %b}" for night in in_order],
        {segment: [night.get(segment) for night in shares] for segment in sorted({*chain.from_iterable(shares)})},
        {int(segment): name for night in in_order for segment, name in night["names"].items()},
    )
