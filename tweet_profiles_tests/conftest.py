"""Fixtures of all tests: a home of one's own, real database servers, and how the command is run."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pymongo
import pytest

from tweet_profiles.home import Home
from tweet_profiles_tests.servers import database, mongodb_server

__all__ = ["database", "mongodb_server"]

INTEGRATION_FIXTURES = {"mongodb_server", "command", "x"}
"""What a database, the command in a process of its own, or the fake X stands behind."""

Command = Callable[..., "subprocess.CompletedProcess[str]"]
KEY = "k" * 32
OF_THE_MACHINE = ("TWEET_PROFILES_", "MONGODB_", "DAGSTER_")
"""How the environment variables begin that tests must not take over."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as integration whatever talks to a server; tests that start processes by themselves say so themselves."""
    for item in items:
        if INTEGRATION_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.integration)


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the settings, the home or the .env of the machine it runs on."""
    for name in [name for name in os.environ if name.startswith(OF_THE_MACHINE)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TWEET_PROFILES_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TWEET_PROFILES_ENV_FILE", "")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """An empty home."""
    return Home.open(tmp_path / "home")


@pytest.fixture
def own_database(mongodb_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """MONGODB_URI names the session's server, and a database of this test's own; its name."""
    name = f"test_{uuid4().hex[:12]}"
    monkeypatch.setenv("MONGODB_URI", mongodb_server)
    monkeypatch.setenv("TWEET_PROFILES_MONGODB_DATABASE", name)
    monkeypatch.setenv("TWEET_PROFILES_PSEUDONYM_KEY", KEY)
    yield name
    with pymongo.MongoClient(mongodb_server) as client:  # type: ignore[var-annotated]
        client.drop_database(name)


def executable() -> str:
    """The installed command."""
    return str(Path(sys.executable).with_name("tweet-profiles"))


@pytest.fixture
def command() -> Command:
    """Run `tweet-profiles ARGS`, as a user does."""

    def run(*arguments: str | Path, stdin: str | None = None, **settings: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [executable(), *map(str, arguments)],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=250,
            env={**os.environ, **settings},
            check=False,
        )

    return run
