"""What several tests of files make: files of tweets, and what becomes of them."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tweet_profiles.home import Home
from tweet_profiles.landing.zone import LandingZone
from tweet_profiles.sources.files import FileOptions, ImportReport, import_paths
from tweet_profiles.sources.files.framing import Broken, Item, Skipped
from tweet_profiles.sources.files.importing import frame
from tweet_profiles.sources.files.opening import Content
from tweet_profiles.sources.formats import ReadOptions, Record

HEADER = ("id", "author_id", "text", "created_at")
FIRST_ID = 1_500_000_000_000_000_000


def row(number: int, text: str = "I like it") -> tuple[str, str, str, str]:
    """A row below `HEADER`."""
    return str(FIRST_ID + number), str(700_000 + number % 50), text, "2023-05-01T12:30:00Z"


def table(rows: Iterable[Sequence[str]], header: Sequence[str] | None = HEADER, **dialect: Any) -> bytes:
    """Rows as the csv module writes them."""
    text = io.StringIO()
    writer = csv.writer(text, **{"lineterminator": "\n"} | dialect)
    writer.writerows([*([header] if header else []), *rows])
    return text.getvalue().encode()


def tweet(number: int, text: str = "I like it", **others: Any) -> dict[str, Any]:
    """A flattened v2 tweet."""
    return dict(zip(HEADER, row(number, text), strict=True)) | others


def lines(tweets: Iterable[dict[str, Any]]) -> bytes:
    """JSON lines."""
    return b"".join(json.dumps(one).encode() + b"\n" for one in tweets)


def framed(content: bytes, **options: Any) -> list[Item]:
    """The items into which content is cut."""
    return list(frame(Content(io.BytesIO(content), "made"), FileOptions(**options), Path("/tmp")).items)


def values(items: Iterable[Item]) -> list[Any]:
    """The values of the sound records."""
    return [item.value for item in items if isinstance(item, Record)]


def broken(items: Iterable[Item]) -> list[Broken]:
    """The broken ones."""
    return [item for item in items if isinstance(item, Broken)]


def skipped(items: Iterable[Item]) -> list[str]:
    """The reasons of those that are none."""
    return [item.reason for item in items if isinstance(item, Skipped)]


def bring_in(home: Home, *paths: Path, **options: Any) -> tuple[ImportReport, list[dict[str, Any]]]:
    """Import files; the report, whose books are looked through, and all landed tweets."""
    zone = LandingZone(home, batch_size=200)
    own = {name: options.pop(name) for name in ("encoding", "delimiter", "has_header") if name in options}
    report = import_paths(list(paths), zone, options=FileOptions(**own, read=ReadOptions(**options)))
    check_books(report)
    return report, [dict(tweet) for key in zone.keys() for tweet in zone.read(key)]


def check_books(report: ImportReport) -> None:
    """Every record is in one account, and every quarantined one in the quarantine."""
    for outcome in report.outcomes:
        accounts = outcome.landed + outcome.duplicates + outcome.quarantined + sum(outcome.skipped.values())
        assert outcome.read == accounts, vars(outcome)
        entries = [] if outcome.quarantine is None else outcome.quarantine.read_bytes().splitlines()
        assert len(entries) == outcome.quarantined
