"""Timelines: mood by day, of everybody and of each segment, with nothing that fewer than k authors made.

What belongs here: a pure function from tweets to rows. What does not: reading tweets, writing rows (`release`).

A week is shown by day if each of its days has k authors, else as one row dated on its Monday if the week has them, else
not at all. What is not shown must not come out as a difference either: where everybody less the shown segments would
leave fewer than k authors, the smallest shown segment is withheld as well, or everybody is shown by week only.
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
        tweets: one row a tweet: author (any hashable), segment (int), day (UTC midnight), sentiment (0 to 1), label.
        k: authors a row, at least.

    Returns:
        Rows of segment (None for everybody), day (datetime; of a week its Monday), period ("day" or "week"), tweets,
        authors, sentiment_mean and the shares of the labels, rounded to two decimals; by segment and day.
    """
    if tweets.empty:
        return []
    day = tweets["day"]
    table = tweets.assign(week=day - pd.to_timedelta(day.dt.weekday, unit="D"))
    by_day = table.groupby(["week", "segment", "day"])["author"].nunique()
    by_week = table.groupby(["week", "segment"])["author"].nunique()
    all_days = table.groupby(["week", "day"])["author"].nunique()
    rows: list[dict[str, Any]] = []
    for week, part in table.groupby("week"):
        days = by_day.xs(week)
        levels = _levels(days, by_week.xs(week), k)
        level = _level_of_all(days, all_days.xs(week), int(part["author"].nunique()), levels, k)
        rows += _rows(part, None, level)
        for segment, shown in levels.items():
            rows += _rows(part[part["segment"] == segment], segment, shown)
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


def _rows(part: pd.DataFrame, segment: int | None, level: str | None) -> Iterator[dict[str, Any]]:
    if level is None:
        return
    for moment, tweets in part.groupby("day" if level == DAY else "week"):
        shares = {f"{label}_share": round(float((tweets["label"] == label).mean()), 2) for label in LABELS}
        yield {
            "segment": segment,
            "day": pd.Timestamp(str(moment)).to_pydatetime(),
            "period": level,
            "tweets": len(tweets),
            "authors": int(tweets["author"].nunique()),
            "sentiment_mean": round(float(np.mean(tweets["sentiment"])), 2),
            **shares,
        }
