"""`tweet-profiles db`, the database of the profiles, and `tweet-profiles export`, what may leave it.

What belongs here: arguments and what is printed. What does not: any work.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from tweet_profiles.database.local_server import USER, LocalServer
from tweet_profiles.home import Home
from tweet_profiles.settings import load_settings

db_app = typer.Typer(name="db", help="The database of the profiles.", no_args_is_help=True)
release_app = typer.Typer()
console = Console()

_ONE_AN_AUTHOR = ("profiles", "scores")
"""Collections with a document an author."""


class Format(StrEnum):
    """Of an exported file."""

    csv = "csv"
    parquet = "parquet"


@db_app.command()
def start() -> None:
    """Start the home's local database, if it does not run yet; print its address and where its password lies."""
    server = LocalServer(Home.open(load_settings().home))
    server.ensure()
    running = server.status()
    if running is not None:
        console.print(running.address, soft_wrap=True)
    console.print(f"User {USER}, authSource admin; the password is in {server.password_file}", soft_wrap=True)


@db_app.command()
def stop() -> None:
    """Stop the home's local database."""
    stopped = LocalServer(Home(load_settings().home)).stop()
    console.print("The local database is stopped." if stopped else "The local database was not running.")


@db_app.command()
def status() -> None:
    """Show how many documents there are, their indexes, the schema's version and the current release.

    Who is in no row of the release is not counted below k, nor told as the difference of two counts.
    """
    from tweet_profiles.database.connection import connect
    from tweet_profiles.profiles.store import ProfileStore
    from tweet_profiles.release.counts import beside, in_words
    from tweet_profiles.release.store import ReleaseStore

    settings = load_settings()
    with connect(settings, Home.open(settings.home)) as client:
        database = client[settings.mongodb_database]
        found = ProfileStore(database).status()
        release = ReleaseStore(database).current()
    table = Table(title=f"Database {found['database']}, schema version {found['schema_version'] or 'not made yet'}")
    table.add_column("Collection")
    table.add_column("Documents", justify="right")
    table.add_column("Indexes")
    for name, count in found["counts"].items():
        shown = f"{count:,}"
        if release is not None and name in _ONE_AN_AUTHOR:
            shown = beside(count, release.authors, release.k_anonymity)
        table.add_row(name, shown, ", ".join(found["indexes"][name]))
    console.print(table)
    if release is None:
        console.print("There is no release yet: `tweet-profiles run` makes one.")
    else:
        console.print(
            f"Release {release.version}: {release.authors:,} authors in {release.groups:,} groups of "
            f"{release.smallest_group} or more, {in_words(release.withheld, release.k_anonymity)} withheld.",
            soft_wrap=True,
        )


@db_app.command("rotate-key")
def rotate() -> None:
    """Put a new key on top of the pseudonyms' key and give everything stored its new pseudonyms.

    Do so when the key may have become known. Authors keep their profiles. Copies made before, of the database or of
    tables, stay readable with the old key: delete them.
    """
    from dagster import RunsFilter

    from tweet_profiles.database.connection import connect
    from tweet_profiles.orchestration.instance import UNFINISHED, dagster_instance
    from tweet_profiles.profiles.store import ProfileStore
    from tweet_profiles.removal.rotation import rotate_key

    settings = load_settings()
    home = Home.open(settings.home)
    with connect(settings, home) as client, dagster_instance(home) as instance:
        database = client[settings.mongodb_database]
        ProfileStore(database).prepare()
        done = rotate_key(home, settings, database, lambda: bool(instance.get_runs(RunsFilter(statuses=UNFINISHED))))
    console.print(
        f"The key is rotated: {done.authors:,} authors, {done.topics:,} hashtags and {done.tables:,} tables have new "
        f"pseudonyms. Keep {home.secret_key_file} as you would a password, and delete copies of what there was before.",
        soft_wrap=True,
    )


@release_app.command("export")
def export_release(
    folder: Annotated[
        Path | None, typer.Argument(help="where to; default: exports/ in the home", show_default=False)
    ] = None,
    form: Annotated[
        list[Format] | None, typer.Option("--format", help="csv or parquet; default: both", show_default=False)
    ] = None,
) -> None:
    """Write the released profiles with their segments as CSV and Parquet; each file whole or not at all."""
    from tweet_profiles.database.connection import connect
    from tweet_profiles.release.files import export

    settings = load_settings()
    home = Home.open(settings.home)
    with connect(settings, home) as client:
        done = export(client[settings.mongodb_database], folder or home.exports, tuple(form or Format))
    for file in done.files:
        console.print(f"{done.rows:,} released profiles: {file}", soft_wrap=True)
