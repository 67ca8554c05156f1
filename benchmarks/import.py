"""How fast files are imported, in how much memory, beside the bare csv module and orjson.

    python -m benchmarks.import [--megabytes 1000] [--kinds csv jsonl] [--profile]

Makes a CSV and a file of flattened JSON lines of that size (made tweets, each once), imports each into a temporary home
in a process of its own, and reads each with `csv.reader` or `orjson.loads` alone, in the same run. Prints rows a second
of both, their ratio (of time, and of the processor's time, which a busy machine spoils less), and the peak memory of
the import. The last line is JSON. `--profile` prints where the time of the import goes. 1,000 megabytes need 4 GB of
free disk.
"""

import argparse
import csv
import json
import multiprocessing
import random
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from tweet_profiles.home import Home
from tweet_profiles.landing.zone import LandingZone
from tweet_profiles.sources.files import import_paths

FIRST_ID = 1_500_000_000_000_000_000
WORDS = (
    *(
        "the",
        "new",
        "oat",
        "drink",
        "is",
        "good",
        "bad",
        "never",
        "again",
        "love",
        "hate",
        "it",
        "with",
        "coffee",
        "in",
    ),
    *("morning", "queue", "price", "shop"),
)
DESCRIPTION = "likes oat drinks and long walks " * 3
COLUMNS = (
    "id",
    "author_id",
    "text",
    "created_at",
    "lang",
    "like_count",
    "retweet_count",
    "followers_count",
    "verified",
    "user_description",
)


@dataclass(frozen=True)
class Result:
    """Of one kind of file."""

    kind: str
    megabytes: float
    rows: int
    import_seconds: float
    import_rows_per_second: float
    alone_seconds: float
    alone_rows_per_second: float
    ratio: float
    cpu_ratio: float
    peak_megabytes: float


def main() -> None:
    """Make, import, read alone, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=1000, help="of each file")
    parser.add_argument("--kinds", nargs="+", choices=("csv", "jsonl"), default=["csv", "jsonl"])
    parser.add_argument("--profile", action="store_true", help="print where the time goes; makes it slower")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="import_") as folder:
        results = [measure(kind, options.megabytes, Path(folder), options.profile) for kind in options.kinds]
    print(json.dumps([asdict(result) for result in results]))


def measure(kind: str, megabytes: float, folder: Path, profile: bool) -> Result:
    """One kind of file."""
    file = folder / f"tweets.{kind}"
    rows = make(file, kind, megabytes * 1e6)
    size = file.stat().st_size / 1e6
    alone, alone_cpu = timed(read_csv if kind == "csv" else read_json, file)
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=import_file, args=(file, folder / f"home-{kind}", sender, profile))
    process.start()
    seconds, cpu, landed, peak = receiver.recv()
    process.join()
    if landed != rows:
        sys.exit(f"{landed} of {rows} tweets landed")
    file.unlink()
    shutil.rmtree(folder / f"home-{kind}")
    result = Result(
        kind=kind,
        megabytes=round(size, 1),
        rows=rows,
        import_seconds=round(seconds, 1),
        import_rows_per_second=round(rows / seconds),
        alone_seconds=round(alone, 1),
        alone_rows_per_second=round(rows / alone),
        ratio=round(seconds / alone, 1),
        cpu_ratio=round(cpu / alone_cpu, 1),
        peak_megabytes=round(peak),
    )
    print(
        f"{kind}: {size:,.0f} MB, {rows:,} rows: imported in {seconds:.0f} s ({rows / seconds:,.0f} rows a second, "
        f"peak {peak:,.0f} MB); {'csv.reader' if kind == 'csv' else 'orjson.loads'} alone {alone:.1f} s "
        f"({rows / alone:,.0f} rows a second): {seconds / alone:.1f} times as long, "
        f"{cpu / alone_cpu:.1f} times the processor's",
        flush=True,
    )
    return result


def made_tweets() -> Iterator[dict[str, str | int]]:
    """Tweets without end, each once."""
    dice = random.Random(7)
    number = 0
    while True:
        number += 1
        text = " ".join(dice.choices(WORDS, k=dice.randint(6, 30)))
        yield {
            "id": str(FIRST_ID + number * 4_194_304),
            "author_id": str(10**9 + dice.randrange(200_000)),
            "text": text + (', she said "again"\nand left' if number % 20 == 0 else ""),
            "created_at": f"2023-0{number % 9 + 1}-1{number % 10}T{number % 24:02}:00:00.000Z",
            "lang": "en",
            "like_count": dice.randrange(100),
            "retweet_count": dice.randrange(10),
            "followers_count": dice.randrange(10_000),
        }


def make(file: Path, kind: str, size: float) -> int:
    """Write a file of about that size; returns its rows."""
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        if kind == "csv":
            writer.writerow(COLUMNS)
        for rows, tweet in enumerate(made_tweets(), start=1):
            if kind == "csv":
                writer.writerow([*tweet.values(), "false", DESCRIPTION])
            else:
                out.write(json_line(tweet))
            if rows % 1000 == 0 and out.tell() >= size:
                return rows
    raise AssertionError


def json_line(tweet: dict[str, str | int]) -> str:
    """A tweet as `twarc2 flatten` writes it, with the fields that nobody needs."""
    return (
        orjson.dumps(
            {
                **{name: tweet[name] for name in ("id", "author_id", "text", "created_at", "lang")},
                "conversation_id": tweet["id"],
                "edit_history_tweet_ids": [tweet["id"]],
                "possibly_sensitive": False,
                "reply_settings": "everyone",
                "entities": {"hashtags": [{"start": 0, "end": 4, "tag": "oat"}], "urls": []},
                "public_metrics": {
                    "like_count": tweet["like_count"],
                    "retweet_count": tweet["retweet_count"],
                    "reply_count": 0,
                    "quote_count": 0,
                },
                "author": {
                    "id": tweet["author_id"],
                    "username": "somebody",
                    "name": "Some Body",
                    "description": DESCRIPTION,
                    "created_at": "2012-01-01T00:00:00.000Z",
                    "verified": False,
                    "public_metrics": {
                        "followers_count": tweet["followers_count"],
                        "following_count": 1,
                        "tweet_count": 10,
                        "listed_count": 0,
                    },
                },
                "__twarc": {"retrieved_at": "2023-12-01T00:00:00+00:00", "version": "2.14.0"},
            }
        ).decode()
        + "\n"
    )


def timed(read: Callable[[Path], int], file: Path) -> tuple[float, float]:
    """Seconds, and the processor's seconds."""
    start, busy = time.perf_counter(), time.process_time()
    read(file)
    return time.perf_counter() - start, time.process_time() - busy


def read_csv(file: Path) -> int:
    """All rows, by the csv module alone."""
    with file.open(newline="", encoding="utf-8") as text:
        return sum(1 for _ in csv.reader(text))


def read_json(file: Path) -> int:
    """All lines, by orjson alone."""
    with file.open("rb") as binary:
        return sum(1 for line in binary if orjson.loads(line))


def import_file(file: Path, root: Path, answer: "multiprocessing.connection.Connection", profile: bool) -> None:
    """Import; answers with the seconds, the landed tweets, and the peak of memory in megabytes."""
    zone = LandingZone(Home.open(root))
    start, busy = time.perf_counter(), time.process_time()
    if profile:
        import cProfile

        with cProfile.Profile() as found:
            report = import_paths([file], zone)
        import pstats

        pstats.Stats(found).sort_stats("tottime").print_stats(30)
    else:
        report = import_paths([file], zone)
    seconds, cpu = time.perf_counter() - start, time.process_time() - busy
    answer.send((seconds, cpu, report.landed, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000))


if __name__ == "__main__":
    main()
