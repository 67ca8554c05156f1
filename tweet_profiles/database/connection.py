"""The connection to MongoDB: the one that MONGODB_URI names, else the home's local server.

What belongs here: client options and clear errors that never show a credential. What does not: what is stored
(`store`), and the local server's process (`local_server`).

Options that the URI gives win; these are set where it gives none:

- selecting a server waits `mongodb_timeout_s` (20 s): long enough for an election or a restart;
- connecting may take 10 s, one answer 300 s: a dead peer is noticed, a long aggregation is let finish;
- reads and writes that hit a fail-over are tried again once by the driver; the store waits longer on top;
- a write is acknowledged by a majority and by the journal, so that what was acknowledged is never lost.
"""

import ipaddress
from typing import Any

import pymongo
import structlog
from pymongo.database import Database
from pymongo.errors import (
    ConfigurationError,
    InvalidURI,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)
from pymongo.uri_parser import parse_uri

from tweet_profiles.database.local_server import LocalServer
from tweet_profiles.errors import DatabaseError
from tweet_profiles.home import Home
from tweet_profiles.settings import Settings

log = structlog.get_logger(__name__)

Document = dict[str, Any]

_AUTHENTICATION_FAILED = 18
_UNAUTHORIZED = 13


def connect(settings: Settings, home: Home) -> pymongo.MongoClient[Document]:
    """A client that has reached its server; times come back aware, in UTC.

    Raises:
        DatabaseError: if the URI cannot be used, or the server cannot be reached or refuses us.
    """
    if settings.mongodb_uri is None:
        return _reach(LocalServer(home).ensure(), "the local database", settings.mongodb_timeout_s)
    uri = settings.mongodb_uri.get_secret_value()
    return _reach(uri, "MONGODB_URI", settings.mongodb_timeout_s)


def database(settings: Settings, home: Home) -> Database[Document]:
    """The database of the settings on a new client. Raises DatabaseError as `connect` does."""
    return connect(settings, home)[settings.mongodb_database]


def _reach(uri: str, named: str, timeout_s: float) -> pymongo.MongoClient[Document]:
    try:
        parsed = parse_uri(uri)
        hosts = ", ".join(f"{host}:{port}" for host, port in parsed["nodelist"])
        given = {name.lower() for name in parsed["options"]}
        _warn_of_plain_text(parsed)
        client: pymongo.MongoClient[Document] = pymongo.MongoClient(
            uri, tz_aware=True, **{name: value for name, value in _options(timeout_s).items() if name not in given}
        )
    except (InvalidURI, ConfigurationError, ValueError, OSError):
        # The driver's own text may quote the URI and so a password: neither shown nor chained.
        raise DatabaseError(
            f"{named} cannot be used: it should read mongodb://[user:password@]host[:port]/[?options], with user "
            "and password percent-escaped, known options, and files of tlsCAFile and the like that exist"
        ) from None
    try:
        client.admin.command("ping")
    except ServerSelectionTimeoutError:
        client.close()
        waited = client.options.server_selection_timeout
        raise DatabaseError(
            f"{named}: no MongoDB answers at {hosts} within {waited:g} s: check the address, that the server "
            "runs, its firewall, and whether it wants tls=true"
        ) from None
    except OperationFailure as error:
        client.close()
        if error.code in (_AUTHENTICATION_FAILED, _UNAUTHORIZED):
            raise DatabaseError(
                f"{named}: MongoDB at {hosts} refuses the user or the password: check them, percent-escaping, "
                "and authSource"
            ) from None
        raise DatabaseError(f"{named}: MongoDB at {hosts} refuses a ping (code {error.code})") from None
    except PyMongoError as error:
        client.close()
        raise DatabaseError(f"{named}: MongoDB at {hosts} cannot be used ({type(error).__name__})") from None
    return client


def _options(timeout_s: float) -> dict[str, Any]:
    return {
        "appname": "tweet-profiles",
        "serverselectiontimeoutms": int(timeout_s * 1000),
        "connecttimeoutms": 10_000,
        "sockettimeoutms": 300_000,
        "retrywrites": True,
        "retryreads": True,
        "w": "majority",
        "journal": True,
    }


def _warn_of_plain_text(parsed: dict[str, Any]) -> None:
    options = {name.lower(): value for name, value in parsed["options"].items()}
    if options.get("tls") or all(_is_loopback(host) for host, _ in parsed["nodelist"]):
        return
    log.warning("MONGODB_URI names another machine without TLS: pseudonyms and scores travel readable; add tls=true")


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.startswith("/"):  # a Unix socket
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
