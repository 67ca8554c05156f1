"""The health of the stream collector: what it writes about itself, for the status command and for Dagster.

What belongs here: the file, and the judgement whether it looks well. What does not: collecting. The file holds counts
and times only, no id and no text.
"""

import time
from dataclasses import asdict, dataclass, field

import orjson
import psutil

from tweet_profiles.home import Home, write_atomically

FILE = "x_stream_health.json"
FRESH_S = 30.0
"""A collector writes its health far more often than this while it lives."""


@dataclass
class Health:
    """What a collector has done since it was started; times are seconds since the epoch.

    `state` is one of connecting, connected, waiting, stopped; `landed`, `duplicates`, `suppressed`, `foreign`,
    `quarantined` count tweets that came over the stream, `gap_landed` those that a search found afterwards.
    """

    pid: int
    started_at: float
    state: str = "connecting"
    updated_at: float = 0.0
    connected_at: float | None = None
    last_byte_at: float | None = None
    last_tweet_at: float | None = None
    tweets_per_minute: float = 0.0
    received: int = 0
    landed: int = 0
    duplicates: int = 0
    suppressed: int = 0
    foreign: int = 0
    quarantined: int = 0
    partial_errors: int = 0
    batches: int = 0
    connects: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    gaps_pending: int = 0
    gaps_out_of_reach: int = 0
    gap_fills: int = 0
    gap_landed: int = 0
    gap_error: str | None = None
    posts_this_month: int = 0
    cap: int | None = None
    last_fault: str | None = None
    reason: str | None = None

    @property
    def reconnects(self) -> int:
        """How often the stream was connected again."""
        return max(self.connects - 1, 0)


def write(home: Home, health: Health) -> None:
    """Store the health for others to read."""
    health.updated_at = time.time()
    content = orjson.dumps(asdict(health))
    write_atomically(home.root / FILE, lambda file: file.write(content))


def read(home: Home) -> Health | None:
    """The health of the last collector of this home; None if there was none."""
    path = home.root / FILE
    return Health(**orjson.loads(path.read_bytes())) if path.exists() else None


def is_running(health: Health) -> bool:
    """Whether that collector's process still lives."""
    try:
        return health.state != "stopped" and psutil.Process(health.pid).create_time() <= health.started_at + 1
    except psutil.NoSuchProcess:
        return False


def troubles(health: Health, now: float, *, running: bool) -> list[str]:
    """What is wrong with a collector, one sentence each; empty if it is well."""
    found = []
    if not running:
        ended = f"stopped: {health.reason}" if health.state == "stopped" and health.reason else "has ended"
        found.append(f"the collector {ended}; start it with `tweet-profiles stream`")
    elif now - health.updated_at > FRESH_S:
        found.append(f"the collector has not written its health for {now - health.updated_at:.0f} s: it hangs")
    elif health.state != "connected":
        found.append(f"the stream is not connected ({health.last_fault or health.state})")
    if health.gap_error:
        found.append(f"{health.gaps_pending} gaps are not filled yet: {health.gap_error}")
    if health.gaps_out_of_reach:
        found.append(
            f"{health.gaps_out_of_reach} gaps were older than the 7 days of recent search: pull their time with "
            "`tweet-profiles search --from ... --to ...` and TWEET_PROFILES_X_SEARCH=all, if the plan has it"
        )
    if health.quarantined:
        found.append(f"{health.quarantined} records are in the quarantine")
    return found
