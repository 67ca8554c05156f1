"""`tweet-profiles db`: the local database server.

What belongs here: arguments and what is printed. What does not: any work.
"""

import typer
from rich.console import Console

from tweet_profiles.home import Home
from tweet_profiles.profiles.local_server import LocalServer
from tweet_profiles.settings import load_settings

db_app = typer.Typer(name="db", help="The database of the profiles.", no_args_is_help=True)
console = Console()


@db_app.command()
def start() -> None:
    """Start the home's local database, if it does not run yet, and print its address."""
    settings = load_settings()
    console.print(LocalServer(Home.open(settings.home)).ensure())


@db_app.command()
def stop() -> None:
    """Stop the home's local database."""
    stopped = LocalServer(Home(load_settings().home)).stop()
    console.print("The local database is stopped." if stopped else "The local database was not running.")
