"""Logging: structured lines on stderr, without secrets and without personal data.

What belongs here: how log lines look and which libraries are held back. What does not: what is logged.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog


def configure_logs(level: str, *, for_people: bool = False) -> None:
    """One line an event on stderr: coloured at a terminal, JSON elsewhere.

    Args:
        level: the least level that is told.
        for_people: whether a person reads along: a plain line instead, in the middle of what a command prints.
    """
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Any = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    if for_people:
        renderer = _sentence
    structlog.configure(
        processors=[*processors, structlog.processors.format_exc_info, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    # tweepy logs whole requests at debug level, the Authorization header among them.
    logging.getLogger("tweepy").setLevel(logging.INFO)


def _sentence(_logger: Any, level: str, event: MutableMapping[str, Any]) -> str:
    """An event as a line for people: "warning: what happened (name: value)"."""
    what = event.pop("event")
    for name in ("timestamp", "level"):
        event.pop(name, None)
    facts = ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in event.items())
    return f"{level}: {what}{f' ({facts})' if facts else ''}"
