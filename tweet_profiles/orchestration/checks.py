"""The blocking contract checks: every table is held against its pandera schema before anything reads it.

What belongs here: turning a schema into an asset check that stops the run, and the one way in which an asset gives its
tables out (`Border`). What does not: the schemas themselves (`contracts`).
"""

from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg
import pandas as pd
import pandera.errors
import pandera.pandas as pa

MAX_FAULTS_SHOWN = 20


def contract_name(asset: str) -> str:
    """The name of the contract check of an asset."""
    return f"{asset}_contract"


def contract_spec(asset: str) -> dg.AssetCheckSpec:
    """The blocking check that an asset's table keeps its contract."""
    return dg.AssetCheckSpec(
        contract_name(asset),
        asset=asset,
        blocking=True,
        description=f"Every table of {asset} has the columns, types and ranges of its pandera schema.",
    )


class Border:
    """The border of an asset: each of its tables is held against the contract, and only then given out."""

    def __init__(self, asset: str, schema: pa.DataFrameSchema) -> None:
        """Of the asset with this name, whose tables keep this contract."""
        self.asset, self.schema = asset, schema
        self.rows = 0

    def hold(
        self, frame: pd.DataFrame, give_out: Callable[[pd.DataFrame], object] | None = None
    ) -> Iterator[dg.AssetCheckResult]:
        """Check a table, then give it out; to be used with `yield from`, which is without results if all is well.

        Args:
            frame: the table.
            give_out: writes it or hands it on; is not called for a table that breaks the contract, so that what was
                there before stays. None: it has been written already.

        Raises:
            dg.Failure: after the failed check, naming the first fault without its values.
        """
        found = faults(frame, self.schema)
        if found:
            yield check_result(self.asset, found, len(frame))
            raise _broken(self.asset, found, "" if give_out is None else " Nothing was written.")
        if give_out is not None:
            give_out(frame)
        self.rows += len(frame)

    def kept(self) -> dg.AssetCheckResult:
        """The passed check of all tables that were held."""
        return check_result(self.asset, [], self.rows)


def faults(frame: pd.DataFrame, schema: pa.DataFrameSchema) -> list[dict[str, Any]]:
    """How `frame` breaks `schema`: column, check and number of cases a fault; empty if it keeps it.

    The offending values are not told: they may be personal data, and check results are stored.
    """
    try:
        schema.validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as error:
        cases = error.failure_cases
        grouped = cases.groupby(["column", "check"], dropna=False).size()
        return [
            {"column": str(column), "check": str(check), "cases": int(count)}
            for (column, check), count in grouped.items()
        ][:MAX_FAULTS_SHOWN]
    return []


def check_result(asset: str, found: list[dict[str, Any]], rows: int) -> dg.AssetCheckResult:
    """The outcome of an asset's contract check."""
    return dg.AssetCheckResult(
        check_name=contract_name(asset),
        passed=not found,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"rows": rows, "faults": dg.MetadataValue.json(found)},
    )


def _broken(asset: str, found: list[dict[str, Any]], then: str) -> dg.Failure:
    first = found[0]
    return dg.Failure(
        f"{asset}: {len(found)} faults against its contract, the first in column {first['column']}: "
        f"{first['check']} ({first['cases']} cases).{then}",
        metadata={"faults": dg.MetadataValue.json(found)},
        allow_retries=False,
    )
