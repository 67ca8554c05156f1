"""What a stream may have missed, and the searches that fill it.

What belongs here: gaps as values, what must outlive the collector. What does not: deciding that something was missed
(`collector`), and searching (`search`).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from tweet_profiles.sources.x.config import XSettings
from tweet_profiles.sources.x.search import Window, above, moment_of


@dataclass(frozen=True)
class Gap:
    """What may be missing: tweets above `since_id` up to `end` (seconds since the epoch, X's clock)."""

    since_id: int
    end: float

    def windows(self, rules: Iterable[str], config: XSettings) -> list[Window]:
        """The searches that fill it, one a rule."""
        end = datetime.fromtimestamp(int(self.end) + 1, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return [replace(above(rule, self.since_id, config.gap_overlap_s), end=end) for rule in rules]


def merged(gaps: Iterable[Gap]) -> list[Gap]:
    """The same gaps with those that touch made one, oldest first."""
    result: list[Gap] = []
    for gap in sorted(gaps, key=lambda gap: gap.since_id):
        if result and moment_of(gap.since_id).timestamp() <= result[-1].end:
            result[-1] = Gap(result[-1].since_id, max(result[-1].end, gap.end))
        else:
            result.append(gap)
    return result


@dataclass
class State:
    """What must outlive the collector's process.

    `last_id` is the newest id up to which everything is surely landed (0: none yet), `token` a digest of the token that
    has worked, `rules` those that were made, `rules_at` when they were last seen to stand, by X's clock.
    """

    last_id: int = 0
    gaps: list[Gap] = field(default_factory=list)
    token: str = ""
    rules: list[str] = field(default_factory=list)
    rules_at: float = 0.0
