"""Which home a command works on, and `tweet-profiles dev`, `status` and `reset`.

What belongs here: arguments and what is printed. What does not: any work.
"""

import os
import signal
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tweet_profiles.errors import HomeError, SettingError
from tweet_profiles.home import Home
from tweet_profiles.settings import current_home, demo_home, load_settings, project_root

homes_app = typer.Typer()
console = Console()

HomeOption = Annotated[
    Path | None, typer.Option("--home", help="the home to use instead of TWEET_PROFILES_HOME", show_default=False)
]
DemoOption = Annotated[bool, typer.Option("--demo", help="use the demo's home")]


def use_home(home: Path | None, *, demo: bool) -> None:
    """Let this process and its children use a home: the named one, the demo's, or as the settings say.

    Raises:
        SettingError: if both are asked for.
    """
    if home is not None and demo:
        raise SettingError("--home and --demo: give one of them")
    if home is not None or demo:
        chosen = home.expanduser().absolute() if home is not None else demo_home(current_home())
        os.environ["TWEET_PROFILES_HOME"] = str(chosen)


@homes_app.command()
def dev(
    port: Annotated[int, typer.Option(help="port of the Dagster UI")] = 3000,
    host: Annotated[str, typer.Option(help="address that the UI listens on")] = "127.0.0.1",
    api_port: Annotated[int, typer.Option(help="port of the page and the REST API; 0: without them")] = 8000,
    *,
    home: HomeOption = None,
    demo: DemoOption = False,
) -> None:
    """Open the Dagster UI, with its daemon, on a home, and the page beside it.

    Without --home or --demo it is your own home, or the demo's if nothing has come into yours yet.
    """
    from tweet_profiles.api.beside import start_beside
    from tweet_profiles.commands.ports import require_free
    from tweet_profiles.orchestration.instance import dagster_instance

    use_home(home, demo=demo)
    why = ""
    if home is None and not demo and shows_demo(load_settings().home):
        use_home(None, demo=True)
        why = " (the demo's: nothing has come into your own yet; --home PATH shows another)"
    opened = Home.open(load_settings().home)
    console.print(f"Home: {opened.root}{why}", soft_wrap=True, highlight=False)
    require_free(host, port, "--port")
    if api_port:
        require_free("127.0.0.1", api_port, "--api-port")
    with dagster_instance(opened):
        pass
    os.environ["TWEET_PROFILES_HOME"] = str(opened.root)
    dagster = Path(sys.executable).with_name("dagster")
    workspace = project_root() / "workspace.yaml"
    console.print(f"The Dagster UI: http://{host}:{port}", soft_wrap=True, highlight=False)
    sys.stdout.flush()
    if api_port:
        start_beside(api_port, f"http://{host}:{port}")
        os.environ.setdefault("TWEET_PROFILES_PAGE_URL", f"http://127.0.0.1:{api_port}")
    os.chdir(project_root())
    # Dagster stops at SIGTERM as it does at SIGINT, and a shell that starts this in the background has that ignored.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with opened.in_use("dev"):
        os.execv(dagster, [str(dagster), "dev", "-w", str(workspace), "-h", host, "-p", str(port)])  # noqa: S606


def shows_demo(own: Path) -> bool:
    """Whether the demo's home is meant where none is named: one's own is empty, and nothing will come by itself."""
    from tweet_profiles.sources.x.config import faults_of_environment

    is_empty = not Home(own).has_data and load_settings().mongodb_uri is None and bool(faults_of_environment())
    return is_empty and Home(demo_home(own)).has_data


@homes_app.command()
def status(
    *,
    home: HomeOption = None,
    demo: DemoOption = False,
    acknowledge: Annotated[bool, typer.Option("--acknowledge", help="the lost tweets told here are known")] = False,
) -> None:
    """Show the state of a home, and of its stream collector if one has run; exit code 1 if something is off."""
    from tweet_profiles.database.connection import connect
    from tweet_profiles.landing.zone import LandingZone
    from tweet_profiles.orchestration.condition import read_condition, troubles
    from tweet_profiles.orchestration.instance import dagster_instance
    from tweet_profiles.release.counts import roughly

    use_home(home, demo=demo)
    settings = load_settings()
    opened = Home.open(settings.home)
    with connect(settings, opened) as client, dagster_instance(opened) as instance:
        found = read_condition(LandingZone(opened), client[settings.mongodb_database], instance, settings.max_attempts)
    now = datetime.now(UTC)
    table = Table(show_header=False, title=f"Home {opened.root}")
    table.add_row("last batch landed", _when(found.last_landed, now))
    table.add_row("batches waiting", str(found.waiting))
    table.add_row("profiles", f"about {roughly(found.profiles, settings.k_anonymity):,}" if found.profiles else "none")
    table.add_row("grouped", f"{_when(found.grouped, now)}{f', {found.segments} segments' if found.grouped else ''}")
    table.add_row("released", _when(found.released, now))
    table.add_row(
        "not released yet",
        "nothing" if found.unreleased_since is None else f"what came since {_when(found.unreleased_since, now)}",
    )
    console.print(table)
    off = troubles(found, now)
    if found.is_empty:
        off.append("nothing has come in yet: `tweet-profiles import FILE`, or `tweet-profiles search`")
    off += _show_collector(opened)
    off += _lost(opened, acknowledge=acknowledge)
    for trouble in off:
        console.print(f"- {trouble}", soft_wrap=True, highlight=False, markup=False)
    if off:
        raise typer.Exit(1)


def _when(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return "never"
    hours = (now - moment).total_seconds() / 3600
    ago = f"{hours / 24:.0f} days" if hours >= 48 else f"{hours:.0f} hours" if hours >= 2 else "a moment"
    return f"{moment:%Y-%m-%d %H:%M} UTC, {ago} ago"


def _lost(home: Home, *, acknowledge: bool) -> list[str]:
    """What of X is lost for good and not acknowledged, one sentence each."""
    from tweet_profiles.sources.x import losses

    if acknowledge:
        console.print(f"Acknowledged: {losses.acknowledge(home)} losses.")
    return [losses.told(loss) for loss in losses.open_losses(home)]


def _show_collector(home: Home) -> list[str]:
    """Show the stream collector's health, if one has run here; returns what is wrong with it."""
    import time

    from tweet_profiles.sources.x.health import is_running, read, troubles

    health = read(home)
    if health is None:
        console.print("No collector has run in this home: `tweet-profiles stream` starts one.")
        return []
    table = Table(show_header=False, title="Stream collector")
    for name, value in {**asdict(health), "reconnects": health.reconnects}.items():
        shown = (
            datetime.fromtimestamp(value, UTC).isoformat(timespec="seconds")
            if name.endswith("_at") and value
            else value
        )
        table.add_row(name.replace("_", " "), str(shown))
    console.print(table)
    return troubles(health, time.time(), running=is_running(health))


@homes_app.command()
def reset(
    *,
    home: HomeOption = None,
    demo: DemoOption = False,
    yes: Annotated[bool, typer.Option("--yes", help="empty it without asking")] = False,
) -> None:
    """Empty a home: tweets, profiles, segments, releases, API keys, and the key of the pseudonyms. Its `.env` stays."""
    from tweet_profiles.removal.reset import collections_of, empty

    use_home(home, demo=demo)
    settings = load_settings()
    chosen = Home(settings.home)
    if not chosen.is_home:
        raise HomeError(f"{chosen.root} is no home of tweet_profiles: nothing was removed")
    users = chosen.used_by()
    if users:
        first = {name: pid for pid, name in reversed(users.items())}
        who = ", ".join(f"{name} (process {pid})" for name, pid in reversed(first.items()))
        raise HomeError(f"{chosen.root} is in use by {who}: stop it, then reset; nothing was removed")
    elsewhere = collections_of(settings)
    what = f"everything in {chosen.root}"
    if elsewhere:
        what += f", and {len(elsewhere)} collections of the database {settings.mongodb_database} at MONGODB_URI"
    if not yes:
        typer.confirm(f"This removes {what}, for good. Go on?", abort=True)
    empty(settings, chosen)
    console.print(f"{chosen.root} is empty.", soft_wrap=True, highlight=False)
