"""How long to wait before X is asked again, and how much may be asked for at all.

What belongs here: X's limits and its advice for faults as pure decisions; the pace, the requests a window and the
month's posts, which all processes of a home share. What does not: sending anything.

X has limits that have nothing to do with each other: so many requests in a window of 15 minutes, told by the
x-rate-limit headers; so many in 24 hours; and for the full archive one request a second, of which no header tells.
After faults X asks for (https://docs.x.com/x-api/fundamentals/handling-disconnections): for network errors 250 ms more
each time up to 16 s; for HTTP errors 5 s doubled up to 320 s; for 429 one minute doubled. What a header says may make
us wait longer than that, hardly shorter: whatever it says, the waits grow while refusals go on, and `Budget` lets no
more requests through than X documents.
"""

import os
import time
from array import array
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from pathlib import Path
from typing import Literal

import orjson
from filelock import FileLock

from tweet_profiles.home import Home, write_atomically
from tweet_profiles.sources.x.prices import Prices, cost, dollars, most_a_tweet, prices_on
from tweet_profiles.sources.x.state import read_state

WINDOW_S = 900.0
"""Length of X's rate-limit window."""
DAY_S = 86_400.0
SMALLEST_PAGE = 10
"""X gives no page smaller than that."""
LIMITS: Mapping[str, int] = {
    "recent": 450,
    "all": 300,
    "connect": 50,
    "rules": 450,
    "rule_changes": 100,
    "counts": 300,
    "usage": 50,
}
"""Requests that X documents for each route in a window, for the app."""
Fault = Literal["network", "http", "limit", "second", "day"]


def wait_after(fault: Fault, nth: int) -> float:
    """Seconds to wait after the `nth` fault of a kind in a row (from 1).

    network: a broken or refused connection. http: 5xx or an answer that is none. limit: 429 without a usable time of
    reset. second: 429 though the window still has requests left, so it was the limit a second. day: the limit of 24
    hours, without a usable time of reset.
    """
    if fault == "network":
        return min(0.25 * nth, 16.0)
    first, most = {"http": (5.0, 320.0), "limit": (60.0, WINDOW_S), "second": (1.0, 60.0), "day": (WINDOW_S, DAY_S)}[
        fault
    ]
    return float(min(first * 2 ** min(nth - 1, 16), most))


def floor_after(nth: int) -> float:
    """Seconds to wait at least after the `nth` refusal in a row, whatever X says: 1 s doubled up to a window."""
    return float(min(2 ** min(nth - 1, 16), WINDOW_S))


class Backoff:
    """Counts the faults in a row and tells the wait after each."""

    def __init__(self, scale: float = 1.0) -> None:
        self._scale = scale
        self._faults: Counter[Fault] = Counter()

    def wait(self, fault: Fault, told: float | None = None) -> float:
        """Seconds to wait after one more fault of this kind; `told` is what X asks for, in seconds, if it does."""
        self._faults[fault] += 1
        nth = self._faults[fault]
        if told is None:
            return wait_after(fault, nth) * self._scale
        return max(told, floor_after(nth) * self._scale)

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
    clock = server_time(headers, now)
    for scope in ("app", "user"):
        if _number(headers.get(f"x-{scope}-limit-24hour-remaining")) == 0:
            return Limit("day", _until(headers.get(f"x-{scope}-limit-24hour-reset"), clock, DAY_S))
    if (_number(headers.get("x-rate-limit-remaining")) or 0) > 0:
        return Limit("second")
    return Limit("limit", _until(headers.get("x-rate-limit-reset"), clock, WINDOW_S))


def _until(reset: str | None, clock: float, window: float) -> float | None:
    moment = _number(reset)
    if moment is None:
        return None
    seconds = moment - clock
    return seconds + 1.0 if -1.0 <= seconds <= window + 60.0 else None


def server_time(headers: Mapping[str, str], now: float) -> float:
    """X's clock when it answered, seconds since the epoch; `now` if it does not tell."""
    try:
        return parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError, OverflowError):
        return now


def _number(text: str | None) -> float | None:
    try:
        number = None if text is None else float(text)
    except ValueError:
        return None
    return number if number is not None and isfinite(number) else None


class Budget:
    """At most so many requests of a route in any window, over all processes of a home, whatever X answers.

    Each route has a file of the times of its last requests, by the machine's clock since it was started, which nobody
    sets; times from before a restart of the machine count no more.
    """

    def __init__(
        self,
        home: Home,
        limits: Mapping[str, int] = LIMITS,
        scale: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._limits, self._window, self._clock = home.private / "x_requests", limits, WINDOW_S, clock
        self._window *= scale

    def take(self, route: str, sleep: Callable[[float], None]) -> None:
        """Return when one more request of `route` may be sent, having counted it."""
        while True:
            seconds = self._try(route)
            if seconds is None:
                return
            sleep(max(seconds, 0.001))

    def _try(self, route: str) -> float | None:
        """Count one more request, or tell how long until there may be one."""
        limit = self._limits.get(route, LIMITS[route])
        self._folder.mkdir(mode=0o700, exist_ok=True)
        with FileLock(self._folder / f"{route}.lock"):
            descriptor = os.open(self._folder / route, os.O_RDWR | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "r+b") as file:
                content = file.read()
                times = array("d", content[: len(content) // 8 * 8])
                now = self._clock()
                recent = array("d", (moment for moment in times if now - self._window < moment <= now))
                if len(recent) >= limit:
                    return recent[len(recent) - limit] + self._window - now
                recent.append(now)
                file.seek(0)
                file.write(recent.tobytes())
                file.truncate()
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


@dataclass
class Used:
    """What was pulled in a month, and what it costs at most, in micro-dollars."""

    month: str
    posts: int = 0
    referenced: int = 0
    users: int = 0
    counts: int = 0
    cost: int = 0


_USAGE_REMEDY = (
    'it holds how many posts were pulled this month: write {"month": "YYYY-MM-DD", "posts": N} into it, with the first '
    "day of the month and X's own count, or remove it to begin at 0"
)


class Usage:
    """How much this home has pulled in the current month, over all its processes, and how much more it may."""

    def __init__(
        self,
        home: Home,
        cap: int | None,
        reset_day: int = 1,
        budget_usd: float | None = None,
        own_prices: Mapping[str, float] | None = None,
    ) -> None:
        self._file = home.private / "x_usage.json"
        self._lock = FileLock(home.private / "x_usage.lock")
        self.cap, self._reset_day = cap, reset_day
        self.budget = None if budget_usd is None else round(budget_usd * 1e6)
        self._own_prices = own_prices or {}

    @property
    def prices(self) -> Prices:
        """The prices of today."""
        return prices_on(datetime.now(UTC).date(), self._own_prices)

    def this_month(self) -> Used:
        """All that was pulled in the current month."""
        noted = read_state(self._file, Used, _USAGE_REMEDY)
        month = month_of(datetime.now(UTC).date(), self._reset_day)
        return noted if noted is not None and noted.month == month else Used(month)

    def used(self) -> int:
        """Posts of the current month."""
        return self.this_month().posts

    def add(self, posts: int = 0, *, referenced: int = 0, users: int = 0, counts: int = 0) -> int:
        """Count what X has delivered. Returns what it costs at most, in micro-dollars."""
        price = cost(self.prices, posts=posts + referenced, users=users, counts=counts)
        if posts or referenced or users or counts:
            with self._lock:
                before = self.this_month()
                noted = Used(
                    before.month,
                    before.posts + posts,
                    before.referenced + referenced,
                    before.users + users,
                    before.counts + counts,
                    before.cost + price,
                )
                content = orjson.dumps(asdict(noted))
                write_atomically(self._file, lambda file: file.write(content))
        return price

    def remaining(self) -> int | None:
        """Tweets that may still be pulled this month, by the cap and by the budget; None if there is neither."""
        used, limits = self.this_month(), []
        if self.cap is not None:
            limits.append(self.cap - used.posts)
        if self.budget is not None:
            limits.append((self.budget - used.cost) // max(most_a_tweet(self.prices), 1))
        return max(min(limits), 0) if limits else None

    @property
    def left_of_cap(self) -> int | None:
        """Posts that may still be pulled this month by the cap alone; None if there is none."""
        return None if self.cap is None else max(self.cap - self.used(), 0)

    def why_none_remain(self) -> str:
        """Which of our own limits is reached, and what was pulled."""
        used = self.this_month()
        if self.cap is not None and used.posts + SMALLEST_PAGE > self.cap:
            return (
                f"the cap of {self.cap} posts a month (TWEET_PROFILES_X_MONTHLY_POST_CAP) is reached: {used.posts} are "
                "pulled"
            )
        return (
            f"the budget of {dollars(self.budget or 0)} a month (TWEET_PROFILES_X_MONTHLY_BUDGET_USD) has no room for "
            f"another page: what was pulled costs up to {dollars(used.cost)}"
        )
