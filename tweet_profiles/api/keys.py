"""API keys and page sessions in MongoDB: stored hashed, with a role, an expiry and the time of last use.

What belongs here: making, finding and revoking keys and sessions, and the audit log. What does not: HTTP.

A key is 256 random bits, so that a plain SHA-256 of it can neither be guessed nor reversed; its text is shown once.

Collections:
    api_keys      {_id, digest, name, role, created, expires, last_used, revoked}
    api_sessions  {_id: digest of the cookie, key, expires}; the server drops those that expired
    api_audit     {at, key, role, what, release, form, filters}: one document a download
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.database import Database

from tweet_profiles.errors import InputError

Document = dict[str, Any]

ROLES = ("marketing", "analyst", "operator")
"""From the least to the most; each may do what those before it may."""
SESSION_LENGTH = timedelta(hours=8)
LAST_USED_STEP = timedelta(minutes=1)
"""Last use is written at most so often: a write a request would cost more than the request."""


@dataclass(frozen=True)
class Key:
    """An API key without its text."""

    id: str
    name: str
    role: str
    created: datetime
    expires: datetime | None
    last_used: datetime | None
    revoked: datetime | None

    def may(self, role: str) -> bool:
        """Whether this key may do what `role` may."""
        return ROLES.index(self.role) >= ROLES.index(role)

    def is_valid(self, now: datetime) -> bool:
        """Whether it is neither revoked nor expired."""
        return self.revoked is None and (self.expires is None or now < self.expires)


class KeyStore:
    """Reads and writes keys, sessions and the audit log of a database."""

    def __init__(self, database: Database[Document]):
        self.database = database

    def prepare(self) -> None:
        """Make the indexes. May be called any number of times."""
        self.database.api_keys.create_index([("digest", ASCENDING)], unique=True)
        self.database.api_sessions.create_index([("expires", ASCENDING)], expireAfterSeconds=0)
        self.database.api_audit.create_index([("at", DESCENDING)])

    def make(self, name: str, role: str, days: int | None) -> tuple[Key, str]:
        """A new key and its text, which is nowhere stored.

        Raises:
            InputError: if the role is not known, or a key of that name is in use.
        """
        if role not in ROLES:
            raise InputError(f"role {role}: one of {', '.join(ROLES)}")
        now = datetime.now(UTC)
        if any(key.name == name and key.is_valid(now) for key in self.list()):
            raise InputError(f"a key named {name} is in use: take another name, or revoke it first")
        self.prepare()
        text = f"tp_{secrets.token_urlsafe(32)}"
        expires = None if days is None else now + timedelta(days=days)
        key = Key(secrets.token_hex(6), name, role, now, expires, None, None)
        fields = {field: value for field, value in vars(key).items() if field != "id"}
        self.database.api_keys.insert_one({"_id": key.id, "digest": digest(text), **fields})
        return key, text

    def list(self) -> "list[Key]":
        """All keys, the newest first."""
        return [_key(document) for document in self.database.api_keys.find().sort("created", DESCENDING)]

    def revoke(self, name_or_id: str) -> Key:
        """End a key and its sessions.

        Raises:
            InputError: if there is no such key in use.
        """
        now = datetime.now(UTC)
        for key in self.list():
            if name_or_id in {key.id, key.name} and key.revoked is None:
                self.database.api_keys.update_one({"_id": key.id}, {"$set": {"revoked": now}})
                self.database.api_sessions.delete_many({"key": key.id})
                return key
        raise InputError(f"there is no key {name_or_id} in use: `tweet-profiles api-key list` shows them")

    def find(self, text: str) -> Key | None:
        """The valid key with this text."""
        document = self.database.api_keys.find_one({"digest": digest(text)})
        return self._used(None if document is None else _key(document))

    def open_session(self, key: Key) -> str:
        """A session of a key; the cookie's value, which is nowhere stored."""
        self.prepare()
        cookie = secrets.token_urlsafe(32)
        expires = datetime.now(UTC) + SESSION_LENGTH
        self.database.api_sessions.insert_one({"_id": digest(cookie), "key": key.id, "expires": expires})
        return cookie

    def of_session(self, cookie: str) -> Key | None:
        """The valid key whose session this is."""
        session = self.database.api_sessions.find_one({"_id": digest(cookie)})
        if session is None or session["expires"] <= datetime.now(UTC):
            return None
        document = self.database.api_keys.find_one({"_id": session["key"]})
        return self._used(None if document is None else _key(document))

    def close_session(self, cookie: str) -> None:
        """End a session."""
        self.database.api_sessions.delete_one({"_id": digest(cookie)})

    def audit(self, key: Key, what: str, release: str, form: str, filters: Document) -> None:
        """Note a download."""
        self.database.api_audit.insert_one(
            {
                "at": datetime.now(UTC),
                "key": key.id,
                "role": key.role,
                "what": what,
                "release": release,
                "form": form,
                "filters": filters,
            }
        )

    def _used(self, key: Key | None) -> Key | None:
        now = datetime.now(UTC)
        if key is None or not key.is_valid(now):
            return None
        if key.last_used is None or now - key.last_used > LAST_USED_STEP:
            self.database.api_keys.update_one({"_id": key.id}, {"$set": {"last_used": now}})
        return key


def digest(text: str) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def _key(document: Document) -> Key:
    return Key(id=document["_id"], **{name: document[name] for name in Key.__dataclass_fields__ if name != "id"})
