"""Forgetting authors and tweets: whoever asks to be forgotten, and whatever X says was deleted.

What belongs here: removing from every place where the pipeline stores something, and X's notices of deletion. What
does not: removing by age (`retention`), and the list that keeps authors away (`suppression`).

Each step may be repeated: after a kill, or if a run was under way that had read a batch before, the same command is
given again. The store comes last, so that nothing that is still on disk can bring an author back into it.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import Any, Literal

import orjson
import pyarrow as arrow
import structlog
from pyarrow import compute, parquet

from tweet_profiles.errors import InputError
from tweet_profiles.home import Home, write_atomically
from tweet_profiles.landing.tweets import Tweet, author_id_of
from tweet_profiles.landing.zone import LandingZone
from tweet_profiles.privacy.pseudonyms import author_key, tweet_key
from tweet_profiles.privacy.suppression import SuppressionList
from tweet_profiles.profiles.store import ProfileStore
from tweet_profiles.sources.files.opening import Opened, Refused
from tweet_profiles.sources.x.search import settle

log = structlog.get_logger(__name__)

Kind = Literal["tweets", "users"]
_GONE_USERS = ("user_delete", "user_suspend", "user_protect", "user_withheld")
_GONE_TWEETS = ("delete", "drop", "withheld", "status_withheld")
_NOTHING_TO_DO = (
    "undrop", "user_undelete", "user_unsuspend", "user_unprotect", "scrub_geo", "user_profile_modification",
    "limit", "warning", "disconnect", "friends", "friends_str", "event", "control", "for_user", "errors",
)  # fmt: skip
_ID = re.compile(r"[0-9]{1,20}")
_HANDLE = re.compile(r"@?[A-Za-z0-9_]{1,15}")


@dataclass
class Forgotten:
    """What was removed: tweets from the landing zone, rows from the tables, records from the quarantine, documents.

    `searches_under_way` hold tweets that are not landed yet: those of suppressed authors will not be.
    """

    landed_tweets: int = 0
    raw_rows: int = 0
    scored_rows: int = 0
    feature_rows: int = 0
    quarantined: int = 0
    profiles: int = 0
    profiles_recomputed: int = 0
    searches_under_way: int = 0


@dataclass
class Notices:
    """What a file of notices says is gone. `others` counts what asks for nothing: other notices, and tweets."""

    authors: set[str] = field(default_factory=set)
    tweets: set[str] = field(default_factory=set)
    others: Counter[str] = field(default_factory=Counter)
    bad_lines: list[int] = field(default_factory=list)


def forget(
    zone: LandingZone,
    store: ProfileStore,
    secret: bytes,
    *,
    authors: Iterable[str] = (),
    handles: Iterable[str] = (),
    tweets: Iterable[str] = (),
    keep_away: bool = True,
) -> Forgotten:
    """Remove authors, with all their tweets and the retweets of them, and single tweets, from every store.

    Args:
        zone: the landing zone of the home; the tables of the home are cleared too.
        store: the profiles.
        secret: the key of the pseudonyms.
        authors: ids of authors, digits.
        handles: of authors whom a file told by handle alone, with or without @; a handle is not stored, so authors who
            came with an id are not found by theirs.
        tweets: ids of tweets, digits.
        keep_away: whether the authors may never come back.

    Raises:
        InputError: if an id or a handle is none, or a landed batch is damaged.
        DatabaseError: if the store cannot be reached.
    """
    author_ids, names = people(authors, handles)
    tweet_ids = _checked(tweets, "tweet")
    author_keys = frozenset(author_key(secret, author) for author in author_ids)
    if keep_away and author_keys:
        SuppressionList(zone.home).add(author_keys)
    done = Forgotten(searches_under_way=settle(zone))
    dropped: dict[str, str] = {}

    def keep(tweet: Tweet) -> bool:
        gone = tweet["id"] in tweet_ids or not author_ids.isdisjoint(
            [tweet["author_id"], tweet.get("original_author_id", "")]
        )
        if gone:
            dropped[tweet["id"]] = tweet["author_id"]
        return not gone

    done.landed_tweets = sum(zone.rewrite(keep).values())
    all_tweets = tweet_ids | dropped.keys()
    tweet_keys = frozenset(tweet_key(secret, tweet) for tweet in all_tweets)
    home = zone.home
    done.raw_rows = _clear_tables(home.raw, author_id=author_ids, tweet_id=all_tweets)
    done.scored_rows = _clear_tables(home.scored, author_key=author_keys, tweet_key=tweet_keys)
    done.feature_rows = _clear_tables(home.features, author_key=author_keys)
    done.quarantined = _clear_quarantine(home, author_ids | tweet_ids | names)
    done.profiles = store.forget(sorted(author_keys))
    # A tweet whose batch is not there any more may be anybody's.
    is_anybodys = bool(tweet_ids - dropped.keys())
    writers = {author_key(secret, author) for author in dropped.values()} - author_keys
    emptied, done.profiles_recomputed = store.forget_tweets(tweet_keys, None if is_anybodys else writers)
    done.profiles += emptied
    log.info("forgot", **vars(done))
    return done


def people(authors: Iterable[str], handles: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
    """The ids under which authors are known, and their handles as the quarantine may hold them.

    Args:
        authors: ids, digits.
        handles: of authors known by handle alone, whose ids are made of them.

    Raises:
        InputError: if an id or a handle is none.
    """
    names = _checked_handles(handles)
    return _checked(authors, "author") | {author_id_of(name) for name in names}, names


def in_quarantine(home: Home, names: frozenset[str]) -> int:
    """How many quarantined records one of the ids or handles stands in."""
    lines = (line for path in home.quarantine.glob("*.jsonl") for line in path.read_bytes().splitlines())
    return sum(not names.isdisjoint(_words(line)) for line in lines)


def read_notices(path: Path, kind: Kind | None = None, spool: Path | None = None) -> Notices:
    """Read X's notices, one JSON object a line, packed or plain: of the compliance streams, the result of a compliance
    batch job, or a dump of a stream in which they stand among tweets.

    Args:
        path: the file.
        kind: what the job was about; its lines (`{"id": ..., "action": "delete"}`) do not tell.
        spool: folder for copies of what cannot be read forwards; by default that of the file.

    Raises:
        InputError: if the file cannot be read, or breaks off.
    """
    notices = Notices()
    with Opened(path, spool or path.parent) as opened:
        for content in opened.contents():
            if isinstance(content, Refused):
                raise InputError(f"{content.name} {content.reason}")
            for number, line in enumerate(BufferedReader(content), start=1):
                if line.strip() and not _take(line, kind, notices):
                    notices.bad_lines.append(number)
            if content.broken is not None:
                raise InputError(
                    f"{content.name} breaks off ({content.broken}): nothing of it was honoured, get it again"
                )
    return notices


def _take(line: bytes, kind: Kind | None, notices: Notices) -> bool:
    """Take one line in; False if it is neither a notice nor a tweet."""
    try:
        notice = orjson.loads(line.removeprefix(b"\xef\xbb\xbf"))
        found = _tweets_in(notice)
        if found:
            notices.others["tweets"] += found
            return True
        notice = notice.get("data", notice)
        if "errors" in notice:
            notices.others["errors"] += 1
        elif "action" in notice:
            return _take_job_line(notice, kind, notices)
        else:
            ((name, body),) = notice.items()
            return _take_event(name, body, notices)
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError):
        return False
    return True


def _tweets_in(value: Any) -> int:
    """How many tweets a line holds, of API v1.1 or v2, alone or as a page; 0 if it is something else."""
    data = value.get("data", value)
    return sum(
        isinstance(one, dict) and ("id" in one or "id_str" in one) and not {"text", "full_text"}.isdisjoint(one)
        for one in (data if isinstance(data, list) else [data])
    )


def _take_event(name: str, body: dict[str, Any], notices: Notices) -> bool:
    if name in _GONE_USERS:
        # API v1.1 tells the account itself, v2 puts it into a user.
        notices.authors.add(_id(body.get("user", body)["id"]))
    elif name == "delete" and "favorite" in body:
        notices.others["unlike"] += 1
    elif name == "delete" and "status" in body:  # as API v1.1 tells it
        notices.tweets.add(_id(body["status"]["id_str"]))
    elif name in _GONE_TWEETS:
        notices.tweets.add(_id(body.get("tweet", body)["id"]))
    elif name == "tweet_edit":
        # The newest version has an id of its own and stays.
        older = {_id(body["initial_tweet_id"]), *map(_id, body["edit_tweet_ids"])}
        notices.tweets |= older - {str(max(map(int, older)))}
    elif name in _NOTHING_TO_DO:
        notices.others[name] += 1
    else:
        return False
    return True


def _take_job_line(line: dict[str, Any], kind: Kind | None, notices: Notices) -> bool:
    if line["action"] != "delete":
        notices.others[str(line["action"])] += 1
    elif line.get("reason") == "scrub_geo":
        notices.others["scrub_geo"] += 1
    elif kind is None:
        return False
    else:
        (notices.authors if kind == "users" else notices.tweets).add(_id(line["id"]))
    return True


def _id(value: Any) -> str:
    text = str(value)
    if not _ID.fullmatch(text):
        raise ValueError("no id")
    return text


def _checked(ids: Iterable[str], what: str) -> frozenset[str]:
    known = frozenset(ids)
    if not all(_ID.fullmatch(value) for value in known):
        raise InputError(
            f"an {what} id is a number: handles are not stored, so none can be looked up; an author whom a file told "
            "by handle alone is forgotten with --handle"
        )
    return known


def _checked_handles(handles: Iterable[str]) -> frozenset[str]:
    """Handles without @, in lower case."""
    known = [handle.strip() for handle in handles]
    if not all(_HANDLE.fullmatch(handle) for handle in known):
        raise InputError("a handle has 1 to 15 letters, digits or _, with or without @ before it")
    return frozenset(handle.removeprefix("@").lower() for handle in known)


def _clear_tables(folder: Path, **unwanted: frozenset[str] | set[str]) -> int:
    """Remove the rows with one of the unwanted values from the Parquet files of a folder; returns how many went."""
    removed = 0
    for path in sorted(folder.glob("*.parquet")):
        table = parquet.ParquetFile(path).read()
        gone = arrow.array([False] * len(table), arrow.bool_())
        for column, values in unwanted.items():
            if column in table.column_names and values:
                wanted = arrow.array(sorted(values), arrow.string())
                found = compute.is_in(table[column].cast(arrow.string()), value_set=wanted)
                gone = compute.or_(gone, found.combine_chunks())
        count = compute.sum(gone).as_py() or 0
        if count:
            kept = table.filter(compute.invert(gone))
            write_atomically(path, lambda file, kept=kept: parquet.write_table(kept, file, compression="zstd"))  # type: ignore[misc]
            removed += count
    return removed


def _clear_quarantine(home: Home, ids: frozenset[str]) -> int:
    """Remove the quarantined records in which one of the ids or handles stands; records have no form, so the text is
    searched.
    """
    if not ids:
        return 0
    removed = 0
    for path in home.quarantine.glob("*.jsonl"):
        lines = path.read_bytes().splitlines(keepends=True)
        kept = [line for line in lines if ids.isdisjoint(_words(line))]
        if len(kept) < len(lines):
            write_atomically(path, lambda file, kept=kept: file.writelines(kept))  # type: ignore[misc]
            removed += len(lines) - len(kept)
    return removed


def _words(line: bytes) -> set[str]:
    """The numbers in a line, and its words in lower case: all that can be an id or a handle."""
    # What JSON escapes stands between words: else the t of a tab would be taken for a part of one.
    text = re.sub(r"\\+(u[0-9a-fA-F]{4}|.)", " ", line.decode("utf-8", "replace"))
    return {*re.findall(r"[0-9]+", text), *(word.lower() for word in re.findall(r"[A-Za-z0-9_]+", text))}
