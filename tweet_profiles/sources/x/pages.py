"""What a page of search says of the next one, and when to stop believing it.

What belongs here: pure decisions on where a walk through pages goes on. What does not: asking for pages (`search`),
and what is in their tweets.

X's token of the next page is followed as long as it makes sense. Where it does not (the same again, another type,
refused, errors in place of tweets), the walk goes on below the oldest id that it has seen, which asks for nothing
twice. Only a page without token and without errors is the end. Every walk ends: a page that brings nothing older counts
against it, and after a few it stays unfinished, which is an error and no end.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tweet_profiles.sources.x.answers import objects

MOST_EMPTY = 100
"""Empty pages in a row that are believed: the full archive has such, where a query matches little."""
MOST_STALE = 4
"""Pages in a row that bring nothing older, or errors, before the walk is left unfinished."""


@dataclass(frozen=True)
class PageFacts:
    """What of a page matters for the next: `trouble` where it holds errors that are not about single tweets."""

    ids: tuple[int, ...]
    token: str | None
    odd_token: bool
    trouble: bool


@dataclass(frozen=True)
class Position:
    """Where a walk through one window stands.

    token: of the next page. oldest: smallest id seen (0: none). below: only ids below it are asked for (0: all).
    stale, empty: pages in a row without anything older.
    """

    token: str | None = None
    oldest: int = 0
    below: int = 0
    stale: int = 0
    empty: int = 0


@dataclass(frozen=True)
class Move:
    """What to do next: `on` from the position, `again` from it after a wait, the window is `done`, or `stuck`."""

    kind: Literal["on", "again", "done", "stuck"]
    position: Position = field(default_factory=Position)


def facts_of(page: Mapping[str, Any]) -> PageFacts:
    """Read a page, whatever it holds."""
    data, meta = page.get("data"), page.get("meta")
    records = data if isinstance(data, list) else [data] if isinstance(data, dict) else []
    ids = [str(record.get("id")) for record in records if isinstance(record, dict)]
    token = meta.get("next_token") if isinstance(meta, dict) else None
    sound = isinstance(token, str) and token != ""
    about_tweets = all("resource_id" in error or "resource_type" in error for error in objects(page.get("errors")))
    errors = page.get("errors") not in (None, [])
    return PageFacts(
        ids=tuple(int(one) for one in ids if one.isascii() and one.isdigit() and len(one) <= 20),
        token=token if sound else None,
        odd_token=token is not None and not sound,
        # Without a meta object, or with errors alone, nothing says that this was all.
        trouble=(errors and (not records or not about_tweets)) or not isinstance(meta, dict),
    )


def next_move(page: PageFacts, position: Position, lowest: int, used: frozenset[str] | set[str]) -> Move:
    """Where the walk goes on after a page.

    Args:
        page: what the page says.
        position: where it was asked for.
        lowest: the window has no tweets of ids up to this one.
        used: the tokens that this walk has sent.
    """
    lower = [number for number in page.ids if not position.oldest or number < position.oldest]
    if lower:
        position = replace(position, oldest=min(lower), stale=0, empty=0)
    elif page.ids or page.trouble or page.odd_token:
        position = replace(position, stale=position.stale + 1)
    else:
        position = replace(position, empty=position.empty + 1)
    if position.oldest and position.oldest <= lowest:
        return Move("done")  # X goes on below what was asked for
    if position.stale > MOST_STALE or position.empty > MOST_EMPTY:
        return Move("stuck", position)
    if page.token is not None and page.token not in used and not page.trouble:
        return Move("on", replace(position, token=page.token))
    if page.token is None and not page.odd_token and not page.trouble:
        # An empty page at the end of a token may be a token that led nowhere: asking below what was seen costs no post.
        led_nowhere = not page.ids and position.token is not None and position.oldest
        return below_oldest(position, waits=False) if led_nowhere else Move("done")
    return below_oldest(position, waits=page.trouble or not lower)


def below_oldest(position: Position, *, waits: bool) -> Move:
    """Go on without a token, below all that was seen."""
    return Move("again" if waits else "on", replace(position, token=None, below=position.oldest or position.below))


def after_refused_token(position: Position) -> Move:
    """X takes the token no more: without having seen any page, the window begins anew."""
    position = replace(position, stale=position.stale + 1)
    return Move("stuck", position) if position.stale > MOST_STALE else below_oldest(position, waits=False)
