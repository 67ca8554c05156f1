"""A served API for tests: the installed command, over HTTP, on a database of its own."""

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path
from typing import Any

import pymongo
from pymongo.database import Database

from tweet_profiles.api.keys import ROLES, KeyStore
from tweet_profiles_tests.conftest import executable


@dataclass(frozen=True)
class Answer:
    """A response."""

    status: int
    headers: Message
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Api:
    """A running server, its database and a key of each role."""

    url: str
    database: Database[dict[str, Any]]
    log: Path
    process: "subprocess.Popen[bytes]"
    keys: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, role: str | None = "operator", **headers: str) -> Answer:
        """GET /api/v1/PATH, or an absolute path, with the key of a role."""
        return self.send("GET", path, role, None, **headers)

    def post(self, path: str, body: Any, role: str | None = "operator", **headers: str) -> Answer:
        """POST JSON, or bytes as they are."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.send("POST", path, role, data, **{"Content-Type": "application/json", **headers})

    def send(self, method: str, path: str, role: str | None, body: bytes | None, **headers: str) -> Answer:
        """Any request; redirects are not followed."""
        address = self.url + (path if path.startswith("/") else f"/api/v1/{path}")
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if role is not None:
            given["Authorization"] = f"Bearer {self.keys[role]}"
        request = urllib.request.Request(address, data=body, headers=given, method=method)
        try:
            with _OPENER.open(request, timeout=60) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, error.headers, error.read())


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: Any, **more: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def served(
    root: Path, uri: str | None, name: str, *, workers: int = 1, drop: bool = True, **settings: str
) -> Iterator[Api]:
    """`tweet-profiles serve` on a database, with a key of each role; the database is dropped at the end."""
    port = free_port()
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith(("TWEET_PROFILES_", "MONGODB_"))},
        "TWEET_PROFILES_HOME": str(root / "home"),
        "TWEET_PROFILES_MONGODB_DATABASE": name,
        "TWEET_PROFILES_API_RATE_PER_MINUTE": "1000000",
        **({} if uri is None else {"MONGODB_URI": uri}),
        **settings,
    }
    log = root / "api.log"
    root.mkdir(parents=True, exist_ok=True)
    with pymongo.MongoClient(uri, tz_aware=True) as client, log.open("wb") as out:  # type: ignore[var-annotated]
        process = subprocess.Popen(
            [executable(), "serve", "--port", str(port), "--workers", str(workers), "--threads", "16"],
            env=environment, cwd=root, stdout=out, stderr=out,
        )  # fmt: skip
        api = Api(f"http://127.0.0.1:{port}", client[name], log, process)
        try:
            api.keys = {role: KeyStore(api.database).make(role, role, None)[1] for role in ROLES}
            _wait(api)
            yield api
        finally:
            process.terminate()
            process.wait(60)
            if drop:
                client.drop_database(name)


def _wait(api: Api) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        if api.process.poll() is not None:
            break
        try:
            if api.get("/healthz", None).status == 200:
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.2)
    raise AssertionError(f"the API did not start: {api.log.read_text()[-2000:]}")
