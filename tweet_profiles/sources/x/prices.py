"""What X charges, as dated data.

What belongs here: the table, and what a number of resources costs by it. What does not: counting them (`pacing.Usage`).

X charges by the resource that an answer holds: every post, every referenced post and every author that comes with them,
and every request for a count. The same resource within one day (UTC) is charged once, which X calls a soft guarantee;
so what is told here is what it costs at most. Old plans with a monthly fee pay nothing of this: set the prices to 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date


@dataclass(frozen=True)
class Prices:
    """Micro-dollars a resource: a post, a user, a request for a count (of 7 days; of the whole archive)."""

    post: int
    user: int
    count: int
    count_all: int


TABLE: tuple[tuple[date, Prices], ...] = (
    (date(2026, 2, 6), Prices(post=5_000, user=10_000, count=5_000, count_all=10_000)),
)
"""From which day on which prices hold, oldest first; from docs.x.com, state of 2026-08-22."""
NAMES = tuple(field.name for field in fields(Prices))


def prices_on(day: date, own: Mapping[str, float]) -> Prices:
    """The prices of a day; `own` (dollars, by name) stand above the table. Before its first day, that day's."""
    held = [prices for since, prices in TABLE if since <= day]
    return replace(held[-1] if held else TABLE[0][1], **{name: round(usd * 1e6) for name, usd in own.items()})


def cost(prices: Prices, *, posts: int = 0, users: int = 0, counts: int = 0) -> int:
    """What so many resources cost at most, in micro-dollars."""
    return posts * prices.post + users * prices.user + counts * prices.count


def most_a_tweet(prices: Prices) -> int:
    """What one tweet may cost: itself, the post it refers to, and the authors of both."""
    return 2 * prices.post + 2 * prices.user


def dollars(micro: int) -> str:
    """Micro-dollars as one reads them: rounded up to a tenth of a cent."""
    return f"${-(-micro // 1000) / 1000:,.3f}"
