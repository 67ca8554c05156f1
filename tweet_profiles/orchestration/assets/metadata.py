"""Metadata that more than one asset shows: inline plots, small tables, columns, and what owners are called.

What belongs here: turning numbers and figures into Dagster metadata. What does not: computing them.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import pandera.pandas as pa

OWNERS = ["team:audience-profiling"]


def columns_of(
    schema: pa.DataFrameSchema, others: Mapping[str, tuple[str, str]] | None = None
) -> dict[str, dg.TableSchema]:
    """The columns of a table for the UI, as its contract has them: type, whether values may be missing, and title.

    Args:
        schema: the contract; columns that it knows by a pattern only are left out.
        others: type and description of columns that the contract does not name.
    """
    columns = [
        dg.TableColumn(
            name,
            type=str(column.dtype),
            description=column.title or None,
            constraints=dg.TableColumnConstraints(nullable=column.nullable, unique=[name] == schema.unique),
        )
        for name, column in schema.columns.items()
        if not column.regex
    ]
    more = [dg.TableColumn(name, type=kind, description=told) for name, (kind, told) in (others or {}).items()]
    return {"dagster/column_schema": dg.TableSchema(columns=[*columns, *more])}


def inline_plot(png: bytes, alt: str) -> dg.MarkdownMetadataValue:
    """A PNG as Markdown, which the Dagster UI shows inline; there is no image type. Keep it below 100 kB."""
    return dg.MetadataValue.md(f"![{alt}](data:image/png;base64,{base64.b64encode(png).decode()})")


def table(rows: Sequence[Mapping[str, Any]]) -> dg.MarkdownMetadataValue:
    """Rows as a Markdown table; the first row's keys are its header."""
    if not rows:
        return dg.MetadataValue.md("*none*")
    columns = list(rows[0])
    lines = [columns, ["---"] * len(columns), *([_cell(row.get(name)) for name in columns] for row in rows)]
    return dg.MetadataValue.md("\n".join("| " + " | ".join(line) + " |" for line in lines))


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return str(value).replace("|", "\\|")
