"""What a segment is like, in words and numbers a marketer can use.

What belongs here: effect sizes, names, typical values, briefs; all from aggregates. What does not: which author is in
which segment. Aggregates over fewer authors than the privacy threshold are withheld.

Mood is of what the authors wrote themselves, as far as the model could read it; what they passed on is told apart. What
is not known is None or left out, and the brief says so in words.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from tweet_profiles.contracts import NO_TEXT, UNKNOWN_LANGUAGE
from tweet_profiles.segments.features import FEATURES, Scaler, back, transformed

MIN_EFFECT = 0.25
"""Standard deviations that a segment's mean must differ from the rest's for the difference to be worth telling."""

NEUTRAL, CLEAR_MOOD = 0.5, 0.05
"""The sentiment that takes no side, and how far from it authors must be on the mean to be called fans or critics."""

# What a clearly high or low value of a feature makes its authors: an adjective and a noun.
_TRAITS: dict[str, tuple[tuple[str, str], tuple[str, str]]] = {
    "sentiment_mean": (("Enthusiastic", "fans"), ("Critical", "sceptics")),
    "subjectivity_mean": (("Opinionated", "commentators"), ("Matter-of-fact", "reporters")),
    "tweets_seen": (("Frequent", "regulars"), ("Occasional", "passers-by")),
    "likes_per_tweet": (("Well-liked", "crowd-pleasers"), ("Quiet", "quiet voices")),
    "retweets_per_tweet": (("Much-shared", "trendsetters"), ("Little-shared", "quiet voices")),
    "replies_per_tweet": (("Debated", "conversation starters"), ("Unanswered", "quiet voices")),
    "retweet_share": (("Amplifying", "amplifiers"), ("Original", "original voices")),
    "reply_share": (("Conversational", "conversationalists"), ("Broadcasting", "announcers")),
    "link_share": (("Link-sharing", "link sharers"), ("Plain-spoken", "plain talkers")),
    "media_share": (("Picture-rich", "picture posters"), ("Text-only", "writers")),
    "followers": (("Far-reaching", "influencers"), ("Small-circle", "everyday users")),
    "following": (("Well-connected", "networkers"), ("Small-network", "onlookers")),
    "posts": (("Prolific", "prolific posters"), ("Seldom-posting", "seldom posters")),
    "account_age_days": (("Long-standing", "veterans"), ("New", "newcomers")),
    "sentiment_std": (("Moody", "changeable voices"), ("Even-tempered", "steady voices")),
}

OTHER = "other"
"""What tweets that were not scored are counted under where too few authors share their language."""
_MOODS = ("positive", "neutral", "negative")
_PARTS_OF_DAY = ((5, 11, "morning"), (11, 17, "afternoon"), (17, 23, "evening"), (23, 29, "night"))


@dataclass(frozen=True)
class Trait:
    """How a segment differs in one feature: Cohen's d against everybody else (difference of means over the standard
    deviation of all), and the means in natural units.
    """

    feature: str
    label: str
    effect: float
    mean: float
    rest: float


@dataclass(frozen=True)
class SegmentDescription:
    """One segment, as it is stored and shown. Shares are of its authors' tweets; hours are UTC.

    Attributes:
        positive_share, neutral_share, negative_share, sentiment_mean, subjectivity_mean: of own scored tweets; None
            where fewer than the threshold of authors have any.
        tweets: own and passed on.
        tweets_own, tweets_passed_on, tweets_scored: None where one of them would tell of too few authors. Scored are
            own ones.
        passed_on: shares of positive, neutral and negative among what they passed on; None where not known.
        not_scored: own tweets without a score by language, "no text" or "unknown language"; the rest as "other".
        retweets_known: whether it is known how much most of its authors pass on.
        best_hours, part_of_day: empty and None where no hours are known.
        topics: tweets with each hashtag; first those that it uses more than everybody does.
        not_known: features that most of its authors lack: nothing is said of them.
        campaign: the brief as data, see `campaign`.
    """

    segment: int
    name: str
    authors: int
    share: float
    traits: list[Trait]
    typical: dict[str, float]
    positive_share: float | None
    neutral_share: float | None
    negative_share: float | None
    sentiment_mean: float | None
    subjectivity_mean: float | None
    tweets: int
    tweets_own: int | None
    tweets_passed_on: int | None
    tweets_scored: int | None
    passed_on: dict[str, float] | None
    not_scored: dict[str, int]
    retweets_known: bool
    tweets_per_author: float
    share_of_tweets: float
    best_hours: list[int]
    part_of_day: str | None
    languages: dict[str, float]
    clients: dict[str, float]
    topics: dict[str, int]
    not_known: list[str]
    confidence: float
    is_outlier_group: bool
    brief: str
    campaign: dict[str, Any]

    def document(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def effects(matrix: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Cohen's d of each feature, members against the rest, in standard deviations of all; 0 if either is empty."""
    if inside.all() or not inside.any():
        return np.zeros(matrix.shape[1])
    return matrix[inside].mean(axis=0) - matrix[~inside].mean(axis=0)


def traits_of(
    matrix: np.ndarray, known: np.ndarray, inside: np.ndarray, scaler: Scaler, k_anonymity: int
) -> list[Trait]:
    """All told differences of a segment, the strongest first.

    Args:
        matrix: scaled features (authors, features), something standing in for what is missing.
        known: bool, of the same shape: where nothing stands in.
        inside: bool (authors,): the segment.
        scaler: how the features were scaled.
        k_anonymity: a mean of fewer authors is not told.
    """
    natural = scaler.natural(matrix)
    found = []
    for position, effect in enumerate(effects(matrix, inside)):
        name = scaler.names[position]
        members, others = known[:, position] & inside, known[:, position] & ~inside
        if abs(effect) < MIN_EFFECT or not FEATURES[name].natural or min(members.sum(), others.sum()) < k_anonymity:
            continue
        if not _most(members.sum(), inside.sum()):
            continue
        found.append(
            Trait(
                name,
                FEATURES[name].label,
                float(effect),
                float(back(name, natural[members, position].mean())),
                float(back(name, natural[others, position].mean())),
            )
        )
    return sorted(found, key=lambda trait: -abs(trait.effect))


def _words_of(trait: Trait) -> tuple[str, str]:
    """An adjective and a noun for the authors of a clear trait.

    Less positive than others is not critical yet: authors who are neutral beside fans criticise nothing.
    """
    higher = trait.effect > 0
    if trait.feature == "sentiment_mean" and abs(trait.mean - NEUTRAL) < CLEAR_MOOD:
        return ("Milder", "milder voices") if higher else ("Reserved", "reserved voices")
    return _TRAITS[trait.feature][0 if higher else 1]


def name_segments(traits: Sequence[Sequence[Trait]]) -> list[str]:
    """A short name a segment, each different: the noun of its strongest trait, before it the adjective of the next.

    Where two names would be the same, further adjectives tell them apart, and last a number.
    """
    names: list[str] = []
    for own in traits:
        words = [_words_of(trait) for trait in own if trait.feature in _TRAITS]
        candidates = ["Typical users"] if not words else [words[0][1].capitalize()]
        for extra in range(1, len(words)):
            adjectives = [words[extra][0], *[words[i][0].lower() for i in range(1, extra)]]
            candidates.append(" ".join([", ".join(adjectives), words[0][1]]))
        ranked = candidates[1:] + candidates[:1]
        fallback = f"{ranked[0]} ({len(names) + 1})"
        names.append(next((name for name in ranked if name not in names), fallback))
    return names


def describe(
    profiles: pd.DataFrame,
    matrix: np.ndarray,
    scaler: Scaler,
    segment_of: np.ndarray,
    confidence: np.ndarray,
    segments: Sequence[int],
    *,
    k_anonymity: int,
    outlier_share: float,
) -> list[SegmentDescription]:
    """Describe every segment, in the order given.

    Args:
        profiles: USER_PROFILES (authors).
        matrix: scaled features (authors, features), in the same order.
        scaler: how they were scaled.
        segment_of: segment id of each author.
        confidence: of each author's assignment.
        segments: the ids.
        k_anonymity: languages, clients and topics that fewer authors share are withheld.
        outlier_share: a segment with a smaller share of the authors is marked as a group of outliers.
    """
    known = np.stack([~np.isnan(transformed(FEATURES[name], profiles)) for name in scaler.names], axis=1)
    all_traits = [traits_of(matrix, known, segment_of == segment, scaler, k_anonymity) for segment in segments]
    names = name_segments(all_traits)
    all_tweets = int(profiles["tweets_seen"].sum())
    _, everybodys_topics = _authors_and_tweets(profiles["topics"])
    described = []
    for segment, name, traits in zip(segments, names, all_traits, strict=True):
        inside = segment_of == segment
        members = profiles[inside]
        tweets = members["tweets_seen"].to_numpy(dtype=float)
        facts: dict[str, Any] = {
            "segment": int(segment),
            "name": name,
            "authors": len(members),
            "share": len(members) / len(profiles),
            "traits": traits,
            "typical": _typical(members, k_anonymity),
            **_mood_of(members, k_anonymity),
            "tweets": int(tweets.sum()),
            **_own_and_passed_on(members, k_anonymity),
            "not_scored": _not_scored(members["not_scored"], k_anonymity),
            "retweets_known": _most(members["retweet_share"].notna().sum(), len(members)),
            "tweets_per_author": float(tweets.mean()),
            "share_of_tweets": float(tweets.sum()) / max(1, all_tweets),
            **_times(members["hours"], k_anonymity),
            "languages": _shares(members["languages"], k_anonymity),
            "clients": _shares(members["clients"], k_anonymity),
            "topics": _topics(members["topics"], everybodys_topics, k_anonymity),
            "not_known": _not_known(members),
            "confidence": float(confidence[inside].mean()),
            "is_outlier_group": len(members) / len(profiles) < outlier_share,
        }
        described.append(SegmentDescription(**facts, brief=brief(facts), campaign=campaign(facts)))
    return described


def _not_known(members: pd.DataFrame) -> list[str]:
    """The features that most of the members lack, those that nobody is clustered on among them."""
    told = {name: (~np.isnan(transformed(feature, members))).sum() for name, feature in FEATURES.items()}
    return [name for name, count in told.items() if not _most(count, len(members))]


def _most(part: int, whole: int) -> bool:
    return 2 * int(part) > int(whole)


def _mood_of(members: pd.DataFrame, k_anonymity: int) -> dict[str, float | None]:
    """Mood and subjectivity of own words, each author's weighing as much as it wrote."""
    scored = members["tweets_scored"].to_numpy(dtype=float)
    names = [*(f"{mood}_share" for mood in _MOODS), "sentiment_mean", "subjectivity_mean"]
    return {name: _weighted(members[name], scored, k_anonymity) for name in names}


def _own_and_passed_on(members: pd.DataFrame, k_anonymity: int) -> dict[str, Any]:
    """Counts of own, passed-on and scored tweets, and the mood of what was passed on.

    Each is the rest of another, so a count is told only if what it leaves is of enough authors, or of none.
    """

    def told(counts: pd.Series) -> int | None:
        return None if 0 < int((counts > 0).sum()) < k_anonymity else int(counts.sum())

    own, passed_on = told(members["tweets_own"]), told(members["tweets_passed_on"])
    scored, unscored = told(members["tweets_scored"]), told(members["tweets_own"] - members["tweets_scored"])
    if own is None or passed_on is None:
        own = passed_on = None
    if own is None or unscored is None:
        scored = None
    weights = members["tweets_passed_on"].to_numpy(dtype=float)
    shares = {mood: _weighted(members[f"passed_on_{mood}_share"], weights, k_anonymity) for mood in _MOODS}
    known = passed_on is not None and all(share is not None for share in shares.values())
    return {
        "tweets_own": own,
        "tweets_passed_on": passed_on,
        "tweets_scored": scored,
        "passed_on": shares if known else None,
    }


def _not_scored(column: pd.Series, k_anonymity: int) -> dict[str, int]:
    """Own tweets without a score by why, the most first; what too few authors share is told together, or not at all.

    The languages with the fewest tweets join the others until those are of enough authors: left out alone, they would
    come out as the difference between all and those that are told.
    """
    authors, tweets = _authors_and_tweets(column)
    named = [name for name, _ in tweets.most_common() if authors[name] >= k_anonymity]
    while True:
        sums = [sum(count for name, count in counts.items() if name not in named) for counts in column]
        behind = sum(count > 0 for count in sums)
        if not 0 < behind < k_anonymity:
            break
        if not named:
            return {}
        named.pop()
    return {name: tweets[name] for name in named} | ({OTHER: sum(sums)} if behind else {})


def _times(column: pd.Series, k_anonymity: int) -> dict[str, Any]:
    """The four busiest hours and the part of the day with the most tweets, of those whose hour is known."""
    hours = np.array(column.tolist(), dtype=float).reshape(len(column), 24)
    if (hours.sum(axis=1) > 0).sum() < k_anonymity:
        return {"best_hours": [], "part_of_day": None}
    total = hours.sum(axis=0)
    best = [int(hour) for hour in np.argsort(-total, kind="stable")[:4] if total[hour] > 0]
    return {"best_hours": sorted(best), "part_of_day": _part_of_day(total)}


# What a brief says to do, by the mood that prevails.
_TONES = {
    "positive": "They like the brand: thank them, invite them to share, give them something to show.",
    "rather positive": "More of them praise than criticise, most do neither: thank those who do, inform the others.",
    "neutral": "They talk about the brand without taking sides: inform, make it easy to try.",
    "divided": "They are divided: tell them apart before you answer, and promise nothing.",
    "negative": "They are critical: listen and answer first, do not sell.",
    "rather negative": "More of them criticise than praise, most do neither: listen and answer first, do not sell.",
    "not known": "Read some of their tweets before you write to them.",
}
CLEAR_LEAD = 0.2
"""How far apart the shares of positive and negative tweets must be for one of them to set the tone: much of what is
written is neutral whatever the mood, so the largest share alone would hide it.
"""
# X Ads targets operating systems and desktop, not clients: each broad kind that has an equal there.
_DEVICES = {"mobile": ("iOS", "Android"), "web": ("Desktop",)}
_FORMATS = (
    ("media_share", "images and video"),
    ("link_share", "links to read further"),
    ("reply_share", "questions that invite replies"),
    ("retweet_share", "posts made to be reposted"),
)
MIN_LANGUAGE_SHARE = 0.05
"""A language of fewer of a segment's tweets is not worth targeting."""
MAX_KEYWORDS = 6
_LARGEST = 9.2e18
"""The largest number that a document of MongoDB can hold, about."""


def campaign(facts: dict[str, Any]) -> dict[str, Any]:
    """The campaign brief as data; `targeting` is in the vocabulary of X Ads.

    Languages, devices and hashtags come from what `describe` has not withheld already: at least the privacy threshold
    of authors share each. Follower look-alikes are given by size, about a third to three times the median member's
    followers.
    """
    followers = facts["typical"].get("followers")
    devices = [device for kind in facts["clients"] for device in _DEVICES.get(kind, ())]
    formats = [what for name, what in _FORMATS if any(t.feature == name and t.effect > 0 for t in facts["traits"])]
    return {
        "segment": facts["segment"],
        "name": facts["name"],
        "authors": facts["authors"],
        "share": round(facts["share"], 4),
        "who": [
            {"feature": trait.label, "typical": round(trait.mean, 4), "elsewhere": round(trait.rest, 4)}
            for trait in facts["traits"][:4]
        ],
        "mood": None
        if facts["positive_share"] is None
        else {mood: round(facts[f"{mood}_share"], 4) for mood in _MOODS},
        "tone": _TONES[_mood(facts)],
        "reposts_known": facts["retweets_known"],
        "passed_on": None
        if facts["passed_on"] is None
        else {mood: round(facts["passed_on"][mood], 4) for mood in _MOODS},
        "not_scored": {name: _two_digits(count) for name, count in facts["not_scored"].items()},
        "best_hours_utc": facts["best_hours"],
        "part_of_day": facts["part_of_day"],
        "formats": formats or [_other_format(facts)],
        "targeting": {
            "languages": [name for name, share in facts["languages"].items() if share >= MIN_LANGUAGE_SHARE],
            "devices": devices,
            "keywords": [f"#{topic}" for topic in list(facts["topics"])[:MAX_KEYWORDS]],
            "follower_look_alikes": None
            if followers is None
            else {"followers_from": _two_digits(followers / 3), "followers_to": _two_digits(followers * 3)},
        },
        "too_small_for_a_campaign": facts["is_outlier_group"],
    }


def brief(facts: dict[str, Any]) -> str:
    """The campaign brief as text: who they are, tone, when, where, and what to target."""
    plan = campaign(facts)
    targeting = plan["targeting"]
    differs = "; ".join(_difference(trait) for trait in facts["traits"][:4])
    alike = targeting["follower_look_alikes"]
    reach = "not known"
    if alike:
        reach = f"of accounts with {alike['followers_from']:,} to {alike['followers_to']:,} followers"
    lines = [
        f"{facts['name']}: {facts['authors']:,} authors ({facts['share']:.0%}), "
        f"{facts['share_of_tweets']:.0%} of the tweets.",
        f"Who they are: {differs or 'close to the average in everything that is known'}.",
        f"Mood: {_mood_line(facts)} {plan['tone']}",
        f"Reposts: {_reposts_line(facts)}",
        *([f"Not scored: {gaps_in_words(plan['not_scored'])}."] if plan["not_scored"] else []),
        f"When: {_times_line(facts)}",
        f"Formats: {', '.join(plan['formats'])}.",
        f"Targeting: languages {', '.join(targeting['languages']) or 'not known'}; "
        f"devices {', '.join(targeting['devices']) or 'not known'}; "
        f"hashtags {', '.join(targeting['keywords']) or 'none that enough authors share'}; "
        f"look-alikes {reach}.",
    ]
    if facts["is_outlier_group"]:
        lines.append("A small group of unusual accounts: too few for a campaign of their own.")
    return "\n".join(lines)


def _percentages(shares: dict[str, float]) -> str:
    return f"{shares['positive']:.0%} positive, {shares['neutral']:.0%} neutral, {shares['negative']:.0%} negative"


def _mood_line(facts: dict[str, Any]) -> str:
    if facts["positive_share"] is not None:
        return f"their own words are {_percentages({mood: facts[f'{mood}_share'] for mood in _MOODS})}."
    if facts["tweets_own"] == 0:
        return "not known, because all that they do is pass on the tweets of others."
    return "not known, because too few of them wrote anything that the model can read."


def _reposts_line(facts: dict[str, Any]) -> str:
    passed_on = facts["tweets_passed_on"]
    if passed_on is None:
        return "no figure, because too few of them repost or too few write themselves."
    if passed_on == 0:
        none = "none among their tweets."
        return (
            none
            if facts["retweets_known"]
            else "not known, because the tweets were collected without reposts or do not tell."
        )
    counted = f"{_two_digits(passed_on):,} of their {_two_digits(facts['tweets']):,} tweets"
    if passed_on == facts["tweets"]:
        counted = "all of their tweets"
    if facts["passed_on"] is None:
        return f"{counted}; the mood of what they pass on is not known."
    return f"{counted}; what they pass on is {_percentages(facts['passed_on'])}."


def gaps_in_words(counts: dict[str, int]) -> str:
    """What was not scored, as in "not scored (es 120, tr 14, 12 without text)"; empty if nothing."""
    words = {NO_TEXT: "without text", UNKNOWN_LANGUAGE: "in an unknown language", OTHER: "others"}
    return ", ".join(f"{n:,} {words[name]}" if name in words else f"{name} {n:,}" for name, n in counts.items())


def _times_line(facts: dict[str, Any]) -> str:
    if facts["part_of_day"] is None:
        return "best hours not known, because the tweets tell days only."
    when = f"most active {'at' if facts['part_of_day'] == 'night' else 'in the'} {facts['part_of_day']}"
    return f"{when}; best hours {', '.join(f'{hour:02d}:00' for hour in facts['best_hours'])} UTC."


def _mood(facts: dict[str, Any]) -> str:
    if facts["positive_share"] is None:
        return "not known"
    lead = facts["positive_share"] - facts["negative_share"]
    if abs(lead) >= CLEAR_LEAD:
        mood = "positive" if lead > 0 else "negative"
        # Where most take no side, "they are critical" would not be true of them.
        return mood if facts[f"{mood}_share"] >= facts["neutral_share"] else f"rather {mood}"
    return "neutral" if facts["neutral_share"] >= max(facts["positive_share"], facts["negative_share"]) else "divided"


def _other_format(facts: dict[str, Any]) -> str:
    """What to say where they do nothing more than others: more links would stand among the formats."""
    if all(name in facts["not_known"] for name, _ in _FORMATS):
        return "not known"
    return "plain text" if any(trait.feature == "link_share" for trait in facts["traits"]) else "those of everybody"


def _difference(trait: Trait) -> str:
    """A trait in the units that a reader thinks in."""
    if trait.feature == "account_age_days":
        return f"account age {trait.mean / 365.25:.1f} years against {trait.rest / 365.25:.1f} elsewhere"
    if trait.feature.endswith("_share"):
        return f"{trait.label} {trait.mean:.0%} against {trait.rest:.0%} elsewhere"
    if trait.feature in ("sentiment_mean", "subjectivity_mean"):
        return f"{trait.label} {100 * trait.mean:.0f} of 100 against {100 * trait.rest:.0f} elsewhere"
    return f"{trait.label} {_number(trait.mean)} against {_number(trait.rest)} elsewhere"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:.1f}"


def _two_digits(value: float) -> int:
    """Rounded to two significant digits, which is as much as a size of an audience can mean; what MongoDB can hold."""
    whole = round(min(value, _LARGEST))
    return round(whole, 2 - len(str(abs(whole))))


def _weighted(values: pd.Series, weights: np.ndarray, k_anonymity: int) -> float | None:
    """The weighted mean of what is known; None if that is of fewer than `k_anonymity` authors."""
    numbers = values.to_numpy(dtype=float, na_value=np.nan)
    counted = ~np.isnan(numbers) & (weights > 0)
    if counted.sum() < k_anonymity:
        return None
    # Rounding must not carry a mean of ones beyond one.
    return float(np.clip(np.average(numbers[counted], weights=weights[counted]), 0, 1))


def _typical(members: pd.DataFrame, k_anonymity: int) -> dict[str, float]:
    """Medians of what most of the members tell, and enough of them."""
    typical = {}
    for name in ("followers", "following", "posts", "account_age_days", "tweets_seen", "likes_per_tweet"):
        known = members[name].dropna()
        if len(known) >= k_anonymity and _most(len(known), len(members)):
            typical[name] = float(known.median())
    return typical


def _authors_and_tweets(column: pd.Series) -> tuple[Counter[str], Counter[str]]:
    authors: Counter[str] = Counter()
    tweets: Counter[str] = Counter()
    for counts in column:
        authors.update(counts.keys())
        tweets.update(counts)
    # By name, so that of equals the first does not depend on the order of the authors.
    return authors, Counter(dict(sorted(tweets.items())))


def _topics(column: pd.Series, everybodys: Counter[str], k_anonymity: int, most: int = 12) -> dict[str, int]:
    """The hashtags that enough authors share: first those used more than by everybody, by what each adds to the
    difference (its part of the Kullback-Leibler divergence), then the commonest.

    What was searched for is in nearly all tweets and tells no segment from another.
    """
    authors, tweets = _authors_and_tweets(column)
    inside, total = sum(tweets.values()), sum(everybodys.values())
    shared = [name for name, _ in tweets.most_common() if authors[name] >= k_anonymity]

    def adds(name: str) -> float:
        return tweets[name] * float(np.log((tweets[name] / inside) / (everybodys[name] / total)))

    distinct = sorted((name for name in shared if adds(name) > 0), key=lambda name: -adds(name))
    ranked = [*distinct, *(name for name in shared if name not in set(distinct))]
    return {name: tweets[name] for name in ranked[:most]}


def _shares(column: pd.Series, k_anonymity: int) -> dict[str, float]:
    authors, tweets = _authors_and_tweets(column)
    total = sum(tweets.values())
    return {
        name: round(count / total, 4) for name, count in tweets.most_common() if authors[name] >= k_anonymity and total
    }


def _part_of_day(hours: np.ndarray) -> str:
    def share(start: int, end: int) -> float:
        return float(sum(hours[hour % 24] for hour in range(start, end)))

    return max(_PARTS_OF_DAY, key=lambda part: share(part[0], part[1]))[2]
