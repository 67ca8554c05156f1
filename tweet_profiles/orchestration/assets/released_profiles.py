"""released_profiles and exported_profiles: what may leave the system, in MongoDB and as files."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from tweet_profiles.contracts import RELEASED_PROFILES
from tweet_profiles.database.unreleased import is_behind, note_held, unreleased_since
from tweet_profiles.orchestration import checks
from tweet_profiles.orchestration.assets.metadata import OWNERS, columns_of, table
from tweet_profiles.orchestration.resources import HomeResource, ModelResource, MongoResource
from tweet_profiles.release.anonymise import smallest_class
from tweet_profiles.release.counts import in_words
from tweet_profiles.release.files import export
from tweet_profiles.release.make import make_release, read_grouped, standing_release
from tweet_profiles.release.nights import in_words as why_held
from tweet_profiles.release.store import Release, ReleaseStore
from tweet_profiles.segments.store import SegmentStore

NAME = "released_profiles"
EXPORT = "exported_profiles"
HELD = "held"
"""The metadata that tells why a night made no release."""
GROUP_CHECK = "no_group_too_small"
FRESHNESS_CHECK = "holds_what_the_profiles_hold"


@dg.asset(
    name=NAME,
    deps=["customer_clusters"],
    group_name="release",
    owners=OWNERS,
    metadata=columns_of(RELEASED_PROFILES),
    kinds={"mongodb"},
    code_version="1",
    pool="clustering",
    retry_policy=dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL),
    check_specs=[
        checks.contract_spec(NAME),
        dg.AssetCheckSpec(
            GROUP_CHECK,
            asset=NAME,
            blocking=True,
            description="At least k rows are the same in every column, counted on the rows themselves.",
        ),
    ],
    description=(
        "One row an author, k-anonymous over all columns together (MDAV microaggregation within segments), and mood by "
        "day. Written as one version, and then readers are switched to it; where fewer than k authors changed, they "
        "stay on the release they have."
    ),
)
def released_profiles(
    home: HomeResource, mongo: MongoResource, model: ModelResource
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Anonymise the authors of the clustering that readers use, store the release, check it, switch to it.

    If fewer than k of them changed since the last release, and that is not old yet, readers stay on it.
    """
    settings = home.settings()
    with mongo.database() as database:
        clustering = SegmentStore(database).current_version()
        if clustering is None:
            raise dg.Failure("there is no clustering yet: materialize customer_clusters first", allow_retries=False)
        longest = timedelta(days=settings.release_days)
        grouped = read_grouped(database, clustering)
        standing = standing_release(database, grouped, k=settings.k_anonymity, longest=longest)
        if standing is not None:
            note_held(database, SegmentStore(database).created(clustering))
            yield _held(standing, longest)
            return
        version, made = make_release(
            database,
            grouped,
            model_version=model.scorer().version,
            k=settings.k_anonymity,
            late=timedelta(days=settings.late_days),
        )
        # The version is stored; giving it out is switching readers to it, below.
        border = checks.Border(NAME, RELEASED_PROFILES)
        yield from border.hold(made.frame)
        smallest = smallest_class(made.frame)
        private = made.frame.empty or smallest >= settings.k_anonymity
        verdict = dg.AssetCheckResult(
            check_name=GROUP_CHECK,
            passed=private,
            severity=dg.AssetCheckSeverity.ERROR,
            metadata={"smallest_group": smallest, "k_anonymity": settings.k_anonymity},
        )
        if not private:
            yield verdict
            raise dg.Failure(
                f"a group of {smallest} rows is below k = {settings.k_anonymity}: readers stay on the last release",
                allow_retries=False,
            )
        store = ReleaseStore(database)
        release = store.switch(version)
        days = len(store.timeline(release, None))
    per_segment = made.frame.groupby("segment").agg(rows=("group", "size"), groups=("group", "nunique")).reset_index()
    yield dg.MaterializeResult(
        metadata={
            "dagster/row_count": release.authors,
            "version": release.version,
            "clustering": release.clustering,
            "rows": release.authors,
            "withheld": in_words(release.withheld, release.k_anonymity),
            "groups": release.groups,
            "smallest_group": release.smallest_group,
            "k_anonymity": release.k_anonymity,
            "l_diversity": release.l_diversity,
            "timeline_points": days,
            "segments": table(
                [{str(name): value for name, value in row.items()} for row in per_segment.to_dict("records")]
            ),
        },
        check_results=[border.kept(), verdict],
    )


def _held(release: Release, longest: timedelta) -> dg.MaterializeResult:
    """The outcome of a night that leaves readers on the release they have."""
    verdict = dg.AssetCheckResult(
        check_name=GROUP_CHECK,
        passed=True,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"smallest_group": release.smallest_group, "k_anonymity": release.k_anonymity},
    )
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": release.authors,
            "version": release.version,
            "clustering": release.clustering,
            HELD: why_held(release, longest),
        },
        check_results=[checks.check_result(NAME, [], release.authors), verdict],
    )


@dg.asset(
    name=EXPORT,
    deps=[NAME],
    group_name="release",
    owners=OWNERS,
    metadata=columns_of(RELEASED_PROFILES, {"segment_name": ("string", "name of the segment, behind its number")}),
    kinds={"csv", "parquet"},
    code_version="1",
    pool="clustering",
    description="The current release with the segments' names as CSV, safe to open in a spreadsheet, and as Parquet.",
)
def exported_profiles(home: HomeResource, mongo: MongoResource) -> dg.MaterializeResult:
    """Write the current release to the home's exports."""
    with mongo.database() as database:
        done = export(database, home.open().exports)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": done.rows,
            "rows": done.rows,
            "version": done.release.version,
            **{path.suffix.removeprefix("."): dg.MetadataValue.path(path) for path in done.files},
        }
    )


def freshness(since: datetime | None, now: datetime) -> dg.AssetCheckEvaluation:
    """The outcome of the freshness check.

    Args:
        since: since when the profiles hold what no release shows, None if they hold no such thing.
        now: the present.
    """
    if since is None:
        found = "the release holds what the profiles hold"
    elif is_behind(since, now):
        found = (
            f"the profiles hold tweets since {since:%Y-%m-%d} that no release shows, for more than two nights: run the "
            "job recluster, and see why nightly_reclustering did not"
        )
    else:
        found = f"what came since {since:%Y-%m-%d} is in the next release"
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(NAME),
        check_name=FRESHNESS_CHECK,
        passed=not is_behind(since, now),
        severity=dg.AssetCheckSeverity.ERROR,
        description=found,
        metadata={"unreleased_since": dg.MetadataValue.timestamp(since)} if since is not None else {},
    )


@dg.asset_check(
    asset=NAME,
    name=FRESHNESS_CHECK,
    description="No tweet has been in the profiles for more than two nights without being in a release.",
)
def holds_what_the_profiles_hold(mongo: MongoResource) -> dg.AssetCheckResult:
    """Look at the database now; the sensor release_freshness does so by itself."""
    with mongo.database() as database:
        found = freshness(unreleased_since(database), datetime.now(UTC))
    return dg.AssetCheckResult(
        passed=found.passed, severity=found.severity, description=found.description, metadata=found.metadata
    )
