"""Emptying a home: everything that was landed, computed or released, and its key.

What belongs here: removing all of one home. What does not: removing single authors (`forget`) or by age (`retention`).
"""

import shutil

from tweet_profiles.database.connection import connect
from tweet_profiles.database.local_server import LocalServer
from tweet_profiles.errors import HomeError
from tweet_profiles.home import Home
from tweet_profiles.profiles.store import COLLECTIONS as DATA
from tweet_profiles.settings import ENV_FILE, Settings

COLLECTIONS = (*DATA, "state", "api_keys", "api_sessions", "api_audit")
"""What this product stores in a MongoDB; a database may hold more, which stays."""


def collections_of(settings: Settings) -> list[str]:
    """The collections of ours in the MongoDB of the settings, empty where the database is the home's local one."""
    if settings.mongodb_uri is None:
        return []
    with connect(settings, Home(settings.home)) as client:
        present = client[settings.mongodb_database].list_collection_names()
    return [name for name in COLLECTIONS if name in present]


def empty(settings: Settings, home: Home) -> None:
    """Remove everything of a home but its `.env`; stops its local database first.

    What marks it as a home goes last, so that the same command can be given again after a kill.

    Raises:
        HomeError: if something cannot be removed.
        DatabaseError: if the MongoDB of the settings cannot be reached.
    """
    if settings.mongodb_uri is None:
        LocalServer(home).stop()
    else:
        with connect(settings, home) as client:
            for name in COLLECTIONS:
                client[settings.mongodb_database].drop_collection(name)
    entries = [path for path in home.root.iterdir() if path.name != ENV_FILE]
    entries.sort(key=lambda path: path == home.layout_file)
    try:
        for path in entries:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    except OSError as error:
        raise HomeError(f"{error.filename} cannot be removed ({error.strerror}): reset again once it can") from error
