"""Logging: structured lines on stderr, without secrets and without personal data.

What belongs here: how log lines look and which libraries are held back. What does not: what is logged.
"""

import logging
import sys
from typing import Any

import structlog


def configure_logs(level: str) -> None:
    """One line an event on stderr: coloured at a terminal, JSON elsewhere."""
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*processors, structlog.processors.format_exc_info, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    # tweepy logs whole requests at debug level, the Authorization header among them.
    logging.getLogger("tweepy").setLevel(logging.INFO)
