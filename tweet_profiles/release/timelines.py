"""Timelines: mood by day, of everybody and of each segment, with nothing that fewer than k authors made.

What belongs here: a pure function from tweets to rows. What does not: reading tweets, writing rows (`store`).

A week is shown by day if each of its days has k authors, else as one row dated on its Monday if the week has them, else
not at all. What is not shown must not come out as a difference either: where everybody less the shown segments would
leave fewer than k authors, the smallest shown segment is withheld as well, or everybody is shown by week only.

Mood is of what people wrote themselves, as far as it was scored. In a row that is shown, mood and the number of own
tweets that were not scored are each told only by the same rule again, for those authors alone: where fewer than k wrote
what a figure is made of, or where it would leave fewer than k as a difference, the figure is missing.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from tweet_profiles.contracts import LABELS

DAY, WEEK = "day", "week"


def timelines(tweets: pd.DataFrame, k: int) -> list[dict[str, Any]]:
    """The rows of all timelines.

    Args:
        tweets: one row a tweet: author (any hashable), segment (int), day (UTC midnight), own (bool: not passed on),
            sentiment (0 to 1, NaN where it was not scored), label (missing where it was not scored).
        k: authors a row, at least.

    Returns:
        Rows of segment (None for everybody), day (datetime; of a week its Monday), period ("day" or "week"), tweets and
        authors, of own and passed on ones together; sentiment_mean and the shares of the labels of own scored tweets,
        rounded to two decimals, None where not to be told; not_scored, own tweets without a score, None where not to be
        told; by segment and day.
    """
    if tweets.empty:
        return []
    day = tweets["day"]
    table = tweets.assign(
        week=day - pd.to_timedelta(day.dt.day_of_week, unit="D"),
        scored=tweets["own"] & tweets["sentiment"].notna(),
        unscored=tweets["own"] & tweets["sentiment"].isna(),
    )
    by_day = table.groupby(["week", "segment", "day"])["author"].nunique()
    by_week = table.groupby(["week", "segment"])["author"].nunique()
    all_days = table.groupby(["week", "day"])["author"].nunique()
    rows: list[dict[str, Any]] = []
    for week, part in table.groupby("week"):
        days = by_day.xs(week)
        levels = _levels(days, by_week.xs(week), k)
        level = _level_of_all(days, all_days.xs(week), int(part["author"].nunique()), levels, k)
        moods, gaps = (_tellable(part[part[kind]], levels, level, k) for kind in ("scored", "unscored"))
        rows += _rows(part, None, level, moods, gaps)
        for segment, shown in levels.items():
            rows += _rows(part[part["segment"] == segment], segment, shown, moods, gaps)
    return sorted(rows, key=lambda row: (-1 if row["segment"] is None else row["segment"], row["day"]))


def _levels(by_day: pd.Series, by_week: pd.Series, k: int) -> dict[int, str | None]:
    """How each segment is shown in a week: by day, as a week, or not at all."""
    levels: dict[int, str | None] = {}
    for segment, authors in zip(by_week.index.tolist(), by_week.tolist(), strict=True):
        if by_day.xs(segment).min() >= k:
            levels[segment] = DAY
        else:
            levels[segment] = WEEK if authors >= k else None
    while 0 < sum(int(by_week[segment]) for segment, level in levels.items() if level is None) < k:
        shown = [segment for segment, level in levels.items() if level is not None]
        if not shown:
            break
        levels[min(shown, key=lambda segment: (int(by_week[segment]), segment))] = None
    return levels


def _level_of_all(
    by_day: pd.Series, all_days: pd.Series, authors: int, levels: dict[int, str | None], k: int
) -> str | None:
    coarser = [segment for segment, level in levels.items() if level != DAY]
    left = by_day[by_day.index.get_level_values("segment").isin(coarser)].groupby("day").sum()
    if all_days.min() >= k and (left >= k).all():
        return DAY
    return WEEK if authors >= k else None


Cell = tuple[int | None, Any]
"""A row of a week: its segment, None for everybody, and its day or its week."""


def _tellable(part: pd.DataFrame, levels: dict[int, str | None], level: str | None, k: int) -> set[Cell]:
    """The rows of a week in which a figure made of `part`, some of the week's tweets, may be told.

    At least k authors made it; and everybody's less that of the segments is nobody's, or that of at least k.
    """
    daily = part["segment"].map({segment: shown == DAY for segment, shown in levels.items()}).astype(bool)
    weekly = part["segment"].map({segment: shown == WEEK for segment, shown in levels.items()}).astype(bool)
    by_day = part[daily].groupby(["segment", "day"])["author"].transform("nunique").reindex(part.index, fill_value=0)
    by_week = part[weekly].groupby(["segment", "week"])["author"].transform("nunique").reindex(part.index, fill_value=0)
    table = part.assign(by_day=by_day >= k, by_week=by_week >= k)
    cells: set[Cell] = {*zip(table["segment"][table["by_day"]], table["day"][table["by_day"]], strict=True)}
    cells |= {*zip(table["segment"][table["by_week"]], table["week"][table["by_week"]], strict=True)}
    rest = table[~table["by_day"] & ~table["by_week"]]
    if level is None or 0 < rest["author"].nunique() < k:
        return cells
    if level == WEEK:
        return cells | {(None, week) for week, all_of_it in table.groupby("week") if all_of_it["author"].nunique() >= k}
    for day, all_of_it in table.groupby("day"):
        left = all_of_it["author"][~all_of_it["by_day"]].nunique()
        if all_of_it["author"].nunique() >= k and not 0 < left < k:
            cells.add((None, day))
    return cells


def _rows(
    part: pd.DataFrame, segment: int | None, level: str | None, moods: set[Cell], gaps: set[Cell]
) -> Iterator[dict[str, Any]]:
    if level is None:
        return
    for moment, tweets in part.groupby("day" if level == DAY else "week"):
        cell = (segment, moment)
        scored, unscored = tweets[tweets["scored"]], int(tweets["unscored"].sum())
        mood: dict[str, float | None] = {"sentiment_mean": None, **{f"{label}_share": None for label in LABELS}}
        if cell in moods:
            mood = {"sentiment_mean": round(float(np.mean(scored["sentiment"])), 2)}
            mood |= {f"{label}_share": round(float((scored["label"] == label).mean()), 2) for label in LABELS}
        yield {
            "segment": segment,
            "day": pd.Timestamp(str(moment)).to_pydatetime(),
            "period": level,
            "tweets": len(tweets),
            "authors": int(tweets["author"].nunique()),
            **mood,
            # None at all is nobody's secret.
            "not_scored": unscored if unscored == 0 or cell in gaps else None,
        }
