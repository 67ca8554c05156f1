"""Latency of the API under load, beside the same questions put with find() to collections without indexes.

    .venv/bin/python -m benchmarks.api --authors 1000000 --clients 50 --seconds 15

Seeds a local database, serves the API with the installed command, and puts questions from a second process over
loopback. The last line is JSON: p50 and p99 in ms, requests a second, the ratio to the naive way, the peak memory of
the workers before and after full CSV downloads, and the machine.
"""

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pymongo

from tweet_profiles_tests.api.seed import switch, write_release
from tweet_profiles_tests.api.served import Api, served
from tweet_profiles_tests.servers import local_database

WORKERS = 2
QUESTIONS = {
    "segments": ["segments"],
    "one segment": [f"segments/{n}" for n in range(4)],
    # Many different questions, so that answers kept in memory do not carry the figure.
    "filtered profiles": [
        f"profiles?segment={segment}&sentiment_min={low / 20}&sentiment_max={(low + 4) / 20}&sort={sort}&limit={limit}"
        for segment in range(4) for low in range(16) for sort in ("tweets_seen", "-sentiment_mean")
        for limit in range(20, 60)
    ],
    "timelines": [f"timelines?segment={n}" for n in range(4)],
}  # fmt: skip


def together(clients: int, seconds: float, ask: Callable[[int, int], None]) -> list[float]:
    """Seconds of each request that `clients` threads made, one after another each, in the time."""
    taken: list[float] = []
    until = time.perf_counter() + seconds

    def client(number: int) -> None:
        turn = 0
        while True:
            started = time.perf_counter()
            ask(number, turn)
            taken.append(time.perf_counter() - started)
            turn += 1
            if time.perf_counter() > until:
                return

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken


def load(port: int, key: str, clients: int, seconds: float) -> dict[str, Any]:
    """The second process: every question's latencies over HTTP with kept connections."""
    own = threading.local()
    bad: list[int] = []

    def asking(paths: list[str]) -> Callable[[int, int], None]:
        def ask(number: int, turn: int) -> None:
            if not hasattr(own, "connection"):
                own.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
            path = paths[(number * 131 + turn * 17) % len(paths)]
            own.connection.request("GET", f"/api/v1/{path}", headers={"Authorization": f"Bearer {key}"})
            answer = own.connection.getresponse()
            answer.read()
            if answer.status != 200:
                bad.append(answer.status)

        return ask

    result = {name: figures(together(clients, seconds, asking(paths)), seconds) for name, paths in QUESTIONS.items()}
    return {**result, "not 200": len(bad)}


def load_from_another_process(api: Api, clients: int, seconds: float) -> dict[str, Any]:
    """What `load` saw as a second process."""
    command = [sys.executable, "-m", "benchmarks.api", "--load", api.url.rpartition(":")[2], api.keys["operator"]]
    command += ["--clients", str(clients), "--seconds", str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def naive(uri: str, version: str, clients: int, scanning: int, seconds: float) -> dict[str, Any]:
    """The same questions by find() on collections without our indexes.

    Questions that scan every row are put by `scanning` clients: at a million rows 50 would wait an hour for the first
    answers. Fewer clients make the naive way look better, not worse.
    """
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(uri, maxPoolSize=clients)
    rows, lines = client.naive.released_profiles, client.naive.timelines

    def profiles(number: int, turn: int) -> None:
        low = (number + turn) % 16 / 20
        query = {"release": version, "segment": number % 4, "sentiment_mean": {"$gte": low, "$lte": low + 0.2}}
        list(rows.find(query).sort("tweets_seen", 1).limit(40))

    def segments(_number: int, _turn: int) -> None:
        for segment in range(4):
            rows.count_documents({"release": version, "segment": segment})

    def segment(number: int, _turn: int) -> None:
        rows.count_documents({"release": version, "segment": number % 4})

    def timelines(number: int, _turn: int) -> None:
        list(lines.find({"release": version, "segment": number % 4}).sort("day", 1))

    asked = {"segments": segments, "one segment": segment, "filtered profiles": profiles}
    found = {name: figures(together(scanning, seconds, ask), seconds) for name, ask in asked.items()}
    return {**found, "timelines": figures(together(clients, seconds, timelines), seconds)}


def figures(taken: list[float], seconds: float) -> dict[str, float]:
    """p50 and p99 in ms, and requests a second."""
    cuts = statistics.quantiles(taken, n=100, method="inclusive") if len(taken) > 1 else taken * 99
    return {
        "p50_ms": round(cuts[49] * 1000, 2),
        "p99_ms": round(cuts[98] * 1000, 2),
        "requests": len(taken),
        "a_second": round(len(taken) / max(seconds, *taken), 1),
    }


def memory(process: "subprocess.Popen[bytes]") -> float:
    """Largest resident set of the workers, MB."""
    return round(max(child.memory_info().rss for child in psutil.Process(process.pid).children()) / 1e6, 1)


def wait_for_tables(api: Api) -> None:
    """Until every worker holds the release in memory."""
    while api.log.read_text().count("holds a release in memory") < WORKERS:
        api.get("overview")
        time.sleep(0.5)


def main() -> None:
    """Seed, serve, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--authors", type=int, default=1_000_000)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--naive-clients", type=int, default=2, help="for questions that scan every row")
    parser.add_argument("--load", nargs=2, metavar=("PORT", "KEY"), help="be the second process")
    given = parser.parse_args()
    if given.load:
        print(json.dumps(load(int(given.load[0]), given.load[1], given.clients, given.seconds)))
        return
    with tempfile.TemporaryDirectory() as name, local_database() as server:
        uri = server.ensure()
        with served(Path(name), uri, "bench", workers=WORKERS, drop=False) as api:
            started = time.perf_counter()
            version = write_release(api.database, 1, given.authors)
            switch(api.database, version)
            print(f"seeded {given.authors:,} rows in {time.perf_counter() - started:.0f} s", flush=True)
            started = time.perf_counter()
            while api.get("overview").status != 200:
                pass
            print(f"first answer after {time.perf_counter() - started:.1f} s", flush=True)
            wait_for_tables(api)
            print(f"every worker holds the release after {time.perf_counter() - started:.1f} s", flush=True)
            ours = load_from_another_process(api, given.clients, given.seconds)
            print("ours", json.dumps(ours), flush=True)
            before = memory(api.process)
            sizes, peak = [], before
            for _ in range(2):
                watching = threading.Event()
                peaks: list[float] = []

                def watch(watching: threading.Event = watching, peaks: list[float] = peaks) -> None:
                    while not watching.wait(0.2):
                        peaks.append(memory(api.process))

                watcher = threading.Thread(target=watch)
                watcher.start()
                started = time.perf_counter()
                sizes.append(download(api.url, api.keys["operator"]))
                watching.set()
                watcher.join()
                peak = max([peak, *peaks])
            taken = time.perf_counter() - started
            print(f"CSV of {sizes[-1] / 1e6:.0f} MB in {taken:.0f} s; workers {before} MB before, {peak} MB at most")
            write_release(api.database.client.naive, 1, given.authors, indexed=False)
            theirs = naive(uri, version, given.clients, given.naive_clients, given.seconds)
            print("naive", json.dumps(theirs), flush=True)
    ratio = {name: round(theirs[name]["p99_ms"] / ours[name]["p99_ms"], 1) for name in QUESTIONS}
    machine = {"cores": len(os.sched_getaffinity(0)), "load": os.getloadavg()[0]}
    print(json.dumps({"authors": given.authors, "clients": given.clients, "naive_clients": given.naive_clients,
                      "ours": ours, "naive": theirs,
                      "p99_ratio": ratio, "csv_mb": round(sizes[-1] / 1e6, 1), "csv_s": round(taken, 1),
                      "memory_before_mb": before, "memory_peak_mb": peak, "machine": machine}))  # fmt: skip


def download(url: str, key: str) -> int:
    """Bytes of a full CSV, read in pieces."""
    one = http.client.HTTPConnection(url.removeprefix("http://"), timeout=1800)
    one.request("GET", "/api/v1/downloads/csv", headers={"Authorization": f"Bearer {key}"})
    answer = one.getresponse()
    size = 0
    while piece := answer.read(1 << 20):
        size += len(piece)
    return size


if __name__ == "__main__":
    main()
