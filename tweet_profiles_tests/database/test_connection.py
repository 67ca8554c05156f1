import socket
import traceback

import pytest
from structlog.testing import capture_logs

from tweet_profiles.database.connection import connect
from tweet_profiles.errors import DatabaseError
from tweet_profiles.home import Home
from tweet_profiles.settings import Settings

SECRET = "s3cr3t-word"


def connect_to(tmp_path, uri, timeout_s=0.3):
    return connect(Settings(home=tmp_path, MONGODB_URI=uri, mongodb_timeout_s=timeout_s), Home(tmp_path))


@pytest.fixture
def closed_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_an_unreachable_server_is_named_with_its_address_and_what_to_check(tmp_path, closed_port):
    with pytest.raises(DatabaseError, match=rf"no MongoDB answers at 127\.0\.0\.1:{closed_port} within 0\.3 s: check"):
        connect_to(tmp_path, f"mongodb://127.0.0.1:{closed_port}/")


@pytest.mark.parametrize(
    "uri",
    [
        f"mongodb://user:{SECRET}@127.0.0.1:1/",
        f"mongodb://user:p@{SECRET}:nonsense/",
        f"mongodb://user:{SECRET}@host:70000/",
        f"mongodb://user:{SECRET}@127.0.0.1:1/?tls=true&tlsCAFile=/{SECRET}/nowhere",
        f"mongodb://user:{SECRET}@127.0.0.1:1/?w={SECRET}&readConcernLevel={SECRET}&ssl=maybe",
        f"{SECRET}",
        "mongodb://",
    ],
)
def test_no_error_shows_a_credential(tmp_path, uri):
    with pytest.raises(DatabaseError) as caught:
        connect_to(tmp_path, uri)
    told = "".join(traceback.format_exception(caught.value, chain=True)[-1:]) + str(caught.value)
    assert SECRET not in told
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert "\n" not in str(caught.value)


def test_the_options_are_set_and_those_of_the_uri_win(tmp_path, mongodb_server):
    with connect_to(tmp_path, mongodb_server, timeout_s=7) as client:
        assert client.options.server_selection_timeout == 7
        assert client.options.retry_writes
        assert client.options.retry_reads
        assert client.write_concern.document == {"w": "majority", "j": True}
        assert client.codec_options.tz_aware
    with connect_to(tmp_path, f"{mongodb_server}&serverSelectionTimeoutMS=4000&w=1") as client:
        assert client.options.server_selection_timeout == 4
        assert client.write_concern.document == {"w": 1, "j": True}


def test_another_machine_without_tls_is_warned_of(tmp_path):
    with capture_logs() as logs, pytest.raises(DatabaseError):
        connect_to(tmp_path, "mongodb://db.invalid:27017/")
    assert any("without TLS" in entry["event"] for entry in logs)
    with capture_logs() as logs, pytest.raises(DatabaseError):
        connect_to(tmp_path, "mongodb://db.invalid:27017/?tls=true")
    assert logs == []
