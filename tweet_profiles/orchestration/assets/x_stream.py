"""x_stream: the filtered stream as Dagster sees it: an outside source whose health is observed.

What belongs here: turning the collector's health into an observation and a check. What does not: collecting, and the
judgement what is well (`sources.x.health`). The collector itself is no run: it lives for months (`tweet-profiles
stream`).
"""

import time
from typing import Any

import dagster as dg

from tweet_profiles.home import Home
from tweet_profiles.orchestration.assets.metadata import OWNERS
from tweet_profiles.orchestration.resources import HomeResource
from tweet_profiles.sources.x.health import Health, is_running, read, troubles
from tweet_profiles.sources.x.losses import open_losses

KEY = dg.AssetKey("x_stream")
CHECK = "stream_is_well"

x_stream = dg.AssetSpec(
    KEY,
    group_name="ingest",
    owners=OWNERS,
    kinds={"x"},
    code_version="1",
    description=(
        "The filtered stream of X, collected by `tweet-profiles stream` outside Dagster. Its observations tell the "
        "last tweet, tweets a minute, reconnects and filled gaps."
    ),
)


def faults_of(health: Health, home: Home) -> list[str]:
    """What is wrong with the collector now, and what is lost, one sentence each."""
    return troubles(health, time.time(), running=is_running(health), lost=open_losses(home))


def metadata_of(health: Health) -> dict[str, Any]:
    """What a person wants to know of the collector; counts are since it was started."""
    times = {"last_tweet": health.last_tweet_at, "last_byte": health.last_byte_at, "written": health.updated_at}
    return {
        "state": health.state,
        "tweets_per_minute": health.tweets_per_minute,
        "received": health.received,
        "landed": health.landed,
        "duplicates": health.duplicates,
        "batches": health.batches,
        "reconnects": health.reconnects,
        "gap_fills": health.gap_fills,
        "gap_landed": health.gap_landed,
        "gaps_pending": health.gaps_pending,
        "quarantined": health.quarantined,
        "posts_this_month": health.posts_this_month,
        **{name: dg.MetadataValue.timestamp(moment) for name, moment in times.items() if moment},
    }


def evaluation(home: Home) -> dg.AssetCheckEvaluation | None:
    """The check's outcome by the health file; None if no collector has ever run in this home."""
    health = read(home)
    if health is None:
        return None
    found = faults_of(health, home)
    return dg.AssetCheckEvaluation(
        asset_key=KEY,
        check_name=CHECK,
        passed=not found,
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(found) or "the collector runs and is connected",
        metadata=metadata_of(health),
    )


@dg.asset_check(
    asset=KEY,
    name=CHECK,
    description="The collector runs, is connected, writes its health and has no gap it cannot fill.",
)
def stream_is_well(home: HomeResource) -> dg.AssetCheckResult:
    """Look at the collector's health now."""
    found = evaluation(home.open())
    if found is None:
        why = "no collector has run in this home: `tweet-profiles stream` starts one"
        return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.WARN, description=why)
    return dg.AssetCheckResult(
        passed=found.passed, severity=found.severity, description=found.description, metadata=found.metadata
    )
