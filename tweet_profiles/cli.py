"""The `tweet-profiles` command.

What belongs here: arguments, what is printed, and exit codes. What does not: any work; commands import what
they need when they run, so that `--help` answers at once.
"""

import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from tweet_profiles.errors import TweetProfilesError
from tweet_profiles.home import Home
from tweet_profiles.logs import configure_logs
from tweet_profiles.settings import Settings, load_settings, project_root

app = typer.Typer(
    name="tweet-profiles",
    help="Audience profiles from the tweets that mention a brand.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
console = Console()


def main() -> None:
    """Run the command; a fault that the user can mend is one line on stderr and a non-zero exit."""
    try:
        app()
    except TweetProfilesError as error:
        sys.stderr.write(f"tweet-profiles: {error}\n")
        raise SystemExit(error.exit_code) from None


@app.callback()
def _start() -> None:
    configure_logs(load_settings().log_level)


def _open() -> tuple[Settings, Home]:
    settings = load_settings()
    return settings, Home.open(settings.home)


@app.command()
def run(
    *, cluster: Annotated[bool, typer.Option("--cluster/--no-cluster", help="group the authors afterwards")] = True
) -> None:
    """Take every landed batch to updated profiles, then group the authors."""
    from tweet_profiles.definitions import defs
    from tweet_profiles.ingest.landing import LandingZone
    from tweet_profiles.instance import dagster_instance, execute
    from tweet_profiles.pipeline import process_batches

    settings, home = _open()
    zone = LandingZone(home, batch_size=settings.batch_size, batch_age_s=settings.batch_age_s)
    with dagster_instance(home) as instance:
        with console.status("Scoring tweets and folding them into profiles"):
            done = process_batches(instance, zone, defs.resolve_job_def("process_batch"), settings.max_attempts)
        console.print(f"Processed {done.batches} batches in {done.runs} runs.")
        if cluster:
            with console.status("Grouping the authors"):
                execute(defs.resolve_job_def("recluster"), instance)
            _show_segments(settings, home)


@app.command()
def segments() -> None:
    """Show the current groups of authors."""
    settings, home = _open()
    _show_segments(settings, home)


@app.command()
def demo(
    tweets: Annotated[int, typer.Option(help="how many tweets to make")] = 4000,
    seed: Annotated[int, typer.Option(help="seed of the generator")] = 7,
) -> None:
    """Make the sample, run the whole chain over it and show the groups."""
    from tweet_profiles.ingest.archive import import_paths
    from tweet_profiles.ingest.landing import LandingZone
    from tweet_profiles.ingest.sample import generate
    from tweet_profiles.profiles.local_server import LocalServer

    settings, home = _open()
    zone = LandingZone(home, batch_size=settings.batch_size, batch_age_s=settings.batch_age_s)
    with console.status("Making the sample"):
        pages = generate(home.private / "sample" / "pages.jsonl", seed=seed, tweets=tweets)
    report = import_paths([pages], zone, home)
    console.print(f"Imported the sample: {_counts(asdict(report))}.")
    try:
        run(cluster=True)
    finally:
        if settings.mongodb_uri is None:
            LocalServer(home).stop()
    console.print("\n`make dev` opens the Dagster UI on the same data.")


@app.command()
def dev(
    port: Annotated[int, typer.Option(help="port of the Dagster UI")] = 3000,
    host: Annotated[str, typer.Option(help="address that the UI listens on")] = "127.0.0.1",
) -> None:
    """Open the Dagster UI, with its daemon, on this home."""
    from tweet_profiles.instance import dagster_instance

    _, home = _open()
    with dagster_instance(home):
        pass
    os.environ["TWEET_PROFILES_HOME"] = str(home.root)
    dagster = Path(sys.executable).with_name("dagster")
    workspace = project_root() / "workspace.yaml"
    os.chdir(project_root())
    os.execv(dagster, [str(dagster), "dev", "-w", str(workspace), "-h", host, "-p", str(port)])  # noqa: S606


def _counts(report: dict[str, Any]) -> str:
    return ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in report.items() if isinstance(value, int))


def _show_segments(settings: Settings, home: Home) -> None:
    from tweet_profiles.profiles.connection import connect
    from tweet_profiles.segments.store import SegmentStore

    client = connect(settings, home)
    try:
        current = SegmentStore(client[settings.mongodb_database]).current()
    finally:
        client.close()
    if current is None:
        console.print("There are no groups yet: `tweet-profiles import PATH`, then `tweet-profiles run`.")
        return
    table = Table(title=f"Segments of {current.authors:,} authors (k = {current.k})")
    for heading in ("#", "Segment", "Authors", "Share", "Positive", "Neutral", "Negative"):
        table.add_column(heading, justify="left" if heading == "Segment" else "right")
    for segment in current.segments:
        shares = [f"{segment[name]:.0%}" for name in ("share", "positive_share", "neutral_share", "negative_share")]
        table.add_row(str(segment["segment"]), segment["name"], f"{segment['authors']:,}", *shares)
    console.print(table)
    console.print(f"Elbow plot: {home.plots / 'elbow.png'}")
