"""The last resort of the collector: a thread that ends the process when nothing else does.

What belongs here: two limits of time. What does not: anything that could hang itself. Ending is safe at any moment:
what is not landed is a gap, which the next start searches.
"""

import os
import sys
import threading
import time
from collections.abc import Callable

STOP_S = 8.0
"""How long the collector may take to end when it is told to; service managers and people wait no longer than 10 s."""
HANG_S = 300.0
"""How long it may not come round; the longest wait it knows, for the lock of the landing zone, is 120 s."""
EXIT_CODE = 1


class Deadman:
    """Watches a collector until `leave`.

    Args:
        stop: set when the collector was told to stop.
        heartbeat: when it last came round (monotonic).
        end: ends the process with a code.
    """

    def __init__(
        self, stop: threading.Event, heartbeat: Callable[[], float], end: Callable[[int], object] = os._exit
    ) -> None:
        self._stop, self._heartbeat, self._end = stop, heartbeat, end
        self._left = threading.Event()
        threading.Thread(target=self._watch, name="deadman", daemon=True).start()

    def leave(self) -> None:
        """The collector has ended by itself."""
        self._left.set()

    def _watch(self) -> None:
        told_at = None
        while not self._left.wait(0.25):
            now = time.monotonic()
            if self._stop.is_set():
                told_at = told_at or now
            why = None
            if told_at is not None and now - told_at > STOP_S:
                why = f"the collector did not end within {STOP_S:.0f} s; the next start searches what it had not landed"
            elif told_at is None and now - self._heartbeat() > HANG_S:
                why = f"the collector has hung for {HANG_S:.0f} s; the next start searches what it had not landed"
            if why is not None:
                sys.stderr.write(f"tweet-profiles: {why}\n")
                sys.stderr.flush()
                self._end(EXIT_CODE)
                return
