"""SIGKILL of the run and of the database in turn, at random moments of a load, and what is there afterwards.

    .venv/bin/python -m tweet_profiles_tests.profiles.kills [TWEETS [KILLS [SEED]]]

prints a ledger and ends with 1 if a tweet was lost or counted twice, or a profile differs from one computed from
scratch. The tests call the same with a small load.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pymongo

from tweet_profiles.database.local_server import LocalServer
from tweet_profiles.profiles.buckets import TWEET
from tweet_profiles.profiles.store import ProfileStore
from tweet_profiles.tables import write_table
from tweet_profiles_tests.profiles.scratch import differing, expected, frame, key, row
from tweet_profiles_tests.servers import local_database

DATABASE = "killed"
_FOLDER = """
import sys
from pathlib import Path
import pymongo
from tweet_profiles.contracts import SCORED_TWEETS
from tweet_profiles.profiles.store import ProfileStore
from tweet_profiles.tables import read_table
client = pymongo.MongoClient(sys.argv[1], tz_aware=True, serverSelectionTimeoutMS=3000)
store = ProfileStore(client[sys.argv[3]], patience_s=2)
store.prepare()
print("began", flush=True)
for path in sorted(Path(sys.argv[2]).glob("*.parquet")):
    done = path.with_suffix(".done")  # noted after the batch, as a materialisation is
    if not done.exists():
        store.fold(read_table(path, SCORED_TWEETS, "scored_tweets"), path.stem)
        done.touch()
"""


@dataclass
class Ledger:
    """What was offered and what is stored after all kills; `unfinished` runs had not ended when the kill came."""

    tweets: int
    authors: int
    kills_of_the_run: int = 0
    kills_of_the_database: int = 0
    unfinished: int = 0
    lost: int = 0
    doubled: int = 0
    profiles_that_differ: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether nothing was lost, doubled or wrong."""
        return self.lost == self.doubled == self.profiles_that_differ == 0


def load_and_kill(
    folder: Path, *, tweets: int, authors: int, batches: int, kills: int, longest_s: float, seed: int
) -> Ledger:
    """Fold made-up batches that overlap, killing what does it, until `kills` are done and the load has ended.

    A kill comes at most `longest_s` after its run began to fold.
    """
    draw = random.Random(seed)
    stored = _write_batches(folder / "scored", tweets, authors, batches, draw)
    ledger = Ledger(len(stored), len({entry["author_key"] for _, entry in stored.values()}))
    with local_database(folder / "home") as server:
        for kill in range(kills):
            run = _start(server, folder)
            # Every third comes early, before what an earlier run left behind is mended.
            time.sleep(draw.random() * longest_s / (10 if kill % 3 == 0 else 1))
            ledger.unfinished += run.poll() is None
            _kill(server, run, of_database=bool(kill % 2))
            ledger.kills_of_the_database += kill % 2
            ledger.kills_of_the_run += 1 - kill % 2
        if _start(server, folder).wait(600) != 0:
            raise RuntimeError("the load did not end after the last kill")
        with pymongo.MongoClient(server.ensure(), tz_aware=True) as client:  # type: ignore[var-annotated]
            store = ProfileStore(client[DATABASE])
            found = Counter(entry[TWEET] for _, bucket in store.buckets() for entry in bucket.rows)
            ledger.lost = len(stored.keys() - found.keys())
            ledger.doubled = sum(found.values()) - len(found.keys() & stored.keys())
            ledger.profiles_that_differ = len(differing(store, expected(stored)))
    return ledger


def _write_batches(folder: Path, tweets: int, authors: int, batches: int, draw: random.Random) -> dict[str, Any]:
    """Batches of which each holds a tenth that an earlier one may hold too; returns the latest observations."""
    stored: dict[str, Any] = {}
    size = tweets // batches
    for number in range(batches):
        name = f"b{number:03d}"
        numbers = {*range(number * size, (number + 1) * size), *draw.sample(range(tweets), size // 10)}
        rows = []
        for position, tweet in enumerate(sorted(numbers)):
            sentiment = round(draw.random(), 4)
            entry = row(tweet, _author_of(tweet, authors), observed=number, position=position, sentiment=sentiment)
            rows.append(entry)
            stored[key("1", tweet)] = ((number, name, position), entry)
        write_table(folder / f"{name}.parquet", frame(rows))
    return stored


def _author_of(tweet: int, authors: int) -> int:
    """An author's tweets are spread over the batches, and a few authors write many."""
    return int(authors * random.Random(tweet).random() ** 2)


def _start(server: LocalServer, folder: Path) -> "subprocess.Popen[str]":
    run = subprocess.Popen(
        [sys.executable, "-c", _FOLDER, server.ensure(), str(folder / "scored"), DATABASE],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert run.stdout is not None
    run.stdout.readline()  # imports are over
    return run


def _kill(server: LocalServer, run: "subprocess.Popen[str]", *, of_database: bool) -> None:
    state = server.status()
    if of_database and state is not None:
        os.kill(state.pid, signal.SIGKILL)
    else:
        run.kill()
    run.wait(60)


def main(tweets: int = 50_000, kills: int = 20, seed: int | None = None) -> int:
    """Load, kill, print the ledger."""
    seed = int(time.time()) if seed is None else seed
    with TemporaryDirectory() as folder:
        ledger = load_and_kill(
            Path(folder),
            tweets=tweets,
            authors=tweets * 2 // 5,
            batches=max(tweets // 1000, 1),
            kills=kills,
            longest_s=6,
            seed=seed,
        )
    sys.stdout.write(json.dumps({"seed": seed, **asdict(ledger)}) + "\n")
    return 0 if ledger.is_clean else 1


if __name__ == "__main__":
    raise SystemExit(main(*map(int, sys.argv[1:])))
