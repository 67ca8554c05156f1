"""`tweet-profiles check`, `search`, `stream`, `status`, `forget`, `purge`: the X API from the command line.

What belongs here: arguments and what is printed. What does not: any work.
"""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from tweet_profiles.home import Home
from tweet_profiles.ingest.landing import LandingZone
from tweet_profiles.ingest.search import SearchReport
from tweet_profiles.settings import load_settings

ingest_app = typer.Typer(help="Tweets from X.", no_args_is_help=True, pretty_exceptions_enable=False)
console = Console()
_DATES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]


def _zone() -> LandingZone:
    settings = load_settings()
    return LandingZone(Home.open(settings.home), batch_size=settings.batch_size, batch_age_s=settings.batch_age_s)


@ingest_app.command()
def search(
    start: Annotated[datetime | None, typer.Option("--from", formats=_DATES, help="beginning of a range, UTC")] = None,
    end: Annotated[datetime | None, typer.Option("--to", formats=_DATES, help="end of the range; default: now")] = None,
) -> None:
    """Pull what is new since the last pull, or the tweets of a range of time."""
    from tweet_profiles.ingest.search import backfill, pull
    from tweet_profiles.ingest.x_config import load_x_settings, require

    if end is not None and start is None:
        raise typer.BadParameter("needs --from as well", param_hint="--to")
    config = load_x_settings()
    require(config)
    zone = _zone()
    if start is None:
        _show(pull(zone, config))
    else:
        until = None if end is None else end.replace(tzinfo=UTC)
        _show(backfill(zone, config, start.replace(tzinfo=UTC), until))


def _show(report: SearchReport) -> None:
    counts = {name: value for name, value in asdict(report).items() if isinstance(value, int) and name != "newest_id"}
    console.print("Search: " + ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in counts.items()) + ".")
    if report.unreachable_before:
        console.print(f"What came before {report.unreachable_before} is out of reach of recent search.")
    if report.stopped:
        console.print(f"Stopped early: {report.stopped}.")


@ingest_app.command()
def stream() -> None:
    """Collect the filtered stream until stopped (Ctrl-C, SIGTERM), reconnecting and filling gaps by itself."""
    import signal
    import threading

    from tweet_profiles.ingest.stream import Collector
    from tweet_profiles.ingest.x_config import load_x_settings, require

    config = load_x_settings()
    require(config)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    health = Collector(_zone(), config, stop).run()
    console.print(
        f"Collected {health.received} tweets: {health.landed} landed in {health.batches} batches, {health.duplicates} "
        f"duplicates; {health.reconnects} reconnects, {health.gap_fills} gaps filled with {health.gap_landed} tweets, "
        f"{health.gaps_pending} gaps left for the next start."
    )


@ingest_app.command()
def status() -> None:
    """Show the health of the stream collector; exit code 1 if it is not well."""
    import time

    from rich.table import Table

    from tweet_profiles.ingest.health import is_running, read, troubles

    health = read(Home.open(load_settings().home))
    if health is None:
        console.print("No collector has run in this home: `tweet-profiles stream` starts one.")
        raise typer.Exit(1)
    table = Table(show_header=False, title="Stream collector")
    for name, value in {**asdict(health), "reconnects": health.reconnects}.items():
        shown = (
            datetime.fromtimestamp(value, UTC).isoformat(timespec="seconds")
            if name.endswith("_at") and value
            else value
        )
        table.add_row(name.replace("_", " "), str(shown))
    console.print(table)
    found = troubles(health, time.time(), running=is_running(health))
    for trouble in found:
        console.print(f"- {trouble}")
    if found:
        raise typer.Exit(1)
