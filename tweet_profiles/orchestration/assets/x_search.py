"""pulled_tweets and searched_days: the search of X as Dagster sees it; what they pull lands as batches.

What belongs here: which range a run asks for, and what its page in the UI shows. What does not: searching
(`sources.x.search`). Neither asset returns a table: the landing zone is their output, and the sensor takes it up there.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

import dagster as dg

from tweet_profiles.errors import SettingError
from tweet_profiles.orchestration.assets.metadata import OWNERS
from tweet_profiles.orchestration.resources import HomeResource, XResource
from tweet_profiles.settings import load_settings
from tweet_profiles.sources.x.search import SearchReport, backfill, pull

POOL = "x_api"
_RETRIES = dg.RetryPolicy(max_retries=2, delay=30, backoff=dg.Backoff.EXPONENTIAL)

DAYS = dg.DailyPartitionsDefinition(start_date=load_settings().search_days_from.isoformat(), timezone="UTC")
"""One partition a day of X's own time; which of them search still reaches depends on the plan."""


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
    description=(
        "What search finds since the last pull, landed as batches. A pull that was interrupted goes on at its page; at "
        "the cap of the month it stops with a notice and goes on when there is room."
    ),
)
def pulled_tweets(home: HomeResource, x: XResource) -> dg.MaterializeResult:
    """Pull what is new."""
    with _mendable():
        return _result(pull(home.landing_zone(), x.configured()))


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
    description=(
        "The tweets of past days (UTC), searched on demand and landed as batches: choose a range of days and "
        "materialise it. Recent search reaches back 7 days, the full archive to 2006."
    ),
)
def searched_days(context: dg.AssetExecutionContext, home: HomeResource, x: XResource) -> dg.MaterializeResult:
    """Pull the run's days as one range; run again after an interruption, it goes on where it was."""
    days = context.partition_time_window
    with _mendable():
        return _result(backfill(home.landing_zone(), x.configured(), days.start, days.end))


ALL = [pulled_tweets, searched_days]
