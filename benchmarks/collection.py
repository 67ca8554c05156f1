"""How fast the stream collector is, and whether it loses anything in a bad half hour.

    python -m benchmarks.collection throughput [--tweets 1000000]
    python -m benchmarks.collection soak [--minutes 30 --rate 200 --speed 6]

Both run the collector as its own process against the fake X server of the tests, over HTTP on loopback, in a temporary
home. `throughput` keeps the collector on one core and prints tweets a second and its memory as it goes. `soak` offers
`minutes` x `rate` tweets in a `speed`-th of the time, with 40 faults of all kinds and three kills, then compares what
landed with what was offered, prints the ledger, and exits with 1 if a tweet is missing or there twice. The last line of
each is JSON.
"""

import argparse
import json
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import psutil

from tweet_profiles.home import Home
from tweet_profiles.sources.x.health import Health, read
from tweet_profiles_tests.fake_x import FakeX
from tweet_profiles_tests.fake_x.server import CONNECT_FAULTS, SEARCH_FAULTS, STREAM_FAULTS
from tweet_profiles_tests.sources.x.peer import landed, start, x_environment

FAULTS = 40
KILLS = 3


def main() -> None:
    """Run what the command line asks for, in a temporary home."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    fast = commands.add_parser("throughput")
    fast.add_argument("--tweets", type=int, default=1_000_000)
    fast.set_defaults(run=lambda home, args: throughput(home, args.tweets))
    bad = commands.add_parser("soak")
    bad.add_argument("--minutes", type=float, default=30)
    bad.add_argument("--rate", type=float, default=200)
    bad.add_argument("--speed", type=float, default=6)
    bad.set_defaults(run=lambda home, args: soak(home, args.minutes, args.rate, args.speed))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="collection_") as folder:
        home = Home.open(Path(folder) / "home")
        os.environ["TWEET_PROFILES_HOME"] = str(home.root)
        os.chdir(folder)
        sys.exit(0 if args.run(home, args) else 1)


@dataclass
class Address:
    """What `x_environment` needs to know of a server in another process."""

    url: str
    token: str
    search_lag_s: float = 0.0


def serve(tweets: int, port: Any) -> None:
    """Offer tweets as fast as they are taken, in a process of its own."""
    with FakeX() as x:
        port.send((x.url, x.token))
        while not x.connected:
            time.sleep(0.01)
        left = tweets
        while left:
            if sum(len(connection.lines) for connection in x._connections) < 3_000:
                left -= len(x.publish(min(500, left)))
            else:
                time.sleep(0.002)
        port.recv()


def throughput(home: Home, tweets: int) -> bool:
    """Collect `tweets` on one core; whether each landed exactly once."""
    here, there = multiprocessing.Pipe()
    multiprocessing.get_context("spawn").Process(target=serve, args=(tweets, there), daemon=True).start()
    environment = {**x_environment(cast(FakeX, Address(*here.recv()))), "TWEET_PROFILES_BATCH_SIZE": "5000"}
    collector = start("stream", env=environment, stderr=Path("collector.log"))
    process = psutil.Process(collector.pid)
    process.cpu_affinity([0])
    health = _wait(home, 1)
    began, cpu_began, first, memory = time.monotonic(), _cpu(process), health.received, []
    print(f"{'tweets':>10} {'a second':>9} {'a CPU second':>13} {'MB':>7}")
    for part in range(1, 11):
        health = _wait(home, tweets * part // 10)
        done, seconds = health.received - first, max(time.monotonic() - began, 1e-9)
        memory.append(process.memory_info().rss / 1e6)
        by_cpu = done / max(_cpu(process) - cpu_began, 1e-9)
        print(f"{health.received:>10,} {done / seconds:>9,.0f} {by_cpu:>13,.0f} {memory[-1]:>7.1f}", flush=True)
    collector.send_signal(signal.SIGTERM)
    out, _ = collector.communicate(timeout=120)
    here.send("end")
    print(" ".join(out.split()))
    found = landed(home)
    twice = sum(found.values()) - len(found)
    figures = {
        "benchmark": "throughput",
        "tweets": len(found),
        "landed_twice": twice,
        "tweets_per_second": round(done / seconds),
        "tweets_per_cpu_second": round(by_cpu),
        "memory_mb_first_tenth": round(memory[0], 1),
        "memory_mb_end": round(memory[-1], 1),
    }
    print(json.dumps(figures))
    return len(found) == tweets and not twice


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _wait(home: Home, tweets: int) -> Health:
    while True:
        health = read(home)
        if health is not None and health.received >= tweets:
            return health
        time.sleep(0.02)


def soak(home: Home, minutes: float, rate: float, speed: float) -> bool:
    """Offer a bad half hour; whether nothing is missing or there twice."""
    total, seconds = int(minutes * 60 * rate), minutes * 60 / speed
    fault_at, kill_at = _plan(total)
    with FakeX(search_lag_s=0.5) as x:
        environment = {**x_environment(x, GAP_OVERLAP_S="0.5"), "TWEET_PROFILES_BATCH_SIZE": "1000"}

        def start_collector() -> Any:
            return start("stream", env=environment, stderr=Path("collector.log"))

        collector, offered, kills, ends = start_collector(), [], 0, 0
        while not x.connected:
            time.sleep(0.01)
        began = time.monotonic()
        while len(offered) < total:
            due = min(int((time.monotonic() - began) / seconds * total), total)
            if due > len(offered):
                offered += x.publish(due - len(offered))
            while fault_at and fault_at[0][0] <= len(offered):
                _, where, name = fault_at.pop(0)
                x.inject(where, name)
                if where != "stream":
                    x.inject("stream", "disconnect")  # so that there is a reconnect, and then a gap to search
            if kill_at and kill_at[0] <= len(offered):
                kill_at.pop(0)
                collector.kill()
                collector.communicate()
                collector, kills = start_collector(), kills + 1
            if collector.poll() is not None:
                collector, ends = start_collector(), ends + 1  # as systemd does
            time.sleep(0.02)
        took, deadline = time.monotonic() - began, time.monotonic() + 120
        while time.monotonic() < deadline and not set(offered) <= landed(home).keys():
            time.sleep(2)
        collector.terminate()
        out, _ = collector.communicate(timeout=120)
        print(f"{len(offered):,} tweets in {took:.0f} s ({len(offered) / took:,.0f} a second); {kills} SIGKILLs")
        print(f"the collector ended by itself {ends} times. The last one: {' '.join(out.split())}")
        return _ledger(home, x, offered) and kills == KILLS


def _plan(total: int) -> tuple[list[tuple[int, str, str]], list[int]]:
    """After how many tweets which fault comes and when the collector is killed: every kind at least once."""
    chance = random.Random(1)
    faults = [("stream", name) for name in STREAM_FAULTS] + [("connect", name) for name in CONNECT_FAULTS]
    faults += [("search", name) for name in SEARCH_FAULTS]
    faults += chance.choices(faults, k=max(FAULTS - len(faults), 0))
    chance.shuffle(faults)
    when = [int((number + 0.5) * total / len(faults)) for number in range(len(faults))]
    kills = [int((number + 1) * total / (KILLS + 1)) for number in range(KILLS)]
    return [(moment, where, name) for moment, (where, name) in zip(when, faults, strict=True)], kills


def _ledger(home: Home, x: FakeX, offered: list[int]) -> bool:
    found, expected = landed(home), set(offered)
    missing, twice = len(expected - found.keys()), sum(found.values()) - len(found)
    rows = {
        "offered": len(offered),
        "lines sent by the stream": x.streamed,
        "landed": len(found),
        "batches that searches landed": sum(1 for _ in home.landing.glob("*-search.jsonl.gz")),
        "missing": missing,
        "landed twice": twice,
        "landed but never offered": len(found.keys() - expected),
        "lines in the quarantine": sum(len(file.read_bytes().splitlines()) for file in home.quarantine.iterdir()),
        "requests that the OpenAPI document does not allow": len(x.violations),
        "faults": sum(x.injected.values()),
    }
    for name, count in rows.items():
        print(f"{name:<50} {count:>9,}")
    for name, count in sorted(x.injected.items()):
        print(f"    {name:<46} {count:>9}")
    print(f"faults that found no request to hit: {sum(map(len, x.faults.values()))}")
    requests = Counter((entry["path"], entry["status"]) for entry in x.ledger)
    for (path, status), count in sorted(requests.items()):
        print(f"    {f'{path}: {status or None}':<46} {count:>9}")
    print(json.dumps({"benchmark": "soak", **{name.replace(" ", "_"): count for name, count in rows.items()}}))
    return not (missing or twice or x.violations)


if __name__ == "__main__":
    main()
