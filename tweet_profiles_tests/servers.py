"""Throw-away database servers for the tests: real ones, over TCP, as the product starts them.

`local_database` is the context manager; `mongodb_server` the fixture of a whole session (import it in a
conftest.py) and `database` an empty database on it for one test.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pymongo
import pytest
from pymongo.database import Database

from tweet_profiles.database.connection import connect
from tweet_profiles.database.local_server import LocalServer
from tweet_profiles.home import Home
from tweet_profiles.settings import Settings


def settings_of(root: Path) -> Settings:
    """Settings of a home at `root` that know no other MongoDB."""
    return Settings(home=root, MONGODB_URI=None)


@contextmanager
def local_database(root: Path | None = None) -> Iterator[LocalServer]:
    """A running local server in a home at `root`, or in a temporary one; stopped at the end."""
    with tempfile.TemporaryDirectory(prefix="tweet_profiles_") as folder:
        server = LocalServer(Home.open(root or Path(folder) / "home"))
        try:
            server.ensure()
            yield server
        finally:
            server.stop()


@pytest.fixture(scope="session")
def mongodb_server() -> Iterator[str]:
    """The URI of one server for the whole session."""
    with local_database() as server:
        yield server.ensure()


@pytest.fixture
def database(mongodb_server: str, tmp_path: Path) -> Iterator[Database[dict[str, Any]]]:
    """An empty database of its own for a test, with the product's own client options."""
    settings = Settings(home=tmp_path, MONGODB_URI=mongodb_server)
    client: pymongo.MongoClient[dict[str, Any]] = connect(settings, Home(tmp_path))
    name = f"test_{uuid4().hex[:12]}"
    try:
        yield client[name]
    finally:
        client.drop_database(name)
        client.close()
