"""The blocking contract checks: every table is held against its pandera schema before anything reads it.

What belongs here: turning a schema into an asset check that stops the run. What does not: the schemas
themselves (`contracts`).
"""

from collections.abc import Iterator
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


def stop_on(asset: str, found: list[dict[str, Any]], rows: int) -> Iterator[dg.AssetCheckResult]:
    """If there are faults, report the failed check and fail the step: a table that breaks its contract is
    never written, so what was there before stays.
    """
    if not found:
        return
    yield check_result(asset, found, rows)
    first = found[0]
    raise dg.Failure(
        f"{asset}: {len(found)} faults against its contract, the first in column {first['column']}: "
        f"{first['check']} ({first['cases']} cases). Nothing was written.",
        metadata={"faults": dg.MetadataValue.json(found)},
        allow_retries=False,
    )
