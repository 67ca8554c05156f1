"""Import a file, kill the import at random moments, import again: is all as if it had never been killed?

Run `python -m tweet_profiles_tests.sources.files.kills 20` for twenty kills; a test does it with a few.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tweet_profiles.home import Home
from tweet_profiles.landing.zone import LandingZone
from tweet_profiles_tests.conftest import executable
from tweet_profiles_tests.sources.files.made import row, table

BAD_EVERY = 500


def make(path: Path, rows: int) -> Path:
    """A table of so many rows, some of them broken and some twice."""
    made = (
        row(number)[:3] if number % BAD_EVERY == 7 else row(number - (number % 100 == 50)) for number in range(rows)
    )
    path.write_bytes(table(made))
    return path


def state(home: Home) -> tuple[list[str], list[bytes]]:
    """What an import left: the landed tweets, each as often as it landed, and the quarantined records."""
    zone = LandingZone(home)
    tweets = sorted(tweet["id"] for key in zone.keys() for tweet in zone.read(key))
    return tweets, sorted(line for path in home.quarantine.iterdir() for line in path.read_bytes().splitlines())


def imported(file: Path, root: Path, kill_after: float | None = None) -> float:
    """Import in a process of its own, which is killed after so many seconds; how long it took."""
    environment = {**os.environ, "TWEET_PROFILES_HOME": str(root), "TWEET_PROFILES_BATCH_SIZE": "200"}
    start = time.monotonic()
    process = subprocess.Popen([executable(), "import", str(file)], env=environment, stdout=-3, stderr=-3)
    try:
        process.wait(kill_after)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.wait()
    return time.monotonic() - start


def run(kills: int, rows: int, folder: Path, seed: int) -> list[str]:
    """Kill so many imports, each of a home of its own; a line for each, with what it left. Raises if any differs."""
    file = make(folder / "tweets.csv", rows)
    took = imported(file, folder / "whole")
    expected = state(Home.open(folder / "whole"))
    dice = random.Random(seed)
    told = []
    for number in range(kills):
        root = folder / f"killed{number}"
        moment = dice.uniform(0.1, 1.0) * took
        imported(file, root, moment)
        left = len(state(Home.open(root))[0])
        imported(file, root)
        after = state(Home.open(root))
        assert after == expected, f"killed after {moment:.2f} s, {left} tweets had landed"
        assert not list(Home(root).landing.glob(".*"))
        told.append(
            f"killed after {moment:.2f} of {took:.2f} s: {left} of {len(after[0])} tweets had landed; all do now"
        )
        shutil.rmtree(root)
    return told


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        for line in run(int(sys.argv[1]), 20_000, Path(temporary), seed=7):
            sys.stdout.write(line + "\n")
