"""What the tests of the X API share: settings that point at the fake server, the command, and what has landed."""

import os
import subprocess
import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

from tweet_profiles.errors import TweetProfilesError
from tweet_profiles.home import Home
from tweet_profiles.landing.zone import LandingZone
from tweet_profiles.sources.x.collector import Collector
from tweet_profiles.sources.x.config import XSettings, load_x_settings
from tweet_profiles_tests.conftest import executable
from tweet_profiles_tests.fake_x import FakeX, snowflake

PLENTY = "recent=100000,all=100000,connect=1000,rules=10000,rule_changes=1000,counts=1000,usage=1000"
"""Limits that no test meets by being quick; what X documents is tested on its own."""


def x_environment(x: FakeX, **settings: str) -> dict[str, str]:
    """The environment of a command that asks the fake server."""
    given = {
        "BEARER_TOKEN": x.token,
        "BASE_URL": x.url,
        "HANDLES": "brand",
        "WAIT_SCALE": "0.01",
        "REQUESTS_PER_SECOND": "1000",
        "SEARCH_LAG_S": str(x.search_lag_s),
        "GAP_OVERLAP_S": "1",
        "STALL_S": "1",
        "TIMEOUT_S": "5",
        "ANSWER_S": "10",
        "LIMITS": PLENTY,
        **settings,
    }
    return {**os.environ, **{f"TWEET_PROFILES_X_{name}": value for name, value in given.items()}}


def x_config(x: FakeX, **settings: object) -> XSettings:
    """Settings that ask the fake server, quickly."""
    given = {
        "bearer_token": x.token,
        "base_url": x.url,
        "handles": "brand",
        "wait_scale": 0.01,
        "requests_per_second": 1000,
        "search_lag_s": x.search_lag_s,
        "gap_overlap_s": 1,
        "stall_s": 1,
        "timeout_s": 0.8,
        "answer_s": 3,
        "limits": PLENTY,
    }
    return load_x_settings(**{**given, **settings})


def start(*arguments: str, env: dict[str, str], stderr: Path | None = None) -> "subprocess.Popen[str]":
    """Start the command in a process of its own."""
    return subprocess.Popen(
        [executable(), *arguments],
        env=env,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if stderr is None else stderr.open("a"),
    )


def run(*arguments: str, env: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """Run the command to its end."""
    return subprocess.run([executable(), *arguments], env=env, text=True, capture_output=True, timeout=120, check=False)


def landed(home: Home) -> Counter[int]:
    """How often each tweet is in the landing zone."""
    zone = LandingZone(home)
    return Counter(int(tweet["id"]) for key in zone.keys() for tweet in zone.read(key))


def ids_between(count, oldest_s, newest_s=60.0):
    """Ids of tweets of the last so many seconds, evenly."""
    now = time.time()
    step = (oldest_s - newest_s) / count
    return sorted({snowflake((now - newest_s - number * step) * 1000) for number in range(count)})


@contextmanager
def collecting(zone, config):
    """A collector in a thread; at the end it is told to stop, and what it raised is raised."""
    collector, failures = Collector(zone, config, threading.Event()), []

    def work() -> None:
        try:
            collector.run()
        except TweetProfilesError as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield collector
    finally:
        collector.stop.set()
        thread.join(timeout=40)
    assert not thread.is_alive()
    if failures:
        raise failures[0]


def has_all(zone, ids):
    """Asks whether all of these tweets have landed."""
    return lambda: set(ids) <= set(landed(zone.home))
