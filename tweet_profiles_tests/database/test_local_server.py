import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pymongo
import pytest

from tweet_profiles.database import local_server
from tweet_profiles.database.connection import connect
from tweet_profiles.database.local_server import LocalServer
from tweet_profiles.errors import DatabaseError, HomeError
from tweet_profiles.home import Home
from tweet_profiles_tests.servers import local_database, settings_of

pytestmark = pytest.mark.integration

ASK = """
import sys
from pathlib import Path
from tweet_profiles.home import Home
from tweet_profiles.database.local_server import LocalServer
print(LocalServer(Home.open(Path(sys.argv[1]))).ensure())
"""


@pytest.fixture
def server(tmp_path):
    with local_database(tmp_path) as running:
        yield running


def servers_on(root: Path) -> list[psutil.Process]:
    data = str(root / "mongodb" / "data")
    return [
        process
        for process in psutil.process_iter(["cmdline", "status"])
        if data in (process.info["cmdline"] or []) and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def kill(server: LocalServer) -> None:
    state = server.status()
    os.kill(state.pid, signal.SIGKILL)
    while server.status() is not None:
        time.sleep(0.01)


def test_many_processes_that_ask_at_once_share_one_server(tmp_path):
    asking = [
        subprocess.Popen([sys.executable, "-c", ASK, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    try:
        with ThreadPoolExecutor(4) as threads:
            here = set(threads.map(lambda _: LocalServer(Home.open(tmp_path)).ensure(), range(8)))
        told = {process.communicate()[0].strip().splitlines()[-1] for process in asking}
        assert told == here
        assert len(told) == 1
        assert len(servers_on(tmp_path)) == 1
    finally:
        LocalServer(Home(tmp_path)).stop()


def test_the_server_outlives_the_process_that_started_it(tmp_path):
    try:
        uri = subprocess.check_output([sys.executable, "-c", ASK, str(tmp_path)], text=True).strip().splitlines()[-1]
        assert LocalServer(Home(tmp_path)).ensure() == uri
    finally:
        assert LocalServer(Home(tmp_path)).stop()


def test_the_server_listens_on_loopback_only_and_syncs_on_commit(server):
    process = psutil.Process(server.status().pid)
    assert {connection.laddr.ip for connection in process.net_connections()} == {"127.0.0.1"}
    assert "--sync-on-commit" in process.cmdline()


def test_no_secret_of_the_environment_reaches_the_server(tmp_path, monkeypatch):
    monkeypatch.setenv("TWEET_PROFILES_BEARER_TOKEN", "very-secret")
    with local_database(tmp_path) as server:
        assert "very-secret" not in psutil.Process(server.status().pid).environ().values()


READ = """
import os, sys, pymongo
client = pymongo.MongoClient(sys.argv[1], serverSelectionTimeoutMS=5000)
client.admin.command("ping")  # before the change of user: the interpreter may lie where only its owner reads
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
for ask in (lambda: client.db.things.find_one(), lambda: client.db.things.insert_one({}), client.list_database_names):
    try:
        ask()
    except pymongo.errors.OperationFailure as error:
        print(error.code)
try:
    open(sys.argv[2]).read()
except PermissionError:
    print("no password")
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can try as another user")
def test_another_user_of_the_machine_reads_and_writes_nothing(server, tmp_path):
    client = pymongo.MongoClient(server.ensure())
    client.db.things.insert_one({"_id": 1})
    unauthorized = "13"
    done = subprocess.run(
        [sys.executable, "-c", READ, server.status().address, str(server.password_file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split("\n")[:4] == [unauthorized] * 3 + ["no password"], done.stderr
    assert client.db.things.count_documents({}) == 1


def test_a_wrong_password_is_refused(server):
    wrong = server.ensure().replace(server.password_file.read_text(), "x" * 43)
    with pytest.raises(pymongo.errors.OperationFailure) as refusal:
        pymongo.MongoClient(wrong).db.things.find_one()
    assert refusal.value.code == 18


def start_without_password(root: Path) -> subprocess.Popen:
    """The server as earlier versions started it."""
    data = str(root / "mongodb" / "data")
    return subprocess.Popen(
        [str(local_server._executable()), "--host", "127.0.0.1", "--port", "0", "--storage-path", data],
        cwd=root,
    )


def test_data_of_a_server_that_asked_for_no_password_are_kept_and_get_one(tmp_path):
    server = LocalServer(Home.open(tmp_path))
    (tmp_path / "mongodb" / "data").mkdir(parents=True)
    old = start_without_password(tmp_path)
    try:
        running = server._await_start(psutil.Process(old.pid))
        with pymongo.MongoClient(running.address) as open_to_all:
            open_to_all.db.things.insert_one({"_id": 1})
            for name in ("admin", "elsewhere"):
                roles = [{"role": "root", "db": "admin"}]
                open_to_all[name].command("createUser", "intruder", pwd="p" * 20, roles=roles)
        threading.Thread(target=old.wait, daemon=True).start()
        with pymongo.MongoClient(server.ensure()) as client:
            assert client.db.things.count_documents({}) == 1
            assert [user["user"] for user in client.admin["system.users"].find()] == ["tweet_profiles"]
        assert len(servers_on(tmp_path)) == 1
    finally:
        server.stop()


def test_a_first_start_that_was_killed_before_the_password_was_set_is_done_again(tmp_path):
    server = LocalServer(Home.open(tmp_path))
    (tmp_path / "mongodb" / "data").mkdir(parents=True)
    (tmp_path / "mongodb" / "password").write_text("of the start that was killed")
    killed = start_without_password(tmp_path)
    threading.Thread(target=killed.wait, daemon=True).start()
    try:
        with pymongo.MongoClient(server.ensure()) as client:
            client.db.things.insert_one({"_id": 1})
        assert len(servers_on(tmp_path)) == 1
    finally:
        server.stop()


def test_a_lost_or_readable_password_is_told_with_the_way_out(server):
    server.password_file.chmod(0o644)
    with pytest.raises(HomeError, match="can be read by others: chmod 600"):
        server.ensure()
    server.password_file.unlink()
    with pytest.raises(HomeError, match="restore it from a backup"):
        server.ensure()
    server.stop()
    (server.password_file.parent / "data" / ".asks_for_a_password").unlink()
    assert pymongo.MongoClient(server.ensure()).admin.command("ping")["ok"] == 1


def test_nobody_else_may_read_the_servers_files(server, tmp_path):
    for path in [tmp_path / "mongodb", *(tmp_path / "mongodb").rglob("*")]:
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


def test_acknowledged_writes_outlive_a_kill(server, tmp_path):
    client = connect(settings_of(tmp_path), Home(tmp_path))
    for i in range(50):
        client.db.things.insert_one({"_id": i})
    kill(server)
    server.ensure()
    assert sorted(document["_id"] for document in client.db.things.find()) == list(range(50))
    client.close()


def test_a_restarted_server_is_found_by_clients_that_were_connected(server, tmp_path):
    client = connect(settings_of(tmp_path), Home(tmp_path))
    kill(server)
    server.ensure()
    assert client.admin.command("ping")["ok"] == 1
    client.close()


def bind_when_free(squatter, port):
    """A killed server's threads may hold its socket a moment longer."""
    for _ in range(200):
        try:
            return squatter.bind(("127.0.0.1", port))
        except OSError:
            time.sleep(0.05)
    return squatter.bind(("127.0.0.1", port))


def test_a_restart_goes_elsewhere_when_the_port_is_taken(server):
    port = server.status().port
    kill(server)
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bind_when_free(squatter, port)
        squatter.listen()
        server.ensure()
        assert server.status().port != port


def test_a_stranger_on_the_port_is_not_mistaken_for_the_server(server, tmp_path):
    state_file = tmp_path / "mongodb" / "server.json"
    state = json.loads(state_file.read_text())
    server.stop()
    with local_database() as stranger:
        state_file.write_text(json.dumps({**state, "port": stranger.status().port}))
        assert server.status() is None
        state_file.write_text(json.dumps({**state, "pid": os.getpid()}))
        assert server.status() is None
        state_file.write_text(json.dumps({**state, "pid": stranger.status().pid, "port": stranger.status().port}))
        assert server.status() is None
        server.ensure()
        assert server.status().pid != stranger.status().pid


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": "x", "created": 1, "port": 2}', '{"pid": 1}'])
def test_a_damaged_state_file_does_not_start_a_second_server(server, tmp_path, content):
    first = server.status()
    (tmp_path / "mongodb" / "server.json").write_text(content)
    server.ensure()
    assert server.status() == first
    assert len(servers_on(tmp_path)) == 1


def test_a_server_whose_starter_died_before_writing_its_state_is_adopted_and_can_be_stopped(server, tmp_path):
    (tmp_path / "mongodb" / "server.json").unlink()
    assert server.stop()
    assert servers_on(tmp_path) == []


def test_stopping_twice_or_where_nothing_ever_ran_is_no_error(server, tmp_path):
    assert server.stop()
    assert not server.stop()
    assert not LocalServer(Home(tmp_path / "nowhere")).stop()
    assert not (tmp_path / "nowhere").exists()


def test_damaged_data_are_reported_with_the_log_to_read(tmp_path):
    with local_database(tmp_path) as server:
        server.stop()
        (tmp_path / "mongodb" / "data" / "WiredTiger.wt").write_bytes(b"not a table")
        (tmp_path / "mongodb" / "data" / "WiredTiger.turtle").write_bytes(b"not a table")
        with pytest.raises(DatabaseError, match=r"could not be started: see the end of .*server\.log"):
            server.ensure()


def test_a_missing_executable_is_reported_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(local_server, "EXECUTABLE", "no-such-server")
    with pytest.raises(DatabaseError, match="install the project's packages again, or set MONGODB_URI"):
        LocalServer(Home.open(tmp_path)).ensure()


def test_a_folder_that_cannot_be_made_is_reported(tmp_path):
    (tmp_path / "mongodb").write_text("in the way")
    with pytest.raises(HomeError, match="cannot be written"):
        LocalServer(Home(tmp_path)).ensure()


def test_a_server_that_hangs_is_reported_and_can_be_stopped(server, monkeypatch):
    monkeypatch.setattr(local_server, "ANSWER_LIMIT_S", 0.3)
    monkeypatch.setattr(local_server, "STOP_LIMIT_S", 0.3)
    os.kill(server.status().pid, signal.SIGSTOP)
    with pytest.raises(DatabaseError, match="did not answer"):
        server.ensure()
    assert server.stop()
    assert pymongo.MongoClient(server.ensure()).admin.command("ping")["ok"] == 1
