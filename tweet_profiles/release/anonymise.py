"""What may leave the system of a profile: groups of at least k authors whose rows are all the same.

What belongs here: pure functions from profiles and segments to released rows. What does not: grouping similar records
(`microaggregation`), writing and reading releases (`release`).

The attacker is taken to hold everybody's full public X profile and all tweets, to know this code, and to have the same
sentiment model. Then every released column is a quasi-identifier, the segment and the sentiment included, because all
can be computed again. So there is no split into columns to protect and columns to show: all rows of a group are equal
in all of them, and no way of linking can do better than one in the size of the group, at least k.

Three ways were weighed to get there:
- Suppression alone (drop rows that too few share): with 20 columns nearly every author is alone; it drops them all.
- Mondrian (LeFevre et al. 2006) cuts the columns at medians into boxes and shows ranges. With k = 5, 100,000 authors
  are cut 14 times, so that many of the 20 columns are never cut; ranges also have to be turned into numbers again
  before anything can be clustered.
- Microaggregation (MDAV) groups nearest neighbours over all columns at once and shows their mean, in the columns' own
  units. It keeps what clustering needs best. Taken, within segments, so that no row sits between two of them.

A mean over so few could still give away a sensitive value where all in the group share it: five authors who praise a
thing in the same words have the same sentiment. So each group that shows one has at least `DIVERSITY` different
sentiments on the released grid. A share of the groups' spread stays unknown to readers; it is the price. Where a whole
segment is of fewer, as a segment of nothing but praise can be, its rows do not show their mood: the segment's own
figures do, over all of its authors.

Not every author has a known mood: the model reads some languages only, and texts may be gone. What is not known needs
no such protection, so those authors form groups of their own where a segment has enough of them. Where it has not, they
are grouped with the others and "not known" counts as one of the different values. What most of a group do not tell is
missing in its row, never a stand-in.

What stays open: somebody who keeps the releases of many nights can compare the groups in which nearly the same authors
landed. Releases hold no key by which a row could be followed, and old ones are dropped, but copies cannot be.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from tweet_profiles.contracts import CLIENT_KINDS, LABELS, PARTS_OF_DAY, RELEASED_PROFILES, VERIFIED_KINDS
from tweet_profiles.release.microaggregation import WITHHELD, microaggregate

DIVERSITY = 3
"""Different sentiments, on the released grid, that a group must hold (l of l-diversity)."""
GRID = 0.05
CONFIDENCE_GRID = 0.1
YEARS_GRID = 0.5
_DAYS_A_YEAR = 365.25
_EPOCH = pd.Timestamp("1970-01-01", tz="UTC")
_UNKNOWN_LANGUAGE = "und"
_COMMON_LANGUAGES = 8


@dataclass(frozen=True)
class _Number:
    """A released number: how it is averaged, how fine it is shown, how much it counts when authors are grouped.

    Means are taken on the scale that is clustered on, so that a group's mean is its centre there.
    """

    name: str
    source: str
    forward: Callable[[np.ndarray], np.ndarray]
    back: Callable[[np.ndarray], np.ndarray]
    show: Callable[[np.ndarray], np.ndarray]
    weight: float = 1.0


def _same(values: np.ndarray) -> np.ndarray:
    return values


def _digits(values: np.ndarray) -> np.ndarray:
    """Two significant digits."""
    with np.errstate(divide="ignore", invalid="ignore"):
        step = 10.0 ** np.where(values > 0, np.floor(np.log10(values)) - 1, 0)
    # A mean of logarithms can come out as 1e-17 where all are zero.
    return np.where(values < 0.005, 0.0 * values, np.round(np.rint(values / step) * step, 6))


def _steps(size: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda values: np.round(np.rint(values / size) * size, 6)


_NUMBERS = (
    _Number("segment_confidence", "confidence", _same, _same, _steps(CONFIDENCE_GRID), 0.3),
    _Number("followers", "followers", np.log1p, np.expm1, _digits),
    _Number("following", "following", np.log1p, np.expm1, _digits),
    _Number("posts", "posts", np.log1p, np.expm1, _digits),
    _Number("listed", "listed", np.log1p, np.expm1, _digits, 0.3),
    _Number("account_age_years", "account_age_days", np.sqrt, np.square, _steps(YEARS_GRID)),
    _Number("tweets_seen", "tweets_seen", np.log1p, np.expm1, _digits),
    _Number("retweet_share", "retweet_share", _same, _same, _steps(GRID)),
    _Number("reply_share", "reply_share", _same, _same, _steps(GRID)),
    _Number("link_share", "link_share", _same, _same, _steps(GRID)),
    _Number("media_share", "media_share", _same, _same, _steps(GRID), 0.3),
    _Number("likes_per_tweet", "likes_per_tweet", np.log1p, np.expm1, _digits),
    _Number("retweets_per_tweet", "retweets_per_tweet", np.log1p, np.expm1, _digits, 0.3),
    _Number("sentiment_mean", "sentiment_mean", _same, _same, _steps(GRID)),
    _Number("subjectivity_mean", "subjectivity_mean", _same, _same, _steps(GRID)),
)
_LAST_SEEN_WEIGHT = 0.2
_HOUR_WEIGHT = 1.0
_KIND_WEIGHT = 0.5
_MISSING_WEIGHT = 1.0
MOVED = 0.3
"""How far an author is moved at most in each column before it is grouped, in standard deviations."""
_STRIDE = np.uint64(0x9E3779B97F4A7C15)
_NO_MOOD = -1
"""Stands among the moods on the grid for one that is not known."""


@dataclass(frozen=True)
class Facts:
    """Profiles (n) as arrays, on the scales that means are taken on.

    `numbers` float (n,) by released name, NaN where missing; `kinds` int (n,) by released name with the list of its
    values, the last of which is None; `hours` float (n, 24) shares of an author's tweets, all 0 where no hour is known;
    `labels` float (n, 3), NaN where no mood is known; `last_seen` float (n,) days since 1970.
    """

    segment: np.ndarray
    numbers: dict[str, np.ndarray]
    kinds: dict[str, tuple[np.ndarray, list[Any]]]
    hours: np.ndarray
    labels: np.ndarray
    last_seen: np.ndarray

    def __len__(self) -> int:
        return len(self.segment)


@dataclass(frozen=True)
class Anonymised:
    """Released rows, and what was left out.

    `frame` keeps RELEASED_PROFILES, shuffled; `row_of` int (authors given,) is the row of each author, -1 if withheld:
    for measuring what was lost, never to be stored.
    """

    frame: pd.DataFrame
    withheld: int
    groups: int
    smallest_group: int
    row_of: np.ndarray


def facts_of(profiles: pd.DataFrame, segment: np.ndarray, confidence: np.ndarray) -> Facts:
    """The facts of profiles that are released.

    Args:
        profiles: USER_PROFILES (n rows).
        segment: int (n,).
        confidence: float (n,) in 0 to 1.
    """
    table = profiles.assign(confidence=confidence)
    numbers = {
        number.name: number.forward(table[number.source].to_numpy("float64", na_value=np.nan)) for number in _NUMBERS
    }
    hours = np.array(profiles["hours"].tolist(), np.float64).reshape(len(profiles), 24)
    return Facts(
        segment=np.asarray(segment, np.int64),
        numbers=numbers,
        kinds={
            "main_language": _coded([_most(counts) or _UNKNOWN_LANGUAGE for counts in profiles["languages"]]),
            "main_client": _coded([_most(counts) for counts in profiles["clients"]], CLIENT_KINDS),
            "verified_kind": _coded(_plain(_verified_kind(profiles)), VERIFIED_KINDS),
            "protected": _coded(_plain(profiles["protected"]), (False, True)),
        },
        hours=hours / np.maximum(hours.sum(axis=1, keepdims=True), 1),
        labels=np.stack([profiles[f"{label}_share"].to_numpy("float64", na_value=np.nan) for label in LABELS], axis=1),
        last_seen=((profiles["last_seen"] - _EPOCH) / pd.Timedelta(days=1)).to_numpy("float64"),
    )


def anonymise(
    facts: Facts, *, k: int, diversity: int = DIVERSITY, seed: int | None = None, secrets: np.ndarray | None = None
) -> Anonymised:
    """Group the authors and give each the row of its group.

    Args:
        facts: of all authors.
        k: authors a group, at least. Segments of fewer are withheld.
        diversity: different released sentiments a group, at least; none are asked of groups without a known mood.
        seed: of the order of rows and groups; None for one that nobody can repeat.
        secrets: uint64 (authors,), a number that only the home knows of each author, by which it is moved a little
            before it is grouped: always the same way, and so that nobody else can group the same authors again.
            None: nobody is moved.
    """
    random = np.random.default_rng(seed)
    facts = _without_uniform_moods(facts, k, min(diversity, k))
    group = _groups(facts, k, min(diversity, k), secrets)
    shown = np.flatnonzero(group != WITHHELD)
    count = int(group.max()) + 1 if len(shown) else 0
    # Neither the number of a group nor the order of rows may tell anything.
    group[shown] = random.permutation(count)[group[shown]]
    rows = random.permutation(shown)
    summary = summarise(facts, group, count)
    frame = summary.take(group[rows]).reset_index(drop=True)
    frame.insert(0, "group", group[rows])
    row_of = np.full(len(facts), WITHHELD, np.int64)
    row_of[rows] = np.arange(len(rows))
    return Anonymised(
        frame=typed(frame),
        withheld=len(facts) - len(shown),
        groups=count,
        smallest_group=smallest_class(frame),
        row_of=row_of,
    )


def _groups(facts: Facts, k: int, diversity: int, secrets: np.ndarray | None) -> np.ndarray:
    """The group of each author (n,), from 0; WITHHELD where there is none."""
    mood = _moods(facts)
    matrix = distances(facts)
    if secrets is not None:
        matrix = matrix + MOVED * _moves(secrets, matrix.shape[1])
    apart = _apart(facts.segment, mood, k, diversity)
    group = np.full(len(facts), WITHHELD, np.int64)
    used = 0
    for part, least in ((~apart, diversity), (apart, 1)):
        own = microaggregate(matrix[part], facts.segment[part], mood[part], k=k, diversity=least)
        group[part] = np.where(own == WITHHELD, WITHHELD, own + used)
        used += int(own.max(initial=WITHHELD)) + 1
    return group


def _moves(secrets: np.ndarray, dimensions: int) -> np.ndarray:
    """Where each author is moved to, from its secret: float64 (n, dimensions), evenly in -1 to 1."""
    numbers = secrets.astype(np.uint64)
    columns = []
    for _ in range(dimensions):
        numbers = pd.util.hash_array(numbers + _STRIDE)
        columns.append(numbers / 2.0**63 - 1.0)
    return np.stack(columns, axis=1)


def _moods(facts: Facts) -> np.ndarray:
    """Each author's sentiment on the released grid as a number, _NO_MOOD where it is not known: int64 (n,)."""
    sentiment = facts.numbers["sentiment_mean"]
    return np.rint(np.where(np.isnan(sentiment), _NO_MOOD, sentiment / GRID)).astype(np.int64)


def _enough(moods: np.ndarray, k: int, diversity: int) -> bool:
    return len(moods) >= k and len(np.unique(moods)) >= diversity


def _without_uniform_moods(facts: Facts, k: int, diversity: int) -> Facts:
    """The facts without the mood of segments in which too few are different for any group to show it."""
    moods = _moods(facts)
    hidden = np.zeros(len(facts), bool)
    for number in np.unique(facts.segment):
        inside = facts.segment == number
        known = moods[inside & (moods != _NO_MOOD)]
        if not _enough(known, k, diversity) and not _enough(moods[inside], k, diversity):
            hidden |= inside
    sentiment = np.where(hidden, np.nan, facts.numbers["sentiment_mean"])
    return replace(
        facts,
        numbers={**facts.numbers, "sentiment_mean": sentiment},
        labels=np.where(hidden[:, None], np.nan, facts.labels),
    )


def _apart(segment: np.ndarray, moods: np.ndarray, k: int, diversity: int) -> np.ndarray:
    """Which authors are grouped apart because their mood is not known, bool (n,).

    In a segment with at least k of them they are, unless the others could be shown only together with them.
    """
    unknown = moods == _NO_MOOD
    apart = np.zeros(len(segment), bool)
    for number in np.unique(segment[unknown]):
        inside = segment == number
        without, others = inside & unknown, inside & ~unknown
        alone = not others.any() or _enough(moods[others], k, diversity)
        apart[without] = without.sum() >= k and alone
    return apart


def smallest_class(frame: pd.DataFrame) -> int:
    """The fewest rows that are equal in every column but `group`, missing values taken as equal; 0 without rows.

    This is the k that the release has, counted anew on what is released, whatever made it.
    """
    columns = [name for name in frame.columns if name != "group"]
    return int(frame.groupby(columns, dropna=False).size().min()) if len(frame) else 0


def summarise(facts: Facts, group: np.ndarray, count: int, *, rounded: bool = True) -> pd.DataFrame:
    """What each group shows, by group number: the columns of RELEASED_PROFILES but `group`.

    A number is the mean of those who tell it, and missing if most of the group do not, as are the mood's label and the
    part of the day; a kind is the most frequent one, "not told" counting as one. With every author in a group of its
    own it is the author's own row.
    """
    inside = group != WITHHELD
    where = group[inside]
    size = np.maximum(np.bincount(where, minlength=count), 1)
    segment = np.zeros(count, np.int64)
    segment[where] = facts.segment[inside]
    columns: dict[str, Any] = {"segment": segment}
    for number in _NUMBERS:
        mean = _mean(facts.numbers[number.name][inside], where, count, size)
        values = number.back(mean) / (_DAYS_A_YEAR if number.name == "account_age_years" else 1)
        columns[number.name] = number.show(values) if rounded else values
    for name, (codes, kinds) in facts.kinds.items():
        tally = np.bincount(where * len(kinds) + codes[inside], minlength=count * len(kinds))
        columns[name] = np.array(kinds, dtype=object)[tally.reshape(count, len(kinds)).argmax(axis=1)]
    parts = _parts(facts.hours[inside])
    columns["active_part"] = _commonest(parts, parts.sum(axis=1) > 0, PARTS_OF_DAY, where, size)
    days = np.bincount(where, weights=facts.last_seen[inside], minlength=count) / size
    columns["last_seen_month"] = (_EPOCH + pd.to_timedelta(days, unit="D")).strftime("%Y-%m")
    labels = facts.labels[inside]
    columns["sentiment_label"] = _commonest(labels, ~np.isnan(labels).any(axis=1), LABELS, where, size)
    return pd.DataFrame(columns)[[name for name in RELEASED_PROFILES.columns if name != "group"]]


def typed(frame: pd.DataFrame) -> pd.DataFrame:
    """Give released rows the columns' types, in the contract's order."""
    types = {name: column.dtype.type for name, column in RELEASED_PROFILES.columns.items() if name in frame}
    return frame[list(types)].astype(types)


def distances(facts: Facts) -> np.ndarray:
    """The space in which authors are near each other: float64 (n, dimensions), finite.

    Numbers are standard-scaled after the outermost 0.5 % at each end are pulled in; the median stands in for what is
    missing, and a dimension of its own says that it is, so that those who lack a value find each other. Who has no
    known hour is in the middle of the clock.
    """
    columns: list[np.ndarray] = []
    for number in _NUMBERS:
        values = facts.numbers[number.name]
        missing = np.isnan(values)
        if missing.all():
            continue
        columns.append(_scaled(np.where(missing, np.nanmedian(values), values)) * number.weight)
        if missing.any():
            columns.append(missing * _MISSING_WEIGHT)
    angle = 2 * np.pi * (np.arange(24) + 0.5) / 24
    columns += [_scaled(facts.hours @ turn(angle)) * _HOUR_WEIGHT for turn in (np.sin, np.cos)]
    timeless = facts.hours.sum(axis=1) == 0
    if timeless.any():
        columns.append(timeless * _MISSING_WEIGHT)
    columns.append(_scaled(facts.last_seen) * _LAST_SEEN_WEIGHT)
    for codes, kinds in facts.kinds.values():
        frequent = np.argsort(-np.bincount(codes, minlength=len(kinds)), kind="stable")[:_COMMON_LANGUAGES]
        columns += [(codes == code) * _KIND_WEIGHT for code in frequent]
    return np.stack(columns, axis=1).astype(np.float64)


def _scaled(values: np.ndarray) -> np.ndarray:
    if not len(values):
        return values
    clipped = np.clip(values, *np.quantile(values, [0.005, 0.995]))
    return (clipped - clipped.mean()) / max(float(clipped.std()), 1e-9)


def _mean(values: np.ndarray, where: np.ndarray, count: int, size: np.ndarray) -> np.ndarray:
    known = ~np.isnan(values)
    told = np.bincount(where, weights=known, minlength=count)
    total = np.bincount(where, weights=np.where(known, values, 0.0), minlength=count)
    return np.where(2 * told > size, total / np.maximum(told, 1), np.nan)


def _commonest(
    shares: np.ndarray, known: np.ndarray, names: tuple[str, ...], where: np.ndarray, size: np.ndarray
) -> np.ndarray:
    """By group, the name that most of those who tell it stand for; None where most of the group do not tell."""
    count = len(size)
    told = np.bincount(where, weights=known, minlength=count)
    winner = _sums(np.where(known[:, None], shares, 0.0), where, count).argmax(axis=1)
    common = np.array(names, dtype=object)[winner]
    common[2 * told <= size] = None
    return common


def _sums(values: np.ndarray, where: np.ndarray, count: int) -> np.ndarray:
    # Rounded, so that the order of a sum does not decide between two that are equal.
    return np.stack([np.bincount(where, weights=column, minlength=count) for column in values.T], axis=1).round(9)


def _parts(hours: np.ndarray) -> np.ndarray:
    """Shares by part of the day, in the order of PARTS_OF_DAY: night is 23 to 5, then six hours each."""
    return np.roll(hours, 1, axis=1).reshape(len(hours), 4, 6).sum(axis=2)


def _most(counts: dict[str, int]) -> str | None:
    return max(counts, key=lambda name: (counts[name], name)) if counts else None


def _verified_kind(profiles: pd.DataFrame) -> pd.Series:
    """The kind; "none" where X only says that an account is not verified."""
    unverified = (~profiles["verified"]).fillna(False).astype(bool)
    return profiles["verified_kind"].mask(profiles["verified_kind"].isna() & unverified, "none")


def _plain(values: pd.Series) -> list[Any]:
    # Which of None, NA and NaN stands for "missing" in a text column depends on how pandas stores it.
    return [None if pd.isna(value) else value for value in values.astype(object)]


def _coded(values: list[Any], known: tuple[Any, ...] | None = None) -> tuple[np.ndarray, list[Any]]:
    names: list[Any] = [*(known if known is not None else sorted(set(values))), None]
    places = {name: place for place, name in enumerate(names)}
    return np.fromiter((places[value] for value in values), np.int64, len(values)), names
