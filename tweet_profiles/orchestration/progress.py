"""Log lines while a long step works, so that a person who looks at the run sees that it goes on.

What belongs here: how often. What does not: the words, which the steps know.
"""

import logging
import time
from collections.abc import Callable

EVERY_S = 20.0


class Progress:
    """Writes what it is told to a step's log, at most one line in a while: the first after `every_s` seconds."""

    def __init__(
        self, log: logging.Logger, every_s: float = EVERY_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Of the step with this log (`context.log`)."""
        self.log, self.every_s, self.clock = log, every_s, clock
        self.last = clock()

    def tell(self, line: str) -> None:
        """Log the line, unless one was logged just now. No personal data: logs are stored."""
        now = self.clock()
        if now - self.last >= self.every_s:
            self.last = now
            self.log.info(line)
