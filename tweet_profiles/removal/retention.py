"""Removing raw tweets by age: what holds personal data goes after the retention, what was computed from it stays.

What belongs here: which batches are due, and removing their files. What does not: partitions of Dagster, and removing
what somebody asked to have removed (`forget`).
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from tweet_profiles.landing.zone import STAMP, LandingZone
from tweet_profiles.sources.x.search import settle

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Purged:
    """What was removed: batches (their partitions are to go too) and files of the quarantine.

    `overdue` batches are as old but were never folded into the profiles: purging them would lose their tweets, so they
    stay until they are run, or removed by hand.
    """

    batches: list[str]
    overdue: list[str]
    quarantine_files: int


def landed_at(key: str) -> datetime:
    """When the batch of this key landed."""
    return datetime.strptime(key.partition("-")[0], STAMP).replace(tzinfo=UTC)


def expired(keys: Iterable[str], now: datetime, retention: timedelta) -> list[str]:
    """The batches that landed longer ago than the retention."""
    return [key for key in keys if now - landed_at(key) > retention]


def purge(zone: LandingZone, done: Collection[str], retention: timedelta, now: datetime | None = None) -> Purged:
    """Remove batches, raw tables and quarantined records that are older than the retention.

    Their tweets stay known as landed, so that a replay does not bring them back.

    Args:
        zone: the landing zone; the tables of its home are cleared too.
        done: keys of the batches that are folded into the profiles.
        retention: how long raw tweets are kept.
        now: the present, aware.
    """
    now = now or datetime.now(UTC)
    settle(zone)
    due = expired(zone.keys(), now, retention)
    batches = [key for key in due if key in done]
    overdue = [key for key in due if key not in done]
    zone.remove(batches)
    # A table whose batch is gone already was left by a purge that was killed, or written by a late run.
    raw = [path for path in zone.home.raw.glob("*.parquet") if path.stem not in overdue]
    for key in expired((path.stem for path in raw), now, retention):
        (zone.home.raw / f"{key}.parquet").unlink()
    old = [path for path in zone.home.quarantine.iterdir() if _age(path, now) > retention]
    for path in old:
        path.unlink()
    if overdue:
        log.warning("batches older than the retention were never processed: run or remove them", batches=len(overdue))
    log.info("purged", batches=len(batches), quarantine_files=len(old))
    return Purged(batches, overdue, len(old))


def _age(path: Path, now: datetime) -> timedelta:
    return now - datetime.fromtimestamp(path.stat().st_mtime, UTC)
