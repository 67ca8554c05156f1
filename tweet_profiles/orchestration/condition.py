"""The condition of a home: what has come in, how far it got, and what is off.

What belongs here: gathering the facts, and the judgement, which a test calls with plain values. What does not: telling
people (`commands.homes`), and the collector's own health (`sources.x.health`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from dagster import DagsterInstance, DagsterRunStatus, RunsFilter
from pymongo.database import Database

from tweet_profiles.database.unreleased import is_behind, unreleased_since
from tweet_profiles.landing.zone import LandingZone
from tweet_profiles.orchestration.batches import failures, waiting
from tweet_profiles.orchestration.instance import fail_orphans, failure_of
from tweet_profiles.orchestration.jobs import RECLUSTER
from tweet_profiles.profiles.store import ProfileStore
from tweet_profiles.release.store import ReleaseStore
from tweet_profiles.removal.retention import landed_at
from tweet_profiles.segments.store import SegmentStore

WAITING_LIMIT = timedelta(days=1)
"""A batch that has waited longer is taken up by nobody."""


@dataclass(frozen=True)
class Condition:
    """What is known of a home.

    Attributes:
        last_landed: when the last batch landed that is still there.
        waiting: batches that are not in the profiles yet, parked ones among them; the first landed at `waits_since`.
        parked: batches that failed too often, with the reason.
        profiles: how many there are.
        grouped: when the clustering was made that readers use.
        segments: how many it has.
        released: when the release was made that readers use.
        unreleased_since: since when the profiles hold what no release shows.
        failure: why the last grouping failed, None if it did not.
    """

    last_landed: datetime | None = None
    waiting: int = 0
    waits_since: datetime | None = None
    parked: Mapping[str, str] = field(default_factory=dict)
    profiles: int = 0
    grouped: datetime | None = None
    segments: int = 0
    released: datetime | None = None
    unreleased_since: datetime | None = None
    failure: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing has come in yet."""
        return self.last_landed is None and self.profiles == 0


def read_condition(
    zone: LandingZone, database: Database[dict[str, Any]], instance: DagsterInstance, max_attempts: int
) -> Condition:
    """Gather what is known of a home.

    Args:
        zone: its landing zone.
        database: its profiles and releases.
        instance: its records of runs.
        max_attempts: failures after which a batch is parked.
    """
    fail_orphans(instance)
    keys = zone.keys()
    pending, parked = waiting(instance, keys, max_attempts)
    why = failures(instance, parked)
    clustering = SegmentStore(database).current()
    release = ReleaseStore(database).current()
    return Condition(
        last_landed=landed_at(keys[-1]) if keys else None,
        waiting=len(pending),
        waits_since=landed_at(pending[0]) if pending else None,
        parked={key: why.get(key, "no run is known") for key in parked},
        profiles=ProfileStore(database).count(),
        grouped=None if clustering is None else clustering.document["created"],
        segments=0 if clustering is None else clustering.k,
        released=None if release is None else release.created,
        unreleased_since=unreleased_since(database),
        failure=_last_failure(instance),
    )


def _last_failure(instance: DagsterInstance) -> str | None:
    """Why the last grouping failed, None if it ended well or there was none."""
    last = instance.get_runs(RunsFilter(job_name=RECLUSTER.name), limit=1)
    return failure_of(instance, last[0]) if last and last[0].status == DagsterRunStatus.FAILURE else None


def troubles(condition: Condition, now: datetime) -> list[str]:
    """What is off in a home and what to do, one sentence each; empty if it is well."""
    found = []
    fresh = condition.waiting - len(condition.parked)
    if condition.parked:
        reasons = ", ".join(f"{key} ({why})" for key, why in condition.parked.items())
        found.append(f"parked after too many failures: {reasons}; `tweet-profiles run` tries them again")
    if fresh and condition.waits_since is not None and now - condition.waits_since > WAITING_LIMIT:
        found.append(
            f"{fresh} batches wait since {condition.waits_since:%Y-%m-%d}: `tweet-profiles run` takes them up, and so "
            "does `tweet-profiles dev` while it runs"
        )
    if condition.failure is not None:
        found.append(f"the last grouping failed: {condition.failure}")
    since = condition.unreleased_since
    if since is not None and is_behind(since, now):
        found.append(
            f"the profiles hold tweets since {since:%Y-%m-%d} that no release shows, for more than two nights: "
            "`tweet-profiles run` makes one, and so does every night while `tweet-profiles dev` runs"
        )
    return found
