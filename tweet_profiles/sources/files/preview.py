"""What an import of a file would do, without landing anything.

What belongs here: what is shown, and what a missing field costs the profiles. What does not: printing it
(`commands.imports`). What it holds of the file's text is for the operator's eyes alone and is never logged.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tweet_profiles.errors import InputError
from tweet_profiles.landing.tweets import Tweet
from tweet_profiles.sources.files.framing import Broken, Skipped
from tweet_profiles.sources.files.importing import SAMPLE, FileOptions, recognise_content
from tweet_profiles.sources.files.opening import Content, Opened, Refused, expand

SHOWN = 5

COSTS: Mapping[str, str] = {
    "author_id": "authors are told apart by their handles: one who changed it counts as two",
    "observed_at": "what is known of an account counts as of the time of the tweet",
    "lang": "the language is detected from the text",
    "source": "the app that was used stays unknown",
    "hashtags": "hashtags are taken from the text",
    "like_count": "no likes in profiles and segments",
    "retweet_count": "how often tweets are passed on stays unknown",
    "reply_count": "how often tweets are answered stays unknown",
    "quote_count": "how often tweets are quoted stays unknown",
    "is_retweet": "retweets are known by their text alone (RT @...)",
    "is_reply": "no share of replies",
    "is_quote": "no share of quotes",
    "has_link": "links are known by the text alone",
    "has_media": "no share of pictures and videos",
    "followers_count": "no reach in segments",
    "following_count": "no balance of followers and followed",
    "tweet_count": "how active an account is overall stays unknown",
    "listed_count": "how many lists name an account stays unknown",
    "account_created_at": "no age of accounts",
    "verified": "no share of verified accounts",
    "verified_type": "which kind of verification an account has stays unknown",
}
"""What profiles and segments lack where a file lacks a field."""


@dataclass(frozen=True)
class Preview:
    """What a file is and how it would be read.

    Attributes:
        file: as told to people.
        refused: why it cannot be read; the rest is then empty.
        format: what it was recognised as.
        facts: packing, encoding, framing.
        columns: our field to where it is read from.
        unused: names of its columns that are not used.
        costs: the fields that it lacks, and what that costs the profiles.
        notes: sentences worth telling.
        tweets: the first tweets as they would land.
        checked: how many of the first records were tried.
        errors: of those that could not be used where they stand and why, the first few.
        bad: how many of those tried could not be used.
    """

    file: str
    refused: str | None = None
    format: str = ""
    facts: tuple[str, ...] = ()
    columns: Mapping[str, str] | None = None
    unused: tuple[str, ...] = ()
    costs: Mapping[str, str] | None = None
    notes: tuple[str, ...] = ()
    tweets: Sequence[Tweet] = ()
    checked: int = 0
    errors: tuple[str, ...] = ()
    bad: int = 0


def preview_paths(paths: Sequence[Path], spool: Path, options: FileOptions | None = None) -> Iterator[Preview]:
    """Look at files as an import would.

    Args:
        paths: files, folders, or `opening.STDIN`.
        spool: a private folder for what must be read from its end.
        options: how files are read.

    Raises:
        InputError: if a path is not there.
        SettingError: if the options name a field that does not exist.
    """
    for path in expand(paths):
        try:
            with Opened(path, spool) as opened:
                for content in opened.contents():
                    if isinstance(content, Refused):
                        yield Preview(content.name, refused=f"{content.name} {content.reason}")
                        continue
                    try:
                        yield _preview(content, options or FileOptions(), spool)
                    except InputError as error:
                        yield Preview(content.name, refused=str(error))
        except InputError as error:
            yield Preview(str(path), refused=str(error))


def _preview(content: Content, options: FileOptions, spool: Path) -> Preview:
    framed, reading, items = recognise_content(content, options, spool)
    tweets: list[Tweet] = []
    errors: list[str] = []
    checked = 0
    for item in items:
        if checked >= SAMPLE:
            break
        if isinstance(item, Skipped):
            continue
        checked += 1
        if isinstance(item, Broken):
            errors.append(f"{item.unit} {item.number}: {item.reason}")
            continue
        converted = reading.convert(item)
        tweets += converted.tweets[: SHOWN - len(tweets)]
        errors += [f"{item.unit} {item.number}: {error}" for error in converted.errors]
    return Preview(
        file=content.name,
        format=reading.name,
        facts=(*content.packing, *framed.facts),
        columns=reading.columns,
        unused=reading.unused,
        costs={name: COSTS[name] for name in reading.missing if name in COSTS},
        notes=reading.notes,
        tweets=tweets,
        checked=checked,
        errors=tuple(errors[:SHOWN]),
        bad=len(errors),
    )
