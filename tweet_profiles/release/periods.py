"""Weeks of the timelines: each is decided once, as a whole, when it is over, and stays as it was published.

What belongs here: which weeks are closed, and keeping what was decided of them. What does not: what may be shown of a
week (`timelines`), and releases (`store`).

    published_periods  {_id: the Monday of a week as a date, k, cells}: the rows of `timelines` of that week, empty
                       where it had too few authors. Written once and never again, whatever comes late, is grouped or
                       scored anew, or is forgotten: two releases can differ in a past day by nothing.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
from pymongo import InsertOne
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from tweet_profiles.release.timelines import timelines

Document = dict[str, Any]

PERIODS = "published_periods"
LATE = timedelta(days=2)
"""How long after its end a week waits for late tweets, if not told otherwise."""
_WEEK = timedelta(days=7)
_DUPLICATE_KEY = 11000


def close_weeks(database: Database[Document], tweets: pd.DataFrame, k: int, now: datetime, late: timedelta) -> None:
    """Decide the weeks that are over and were not decided yet; what was decided before stays.

    Args:
        database: where.
        tweets: as `timelines` takes them, of any time.
        k: authors a row, at least.
        now: the present.
        late: how long after its end a week waits for late tweets.
    """
    if tweets.empty:
        return
    week = week_of(tweets["day"])
    known = [datetime.fromisoformat(name).replace(tzinfo=UTC) for name in _decided(database)]
    due = (week + _WEEK + late <= now) & ~week.isin(known)
    cells: dict[str, list[Document]] = {name: [] for name in sorted(week[due].dt.strftime("%Y-%m-%d").unique())}
    for row in timelines(tweets[due], k):
        cells[(row["day"] - timedelta(days=row["day"].weekday())).strftime("%Y-%m-%d")].append(row)
    new = [InsertOne({"_id": name, "k": k, "cells": rows}) for name, rows in cells.items()]
    if not new:
        return
    try:
        database[PERIODS].bulk_write(new, ordered=False)
    except BulkWriteError as error:
        # A run at the same time decided first.
        if any(fault["code"] != _DUPLICATE_KEY for fault in error.details["writeErrors"]):
            raise


def published_cells(database: Database[Document], k: int) -> list[Document]:
    """The rows of all decided weeks, sorted as those of `timelines`.

    Args:
        database: where.
        k: authors a row, at least: weeks that were decided with fewer are left out.
    """
    rows = [row for week in database[PERIODS].find({"k": {"$gte": k}}) for row in week["cells"]]
    return sorted(rows, key=lambda row: (-1 if row["segment"] is None else row["segment"], row["day"]))


def week_of(day: pd.Series) -> pd.Series:
    """The Monday of each day."""
    return day - pd.to_timedelta(day.dt.day_of_week, unit="D")


def _decided(database: Database[Document]) -> list[str]:
    return [document["_id"] for document in database[PERIODS].find({}, {"_id": 1})]
