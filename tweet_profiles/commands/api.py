"""`tweet-profiles serve` and `tweet-profiles api-key`.

What belongs here: arguments and what is printed. What does not: any work.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from tweet_profiles.errors import SettingError
from tweet_profiles.home import Home
from tweet_profiles.settings import load_settings

if TYPE_CHECKING:
    from tweet_profiles.api.keys import KeyStore

api_app = typer.Typer(no_args_is_help=True)
keys_app = typer.Typer(name="api-key", help="Keys of the REST API and the page.", no_args_is_help=True)
api_app.add_typer(keys_app)
console = Console()


@api_app.command()
def serve(
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port")] = 8000,
    workers: Annotated[int, typer.Option(help="processes; 0: one a core", min=0)] = 0,
    threads: Annotated[int, typer.Option(help="threads a process", min=1)] = 8,
) -> None:
    """Serve the REST API and the page."""
    from tweet_profiles.api.serve import LOOPBACK
    from tweet_profiles.api.serve import serve as start
    from tweet_profiles.commands.ports import require_free
    from tweet_profiles.database.connection import connect
    from tweet_profiles.release.shown import complete_view

    settings = load_settings()
    if host not in LOOPBACK and not settings.api_https:
        raise SettingError(
            f"--host {host}: keys would travel readable. Put a proxy with TLS before it and set "
            "TWEET_PROFILES_API_HTTPS=true and TWEET_PROFILES_API_HOSTS to its names"
        )
    home = Home.open(settings.home)
    require_free(host, port, "--port")
    with connect(settings, home) as client:
        complete_view(client[settings.mongodb_database])
    console.print(f"The page: http://{host}:{port}/   The API: http://{host}:{port}/api/v1/docs", soft_wrap=True)
    console.print("It asks for a key: `tweet-profiles api-key make NAME` makes one.")
    sys.stdout.flush()
    with home.in_use("serve"):
        start(home, host, port, workers or len(os.sched_getaffinity(0)), threads)


@keys_app.command()
def make(
    name: Annotated[str, typer.Argument(help="whose key it is, for the list")],
    role: Annotated[str, typer.Option(help="marketing, analyst or operator")] = "marketing",
    days: Annotated[int, typer.Option(help="days until it expires; 0: never", min=0, max=3650)] = 365,
) -> None:
    """Make a key and show it, this once."""
    with _store() as store:
        key, text = store.make(name, role, days or None)
    until = "without expiry" if key.expires is None else f"until {key.expires:%Y-%m-%d}"
    sys.stderr.write(f"Key {key.id} of {key.name}, role {key.role}, {until}. It is shown only now:\n")
    sys.stdout.write(text + "\n")


@keys_app.command(name="list")
def list_keys() -> None:
    """Show all keys, without their text."""
    with _store() as store:
        keys = store.list()
    if not keys:
        console.print("There are no keys yet: `tweet-profiles api-key make NAME`.")
        return
    table = Table()
    for heading in ("Id", "Name", "Role", "Made", "Expires", "Last used", "Revoked"):
        table.add_column(heading)
    for key in keys:
        moments = (key.created, key.expires, key.last_used, key.revoked)
        shown = ["-" if moment is None else f"{moment:%Y-%m-%d %H:%M}" for moment in moments]
        table.add_row(key.id, key.name, key.role, *shown)
    console.print(table)


@keys_app.command()
def revoke(key: Annotated[str, typer.Argument(help="name or id")]) -> None:
    """End a key and its sessions, at once."""
    with _store() as store:
        ended = store.revoke(key)
    console.print(f"Key {ended.id} of {ended.name} is revoked.")


@contextmanager
def _store() -> "Iterator[KeyStore]":
    from tweet_profiles.api.keys import KeyStore
    from tweet_profiles.database.connection import connect

    settings = load_settings()
    client = connect(settings, Home.open(settings.home))
    try:
        yield KeyStore(client[settings.mongodb_database])
    finally:
        client.close()
