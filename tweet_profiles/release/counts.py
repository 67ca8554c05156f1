"""Counts of authors that people see: none of them, nor the difference of two of them, tells of fewer than k.

What belongs here: what may be told of a count. What does not: counting.

Rows of a release are told as they are: each stands for at least k authors. Authors who are in no row are told only
where they are none or at least k. A count of all authors beside the rows would leave them as the difference, so it is
told only where that is at least k, or roughly where the rows are not at hand.
"""

import math


def told(count: int, k: int) -> int | None:
    """A count that may stand alone: 0, or at least `k`; None for what may only be called fewer than `k`."""
    return None if 0 < count < k else count


def in_words(count: int | None, k: int) -> str:
    """What `told` gave, for people: "0", "1,234" or "fewer than 5"."""
    return f"fewer than {k:,}" if count is None else f"{count:,}"


def shown(count: int, k: int) -> int | str:
    """A count for tables and metadata: the number where it may be told, words where it may not."""
    return count if told(count, k) is not None else in_words(None, k)


def beside(count: int, rows: int, k: int) -> str:
    """A count of all authors beside the rows of a release, for people; the rows where fewer than `k` are in none."""
    return f"{rows:,} or more" if 0 <= count - rows < k else f"{count:,}"


def roughly(count: float, k: int) -> int:
    """A count of all authors with two significant digits at most, in steps of at least 2 `k`; never 0 for some."""
    if count < 1:
        return 0
    step = max(2 * k, 10 ** (math.floor(math.log10(count)) - 1))
    return max(k, step * round(count / step))
