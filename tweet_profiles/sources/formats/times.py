"""How times are written, and which instant each means.

What belongs here: pure functions of a cell to a time in UTC. What does not: which column holds the time.
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from tweet_profiles.landing.tweets import BadRecord

_MONTHS = {
    name: number
    for number, name in enumerate(
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"], start=1
    )
}
_ZONES = {"UTC": 0, "GMT": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7}
_V1_TIME = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) +(\d{1,2}) (\d{2}):(\d{2}):(\d{2}) ([A-Z]{3}|[+-]\d{4}) (\d{4})")


def parse_time(value: Any, what: str) -> datetime:
    """Read a time: ISO 8601 (without a zone it is UTC), or v1.1's `Wed Oct 10 20:19:24 +0000 2018`.

    Raises:
        BadRecord: naming `what` if it is neither.
    """
    if not isinstance(value, str):
        raise BadRecord(f"{what} is not a text")
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        parsed = _parse_v1_time(value, what)
    try:
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except OverflowError:
        raise BadRecord(f"{what} is out of range") from None


def _parse_v1_time(value: str, what: str) -> datetime:
    match = _V1_TIME.fullmatch(value.strip())
    if match is None:
        raise BadRecord(f"{what} is no time that is known here (ISO 8601, or as API v1.1 writes it)")
    month, day, hour, minute, second, zone, year = match.groups()
    if zone in _ZONES:
        offset = timedelta(hours=_ZONES[zone])
    elif zone[0] in "+-":
        offset = timedelta(hours=int(zone[:3]), minutes=int(zone[0] + zone[3:]))
    else:
        raise BadRecord(f"{what} has an unknown time zone")
    try:
        return datetime(
            int(year), _MONTHS[month], int(day), int(hour), int(minute), int(second), tzinfo=timezone(offset)
        )
    except (KeyError, ValueError):
        raise BadRecord(f"{what} is not a date of the calendar") from None


def format_time(moment: datetime) -> str:
    """ISO 8601 in UTC with a Z, with a fraction only if there is one; `moment` is aware and in UTC."""
    return moment.isoformat()[:-6] + "Z"
