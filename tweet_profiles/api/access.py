# ruff: noqa: ARG002, ARG005 - the frameworks fix the signatures
"""Who asks and how often: keys in the Authorization header, sessions of the page, roles, throttling.

What belongs here: DRF's authentication, permission and throttle classes. What does not: how keys are stored (`keys`).
"""

import mmap
import struct
import threading
import time
import zlib
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.middleware.csrf import CsrfViewMiddleware
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.throttling import BaseThrottle

from tweet_profiles.api.keys import Key, KeyStore
from tweet_profiles.api.reader import connection

COOKIE = "tweet_profiles_session"
MOST_KEY_CHARACTERS = 200


class Counters:
    """Requests of the running minute a name, shared by all worker processes that were forked after it was made.

    A name's slot is the checksum of the name. Two processes that count at the very same moment may lose one: a limit
    is not worth a lock that a killed process could keep.
    """

    SLOTS = 65_536
    _ENTRY = struct.Struct("II")

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, self.SLOTS * self._ENTRY.size)
        self._lock = threading.Lock()

    def count(self, name: str, more: int = 1) -> int:
        """Add to the name's requests of this minute; how many there are now."""
        place = zlib.crc32(name.encode()) % self.SLOTS * self._ENTRY.size
        minute = int(time.time() // 60)
        with self._lock:
            then, seen = self._ENTRY.unpack_from(self._memory, place)
            seen = (seen if then == minute else 0) + more
            self._ENTRY.pack_into(self._memory, place, minute, min(seen, 2**32 - 1))
        return seen


counters = Counters()


class TooManyGuessesError(exceptions.Throttled):
    """An address sent too many keys that are none."""


def find_key(request: HttpRequest) -> Key | None:
    """The valid key of a request, by header or by the page's cookie; None if it brings neither.

    Raises:
        exceptions.AuthenticationFailed: if what it brings is no valid key.
        exceptions.Throttled: if its address has guessed too often.
        exceptions.PermissionDenied: if it changes something by cookie without the page's token.
    """
    header = request.META.get("HTTP_AUTHORIZATION", "")
    if header:
        scheme, _, text = header.partition(" ")
        if scheme.lower() != "bearer":
            raise exceptions.AuthenticationFailed("send the key as `Authorization: Bearer KEY`")
        return check_key(request, text.strip())
    cookie = request.COOKIES.get(COOKIE)
    if not cookie or len(cookie) > MOST_KEY_CHARACTERS:
        return None
    key = KeyStore(connection.database()).of_session(cookie)
    if key is not None and request.method not in ("GET", "HEAD", "OPTIONS"):
        _require_token(request)
    return key


def check_key(request: HttpRequest, text: str) -> Key:
    """The valid key of this text; raises as `find_key` does."""
    key = None
    if 0 < len(text) <= MOST_KEY_CHARACTERS and text.isascii():
        key = KeyStore(connection.database()).find(text)
    if key is None:
        # Only who brings no valid key is held up: others may share the address.
        if counters.count(f"guess {request.META.get('REMOTE_ADDR', '')}") > settings.API_GUESSES_PER_MINUTE:
            raise TooManyGuessesError(wait=60)
        raise exceptions.AuthenticationFailed("the key is not known, was revoked or has expired")
    return key


def _require_token(request: HttpRequest) -> None:
    check = CsrfViewMiddleware(lambda request: None)
    check.process_request(request)
    if check.process_view(request, None, (), {}) is not None:
        raise exceptions.PermissionDenied("a session may change nothing without the page's token")


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer KEY`, or the page's session."""

    def authenticate(self, request: Any) -> tuple[None, Key] | None:
        """The key as `request.auth`."""
        key = find_key(request._request)
        request._request.api_key = key
        return None if key is None else (None, key)

    def authenticate_header(self, request: Any) -> str:
        """What a 401 asks for."""
        return 'Bearer realm="tweet-profiles"'


class KeyScheme(OpenApiAuthenticationExtension):
    """How the OpenAPI document tells of keys."""

    target_class = KeyAuthentication
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """An HTTP bearer scheme."""
        return {"type": "http", "scheme": "bearer", "description": "A key of `tweet-profiles api-key make`."}


class HasRole(BasePermission):
    """The key's role is at least the view's `role`; a view that names none is open to every valid key."""

    def has_permission(self, request: Any, view: Any) -> bool:
        """Whether it may."""
        if request.auth is None:
            raise exceptions.NotAuthenticated("send a key as `Authorization: Bearer KEY`")
        role = getattr(view, "role", "marketing")
        if not request.auth.may(role):
            raise exceptions.PermissionDenied(f"this needs a key of the role {role}")
        return True


class KeyThrottle(BaseThrottle):
    """So many requests a minute a key, `TWEET_PROFILES_API_RATE_PER_MINUTE`."""

    def allow_request(self, request: Any, view: Any) -> bool:
        """Whether the key has requests left this minute."""
        return request.auth is None or counters.count(f"key {request.auth.id}") <= settings.API_RATE_PER_MINUTE

    def wait(self) -> float:
        """Seconds to the next minute."""
        return 60 - time.time() % 60
