"""How the command says no."""

import subprocess


def refused(done: "subprocess.CompletedProcess[str]", *parts: str) -> None:
    """Assert that it failed with one sentence that says all of the parts, and no stack trace."""
    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if line.startswith("tweet-profiles: ")]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    for part in parts:
        assert part in lines[0], lines[0]
