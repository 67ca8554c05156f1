"""`tweet-profiles import`: files into the landing zone, or a look at them.

What belongs here: arguments and what is printed. What does not: any work.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from tweet_profiles.errors import InputError, SettingError
from tweet_profiles.home import Home
from tweet_profiles.settings import load_settings

if TYPE_CHECKING:
    from tweet_profiles.landing.tweets import Tweet
    from tweet_profiles.sources.files import FileOutcome, ImportReport
    from tweet_profiles.sources.files.importing import Advance
    from tweet_profiles.sources.files.preview import Preview

import_app = typer.Typer()
console = Console()

_MOST_NAMED = 20
"""Files whose leftovers are told one by one."""


@import_app.command("import")
def import_files(
    paths: Annotated[
        list[Path],
        typer.Argument(help="files, folders of files, or - for standard input; packed or plain", show_default=False),
    ],
    *,
    preview: Annotated[bool, typer.Option("--preview", help="show how the files would be read; land nothing")] = False,
    column: Annotated[
        list[str] | None,
        typer.Option(
            help="FIELD=COLUMN: where a field is: a column's name or number, or a dotted path in JSON and Parquet",
            show_default=False,
        ),
    ] = None,
    value: Annotated[
        list[str] | None,
        typer.Option(help="FIELD=VALUE: one value for all records of a field that the files lack", show_default=False),
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="encoding of text files, where they are not UTF-8", show_default=False)
    ] = None,
    delimiter: Annotated[
        str | None,
        typer.Option(help="separator of CSV files: a character, or tab, comma, semicolon, pipe", show_default=False),
    ] = None,
    no_header: Annotated[
        bool, typer.Option("--no-header", help="tables begin with a row of data; name columns by number")
    ] = False,
    date_format: Annotated[
        str | None,
        typer.Option(help="how dates are written: dmy, mdy, ymd, or as %d.%m.%Y %H:%M", show_default=False),
    ] = None,
    time_zone: Annotated[
        str | None, typer.Option(help="zone of times that tell none: an IANA name [default: UTC]", show_default=False)
    ] = None,
    make_ids: Annotated[
        bool, typer.Option("--make-ids", help="make tweet ids of author, time and text, where the files have none")
    ] = False,
    retweets: Annotated[
        bool | None,
        typer.Option(
            "--retweets/--no-retweets",
            help="whether the files were collected with retweets; without it their first tweets tell",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Land the tweets of files: JSON, CSV, Excel or Parquet of X's API, its exports and the usual tools."""
    from tweet_profiles.landing.zone import LandingZone
    from tweet_profiles.sources.files import FileOptions, import_paths
    from tweet_profiles.sources.files.encodings import check_encoding
    from tweet_profiles.sources.files.preview import preview_paths
    from tweet_profiles.sources.files.tables import parse_delimiter
    from tweet_profiles.sources.formats import ReadOptions

    options = FileOptions(
        encoding=check_encoding(encoding) if encoding is not None else None,
        delimiter=parse_delimiter(delimiter) if delimiter is not None else None,
        has_header=False if no_header else None,
        read=ReadOptions(
            columns=_pairs("--column", column),
            constants=_pairs("--value", value),
            date_format=date_format,
            time_zone=time_zone,
            make_ids=make_ids,
            retweets=retweets,
        ),
    )
    settings = load_settings()
    home = Home.open(settings.home)
    if preview:
        refused = [_show_preview(one).refused for one in preview_paths(paths, home.private, options)]
        _fail([reason for reason in refused if reason is not None], len(refused))
        return
    zone = LandingZone(home, batch_size=settings.batch_size, batch_age_s=settings.batch_age_s)
    with home.in_use("import"), _progress() as advance:
        report = import_paths(paths, zone, options=options, advance=advance)
    show_report(report)
    if report.landed:
        console.print("`tweet-profiles run` takes them to profiles; so does the sensor of `tweet-profiles dev`.")
    _fail(report.left, report.files)


def show_report(report: "ImportReport") -> None:
    """Tell what became of each file, and the totals: a table at a terminal, else lines."""
    if console.is_terminal and report.files > 1:
        table = Table(title="Imported files")
        for heading in ("File", "What it is", "Read", "Landed", "Known before", "Quarantined", "Skipped"):
            words = heading in ("File", "What it is")
            table.add_column(heading, justify="left" if words else "right", overflow="fold")
        for outcome in report.outcomes:
            counts = (outcome.read, outcome.landed, outcome.duplicates, outcome.quarantined, outcome.skipped.total())
            what = "refused" if outcome.refused else outcome.format
            table.add_row(Path(outcome.file).name, what, *(f"{count:,}" for count in counts))
        console.print(table)
    else:
        for outcome in report.outcomes:
            _say(_line(outcome))
    files_of: dict[str, list[str]] = {}
    for outcome in report.outcomes:
        for note in _notes(outcome):
            files_of.setdefault(note, []).append(outcome.file)
    for note, files in files_of.items():
        where = "" if report.files == 1 else f"{files[0]}: " if len(files) == 1 else f"{len(files):,} files: "
        _say(f"  {where}{note}")
    _say(f"Imported: {report.summary()}.")


def _line(outcome: "FileOutcome") -> str:
    if outcome.refused is not None:
        return f"{outcome.file}: refused"
    facts = f" ({', '.join(outcome.facts)})" if outcome.facts else ""
    parts = [f"{outcome.landed:,} landed"]
    parts += [f"{outcome.duplicates:,} known before"] * bool(outcome.duplicates)
    parts += [f"{outcome.quarantined:,} quarantined"] * bool(outcome.quarantined)
    parts += [f"{count:,} skipped ({reason})" for reason, count in outcome.skipped.items()]
    return f"{outcome.file}: {outcome.format}{facts}: {outcome.read:,} read, {', '.join(parts)}"


def _notes(outcome: "FileOutcome") -> list[str]:
    if outcome.refused is not None:
        return []
    notes = list(outcome.notes)
    if outcome.unused:
        count = len(outcome.unused)
        notes.append(f"{count} of its columns {'is' if count == 1 else 'are'} not used: {', '.join(outcome.unused)}")
    if outcome.retweets_collected is not None:
        notes.append(
            "collected with retweets"
            if outcome.retweets_collected
            else "holds no retweets, so how much people pass on stays unknown (--retweets if they were collected)"
        )
    return notes


def _show_preview(preview: "Preview") -> "Preview":
    if preview.refused is not None:
        _say(f"{preview.file}: would be refused")
        return preview
    _say(f"{preview.file}: {preview.format}" + (f" ({', '.join(preview.facts)})" if preview.facts else ""))
    for name, place in (preview.columns or {}).items():
        _say(f"  {name:<20} from {place}")
    if preview.unused:
        _say(f"  not used: {', '.join(preview.unused)}")
    for name, cost in (preview.costs or {}).items():
        _say(f"  {name:<20} missing: {cost}")
    for note in preview.notes:
        _say(f"  {note}")
    _say(f"  of the first {preview.checked:,} records {preview.bad:,} could not be used")
    for error in preview.errors:
        _say(f"    {error}")
    for tweet in preview.tweets:
        _say(f"  {_shown(tweet)}")
    return preview


def _shown(tweet: "Tweet") -> str:
    import orjson

    return orjson.dumps(tweet).decode()


def _say(sentence: str) -> None:
    console.print(sentence, soft_wrap=True, markup=False, highlight=False)


def _fail(left: list[str], files: int) -> None:
    """End with exit code 1 if anything was left, and say what and where."""
    if len(left) == 1:
        raise InputError(left[0])
    if left:
        for reason in left[:_MOST_NAMED]:
            _say(f"left: {reason}")
        more = f" (the first {_MOST_NAMED} are above)" if len(left) > _MOST_NAMED else " (see above)"
        raise InputError(f"{len(left):,} of {files:,} files were not read whole{more}; the rest has landed")


@contextmanager
def _progress() -> "Iterator[Advance | None]":
    """A bar of bytes at a terminal; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:

        def advance(file: str, done: int, size: int | None) -> None:
            if file not in tasks:
                tasks[file] = bar.add_task(Path(file).name, total=size)
            bar.update(tasks[file], completed=done)

        yield advance


def _pairs(option: str, given: list[str] | None) -> dict[str, str]:
    pairs = [entry.partition("=") for entry in given or []]
    for name, sign, _ in pairs:
        if not sign or not name:
            raise SettingError(f"{option} {name}: should read {option} FIELD=...")
    return {name: value for name, _, value in pairs}
