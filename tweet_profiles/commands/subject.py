"""`tweet-profiles subject`: what is stored of one person, for that person; and erasing it.

What belongs here: arguments and what is printed. What does not: any work.
"""

import secrets
import sys
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from tweet_profiles.errors import SettingError
from tweet_profiles.home import Home
from tweet_profiles.settings import load_settings

subject_app = typer.Typer()
console = Console()


@subject_app.command()
def subject(
    user_id: Annotated[str | None, typer.Argument(help="id of the account, digits", show_default=False)] = None,
    handle: Annotated[
        str | None, typer.Option(help="instead: the handle of an author whom a file told by handle alone")
    ] = None,
    *,
    erase: Annotated[bool, typer.Option("--erase", help="erase it everywhere, for good")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="erase without asking")] = False,
) -> None:
    """Show a person what is stored of them, as a sentence and as JSON; with --erase, erase it and print a receipt."""
    from tweet_profiles.database.connection import connect
    from tweet_profiles.landing.zone import LandingZone
    from tweet_profiles.profiles.store import ProfileStore
    from tweet_profiles.removal.forget import forget
    from tweet_profiles.removal.subject import subject_of

    if (user_id is None) == (handle is None):
        raise SettingError("give the id of an account, or its handle with --handle")
    settings = load_settings()
    home = Home.open(settings.home)
    zone = LandingZone(home)
    with connect(settings, home) as client:
        store = ProfileStore(client[settings.mongodb_database])
        store.prepare()
        secret = home.pseudonym_key(settings)
        found = subject_of(zone, store, secret, author=user_id, handle=handle)
        console.print(found.sentence(), soft_wrap=True, highlight=False)
        sys.stdout.write(found.to_json() + "\n")
        if not erase:
            return
        if not yes:
            typer.confirm("Erase all of it, and take in nothing of this person any more?", abort=True)
        authors = [] if user_id is None else [user_id]
        done = forget(zone, store, secret, authors=authors, handles=[] if handle is None else [handle])
    removed = sum(asdict(done).values())
    console.print(
        f"Receipt {secrets.token_hex(8)}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC: everything stored of one person was "
        f"erased from this home ({removed} records), and nothing of them will be taken in again. Released rows, of "
        "groups without pseudonyms, are made anew with the next clustering.",
        soft_wrap=True,
        highlight=False,
    )
