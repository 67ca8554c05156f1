"""pulled_tweets and searched_days: the search of X as Dagster sees it; what they pull lands as batches.

What belongs here: which range a run asks for, whether it was meant, and what its page in the UI shows. What does not:
searching (`sources.x.search`). Neither asset returns a table: the landing zone is their output, and the sensor takes it
up there.

Every request to X costs. "Materialize all" means the chain, not a bill: a run that is neither of the asset's own job
nor configured with `confirm` asks X for nothing, and says so.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime

import dagster as dg
from pydantic import Field

from tweet_profiles.errors import SettingError
from tweet_profiles.orchestration.assets.metadata import OWNERS
from tweet_profiles.orchestration.resources import HomeResource, XResource
from tweet_profiles.settings import load_settings
from tweet_profiles.sources.x.search import RECENT, SearchReport, backfill, pull

POOL = "x_api"
PULL_JOB, DAYS_JOB = "pull", "search_days"
"""The jobs by which these assets are asked for."""
_RETRIES = dg.RetryPolicy(max_retries=2, delay=30, backoff=dg.Backoff.EXPONENTIAL)

DAYS = dg.DailyPartitionsDefinition(start_date=load_settings().search_days_from.isoformat(), timezone="UTC")
"""One partition a day of X's own time; which of them search still reaches depends on the plan."""


class XSearchConfig(dg.Config):
    """Whether the search was meant."""

    confirm: bool = Field(
        default=False,
        description="ask X, which costs money, in a run that is not of the asset's own job (Materialize of the asset)",
    )


def _was_meant(context: dg.AssetExecutionContext, config: XSearchConfig, job: str) -> bool:
    """Whether this run was to ask X; if not, says in the log and on the asset's page what to do."""
    if config.confirm or context.run.job_name == job:
        return True
    _skip(context, f"X was not asked, because that costs money: run the job {job}, or give this asset `confirm: true`")
    return False


def _skip(context: dg.AssetExecutionContext, why: str) -> None:
    context.log.warning(why)
    context.log_event(dg.AssetObservation(context.asset_key, description=why))


@contextmanager
def _mendable() -> Iterator[None]:
    """A refusal by X or a missing setting fails the step at once, with its text alone: trying again mends nothing."""
    try:
        yield
    except SettingError as error:
        raise dg.Failure(str(error), allow_retries=False) from None


def _result(report: SearchReport) -> dg.MaterializeResult:
    hidden = ("newest_id", "cost")
    counts = {name: value for name, value in asdict(report).items() if isinstance(value, int) and name not in hidden}
    notes = {"stopped": report.stopped, "out_of_reach_before": report.unreachable_before}
    return dg.MaterializeResult(
        metadata={**counts, "most_usd": report.cost / 1e6, **{name: note for name, note in notes.items() if note}}
    )


@dg.asset(
    name="pulled_tweets",
    group_name="ingest",
    owners=OWNERS,
    kinds={"x"},
    code_version="1",
    pool=POOL,
    retry_policy=_RETRIES,
    output_required=False,
    description=(
        "What search finds since the last pull, landed as batches. A pull that was interrupted goes on at its page; at "
        "the cap of the month it stops with a notice and goes on when there is room. Costs money: made by the job pull "
        "and its schedule; any other run, like Materialize all, skips it unless it is configured with `confirm: true`."
    ),
)
def pulled_tweets(
    context: dg.AssetExecutionContext, config: XSearchConfig, home: HomeResource, x: XResource
) -> Iterator[dg.MaterializeResult]:
    """Pull what is new."""
    if _was_meant(context, config, PULL_JOB):
        with _mendable():
            yield _result(pull(home.landing_zone(), x.configured()))


@dg.asset(
    name="searched_days",
    partitions_def=DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    group_name="ingest",
    owners=OWNERS,
    kinds={"x"},
    code_version="1",
    pool=POOL,
    retry_policy=_RETRIES,
    output_required=False,
    description=(
        "The tweets of past days (UTC), searched on demand and landed as batches: choose a range of days in the job "
        "search_days. Recent search reaches back 7 days, the full archive to 2006; days out of reach are skipped. "
        "Costs money: any other run, like Materialize all, skips it unless it is configured with `confirm: true`."
    ),
)
def searched_days(
    context: dg.AssetExecutionContext, config: XSearchConfig, home: HomeResource, x: XResource
) -> Iterator[dg.MaterializeResult]:
    """Pull the run's days as one range; run again after an interruption, it goes on where it was."""
    if not _was_meant(context, config, DAYS_JOB):
        return
    days = context.partition_time_window
    with _mendable():
        settings = x.configured()
        reach = datetime.now(UTC) - RECENT
        if settings.search == "recent" and days.start < reach:
            _skip(
                context,
                f"the range begins before {reach:%Y-%m-%d %H:%M} UTC, and recent search reaches no further back: "
                "choose later days, or set TWEET_PROFILES_X_SEARCH=all (the plan must have the full archive)",
            )
            return
        yield _result(backfill(home.landing_zone(), settings, days.start, days.end))


ALL = [pulled_tweets, searched_days]
