"""Counts of authors that people see: none of them, nor the difference of two of them, tells of fewer than k.

What belongs here: what may be told of a count. What does not: counting.

Rows of a release are told as they are: each stands for at least k authors. Authors who are in no row are told only
where they are none or at least k. Counts of all authors, which stand beside the rows in logs, tables and the database's
status, are told to the nearest k, so that taking the rows away does not leave the withheld authors.
"""


def told(count: int, k: int) -> int | None:
    """A count that may stand alone: 0, or at least `k`; None for what may only be called fewer than `k`."""
    return None if 0 < count < k else count


def in_words(count: int | None, k: int) -> str:
    """What `told` gave, for people: "0", "1,234" or "fewer than 5"."""
    return f"fewer than {k:,}" if count is None else f"{count:,}"


def shown(count: int, k: int) -> int | str:
    """A count for tables and metadata: the number where it may be told, words where it may not."""
    return count if told(count, k) is not None else in_words(None, k)


def about(count: int, k: int) -> int:
    """A count of all authors of something, released or not, to the nearest multiple of `k`; never 0 for some."""
    return 0 if count == 0 else max(k, k * round(count / k))
