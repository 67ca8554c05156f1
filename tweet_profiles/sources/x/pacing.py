"""How long to wait before X is asked again, and how much may be pulled at all.

What belongs here: X's limits and its advice for faults as pure decisions; the pace and the month's posts, which all
processes of a home share. What does not: sending anything.

X has two limits that have nothing to do with each other: so many requests in a window of 15 minutes, told by the
x-rate-limit headers, and for the full archive one request a second, of which no header tells. After faults X asks for
(https://docs.x.com/x-api/fundamentals/handling-disconnections): an immediate reconnect, then for network errors
250 ms more each time up to 16 s; for HTTP errors 5 s doubled up to 320 s; for 429 one minute doubled.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Literal

import orjson
from filelock import FileLock

from tweet_profiles.home import Home, write_atomically

WINDOW_S = 900.0
"""Length of X's rate-limit window."""
Fault = Literal["network", "http", "limit", "second"]


def wait_after(fault: Fault, nth: int) -> float:
    """Seconds to wait after the `nth` fault of a kind in a row (from 1).

    network: a broken or refused connection. http: 5xx or an answer that is none. limit: 429 without a usable time of
    reset. second: 429 though the window still has requests left, so it was the limit a second.
    """
    if fault == "network":
        return min(0.25 * (nth - 1), 16.0)
    first, most = {"http": (5.0, 320.0), "limit": (60.0, WINDOW_S), "second": (1.0, 60.0)}[fault]
    return float(min(first * 2 ** min(nth - 1, 16), most))


class Backoff:
    """Counts the faults in a row and tells the wait after each."""

    def __init__(self, scale: float = 1.0) -> None:
        self._scale = scale
        self._faults: Counter[Fault] = Counter()

    def wait(self, fault: Fault) -> float:
        """Seconds to wait after one more fault of this kind."""
        self._faults[fault] += 1
        return wait_after(fault, self._faults[fault]) * self._scale

    def reset(self) -> None:
        """X has answered properly."""
        self._faults.clear()


@dataclass(frozen=True)
class Limit:
    """What a 429 asks for: `seconds` until the window ends, or None if only its kind is known."""

    fault: Fault
    seconds: float | None = None


def read_limit(headers: Mapping[str, str], now: float) -> Limit:
    """Tell from the headers of a 429 which limit was hit.

    The time of reset is X's clock, so it is compared with X's own Date where there is one, else with `now` (seconds
    since the epoch). A reset that lies in the past or beyond one window is of a clock gone wrong and is not believed.
    """
    if (_number(headers.get("x-rate-limit-remaining")) or 0) > 0:
        return Limit("second")
    reset = _number(headers.get("x-rate-limit-reset"))
    if reset is None:
        return Limit("limit")
    seconds = reset - server_time(headers, now)
    return Limit("limit", seconds + 1.0) if -1.0 <= seconds <= WINDOW_S + 60.0 else Limit("limit")


def server_time(headers: Mapping[str, str], now: float) -> float:
    """X's clock when it answered, seconds since the epoch; `now` if it does not tell."""
    try:
        return parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return now


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


class Pacer:
    """At most so many requests a second, over all processes that share the file.

    The file's time of change is that of the last request; whoever waits holds its lock.
    """

    def __init__(self, file: Path, per_second: float, sleep: Callable[[float], None] = time.sleep) -> None:
        self._file, self._interval, self._sleep = file, 1.0 / per_second, sleep
        self._lock = FileLock(file.with_suffix(".lock"))

    def wait(self) -> None:
        """Return when the next request may be sent."""
        with self._lock:
            if self._file.exists():
                # A clock set back must not make this wait for hours.
                self._sleep(min(max(self._file.stat().st_mtime + self._interval - time.time(), 0.0), self._interval))
            self._file.touch(mode=0o600)


def month_of(day: date, reset_day: int) -> str:
    """The month, as its first day in ISO form, in which posts are counted if it begins on `reset_day`."""
    if day.day >= reset_day:
        return day.replace(day=reset_day).isoformat()
    year, month = (day.year, day.month - 1) if day.month > 1 else (day.year - 1, 12)
    return date(year, month, reset_day).isoformat()


class Usage:
    """How many posts this home has pulled in the current month, over all its processes."""

    def __init__(self, home: Home, cap: int | None, reset_day: int = 1) -> None:
        self._file = home.private / "x_usage.json"
        self._lock = FileLock(home.private / "x_usage.lock")
        self.cap, self._reset_day = cap, reset_day

    def used(self) -> int:
        """Posts of the current month."""
        if not self._file.exists():
            return 0
        noted = orjson.loads(self._file.read_bytes())
        return int(noted["posts"]) if noted["month"] == self._month() else 0

    def add(self, posts: int) -> None:
        """Count posts that X has delivered."""
        if posts:
            with self._lock:
                noted = orjson.dumps({"month": self._month(), "posts": self.used() + posts})
                write_atomically(self._file, lambda file: file.write(noted))

    def remaining(self) -> int | None:
        """Posts that may still be pulled this month; None if there is no cap."""
        return None if self.cap is None else max(self.cap - self.used(), 0)

    def _month(self) -> str:
        return month_of(datetime.now(UTC).date(), self._reset_day)
