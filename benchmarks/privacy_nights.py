"""What many nights of releases tell somebody who keeps them all, over a population that comes, leaves and changes.

    .venv/bin/python benchmarks/privacy_nights.py [PAGES.jsonl] [--authors N] [--nights N] [--attacked N]

Each night some authors come, leave and tweet again, in every third one is forgotten, and every fourth night is a quiet
one in which nothing but that happens. All are grouped anew by K-Means with one k, and a release is made where the
product would make one. Authors are made ones, or those of PAGES.jsonl (or any file that `tweet-profiles import` reads),
who come in the order of their first tweets; what they tweet from then on is made. The attacker keeps every release and
every published day, holds everybody's exact profile, of the forgotten too, and runs this code. The last line is one
JSON object; "the changes" are authors who came, left, were forgotten or changed in their own row:

    past_cells_changed    cells of a published week that a later release shows otherwise or not at all
    smallest_change       fewest changes between two successive releases that no delay forced; forced ones beside it
    isolated_authors      authors who came into or went from the shown rows of a segment between two releases as one of
                          fewer than k, so that its count tells of them
    joined_below_k        share of the authors in two successive releases whose two groups have fewer than k in common
    forgotten_identified  share of the attacked releases with a forgotten one in which leaving out that one, of 10
                          authors, gives the counts and rows most like those released; guessing finds 1 of 10
    ari_min               least adjusted Rand index of K-Means on released rows against exact values
    withheld_share        largest share of the authors that a release withheld
"""

import argparse
import json
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from privacy import KS, SEED, K, as_profiles, authors_of, made_authors
from pymongo.database import Database
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score

from tweet_profiles.database.connection import connect
from tweet_profiles.database.local_server import LocalServer
from tweet_profiles.home import Home
from tweet_profiles.release.anonymise import Anonymised, anonymise, facts_of
from tweet_profiles.release.nights import LONGEST, changed, own_rows, row_numbers, stays
from tweet_profiles.release.periods import LATE, close_weeks, published_cells
from tweet_profiles.release.store import Release
from tweet_profiles.segments.elbow import choose_k
from tweet_profiles.segments.features import build_features, matrix_of
from tweet_profiles.segments.kmeans import fit, sweep
from tweet_profiles.settings import load_settings

AUTHORS, NIGHTS, ATTACKED, SUSPECTS = 2_000, 30, 5, 10
COME, LEAVE, CHANGE, TWEET = 0.004, 0.001, 0.01, 0.1
START = datetime(2026, 9, 7, 3, 30, tzinfo=UTC)
_COUNTED = ("tweets_seen", "tweets_own", "tweets_scored")


@dataclass(frozen=True)
class Made:
    """A release as the attacker holds it, and the truth behind it: author numbers, their segments and own rows."""

    release: Release
    authors: np.ndarray
    segment: np.ndarray
    own: dict[int, int]
    result: Anonymised
    cells: dict[tuple[Any, Any], dict[str, Any]]
    was_forced: bool


class Population:
    """Authors that come, leave, change and are forgotten; their exact and stored profiles, and their tweets."""

    def __init__(self, exact: pd.DataFrame, stored: pd.DataFrame, authors: int, seed: int):
        self.exact, self.stored, self.random = exact, stored, np.random.default_rng(seed)
        self.secrets = self.random.integers(0, 2**63, len(exact), dtype=np.uint64)
        self.present, self.waiting = np.arange(authors), list(range(authors, len(exact)))
        self.forgotten: list[int] = []
        self.tweets: list[pd.DataFrame] = []
        for days in range(28, 0, -1):
            self._tweet(START - timedelta(days=days), TWEET)

    def pass_night(self, number: int) -> None:
        """Let one day pass."""
        now, size = START + timedelta(days=number), len(self.present)
        if number % 3 == 2:
            self._go(self.random.choice(self.present, 1))
            self.forgotten.append(self._gone[0])
            # Inside it takes effect at once.
            self.tweets = [tweets[tweets["author"] != self._gone[0]] for tweets in self.tweets]
        if number % 4 == 3:
            return
        self._go(self.random.choice(self.present, self.random.poisson(LEAVE * size), replace=False))
        come = min(len(self.waiting), self.random.poisson(COME * size))
        self.present = np.sort(np.append(self.present, [self.waiting.pop(0) for _ in range(come)]).astype(int))
        self._change(self.random.choice(self.present, max(1, round(CHANGE * size)), replace=False))
        self._tweet(now - timedelta(days=1), TWEET)
        # Late ones, of days that may be published by now.
        self._tweet(now - timedelta(days=int(self.random.integers(2, 20))), TWEET / 10)

    def profiles(self, table: pd.DataFrame, authors: np.ndarray | None = None) -> pd.DataFrame:
        """The rows of authors, by default of all who are present."""
        return table.iloc[self.present if authors is None else authors].reset_index(drop=True)

    def _go(self, gone: np.ndarray) -> None:
        self._gone = [int(author) for author in gone]
        self.present = np.setdiff1d(self.present, gone)

    def _change(self, authors: np.ndarray) -> None:
        moved = self.random.normal(0, 0.1, len(authors))
        for table in (self.exact, self.stored):
            for name in _COUNTED:
                table.loc[authors, name] += 1
            mood = table.loc[authors, "sentiment_mean"].astype("float64") + moved
            table.loc[authors, "sentiment_mean"] = mood.clip(0, 1).round(6)

    def _tweet(self, day: datetime, share: float) -> None:
        who = self.present[self.random.random(len(self.present)) < share]
        mood = np.clip(
            self.exact["sentiment_mean"].to_numpy("float64", na_value=np.nan)[who]
            + self.random.normal(0, 0.1, len(who)),
            0,
            1,
        )
        label = pd.Series(np.where(mood > 0.6, "positive", np.where(mood < 0.4, "negative", "neutral")), dtype="object")
        self.tweets.append(
            pd.DataFrame({"author": who, "day": pd.Timestamp(day).floor("D"), "sentiment": mood, "own": True}).assign(
                label=label.mask(np.isnan(mood))
            )
        )


def grouped(profiles: pd.DataFrame, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Segment from 0 and confidence of each author."""
    found = fit(matrix_of(build_features(profiles).frame)[0], k, SEED)
    return found.labels, found.confidence


def continued(labels: np.ndarray, authors: np.ndarray, last: Made | None, k: int) -> np.ndarray:
    """The labels with the numbers of the last release's segments that most of their authors were in."""
    if last is None:
        return labels
    _, here, there = np.intersect1d(authors, last.authors, assume_unique=True, return_indices=True)
    table: np.ndarray = np.zeros((k, k), int)
    np.add.at(table, (labels[here], last.segment[there]), 1)
    numbers: np.ndarray = linear_sum_assignment(-table)[1]
    found: np.ndarray = numbers[labels]
    return found


def make(
    population: Population, database: Database[dict[str, Any]], last: Made | None, k: int, now: datetime
) -> Made | None:
    """The night's release, None if readers stay on the last."""
    labels, confidence = grouped(population.profiles(population.stored), k)
    segment = continued(labels, population.present, last, k)
    facts = facts_of(population.profiles(population.stored), segment, confidence)
    basis = own_rows(facts)
    differing = None if last is None else changed(np.sort(np.array([*last.own.values()], np.uint64)), basis)
    if last is not None and differing is not None and stays(last.release, differing, K, now, LONGEST):
        return None
    result = anonymise(facts, k=K, secrets=population.secrets[population.present])
    tweets = pd.concat(population.tweets, ignore_index=True)
    place = pd.Series(np.where(result.row_of >= 0, segment, -1), index=population.present)
    tweets = tweets.assign(segment=tweets["author"].map(place).fillna(-1).astype(int))
    tweets = tweets[tweets["segment"] >= 0].assign(label=lambda table: table["label"].astype("category"))
    close_weeks(database, tweets.reset_index(drop=True), K, now, LATE)
    cells = {(row["segment"], row["day"]): row for row in published_cells(database, K)}
    release = Release(
        f"r{now:%Y%m%d}", now, "", "", K, 3, len(result.frame), None, result.groups, result.smallest_group
    )
    own = dict(zip(population.present.tolist(), row_numbers(facts).tolist(), strict=True))
    return Made(
        release, population.present.copy(), segment, own, result, cells, differing is not None and differing < K
    )


def changes(before: Made, after: Made) -> int:
    """Authors who came, left, were forgotten or changed."""
    return sum(before.own.get(author) != after.own.get(author) for author in before.own.keys() | after.own.keys())


def isolated(before: Made, after: Made) -> int:
    """Authors of whom the count of a segment's shown rows tells, as one of fewer than k."""
    alone = 0
    for number in np.unique(np.append(before.segment, after.segment)):
        one, other = (
            {*made.authors[(made.segment == number) & (made.result.row_of >= 0)].tolist()} for made in (before, after)
        )
        moved = len(one ^ other)
        alone += moved if moved < K else 0
    return alone


def joined(before: Made, after: Made) -> float:
    """Share of the authors in both whose groups have fewer than k in common."""
    _, here, there = np.intersect1d(before.authors, after.authors, assume_unique=True, return_indices=True)
    rows, others = before.result.row_of[here], after.result.row_of[there]
    shown = (rows >= 0) & (others >= 0)
    pairs = pd.DataFrame(
        {
            "before": before.result.frame["group"].to_numpy()[rows[shown]],
            "after": after.result.frame["group"].to_numpy()[others[shown]],
        }
    )
    return float((pairs.groupby(["before", "after"])["after"].transform("size") < K).mean()) if len(pairs) else 0.0


def is_identified(population: Population, after: Made, last: Made, victim: int, k: int) -> bool:
    """Whether leaving out the forgotten one gives the segments' counts, and then the rows, most like those released."""
    others = population.random.choice(after.authors, SUSPECTS - 1, replace=False).tolist()
    everybody = np.sort(np.append(after.authors, victim))
    scores = {}
    for suspect in [victim, *others]:
        authors = everybody[everybody != suspect]
        stored = population.profiles(population.stored, authors)
        labels, confidence = grouped(stored, k)
        # With secrets of the attacker's own: those of the home are its key's.
        guessed = population.random.integers(0, 2**63, len(everybody), dtype=np.uint64)[everybody != suspect]
        again = anonymise(facts_of(stored, continued(labels, authors, last, k), confidence), k=K, secrets=guessed)
        counts, theirs = (made["segment"].value_counts() for made in (again.frame, after.result.frame))
        scores[suspect] = (-counts.sub(theirs, fill_value=0).abs().sum(), _alike(again.frame, after.result.frame))
    return scores[victim] > max(scores[other] for other in others)


def _alike(one: pd.DataFrame, other: pd.DataFrame) -> int:
    """How many rows are in both."""
    mine, theirs = (
        Counter(pd.util.hash_pandas_object(rows.drop(columns="group"), index=False)) for rows in (one, other)
    )
    return sum((mine & theirs).values())


def usefulness(population: Population, made: Made, k: int) -> float:
    """Adjusted Rand index of K-Means on released rows against exact values."""
    shown = made.result.row_of >= 0
    wanted = grouped(population.profiles(population.exact), k)[0][shown]
    return float(adjusted_rand_score(wanted, grouped(as_profiles(made.result.frame), k)[0][made.result.row_of[shown]]))


def main() -> None:
    """Simulate, attack and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="?", type=Path, help="file of tweets; without it authors are made")
    parser.add_argument("--authors", type=int, default=AUTHORS, help="how many authors there are at first")
    parser.add_argument("--nights", type=int, default=NIGHTS)
    parser.add_argument("--attacked", type=int, default=ATTACKED, help="releases whose forgotten one is looked for")
    given = parser.parse_args()
    exact, stored = authors_of(given.pages) if given.pages else made_authors(round(given.authors * 1.2), SEED)
    if given.pages:
        order = np.argsort(exact["first_seen"].to_numpy(), kind="stable")
        exact, stored = exact.iloc[order].reset_index(drop=True), stored.iloc[order].reset_index(drop=True)
    first = min(given.authors, round(len(exact) * 0.85))
    population = Population(exact, stored, first, SEED)
    k = choose_k(sweep(matrix_of(build_features(population.profiles(stored)).frame)[0], KS, SEED)).k
    print(f"{first:,} authors at first, {len(population.waiting):,} may come; k = {k}")
    with TemporaryDirectory() as folder:
        home = Home.open(Path(folder) / "home")
        with connect(load_settings(home=home.root, mongodb_uri=None), home) as client:
            try:
                found = simulate(population, client["nights"], given.nights, given.attacked, k)
            finally:
                LocalServer(home).stop()
    print(json.dumps(found))


def simulate(
    population: Population, database: Database[dict[str, Any]], nights: int, attacked: int, k: int
) -> dict[str, Any]:
    """Let nights pass, and measure what the releases tell."""
    last: Made | None = None
    free: list[int] = []
    forced: list[int] = []
    joins: list[float] = []
    aris: list[float] = []
    withheld: list[float] = []
    hits: list[bool] = []
    cells_changed = alone = releases = forgotten = 0
    for number in range(nights):
        start = time.perf_counter()
        if number:
            population.pass_night(number)
        made = make(population, database, last, k, START + timedelta(days=number))
        if made is None:
            print(f"night {number + 1}: readers stay on the last release", flush=True)
            continue
        releases += 1
        aris.append(usefulness(population, made, k))
        withheld.append(made.result.withheld / len(made.authors))
        told = ""
        if last is not None:
            cells_changed += sum(made.cells.get(place) != row for place, row in last.cells.items())
            (forced if made.was_forced else free).append(changes(last, made))
            alone += isolated(last, made)
            joins.append(joined(last, made))
            told = f", {changes(last, made)} changes"
            victims = population.forgotten[forgotten:]
            if victims and victims[0] in last.own and len(hits) < attacked:
                hits.append(is_identified(population, made, last, victims[0], k))
                told += ", the forgotten one was " + ("identified" if hits[-1] else "not identified")
        print(
            f"night {number + 1}: {len(made.result.frame):,} rows, {len(made.cells):,} cells{told}, "
            f"{time.perf_counter() - start:.0f} s",
            flush=True,
        )
        last, forgotten = made, len(population.forgotten)
    return {
        "releases": releases,
        "past_cells_changed": cells_changed,
        "smallest_change": min(free, default=None),
        "smallest_forced_change": min(forced, default=None),
        "isolated_authors": alone,
        "joined_below_k": round(max(joins, default=0.0), 4),
        "forgotten_identified": round(float(np.mean(hits)), 4) if hits else None,
        "forgotten_guessing": 1 / SUSPECTS,
        "ari_min": round(min(aris), 3),
        "withheld_share": round(max(withheld), 4),
    }


if __name__ == "__main__":
    main()
