"""The ledger of faults: what was offered, what landed, what was said to be lost; printed after the tests with `-s`."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from tweet_profiles.home import Home
from tweet_profiles.sources.x.losses import open_losses
from tweet_profiles.sources.x.search import moment_of
from tweet_profiles_tests.sources.x.peer import landed


@dataclass
class Ledger:
    """A line a fault."""

    rows: list[tuple[str, int, int, int, int, int]] = field(default_factory=list)

    def balance(self, fault: str, home: Home, offered: Iterable[int]) -> None:
        """Note a fault's line; no tweet may be lost without a word, and none may be there twice."""
        offered, there = set(offered), landed(home)
        said = [(datetime.fromisoformat(loss.start), datetime.fromisoformat(loss.end)) for loss in open_losses(home)]
        missing = offered - set(there)
        told = {one for one in missing if any(start <= moment_of(one) <= end for start, end in said)}
        doubled = sum(count - 1 for count in there.values())
        row = (fault, len(offered), len(offered & set(there)), len(told), len(missing - told), doubled)
        self.rows.append(row)
        assert row[4:] == (0, 0), row

    def __str__(self) -> str:
        head = ("fault", "offered", "landed", "lost and said", "lost unsaid", "doubled")
        return "\n".join(" | ".join(str(cell) for cell in row) for row in (head, *self.rows))


@pytest.fixture(scope="session")
def ledger() -> Iterator[Ledger]:
    """The session's ledger."""
    noted = Ledger()
    yield noted
    print(f"\n{noted}")
