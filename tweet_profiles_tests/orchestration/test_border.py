"""The border of the assets: tables are given out whole or not at all, and what is told on the way."""

import logging

import dagster as dg
import pandas as pd
import pandera.pandas as pa
import pytest

from tweet_profiles.orchestration.checks import Border
from tweet_profiles.orchestration.progress import Progress

AGES = pa.DataFrameSchema({"age": pa.Column("int64", pa.Check.ge(0))}, strict=True)


def test_a_table_that_keeps_its_contract_is_given_out_and_counted() -> None:
    border, given = Border("people", AGES), []
    for frame in (pd.DataFrame({"age": [1, 2]}), pd.DataFrame({"age": [3]})):
        assert list(border.hold(frame, given.append)) == []
    kept = border.kept()
    assert [len(frame) for frame in given] == [2, 1]
    assert kept.passed and kept.metadata["rows"].value == 3


def test_a_table_that_breaks_its_contract_is_not_given_out_and_its_values_are_not_told() -> None:
    given: list[pd.DataFrame] = []
    holding = Border("people", AGES).hold(pd.DataFrame({"age": [1, -77]}), given.append)
    check = next(holding)
    assert not check.passed and check.check_name == "people_contract"
    with pytest.raises(dg.Failure, match="1 faults against its contract, the first in column age") as failed:
        next(holding)
    assert failed.value.description is not None and "Nothing was written" in failed.value.description
    assert given == [] and "77" not in failed.value.description + repr(check.metadata)


def test_a_long_step_is_told_of_at_most_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    progress = Progress(logging.getLogger("step"), every_s=20, clock=lambda: now)
    with caplog.at_level(logging.INFO, "step"):
        for now in (5.0, 19.0, 21.0, 30.0, 45.0):
            progress.tell(f"at {now:.0f}")
    assert caplog.messages == ["at 21", "at 45"]
