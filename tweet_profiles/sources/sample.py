"""The sample that the demo runs on: invented tweets about an invented brand, in the shape of X API v2.

What belongs here: a seeded generator of search pages. What does not: reading them (that is the archive reader's, as for
real pages). Everything is made up: brand, people, texts. Six kinds of author differ in mood, reach, hours, clients and
habits, and overlap, so that the segments found later mean something. The pages have what real ones have: retweets with
their originals, replies, quotes, protected accounts, missing fields, partial errors, a tweet on two pages.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from tweet_profiles.home import write_atomically

BRAND = "Norvella"
PAGE_SIZE = 100
START = datetime(2026, 9, 1, tzinfo=UTC)
DAYS = 42
_SNOWFLAKE_EPOCH_MS = 1288834974657
"""Ids of tweets count milliseconds since this moment, shifted by 22 bits, as X's do."""

_PRODUCTS = ("oat drink", "barista oat", "vanilla oat", "cocoa oat", "oat yoghurt", "iced oat latte", "oat cream")
_PLACES = ("office", "corner shop", "station kiosk", "campus café", "supermarket", "gym", "market hall")
_MOMENTS = ("this morning", "after my run", "at lunch", "last night", "on the train", "before work", "all weekend")
_TEXTS: dict[str, tuple[str, ...]] = {
    "fan": (
        "I absolutely love the new {brand} {product}! {moment} was perfect {happy}",
        "{brand} {product} {moment} = best thing ever {happy} #{tag}",
        "Ok {brand}, your {product} is delicious. So creamy, so good! {happy}",
        "My whole family is happy with {brand} {product} from the {place}, thank you {happy} #{tag}",
        "Can't get enough of {brand}'s {product}, great taste and such a lovely team {happy}",
        "Finally found {brand} {product} at the {place}! Made my day {happy}",
    ),
    "critic": (
        "{brand} {product} {moment} was awful, it curdled in my coffee. Never again {sad}",
        "Really disappointed with {brand}. The {product} leaks and support doesn't answer {sad}",
        "Why is {brand} {product} so expensive now? Terrible value {sad} #{tag}",
        "@{handle} third broken {brand} carton from the {place}, this is ridiculous {sad}",
        "I used to like {brand} but the new {product} recipe is horrible. Bring the old one back!",
        "Worst {product} I ever had, {brand}. It tastes like wet cardboard {sad}",
    ),
    "desk": (
        "{brand} opens a second plant for its {product} line; production starts in spring",
        "{brand} reports third-quarter sales of {product}, unchanged from last year #{tag}",
        "The {place} chain will stock {brand} {product} from Monday",
        "Interview: the head of research at {brand} on how {product} is made",
        "{brand} recalls one batch of {product}; details in our report",
        "Market overview: {brand} and four others compared on price per litre of {product}",
    ),
    "casual": (
        "Having a {brand} {product} {moment}",
        "Does anyone know if the {place} sells {brand} {product}?",
        "Trying {brand} {product} {moment}, it's ok I guess",
        "Someone at the {place} left a {brand} {product} on my desk",
        "{brand} {product} is nice in tea, less so in coffee",
        "is {brand} the one with the blue carton?",
    ),
    "deal": (
        "DEAL: {brand} {product} 2 for 1 at the {place} until Sunday #{tag} #deals",
        "{brand} {product} now 20% off, code in the link #{tag} #deals",
        "Price alert: {brand} {product} is down to 1.49 #deals",
        "New coupon for {brand} {product}, valid {moment} #{tag} #deals",
    ),
}
_HAPPY = ("😍", "❤️", "😊", ":)", "🎉", "", "!!")
_SAD = ("😡", "😞", ":(", "👎", "", "🤢")
_TAGS = ("oatlife", "norvella", "plantbased", "breakfast", "coffee", "barista")
_SYLLABLES = ("ka", "lo", "mi", "ren", "tor", "vel", "sa", "ny", "dor", "bex", "ull", "ima", "fen", "qui", "zan", "pel")


@dataclass(frozen=True)
class Kind:
    """A kind of author: what it tweets and what its accounts look like. Rates are probabilities a tweet."""

    name: str
    share: float
    voices: dict[str, float]
    tweets: float
    """Mean number of tweets an author."""
    hours: tuple[float, float]
    """Middle and spread of the hour of the day, UTC."""
    followers: tuple[float, float]
    """Mean and deviation of log10."""
    following: tuple[float, float]
    posts: tuple[float, float]
    age_years: tuple[float, float]
    likes: float
    retweet: float
    reply: float
    link: float
    media: float
    clients: tuple[str, ...]


_MOBILE = ("Twitter for iPhone", "Twitter for Android")
KINDS = (
    Kind("fans", 0.26, {"fan": 0.85, "casual": 0.15}, 2.6, (18.5, 2.2), (2.6, 0.45), (2.6, 0.35), (3.4, 0.4),
         (6, 2.5), 9.0, 0.05, 0.1, 0.03, 0.45, (*_MOBILE, "Twitter for iPad")),
    Kind("critics", 0.18, {"critic": 0.85, "casual": 0.15}, 2.4, (21.5, 2.0), (1.9, 0.45), (2.3, 0.35), (3.2, 0.45),
         (4, 2.5), 1.5, 0.04, 0.6, 0.03, 0.1, (*_MOBILE, "Twitter Web App")),
    Kind("desks", 0.1, {"desk": 1.0}, 5.0, (9.5, 1.8), (4.6, 0.5), (2.8, 0.4), (4.7, 0.35),
         (11, 2), 25.0, 0.08, 0.02, 0.95, 0.2, ("TweetDeck", "Hootsuite Inc.", "Twitter Web App", "Sprout Social")),
    Kind("amplifiers", 0.16, {"fan": 0.6, "desk": 0.4}, 3.6, (14.0, 4.0), (2.9, 0.4), (3.4, 0.3), (4.6, 0.35),
         (8, 2.5), 1.0, 0.9, 0.02, 0.1, 0.1, (*_MOBILE, "Twitter Web App")),
    Kind("passers-by", 0.22, {"casual": 0.85, "fan": 0.1, "critic": 0.05}, 1.15, (12.0, 4.5), (1.7, 0.5), (2.0, 0.4),
         (2.5, 0.5), (2, 1.2), 0.8, 0.05, 0.15, 0.03, 0.08, (*_MOBILE, "Twitter Web App")),
    Kind("dealers", 0.08, {"deal": 1.0}, 4.5, (6.5, 3.0), (2.4, 0.4), (1.3, 0.5), (5.0, 0.3),
         (3, 1.5), 0.4, 0.05, 0.0, 1.0, 0.3, ("IFTTT", "dlvr.it", "dealbot", "Zapier.com")),
)  # fmt: skip


def generate(path: Path, *, seed: int = 7, tweets: int = 4000) -> Path:
    """Write the sample's pages, one JSON object a line. The same seed and number give the same bytes.

    Raises:
        HomeError: if the file cannot be written.
    """
    content = b"".join(orjson.dumps(page, option=orjson.OPT_APPEND_NEWLINE) for page in pages(seed, tweets))
    return write_atomically(path, lambda file: file.write(content))


def pages(seed: int, tweets: int) -> Iterator[dict[str, Any]]:
    """Search pages of at most `PAGE_SIZE` tweets, the newest first, as recent search gives them."""
    random = np.random.default_rng(seed)
    people = _people(random, max(20, round(tweets / 2.7)))
    written = _tweets(random, people, tweets)
    users = {person["user"]["id"]: person["user"] for person in people}
    originals = {tweet["id"]: tweet for tweet in written}
    for start in range(0, len(written), PAGE_SIZE):
        data = written[start : start + PAGE_SIZE]
        if start:
            data = [*data, written[start - 1]]  # a page that shifted while it was read repeats a tweet
        yield _page(data, users, originals, number=start // PAGE_SIZE, last=start + PAGE_SIZE >= len(written))


def _people(random: np.random.Generator, count: int) -> list[dict[str, Any]]:
    kinds = random.choice(len(KINDS), size=count, p=[kind.share for kind in KINDS])
    return [{"kind": KINDS[kind], "user": _user(random, KINDS[kind])} for kind in kinds]


def _user(random: np.random.Generator, kind: Kind) -> dict[str, Any]:
    name = "".join(random.choice(_SYLLABLES, size=3)).capitalize()
    born = START - timedelta(days=float(max(20.0, 365 * random.normal(*kind.age_years))))
    user: dict[str, Any] = {
        "id": str(random.integers(10**17, 9 * 10**17)),
        "name": f"{name} {''.join(random.choice(_SYLLABLES, size=2)).capitalize()}",
        "username": f"{name.lower()}{random.integers(10, 10_000)}",
        "description": f"Invented {kind.name[:-1]}, made by a generator",
        "location": f"{''.join(random.choice(_SYLLABLES, size=2)).capitalize()} Bay",
        "created_at": _time(born),
        "protected": bool(random.random() < 0.03),
        "verified": bool(random.random() < (0.45 if kind.name == "desks" else 0.03)),
        "public_metrics": {
            "followers_count": _log_normal(random, kind.followers),
            "following_count": _log_normal(random, kind.following),
            "tweet_count": _log_normal(random, kind.posts),
            "listed_count": int(random.poisson(_log_normal(random, kind.followers) / 400)),
        },
    }
    if user["verified"]:
        user["verified_type"] = "business" if kind.name == "desks" else "blue"
    if random.random() < 0.03:
        del user["public_metrics"]  # X leaves fields out for accounts that were suspended meanwhile
    return user


def _log_normal(random: np.random.Generator, log10: tuple[float, float]) -> int:
    return int(10 ** random.normal(*log10))


def _tweets(random: np.random.Generator, people: list[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    """The tweets, the newest first."""
    weights = np.array([person["kind"].tweets for person in people])
    # Everybody tweets once; who tweets more is drawn by the kinds' rates.
    authors = np.concatenate(
        [
            np.arange(len(people))[:count],
            random.choice(len(people), size=max(0, count - len(people)), p=weights / weights.sum()),
        ]
    )
    times = sorted((_moment(random, people[author]["kind"]), number) for number, author in enumerate(authors))
    written: list[dict[str, Any]] = []
    repeatable: list[dict[str, Any]] = []
    for moment, number in times:
        person = people[authors[number]]
        tweet = _tweet(random, person, moment, repeatable)
        if "referenced_tweets" not in tweet and person["kind"].name in ("fans", "desks"):
            repeatable.append({**tweet, "username": person["user"]["username"]})
        written.append(tweet)
    return written[::-1]


def _moment(random: np.random.Generator, kind: Kind) -> datetime:
    hour = random.normal(*kind.hours) % 24
    return START + timedelta(days=int(random.integers(DAYS)), hours=hour)


def _tweet(
    random: np.random.Generator, person: dict[str, Any], moment: datetime, repeatable: list[dict[str, Any]]
) -> dict[str, Any]:
    kind: Kind = person["kind"]
    milliseconds = int(moment.timestamp() * 1000) - _SNOWFLAKE_EPOCH_MS
    tweet: dict[str, Any] = {
        "id": str((milliseconds << 22) + int(random.integers(1 << 22))),
        "author_id": person["user"]["id"],
        "created_at": _time(moment),
        "lang": "en",
        "source": str(random.choice(kind.clients)),
    }
    if random.random() < 0.05:
        del tweet["source"]
    if repeatable and random.random() < kind.retweet:
        return _retweet(tweet, repeatable[int(random.integers(max(0, len(repeatable) - 60), len(repeatable)))])
    tweet |= _content(random, kind)
    tweet["public_metrics"] = _metrics(random, kind)
    if random.random() < kind.reply:
        answered = int(tweet["id"]) - int(random.integers(10**12))
        tweet["referenced_tweets"] = [{"type": "replied_to", "id": str(answered)}]
    elif repeatable and random.random() < 0.03:
        tweet["referenced_tweets"] = [{"type": "quoted", "id": repeatable[-1]["id"]}]
    return tweet


def _content(random: np.random.Generator, kind: Kind) -> dict[str, Any]:
    voice = str(random.choice(list(kind.voices), p=list(kind.voices.values())))
    text = str(random.choice(_TEXTS[voice])).format(
        brand=BRAND,
        product=random.choice(_PRODUCTS),
        place=random.choice(_PLACES),
        moment=random.choice(_MOMENTS),
        happy=random.choice(_HAPPY),
        sad=random.choice(_SAD),
        tag=random.choice(_TAGS),
        handle=f"{BRAND.lower()}_help",
    )
    content: dict[str, Any] = {"entities": {"hashtags": [{"tag": tag} for tag in _TAGS if f"#{tag}" in text]}}
    if "#deals" in text:
        content["entities"]["hashtags"].append({"tag": "deals"})
    code = int(random.integers(10**6))
    if random.random() < kind.link:
        text += f" https://t.co/l{code}"
        content["entities"]["urls"] = [
            {"url": f"https://t.co/l{code}", "expanded_url": f"https://invented.example/{code}"}
        ]
    if random.random() < kind.media:
        content["attachments"] = {"media_keys": [f"3_{code}"]}
    return content | {"text": " ".join(text.split())}


def _metrics(random: np.random.Generator, kind: Kind) -> dict[str, int]:
    likes = int(random.poisson(random.gamma(0.8, kind.likes / 0.8)))
    return {
        "retweet_count": int(random.binomial(likes, 0.2)),
        "reply_count": int(random.binomial(likes, 0.15)),
        "like_count": likes,
        "quote_count": int(random.binomial(likes, 0.03)),
    }


def _retweet(tweet: dict[str, Any], original: dict[str, Any]) -> dict[str, Any]:
    text = f"RT @{original['username']}: {original['text']}"
    return {
        **tweet,
        "text": text if len(text) <= 140 else f"{text[:139]}…",
        "referenced_tweets": [{"type": "retweeted", "id": original["id"]}],
        "public_metrics": {**original["public_metrics"], "like_count": 0},
        "entities": original["entities"],
    }


def _page(
    data: list[dict[str, Any]],
    users: dict[str, dict[str, Any]],
    originals: dict[str, dict[str, Any]],
    *,
    number: int,
    last: bool,
) -> dict[str, Any]:
    referenced = {entry["id"] for tweet in data for entry in tweet.get("referenced_tweets", [])}
    included = [originals[key] for key in sorted(referenced) if key in originals]
    wanted = {tweet["author_id"] for tweet in [*data, *included]}
    page: dict[str, Any] = {
        "data": data,
        "includes": {"users": [users[key] for key in sorted(wanted)], "tweets": included},
        "meta": {"newest_id": data[0]["id"], "oldest_id": data[-1]["id"], "result_count": len(data)},
        "__twarc": {"retrieved_at": _time(START + timedelta(days=DAYS + 1, seconds=number))},
    }
    if not last:
        page["meta"]["next_token"] = f"sample{number + 1}"
    gone = sorted(referenced - set(originals))
    if gone:
        page["errors"] = [
            {
                "resource_type": "tweet",
                "resource_id": key,
                "parameter": "referenced_tweets.id",
                "title": "Not Found Error",
                "type": "https://api.twitter.com/2/problems/resource-not-found",
            }
            for key in gone
        ]
    return page


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
