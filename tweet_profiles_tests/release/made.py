"""Made tweets of a week, as timelines take them."""

import numpy as np
import pandas as pd

K = 5
MONDAY = pd.Timestamp("2026-03-02", tz="UTC")


def tweets(rows: list[tuple[int, int, int, bool, float | None]]) -> pd.DataFrame:
    """Tweets of (author, segment, day of the week, own, sentiment)."""
    frame = pd.DataFrame(rows, columns=["author", "segment", "day", "own", "sentiment"])
    label = np.where(frame["sentiment"].isna(), None, np.where(frame["sentiment"] > 0.5, "positive", "negative"))
    return frame.assign(
        day=MONDAY + pd.to_timedelta(frame["day"], unit="D"),
        sentiment=frame["sentiment"].astype(float),
        label=pd.Series(label, dtype="category"),
    )
