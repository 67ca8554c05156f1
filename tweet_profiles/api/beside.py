"""The API as a child of `tweet-profiles dev`.

What belongs here: starting it so that it ends with its parent. What does not: serving (`serve`).
"""

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def start_beside(port: int, dagster_url: str) -> "subprocess.Popen[bytes]":
    """Serve the page and the API in a child that gets SIGTERM when this process, or what it becomes, ends."""
    command = [str(Path(sys.executable).with_name("tweet-profiles")), "serve", "--port", str(port), "--workers", "1"]
    library = ctypes.CDLL(None) if sys.platform == "linux" else None

    def end_with_parent() -> None:
        if library is not None:
            library.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    environment = {"TWEET_PROFILES_DAGSTER_URL": dagster_url, "TWEET_PROFILES_LOG_LEVEL": "WARNING", **os.environ}
    return subprocess.Popen(command, env=environment, preexec_fn=end_with_parent)  # noqa: PLW1509
