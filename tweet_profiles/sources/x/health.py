"""The health of the stream collector: what it writes about itself, for the status command and for Dagster.

What belongs here: the file, and the judgement whether it looks well. What does not: collecting. The file holds counts
and times only, no id and no text.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

import orjson
import psutil

from tweet_profiles.home import Home, write_atomically
from tweet_profiles.sources.x.losses import Loss, told
from tweet_profiles.sources.x.state import read_state

FILE = "x_stream_health.json"
FRESH_S = 30.0
"""A collector writes its health far more often than this while it lives."""
SILENT_S = 120.0
"""X sends a keep-alive every 20 s: a connection without one for so long is none."""
FOREIGN_ALARM = 20
"""So many tweets in a row that only others' rules match are no chance."""
CLOCK_S = 60.0


@dataclass
class Health:
    """What a collector has done since it was started; times are seconds since the epoch.

    `state` is one of connecting, connected, waiting, stopped; `landed`, `duplicates`, `suppressed`, `foreign`,
    `undecided`, `quarantined` count tweets that came over the stream, `gap_landed` those that a search found later.
    `updated_at` is its heartbeat. `clock_ahead_s` is how far X's clock is ahead of this machine's.
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
    foreign_in_a_row: int = 0
    undecided: int = 0
    quarantined: int = 0
    partial_errors: int = 0
    batches: int = 0
    connects: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    gaps_pending: int = 0
    gap_fills: int = 0
    gap_landed: int = 0
    gap_error: str | None = None
    rules_restored: int = 0
    rules_error: str | None = None
    clock_ahead_s: float = 0.0
    posts_this_month: int = 0
    cost_this_month_usd: float = 0.0
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
    """The health of the last collector of this home; None if there was none.

    Raises:
        HomeError: if the file is damaged.
    """
    remedy = "it is what the stream collector tells of itself: remove it; a running collector writes it anew"
    return read_state(home.root / FILE, Health, remedy)


def is_running(health: Health) -> bool:
    """Whether that collector's process still lives."""
    try:
        return health.state != "stopped" and psutil.Process(health.pid).create_time() <= health.started_at + 1
    except psutil.NoSuchProcess:
        return False


def troubles(health: Health, now: float, *, running: bool, lost: Sequence[Loss] = ()) -> list[str]:
    """What is wrong with a collector, and what is lost and not acknowledged, one sentence each."""
    found = []
    if not running:
        ended = f"stopped: {health.reason}" if health.state == "stopped" and health.reason else "has ended"
        found.append(f"the collector {ended}; start it with `tweet-profiles stream`")
    elif now - health.updated_at > FRESH_S:
        found.append(f"the collector has not written its health for {now - health.updated_at:.0f} s: it hangs")
    elif health.state != "connected":
        found.append(f"the stream is not connected ({health.last_fault or health.state})")
    elif health.last_byte_at is not None and now - health.last_byte_at > SILENT_S:
        found.append(f"nothing has come over the stream for {now - health.last_byte_at:.0f} s, no keep-alive either")
    if health.foreign_in_a_row >= FOREIGN_ALARM:
        found.append(
            f"the last {health.foreign_in_a_row} tweets matched only rules that are not ours: each costs a post and "
            "none is landed; look at the rules of the project"
        )
    if health.rules_error:
        found.append(f"the rules of the stream cannot be looked after: {health.rules_error}")
    if health.gap_error:
        found.append(f"{health.gaps_pending} gaps are not filled yet: {health.gap_error}")
    if abs(health.clock_ahead_s) > CLOCK_S:
        found.append(f"X's clock is {health.clock_ahead_s:.0f} s ahead of this machine's: set the machine's clock")
    if health.quarantined:
        found.append(f"{health.quarantined} records are in the quarantine")
    return found + [told(loss) for loss in lost]
