"""Metadata that more than one asset shows: inline plots, small tables, and what owners and groups are called.

What belongs here: turning numbers and figures into Dagster metadata. What does not: computing them.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

OWNERS = ["team:audience-profiling"]


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
