"""The local database server of a home: one child process, shared by every process of that home.

What belongs here: starting it once however many ask, noticing that it died, stopping it. What does not: the
client and its options (`connection`), and what is stored (`store`).

The server is SecantusDB's `secantusd-py`, which speaks MongoDB's wire protocol; it is only ever run as a
process, never imported. Its life: the first `ensure()` starts it, detached from the process that asked, and it
runs until `stop()` (or `tweet-profiles db stop`, or a reboot), so that the UI, runs, the command line and the
API come and go without a restart. It always syncs its journal on commit: an acknowledged write outlives a
kill. A state file names the process and the port; it is believed only if that very process is alive and
listens on that port, and it is written only once the server has answered, so that a stale file, a reused
process id or a port taken over by somebody else is never mistaken for the server. After a death the server is
started on the same port if that is still free, so that clients with open connections find it again.

Loopback is open to every user of the machine, so the server asks for a password (SCRAM-SHA-256), which lies in a file
that only the home's owner may read. A server that wants passwords lets nobody make the first user, so new data is
opened once without: on a port of the system's choice, until the user is made and whoever else made one is removed. A
mark beside the data says that this was done. A server that runs without asking, of an older version or of a start that
was killed, is ended and started anew.
"""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import psutil
import pymongo
import structlog
from filelock import FileLock, Timeout
from pymongo.errors import PyMongoError

from tweet_profiles.errors import DatabaseError, HomeError
from tweet_profiles.home import PRIVATE_DIR_MODE, SECRET_FILE_MODE, Home, fsync_folder, write_atomically

log = structlog.get_logger(__name__)

EXECUTABLE = "secantusd-py"
START_LIMIT_S = 120.0
"""How long a start may take: after a kill the server first replays its journal."""
ANSWER_LIMIT_S = 30.0
"""How long a running server may leave a ping unanswered before it counts as hung."""
STOP_LIMIT_S = 60.0
PORT_LIMIT_S = 2.0
MAX_LOG_BYTES = 5_000_000
_SAME_PROCESS_S = 2.0
USER = "tweet_profiles"
_ASKS = "--auth"
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ")

_children: dict[int, subprocess.Popen[bytes]] = {}
"""Servers that this process started: it must reap them when they die."""


@dataclass(frozen=True)
class ServerState:
    """A running server: its process and where it listens."""

    pid: int
    created: float
    """When the process began, seconds since the epoch: a reused process id has another."""
    port: int

    @property
    def address(self) -> str:
        """Where it listens, without the password that it asks for."""
        return f"mongodb://127.0.0.1:{self.port}/?directConnection=true"


class LocalServer:
    """The database server of one home."""

    def __init__(self, home: Home) -> None:
        self._folder = home.mongodb
        self._data = self._folder / "data"
        self._state_file = self._folder / "server.json"
        self._log_file = self._folder / "server.log"
        self._config_file = self._folder / "secantusd.toml"
        self._mark = self._data / ".asks_for_a_password"

    @property
    def password_file(self) -> Path:
        """The password of the server's one user, mode 0600."""
        return self._folder / "password"

    def ensure(self) -> str:
        """The URI of the running server, with user and password; started if it is not running.

        Raises:
            DatabaseError: if it cannot be started, or runs but does not answer or refuses the password.
            HomeError: if its folder cannot be written, or the password can be read by others or is gone.
        """
        running = self.status()
        if running is None:
            with self._lock():
                running = self.status() or self._adopt() or self._start()
        self._await_answer(running)
        return self._uri(running)

    def status(self) -> ServerState | None:
        """The running server as the state file names it, or None if there is none that asks for the password."""
        state = self._running()
        return state if state is not None and _asks_for_a_password(state.pid) else None

    def _running(self) -> ServerState | None:
        state = self._read_state()
        if state is not None and _is_alive(state) and state.port in _listening_ports(state.pid):
            return state
        return None

    def _uri(self, state: ServerState) -> str:
        host = state.address.removeprefix("mongodb://")
        return f"mongodb://{USER}:{self._password()}@{host}&authSource=admin&authMechanism=SCRAM-SHA-256"

    def _password(self) -> str:
        try:
            if self.password_file.stat().st_mode & 0o077:
                raise HomeError(f"{self.password_file} can be read by others: chmod 600 it")
            return self.password_file.read_text().strip()
        except OSError as error:
            raise HomeError(
                f"{self.password_file} cannot be read ({error.strerror}): restore it from a backup of the home; if "
                f"it is lost, `tweet-profiles db stop` and remove {self._mark}: the next start makes a new one"
            ) from error

    def stop(self) -> bool:
        """Stop the server cleanly; whether there was one. Raises DatabaseError if it does not end."""
        if not self._folder.is_dir():
            return False
        with self._lock():
            running = self._running() or self._adopt(asking=False)
            if running is None:
                return False
            _end(running.pid)
            log.info("local database stopped", port=running.port)
            return True

    @contextmanager
    def _lock(self) -> Iterator[None]:
        lock = FileLock(self._folder / "server.lock", timeout=START_LIMIT_S + STOP_LIMIT_S, mode=SECRET_FILE_MODE)
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=PRIVATE_DIR_MODE)
            lock.acquire()
        except Timeout:
            raise DatabaseError(
                f"another process has been starting or stopping the local database in {self._folder} for "
                f"{START_LIMIT_S + STOP_LIMIT_S:.0f} s: end it, then try again"
            ) from None
        except OSError as error:
            raise HomeError(
                f"{self._folder} cannot be written ({error.strerror}): make it writable, "
                "or name another home in TWEET_PROFILES_HOME"
            ) from error
        try:
            yield
        finally:
            lock.release()

    def _read_state(self) -> ServerState | None:
        try:
            content = json.loads(self._state_file.read_bytes())
            return ServerState(pid=int(content["pid"]), created=float(content["created"]), port=int(content["port"]))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, KeyError, TypeError):
            log.warning("the state file of the local database is damaged and is made again")
            return None

    def _write_state(self, state: ServerState) -> None:
        content = json.dumps({"pid": state.pid, "created": state.created, "port": state.port})

        def write(file: BinaryIO) -> None:
            os.fchmod(file.fileno(), SECRET_FILE_MODE)
            file.write(content.encode())

        write_atomically(self._state_file, write)

    def _adopt(self, *, asking: bool = True) -> ServerState | None:
        """A server on our data that no state file names: whoever started it died before writing one.

        One that asks for no password is only wanted to be stopped (`asking` False), else it is ended.
        """
        for process in psutil.process_iter(["cmdline"]):
            if str(self._data) in (process.info["cmdline"] or []) and process.status() != psutil.STATUS_ZOMBIE:
                if not asking or _asks_for_a_password(process.pid):
                    return self._await_start(process)
                log.info("ended a local database that asked for no password")
                _end(process.pid)
        return None

    def _start(self) -> ServerState:
        if not self._mark.exists():
            self._make_user()
        known = self._read_state()
        if known is not None and _comes_free(known.port):
            try:
                return self._start_on(known.port)
            except DatabaseError:
                log.info("the local database's last port is taken, another one is used", port=known.port)
        return self._start_on(0)

    def _make_user(self) -> None:
        """Give the data its one user; see the module's docstring. Killed anywhere, it is simply done again."""
        password = secrets.token_urlsafe(32)

        def write(file: BinaryIO) -> None:
            os.fchmod(file.fileno(), SECRET_FILE_MODE)
            file.write(password.encode())

        write_atomically(self.password_file, write)
        state = self._await_start(self._spawn(0))
        try:
            with pymongo.MongoClient[dict[str, object]](state.address, serverSelectionTimeoutMS=10_000) as client:
                # Our own is made anew: the password of a start that was killed here is not known any more.
                for user in list(client.admin["system.users"].find({}, {"user": 1, "db": 1})):
                    client[str(user["db"])].command("dropUser", user["user"])
                client.admin.command("createUser", USER, pwd=password, roles=["root"], mechanisms=["SCRAM-SHA-256"])
        except PyMongoError as error:
            raise DatabaseError(
                f"the local database takes no password ({type(error).__name__}): see {self._log_file}"
            ) from None
        finally:
            _end(state.pid)
        self._mark.touch(mode=SECRET_FILE_MODE)
        fsync_folder(self._data)

    def _start_on(self, port: int) -> ServerState:
        """Start the server; port 0 lets the system choose one, which cannot be taken by then."""
        state = self._await_start(self._spawn(port, _ASKS))
        log.info("local database started", port=state.port)
        return state

    def _spawn(self, port: int, *further: str) -> psutil.Process:
        self._data.mkdir(exist_ok=True, mode=PRIVATE_DIR_MODE)
        if self._log_file.exists() and self._log_file.stat().st_size > MAX_LOG_BYTES:
            self._log_file.replace(self._log_file.with_suffix(".log.1"))
        self._log_file.touch(mode=SECRET_FILE_MODE)
        self._config_file.touch(mode=SECRET_FILE_MODE)  # an own, empty one: none lying elsewhere may change the server
        command = [
            str(_executable()),
            *("--config", str(self._config_file)),
            *("--host", "127.0.0.1", "--port", str(port)),
            *("--storage-path", str(self._data)),
            *("--log-level", "WARNING"),
            *("--cache-size", "512M"),
            # The change log holds copies of documents: keep it short, so that what is forgotten is gone soon.
            *("--oplog-retention-seconds", "60", "--oplog-max-entries", "1000"),
            "--sync-on-commit",
            *further,
        ]
        with self._log_file.open("ab") as output:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self._folder,
                env={name: os.environ[name] for name in _INHERITED if name in os.environ},
                start_new_session=True,  # neither Ctrl-C nor the end of the caller's group ends it
                umask=0o077,
            )
        _children[child.pid] = child
        return psutil.Process(child.pid)

    def _await_start(self, process: psutil.Process) -> ServerState:
        deadline = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline:
            if _has_ended(process.pid):
                raise DatabaseError(
                    f"the local database could not be started: see the end of {self._log_file}, "
                    "or set MONGODB_URI to use another MongoDB"
                )
            for port in _listening_ports(process.pid):
                state = ServerState(process.pid, process.create_time(), port)
                if _answers(state, within_s=1.0):
                    self._write_state(state)
                    return state
            time.sleep(0.02)
        _end(process.pid)
        raise DatabaseError(
            f"the local database did not answer within {START_LIMIT_S:.0f} s of its start: see {self._log_file}"
        )

    def _await_answer(self, state: ServerState) -> None:
        if not _answers(state, within_s=ANSWER_LIMIT_S):
            raise DatabaseError(
                f"the local database runs (process {state.pid}) but did not answer for {ANSWER_LIMIT_S:.0f} s: "
                "`tweet-profiles db stop`, then try again; the next run starts it anew"
            )


def _executable() -> Path:
    beside = Path(sys.executable).with_name(EXECUTABLE)
    found = str(beside) if beside.exists() else shutil.which(EXECUTABLE)
    if found is None:
        raise DatabaseError(
            f"{EXECUTABLE}, the local database, is not installed beside {sys.executable}: install the project's "
            "packages again, or set MONGODB_URI to use another MongoDB"
        )
    return Path(found)


def _comes_free(port: int) -> bool:
    """Whether the port can be had, now or once a killed server's last threads are gone."""
    deadline = time.monotonic() + PORT_LIMIT_S
    while not _is_free(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _has_ended(pid: int) -> bool:
    """Whether the process is gone; a dead child of ours is reaped."""
    child = _children.get(pid)
    if child is not None and child.poll() is not None:
        del _children[pid]
        return True
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _is_alive(state: ServerState) -> bool:
    if _has_ended(state.pid):
        return False
    try:
        return abs(psutil.Process(state.pid).create_time() - state.created) < _SAME_PROCESS_S
    except psutil.NoSuchProcess:
        return False


def _asks_for_a_password(pid: int) -> bool:
    try:
        return _ASKS in psutil.Process(pid).cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False


def _listening_ports(pid: int) -> list[int]:
    try:
        connections = psutil.Process(pid).net_connections("tcp4")
    except (psutil.NoSuchProcess, psutil.AccessDenied):  # another user's process is not our server
        return []
    return [
        connection.laddr.port
        for connection in connections
        if connection.status == psutil.CONN_LISTEN and connection.laddr
    ]


def _answers(state: ServerState, within_s: float) -> bool:
    limit_ms = int(within_s * 1000)
    client: pymongo.MongoClient[dict[str, object]] = pymongo.MongoClient(
        state.address, serverSelectionTimeoutMS=limit_ms, connectTimeoutMS=limit_ms, socketTimeoutMS=limit_ms
    )
    try:
        client.admin.command("ping")
    except PyMongoError:
        return False
    finally:
        client.close()
    return True


def _end(pid: int) -> None:
    """Ask the process to end; kill it if it does not (its journal keeps every acknowledged write)."""
    try:
        process = psutil.Process(pid)
        process.terminate()
        for limit_s in (STOP_LIMIT_S, 5.0):
            deadline = time.monotonic() + limit_s
            while time.monotonic() < deadline:
                if _has_ended(pid):
                    return
                time.sleep(0.02)
            process.kill()
    except psutil.NoSuchProcess:
        return
    raise DatabaseError(f"the local database (process {pid}) does not end: end it by hand")
