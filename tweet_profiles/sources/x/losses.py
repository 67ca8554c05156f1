"""What is lost for good: stretches of time whose tweets can no longer be had, told until somebody acknowledges them.

What belongs here: the list on disk, and a sentence for each. What does not: deciding that something is lost. The list
holds times and reasons only, no id and no text.
"""

from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import orjson
import structlog
from filelock import FileLock

from tweet_profiles.home import Home, write_atomically
from tweet_profiles.sources.x.state import read_state

log = structlog.get_logger(__name__)

_REMEDY = (
    "it lists the stretches of time whose tweets are lost: move it away, and losses from before are told no more "
    "(they stand in the log)"
)


@dataclass(frozen=True)
class Loss:
    """Tweets between `start` and `end` (ISO 8601, UTC) that `what` should have brought and cannot any more."""

    what: str
    start: str
    end: str
    why: str
    noted_at: str = ""
    acknowledged_at: str | None = None

    def __str__(self) -> str:
        return f"{self.what}: tweets from {self.start} to {self.end} are lost: {self.why}"


@dataclass(frozen=True)
class _Losses:
    losses: list[Loss] = field(default_factory=list)


def note(home: Home, loss: Loss) -> None:
    """Remember a loss; one that is open and began at the same time grows instead of being told twice."""
    with _lock(home):
        noted = _read(home)
        same = [one for one in noted if _key(one) == _key(loss) and one.acknowledged_at is None]
        if same and same[0].end >= loss.end:
            return
        others = [one for one in noted if one not in same]
        _write(home, [*others, replace(loss, noted_at=_now())])
    log.error("tweets are lost", what=loss.what, start=loss.start, end=loss.end, why=loss.why)


def open_losses(home: Home) -> list[Loss]:
    """The losses that nobody has acknowledged."""
    return [loss for loss in _read(home) if loss.acknowledged_at is None]


def told(loss: Loss) -> str:
    """The sentence for a loss that nobody has acknowledged."""
    return f"{loss}; `tweet-profiles status --acknowledge` when that is known"


def acknowledge(home: Home) -> int:
    """Mark all losses as known to somebody. Returns how many were new."""
    with _lock(home):
        noted = _read(home)
        new = sum(loss.acknowledged_at is None for loss in noted)
        if new:
            _write(home, [replace(loss, acknowledged_at=loss.acknowledged_at or _now()) for loss in noted])
    return new


def _key(loss: Loss) -> tuple[str, str, str]:
    return loss.what, loss.start, loss.why


def _file(home: Home) -> Path:
    return home.private / "x_losses.json"


def _lock(home: Home) -> FileLock:
    return FileLock(home.private / "x_losses.lock")


def _read(home: Home) -> list[Loss]:
    return (read_state(_file(home), _Losses, _REMEDY) or _Losses()).losses


def _write(home: Home, losses: list[Loss]) -> None:
    content = orjson.dumps(asdict(_Losses(losses)))
    write_atomically(_file(home), lambda file: file.write(content))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
