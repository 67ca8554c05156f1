"""How times are written, and which instant each means.

What belongs here: pure functions of a cell to a time in UTC, and of the cells of a sample to the order of day and month
in a file. What does not: which column holds the time. Nothing is guessed: what may mean two instants is refused.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tzlocal.windows_tz import win_tz

from tweet_profiles.errors import SettingError
from tweet_profiles.landing.tweets import BadRecord
from tweet_profiles.sources.formats.values import is_missing, unwrapped

FIRST_TWEET = datetime(2006, 3, 21, tzinfo=UTC)
CLOCK_TOLERANCE = timedelta(minutes=5)
ORDERS = ("dmy", "mdy", "ymd")

EXCEL_EPOCH = datetime(1899, 12, 30)
EXCEL_SERIALS = (38_000.0, 60_000.0)
"""Days since Excel's epoch from 2004 to 2064."""

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            ("jan", "january"),
            ("feb", "february"),
            ("mar", "march"),
            ("apr", "april"),
            ("may",),
            ("jun", "june"),
            ("jul", "july"),
            ("aug", "august"),
            ("sep", "sept", "september"),
            ("oct", "october"),
            ("nov", "november"),
            ("dec", "december"),
        ),
        start=1,
    )
    for name in names
}
_WEEKDAYS = frozenset(
    [
        "mon",
        "tue",
        "wed",
        "thu",
        "fri",
        "sat",
        "sun",
        "tues",
        "wednes",
        "thur",
        "thurs",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ]
)
_FILLERS = frozenset({"at", "on", "of", "the", "-", "·", "•", "|", ","})

# The abbreviations that RFC 822 defines, and those that mean one zone wherever they are used. IST, BST, AST, GST and
# such mean several: they are read only where --time-zone names a zone that uses them.
_ZONES = {
    "UTC": 0, "GMT": 0, "UT": 0, "Z": 0, "ZULU": 0, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "MEZ": 1, "MESZ": 2,
    "EET": 2, "EEST": 3, "MSK": 3, "SAST": 2, "CAT": 2, "EAT": 3, "WAT": 1, "PKT": 5, "WIB": 7, "HKT": 8, "JST": 9,
    "KST": 9, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13, "BRT": -3, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5,
    "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10,
}  # fmt: skip

_TIME = re.compile(
    r"(?<![\d:.])(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(?!\d|:)\s*([ap]\.?m\.?(?![a-z]))?", re.IGNORECASE
)
_OFFSET = re.compile(r"(?:UTC|GMT)?\s*([+\-−])(\d{1,2})(?::?(\d{2}))?(?::?00)?")  # noqa: RUF001
_ISO = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2}),?(?:[T\s]+(.*))?", re.IGNORECASE | re.DOTALL)
_COMMON = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:[0-5]\d(?:\.\d{3}(?:\d{3})?)?(?:Z|[+-]\d\d:\d\d)?", re.ASCII)
LONGEST_COMMON = len("2006-03-21T20:50:14.000000+00:00")
_NUMERIC = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2}),?(?:[T\s]+(.*))?", re.DOTALL)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:[T ]?(\d{2})(\d{2})(\d{2})?(Z|[+-]\d{2}:?\d{2})?)?", re.IGNORECASE)
_NUMBER = re.compile(r"\d{5,19}(?:\.\d+)?")
_RELATIVE = re.compile(
    r"(?:\d+|an?)\s*(?:s|m|h|d|sec\w*|min\w*|hours?|hrs?|days?|weeks?)(?:\s+ago)?|yesterday|today|now", re.I
)


class Moment(NamedTuple):
    """A time as a file tells it.

    Attributes:
        at: the instant, in UTC; of a mere day, its midnight.
        has_hour: whether the time of day is told.
        told_zone: whether the zone is told.
    """

    at: datetime
    has_hour: bool = True
    told_zone: bool = True


@dataclass(frozen=True)
class TimeReader:
    """How the times of one file are read.

    Attributes:
        order: "dmy" or "mdy" where dates are written in numbers with the year last; None if that is not known.
        pattern: a strptime format that all times of the file have.
        zone: the zone of times that tell none.
        zone_named: whether the user named it, so that it may settle what an abbreviation means.
    """

    order: str | None = None
    pattern: str | None = None
    zone: tzinfo = UTC
    zone_named: bool = False

    def read(self, value: Any, what: str) -> Moment:
        """The instant that a cell means.

        Raises:
            BadRecord: naming `what` if it means none, or may mean several.
        """
        try:
            return self._as_most(value) or self._read(value, what)
        except (OverflowError, ValueError) as error:
            if isinstance(error, BadRecord):
                raise
            raise BadRecord(f"{what} is not a date of the calendar") from None

    def _as_most(self, value: Any) -> Moment | None:
        """A time as most files write it, which the standard library reads at once; None if it is written otherwise."""
        if self.pattern is not None or not isinstance(value, str) or len(value) > LONGEST_COMMON:
            return None
        return _common(value, self.zone)

    def _read(self, value: Any, what: str) -> Moment:  # noqa: PLR0911 - one return a way of writing
        value = unwrapped(value)
        if is_missing(value):
            raise BadRecord(f"{what} is missing")
        if isinstance(value, datetime):
            return self._in_utc(value, has_hour=True)
        if isinstance(value, date):
            return Moment(datetime(value.year, value.month, value.day, tzinfo=UTC), has_hour=False)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise BadRecord(f"{what} is not a time")
        text = _plain(str(value))
        if len(text) > 80:
            raise BadRecord(f"{what} is no time that is known here")
        if self.pattern is not None:
            return self._by_pattern(text, what)
        if _NUMBER.fullmatch(text):
            return self._number(text, what)
        iso = _ISO.fullmatch(text)
        if iso is not None:
            year, _, month, day, rest = iso.groups()
            return self._day_and_time(int(year), int(month), int(day), rest, what)
        compact = _COMPACT.fullmatch(text)
        if compact is not None:
            return self._compact(compact, what)
        numeric = _NUMERIC.fullmatch(text)
        if numeric is not None:
            first, _, second, year, rest = numeric.groups()
            if self.order == "ymd" and len(year) == 2:
                return self._day_and_time(_whole_year(first, what), int(second), int(year), rest, what)
            day, month = self._day_and_month(int(first), int(second), what)
            return self._day_and_time(_whole_year(year, what), month, day, rest, what)
        return self._words(text, what)

    def _by_pattern(self, text: str, what: str) -> Moment:
        pattern = self.pattern or ""
        try:
            parsed = datetime.strptime(text, pattern)
        except ValueError:
            raise BadRecord(f"{what} is not as --date-format says") from None
        return self._in_utc(parsed, has_hour=any(code in pattern for code in ("%H", "%I", "%c", "%X", "%T", "%R")))

    def _number(self, text: str, what: str) -> Moment:
        whole = text.partition(".")[0]
        if len(whole) in (8, 14) and "." not in text:
            compact = _COMPACT.fullmatch(text)
            if compact is not None and FIRST_TWEET.year <= int(compact.group(1)) < 2100:
                return self._compact(compact, what)
        if len(whole) == 5 and EXCEL_SERIALS[0] <= float(text) < EXCEL_SERIALS[1]:
            seconds = round((float(text) - int(whole)) * 86_400)
            parsed = EXCEL_EPOCH + timedelta(days=int(whole), seconds=seconds)
            return self._in_utc(parsed, has_hour="." in text)
        for digits, unit in ((10, 1), (13, 1_000), (16, 1_000_000), (19, 1_000_000_000)):
            if len(whole) == digits:
                seconds, fraction = divmod(int(whole), unit)
                return Moment(
                    datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=fraction * 1_000_000 // unit)
                )
        raise BadRecord(f"{what} is a number that is no time: seconds since 1970 have 10 digits, milliseconds 13")

    def _compact(self, match: re.Match[str], what: str) -> Moment:
        year, month, day, hour, minute, second, zone = match.groups()
        rest = None if hour is None else f"{hour}:{minute}:{second or '00'}{zone or ''}"
        return self._day_and_time(int(year), int(month), int(day), rest, what)

    def _day_and_month(self, first: int, second: int, what: str) -> tuple[int, int]:
        order = order_of(first, second) or self.order
        if order is None and first != second:
            raise BadRecord(f"{what} may be day-month or month-day: say which with --date-format dmy or mdy")
        if self.order in ("dmy", "mdy") and order != self.order and first != second:
            raise BadRecord(f"{what} has day and month in another order than the file's other dates")
        return (first, second) if order != "mdy" else (second, first)

    def _words(self, text: str, what: str) -> Moment:
        """A time with the month as a word: v1.1's, RFC 2822's, Twitter's pages'. Each part has one meaning, or none."""
        time = _TIME.search(text)
        rest = text if time is None else f"{text[: time.start()]} {text[time.end() :]}"
        offset = re.search(r"(?<=\s)(?:UTC|GMT)?\s?[+-]\d{2}:?\d{2}(?=\s|$)", rest, re.IGNORECASE) if time else None
        if offset is not None:
            rest = f"{rest[: offset.start()]} {rest[offset.end() :]}"
        month: int | None = None
        zones, numbers = [], []
        for word in re.findall(r"\d+(?:st|nd|rd|th)?|[^\W\d_]+\.?|\S", rest.replace("-", " "), re.IGNORECASE):
            bare = word.lower().rstrip(".")
            if bare in _WEEKDAYS or bare in _FILLERS or not bare:
                continue
            if bare in _MONTHS and month is None:
                month = _MONTHS[bare]
            elif word[0].isdigit():
                numbers.append(re.sub(r"\D", "", word))
            elif word.isalpha():
                zones.append(word)
            else:
                raise self._unknown(text, what)
        years = [number for number in numbers if len(number) == 4]
        days = [number for number in numbers if len(number) <= 2]
        if month is None or len(years) != 1 or len(days) != 1 or (zones and offset is not None):
            raise self._unknown(text, what)
        tail = None
        if time is not None:
            tail = " ".join((time.group(0), offset.group(0).strip() if offset else " ".join(zones)))
        elif zones:
            raise self._unknown(text, what)
        return self._day_and_time(int(years[0]), month, int(days[0]), tail, what)

    def _unknown(self, text: str, what: str) -> BadRecord:
        if _RELATIVE.fullmatch(text):
            return BadRecord(f"{what} is told from the day of collection (2h, yesterday): nobody knows when that was")
        return BadRecord(
            f"{what} is no time that is known here: describe it with --date-format, such as %d.%m.%Y %H:%M"
        )

    def _day_and_time(self, year: int, month: int, day: int, rest: str | None, what: str) -> Moment:
        if rest is None or not rest.strip():
            return Moment(datetime(year, month, day, tzinfo=UTC), has_hour=False)
        match = _TIME.match(rest.strip())
        if match is None:
            raise BadRecord(f"{what} is no time that is known here")
        hour, minute, second = int(match.group(1)), int(match.group(2)), int(match.group(3) or 0)
        half = (match.group(5) or "").lower()[:1]
        if half:
            if not 1 <= hour <= 12:
                raise BadRecord(f"{what} is not a time of the day")
            hour = hour % 12 + (12 if half == "p" else 0)
        micros = int((match.group(4) or "0").ljust(6, "0")[:6])
        leap = second == 60
        parsed = datetime(year, month, day, hour, minute, 59 if leap else second, micros)
        zone = rest.strip()[match.end() :].strip().strip("()").strip()
        if not zone:
            return self._in_utc(parsed, has_hour=True)
        return Moment(parsed.replace(tzinfo=self._zone(zone, parsed, what)).astimezone(UTC))

    def _zone(self, name: str, at: datetime, what: str) -> tzinfo:
        offset = _OFFSET.fullmatch(name)
        if offset is not None:
            sign, hours, minutes = offset.groups()
            span = timedelta(hours=int(hours), minutes=int(minutes or 0))
            return timezone(span if sign == "+" else -span)
        repeated = re.fullmatch(r"([+-]\d{2}:?\d{2})\s*(?:\(?[A-Za-z ]+\)?|UTC|GMT)", name)
        if repeated is not None:
            return self._zone(repeated.group(1), at, what)
        if self.zone_named and at.replace(tzinfo=self.zone).tzname() == name:
            return self.zone
        hours_of = _ZONES.get(name.upper())
        if hours_of is not None:
            return timezone(timedelta(hours=hours_of))
        named = _named_zone(name)
        if named is not None:
            return named
        raise BadRecord(
            f"{what} has a zone that may mean several or is not known: name it with --time-zone, such as Asia/Kolkata"
        )

    def _in_utc(self, parsed: datetime, *, has_hour: bool) -> Moment:
        if not has_hour:
            return Moment(datetime(parsed.year, parsed.month, parsed.day, tzinfo=UTC), has_hour=False)
        return _moment(parsed, self.zone)


@lru_cache(maxsize=1 << 14)
def _common(text: str, zone: tzinfo) -> Moment | None:
    """A time in the one way in which most are written; kept, as an author's time of creation comes with each tweet."""
    return _moment(datetime.fromisoformat(text), zone) if _COMMON.fullmatch(text) else None


def _moment(parsed: datetime, zone: tzinfo) -> Moment:
    """The moment of a time that, if it tells no zone, is in `zone`."""
    if parsed.tzinfo is UTC:
        return Moment(parsed)
    told = parsed.tzinfo is not None
    return Moment((parsed if told else parsed.replace(tzinfo=zone)).astimezone(UTC), told_zone=told)


def _plain(text: str) -> str:
    """A time without quotes and the name that JavaScript repeats after the zone; the time of day behind the date."""
    text = text.strip().strip("\"'").lstrip("\ufeff").strip()
    text = re.sub(r"([+-]\d{2}:?\d{2})\s*\([^()]*\)$", r"\1", text)
    clock = _TIME.match(text)
    if clock is not None and re.fullmatch(r"[\s,·-]*\d{1,4}([-/.])\d{1,2}\1\d{1,4}", text[clock.end() :]):
        text = f"{text[clock.end() :].strip(' ,·-')} {clock.group(0).strip()}"
    return text


def _named_zone(name: str) -> tzinfo | None:
    """A zone by its IANA name, or as Windows names it ("India Standard Time")."""
    key = win_tz.get(re.sub(r" (?:Daylight|Summer) Time$", " Standard Time", name), name)
    if key == name and "/" not in name:
        return None
    try:
        return ZoneInfo(key)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def zone_of(name: str) -> tzinfo:
    """The zone of an IANA or Windows name. Raises SettingError if there is none."""
    try:
        return _named_zone(name) or ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingError(f"time zone {name}: not known; give an IANA name, such as Europe/Berlin") from None


def _whole_year(year: str, what: str) -> int:
    if len(year) == 4:
        return int(year)
    whole = 2000 + int(year)
    if not FIRST_TWEET.year <= whole <= datetime.now(UTC).year:
        raise BadRecord(f"{what} has a year of two digits in which there were no tweets")
    return whole


def order_of(first: int, second: int) -> str | None:
    """The order that a date proves by itself: no month is above 12."""
    if first > 12 >= second:
        return "dmy"
    if second > 12 >= first:
        return "mdy"
    return None


def without_hour(moment: Moment, zone: tzinfo) -> Moment:
    """The day of a moment that is a midnight in the zone; any other moment as it is."""
    local = moment.at.astimezone(zone)
    if local.time() != datetime.min.time():
        return moment
    return Moment(datetime(local.year, local.month, local.day, tzinfo=UTC), has_hour=False, told_zone=False)


def numeric_order(values: Iterable[Any]) -> tuple[set[str], bool]:
    """What the dates of a sample prove: the orders that some have, and whether some could be read in both."""
    proved: set[str] = set()
    open_ones = False
    for value in values:
        match = _NUMERIC.fullmatch(_plain(value)) if isinstance(value, str) else None
        if match is not None:
            first, second = int(match.group(1)), int(match.group(3))
            order = order_of(first, second)
            proved |= {order} if order else set()
            open_ones |= order is None and first != second
    return proved, open_ones


def is_excel_serial(value: Any) -> bool:
    """Whether a cell is a date as Excel's number of days."""
    text = str(value).strip()
    return not isinstance(value, bool) and bool(
        re.fullmatch(r"\d{5}(?:\.\d+)?", text) and EXCEL_SERIALS[0] <= float(text) < EXCEL_SERIALS[1]
    )


def checked(moment: Moment, what: str, now: datetime) -> Moment:
    """The moment, if a tweet can be from then. Raises BadRecord otherwise."""
    if moment.at < FIRST_TWEET:
        raise BadRecord(f"{what} lies before the first tweet (2006-03-21)")
    if moment.at > now + CLOCK_TOLERANCE:
        raise BadRecord(f"{what} lies in the future")
    return moment


STRICT = TimeReader()
"""How X's own times are read: they tell their zone, or are in UTC."""


def parse_time(value: Any, what: str) -> datetime:
    """Read a time as X writes it, in UTC. Raises BadRecord naming `what` if it is none."""
    return STRICT.read(value, what).at


def format_time(moment: datetime) -> str:
    """ISO 8601 in UTC with a Z, with a fraction only if there is one; `moment` is aware and in UTC."""
    return moment.isoformat()[:-6] + "Z"
