"""A measured attack on released rows: linking them back to authors by everything that can be known of those.

What belongs here: pure functions that count how often an attacker is right. What does not: making a release.

The attacker holds each author's own exact row, in every released column, and knows how rows are made. Guessing among
equals is counted as the expected share of right guesses.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tweet_profiles.release.anonymise import smallest_class

CHUNK = 2_000
_LOGARITHMIC = ("followers", "following", "posts", "listed", "tweets_seen", "likes_per_tweet", "retweets_per_tweet")
_KINDS = ("segment", "main_language", "main_client", "verified_kind", "protected", "active_part", "last_seen_month",
          "sentiment_label")  # fmt: skip


@dataclass(frozen=True)
class Attack:
    """How often the attacker was right, each as a share of the released rows (`..._rows`) or authors.

    `smallest_group` is the fewest authors behind rows that cannot be told apart; `chance` the share of right guesses of
    somebody who knows each row's group and guesses within it: the limit of what the release promises.
    """

    smallest_group: int
    chance: float
    exact_all: float
    exact_by_column: dict[str, float]
    nearest_rows: float
    nearest_authors: float

    @property
    def success_rate(self) -> float:
        """The best of all ways."""
        return max(self.exact_all, self.nearest_rows, self.nearest_authors, *self.exact_by_column.values())


def attack(released: pd.DataFrame, own: pd.DataFrame, own_exact: pd.DataFrame, row_of: np.ndarray) -> Attack:
    """Link by every column.

    Args:
        released: RELEASED_PROFILES (rows).
        own: each author's own row as it would be released, unprotected (authors rows, the columns but `group`).
        own_exact: the same, not rounded.
        row_of: int (authors,): the row that is each author's, -1 if withheld. The truth the guesses are held against.
    """
    columns = [name for name in released.columns if name != "group"]
    chosen = np.flatnonzero(row_of >= 0)
    author_of = np.empty(len(released), np.int64)
    author_of[row_of[chosen]] = chosen
    _, first, classes = np.unique(_codes(released[columns]), return_index=True, return_inverse=True)
    sizes = np.bincount(classes)
    rows, authors = _nearest(released.iloc[first], own_exact)
    own_class = np.full(len(row_of), -1)
    own_class[author_of] = classes
    # Of the rows of a class all get the same guess, and it is right for one of them if the author is behind it at all.
    right_rows = float((own_class[rows] == np.arange(len(first))).sum() / len(released))
    right_authors = float(((own_class == authors) / sizes[authors])[chosen].mean())
    return Attack(
        smallest_group=smallest_class(released),
        chance=float((1 / sizes[classes]).mean()),
        exact_all=_exact(released[columns], own[columns], author_of),
        exact_by_column={name: _exact(released[[name]], own[[name]], author_of) for name in columns},
        nearest_rows=right_rows,
        nearest_authors=right_authors,
    )


def _exact(released: pd.DataFrame, own: pd.DataFrame, author_of: np.ndarray) -> float:
    """Expected share of rows whose author is guessed among all authors with the same values."""
    codes = _codes(pd.concat([released.astype(object), own.astype(object)], ignore_index=True))
    rows, authors = codes[: len(released)], codes[len(released) :]
    candidates = np.bincount(authors, minlength=codes.max() + 1)[rows]
    right = authors[author_of] == rows
    return float((right / np.maximum(candidates, 1)).mean())


def _codes(frame: pd.DataFrame) -> np.ndarray:
    return frame.groupby(list(frame.columns), dropna=False, sort=False).ngroup().to_numpy()


def _nearest(rows: pd.DataFrame, authors: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """The nearest author of each row and the nearest row of each author, over all columns at once."""
    points, places = _space(rows, authors)
    norms = (points**2).sum(axis=1)
    best, of_rows = np.full(len(points), np.inf, np.float32), np.zeros(len(points), np.int64)
    of_authors = np.empty(len(places), np.int64)
    for start in range(0, len(places), CHUNK):
        part = places[start : start + CHUNK]
        away = norms[None, :] - 2 * part @ points.T + (part**2).sum(axis=1)[:, None]
        of_authors[start : start + CHUNK] = away.argmin(axis=1)
        nearest = away.argmin(axis=0)
        distance = away[nearest, np.arange(len(points))]
        better = distance < best
        best[better], of_rows[better] = distance[better], nearest[better] + start
    return of_rows, of_authors


def _space(rows: pd.DataFrame, authors: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Both tables as float32 points: numbers standard-scaled by the authors', kinds one-hot."""
    both = pd.concat([rows, authors], ignore_index=True)
    columns = []
    for name in (name for name in rows.columns if name not in (*_KINDS, "group")):
        values = both[name].to_numpy("float64", na_value=np.nan)
        values = np.log1p(values) if name in _LOGARITHMIC else values
        missing = np.isnan(values)
        if missing.all():
            continue
        values = np.where(missing, np.nanmedian(values), values)
        columns += [(values - values.mean()) / max(float(values[len(rows) :].std()), 1e-9), missing.astype(float)]
    for name in _KINDS:
        # Typed and untyped tables have different values for what is missing.
        kinds = both[name].astype(object).where(both[name].notna(), None).astype(str)
        columns += list(pd.get_dummies(kinds, dtype=float).to_numpy().T)
    points = np.stack(columns, axis=1).astype(np.float32)
    return points[: len(rows)], points[len(rows) :]
