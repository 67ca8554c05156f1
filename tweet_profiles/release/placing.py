"""Where accounts would fall among the shown segments.

What belongs here: placing accounts by what a release tells (`shown.placing`), and which facts of an account count. What
does not: HTTP, and the authors that are stored (`segments.arrivals`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from tweet_profiles.segments.features import FEATURES, ScaledFeature, Scaler
from tweet_profiles.segments.kmeans import assign

ACCOUNT_FACTS: Mapping[str, str] = {feature.name: feature.label for feature in FEATURES.values() if feature.natural}
"""The facts of an account that may be told, by name, with what each means; `hours` beside them."""


@dataclass(frozen=True)
class Place:
    """A segment's number, and a confidence: 0 on the border of two segments to 1 at a centre."""

    segment: int
    confidence: float


def place_accounts(placing: Mapping[str, Any], accounts: Sequence[Mapping[str, Any]]) -> list[Place]:
    """The segment that each account would fall into; none if no segment is shown.

    Args:
        placing: of a snapshot.
        accounts: ACCOUNT_FACTS and `hours` (24 counts) by name; what is left out counts as the average author's.
    """
    if not placing["segments"]:
        return []
    scaler = Scaler(tuple(ScaledFeature(**column) for column in placing["scaler"]))
    labels, confidence = assign(scaler.transform(_frame(accounts)), np.array(placing["centroids"], np.float64))
    numbers = [int(placing["segments"][label]) for label in labels]
    return [Place(number, round(float(sure), 2)) for number, sure in zip(numbers, confidence, strict=True)]


def _frame(accounts: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    names = list(ACCOUNT_FACTS)
    frame = pd.DataFrame([{name: account.get(name) for name in names} for account in accounts], columns=names)
    frame = frame.astype("float64")
    frame["hours"] = pd.Series([account.get("hours") or [0.0] * 24 for account in accounts], dtype=object)
    return frame
