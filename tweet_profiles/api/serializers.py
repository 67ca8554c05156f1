"""The shapes of the API: what a question may hold, and what an answer holds.

What belongs here: fields, bounds, examples. What does not: answering. Questions are strict: what is not named here is
refused, so that no part of a question ever reaches the database but as a plain value.
"""

import math
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import exceptions, parsers, serializers

from tweet_profiles.api.keys import ROLES
from tweet_profiles.api.reader import SORTS
from tweet_profiles.contracts import CLIENT_KINDS, LABELS, NOT_SCORED, PARTS_OF_DAY, VERIFIED_KINDS
from tweet_profiles.release.placing import ACCOUNT_FACTS

MOST_ACCOUNTS, MOST_TEXTS, MOST_CHARACTERS = 1_000, 100, 4_000
MOST = 1e12
SEGMENT = {"min_value": 0, "max_value": 1_000_000}


class StrictJSONParser(parsers.JSONParser):
    """JSON; what nests too deep to be read is a bad request."""

    def parse(self, *arguments: Any, **options: Any) -> Any:
        """The body as plain values."""
        try:
            return super().parse(*arguments, **options)
        except RecursionError:
            raise exceptions.ParseError("the body nests too deep") from None


class Finite(serializers.FloatField):
    """A number: no text, no truth value, not NaN, not infinite."""

    def to_internal_value(self, data: Any) -> float:
        """See DRF."""
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        return _finite(self, super().to_internal_value(data))


class FiniteText(serializers.FloatField):
    """A number in a query."""

    def to_internal_value(self, data: Any) -> float:
        """See DRF."""
        return _finite(self, super().to_internal_value(data))


def _finite(field: serializers.FloatField, value: float) -> float:
    if not math.isfinite(value):
        field.fail("invalid")
    return value


class Text(serializers.CharField):
    """Text that is text and can be written as UTF-8."""

    def to_internal_value(self, data: Any) -> str:
        """See DRF."""
        if not isinstance(data, str):
            self.fail("invalid")
        try:
            data.encode()
        except UnicodeEncodeError:
            self.fail("invalid")
        return super().to_internal_value(data)


class Question(serializers.Serializer):
    """Refuses what it does not name."""

    def to_internal_value(self, data: Any) -> Any:
        """See DRF."""
        if isinstance(data, dict):
            unknown = sorted(set(data) - set(self.fields))
            if unknown:
                # The name is not repeated: it is whatever somebody sent.
                raise serializers.ValidationError({"unknown": [f"{len(unknown)} names are not known here"]})
        return super().to_internal_value(data)


class Nothing(Question):
    """A question without parameters."""


class RowsQuery(Question):
    """Which released rows."""

    segment = serializers.IntegerField(required=False, **SEGMENT, help_text="number of a segment")
    sentiment = serializers.ChoiceField(LABELS, required=False, help_text="mood of the author")
    sentiment_min = FiniteText(required=False, min_value=0, max_value=1)
    sentiment_max = FiniteText(required=False, min_value=0, max_value=1)
    language = serializers.RegexField(r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})?$", required=False, help_text="BCP 47")
    active = serializers.ChoiceField(PARTS_OF_DAY, required=False, help_text="when the author tweets most, UTC")
    tweets_min = serializers.IntegerField(required=False, min_value=1, max_value=10**9, help_text="activity")
    tweets_max = serializers.IntegerField(required=False, min_value=1, max_value=10**9)


class Paging(Question):
    """Order and place of a page."""

    sort = serializers.ChoiceField(
        [*SORTS, *(f"-{name}" for name in SORTS)],
        required=False,
        help_text="column, with - from the largest; rows that lack it come last either way",
    )
    limit = serializers.IntegerField(required=False, default=50, min_value=1, max_value=200)
    cursor = serializers.CharField(required=False, max_length=800, help_text="`next` of the page before")


class ProfilesQuery(RowsQuery, Paging):
    """Which released rows, in which order, from where."""


class MembersQuery(Paging):
    """Order and place of a page of members."""


class TimelineQuery(Question):
    """Whose timeline, and which days."""

    segment = serializers.IntegerField(required=False, **SEGMENT, help_text="without it, everybody")
    since = serializers.DateField(required=False, input_formats=["iso-8601"])
    until = serializers.DateField(required=False, input_formats=["iso-8601"])


class Problem(serializers.Serializer):
    """RFC 9457."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    errors = serializers.DictField(required=False)


class Period(serializers.Serializer):
    """A day or a week of a timeline."""

    segment = serializers.IntegerField(allow_null=True)
    day = serializers.DateField()
    period = serializers.ChoiceField(["day", "week"])
    tweets = serializers.IntegerField()
    authors = serializers.IntegerField()
    sentiment_mean = serializers.FloatField(allow_null=True, help_text="of own words; null: not known, or of too few")
    positive_share = serializers.FloatField(allow_null=True)
    neutral_share = serializers.FloatField(allow_null=True)
    negative_share = serializers.FloatField(allow_null=True)
    not_scored = serializers.IntegerField(allow_null=True, help_text="own tweets without a score; null: of too few")


class Timeline(serializers.Serializer):
    """Mood over time."""

    release = serializers.CharField()
    segment = serializers.IntegerField(allow_null=True)
    periods = Period(many=True)


class Overview(serializers.Serializer):
    """Everything at a glance."""

    release = serializers.CharField()
    created = serializers.DateTimeField()
    clustering = serializers.CharField()
    clustered = serializers.DateTimeField()
    model_version = serializers.CharField()
    k_anonymity = serializers.IntegerField()
    authors = serializers.IntegerField()
    withheld = serializers.IntegerField(allow_null=True, help_text="null: some, but fewer than k")
    segments = serializers.IntegerField()
    moods = serializers.DictField(
        child=serializers.IntegerField(), help_text="released authors by mood; not_known: those whose mood is not"
    )
    sentiment_over_time = Period(many=True)


class Mood(serializers.Serializer):
    """Shares of tweets."""

    positive = serializers.FloatField()
    neutral = serializers.FloatField()
    negative = serializers.FloatField()


class TraitShape(serializers.Serializer):
    """How a segment differs."""

    feature = serializers.CharField()
    label = serializers.CharField()
    effect = serializers.FloatField(help_text="Cohen's d against everybody else")
    mean = serializers.FloatField()
    rest = serializers.FloatField()


class FingerprintShape(serializers.Serializer):
    """A feature of a segment's centre."""

    feature = serializers.CharField()
    label = serializers.CharField()
    value = serializers.FloatField(
        allow_null=True, help_text="standard deviations from the average author; null: most of its authors lack it"
    )


class Segment(serializers.Serializer):
    """A group of authors."""

    segment = serializers.IntegerField()
    name = serializers.CharField()
    authors = serializers.IntegerField(help_text="released authors")
    share = serializers.FloatField()
    trend = serializers.FloatField(allow_null=True, help_text="change of its share since the clustering before")
    positive_share = serializers.FloatField(allow_null=True, help_text="of own words, as all that is said of mood")
    neutral_share = serializers.FloatField(allow_null=True)
    negative_share = serializers.FloatField(allow_null=True)
    sentiment_mean = serializers.FloatField(allow_null=True)
    subjectivity_mean = serializers.FloatField(allow_null=True)
    tweets = serializers.IntegerField(allow_null=True, help_text="own and passed on; two significant digits, as all")
    tweets_own = serializers.IntegerField(allow_null=True)
    tweets_passed_on = serializers.IntegerField(allow_null=True)
    tweets_scored = serializers.IntegerField(allow_null=True, help_text="own tweets with a score")
    passed_on = Mood(allow_null=True)
    not_scored = serializers.DictField(
        child=serializers.IntegerField(), help_text="own tweets without a score, by language or why"
    )
    retweets_known = serializers.BooleanField(help_text="whether it is known how much they pass on")
    share_of_tweets = serializers.FloatField()
    part_of_day = serializers.CharField(allow_null=True, help_text="null: the tweets tell days only")
    best_hours = serializers.ListField(child=serializers.IntegerField())
    languages = serializers.DictField(child=serializers.FloatField())
    clients = serializers.DictField(child=serializers.FloatField())
    topics = serializers.ListField(child=serializers.CharField())
    traits = TraitShape(many=True)
    fingerprint = FingerprintShape(many=True)
    confidence = serializers.FloatField(help_text="how sure the assignment of its authors is, 0 to 1")
    is_outlier_group = serializers.BooleanField()


class Segments(serializers.Serializer):
    """All shown segments, the largest first."""

    release = serializers.CharField()
    clustering = serializers.CharField()
    segments = Segment(many=True)


class OneSegment(serializers.Serializer):
    """One segment."""

    release = serializers.CharField()
    clustering = serializers.CharField()
    segment = Segment()


class Difference(serializers.Serializer):
    """What sets a segment apart."""

    feature = serializers.CharField()
    typical = serializers.FloatField()
    elsewhere = serializers.FloatField()


class LookAlikes(serializers.Serializer):
    """The size of accounts whose followers are like the segment."""

    followers_from = serializers.IntegerField()
    followers_to = serializers.IntegerField()


class Targeting(serializers.Serializer):
    """What to enter in X Ads."""

    languages = serializers.ListField(child=serializers.CharField())
    devices = serializers.ListField(child=serializers.CharField())
    keywords = serializers.ListField(child=serializers.CharField())
    follower_look_alikes = LookAlikes(allow_null=True)


class Campaign(serializers.Serializer):
    """The brief as data."""

    segment = serializers.IntegerField()
    name = serializers.CharField()
    authors = serializers.IntegerField(help_text="released authors")
    share = serializers.FloatField()
    who = Difference(many=True)
    mood = Mood(allow_null=True, help_text="of own words; null: not known")
    tone = serializers.CharField()
    reposts_known = serializers.BooleanField()
    passed_on = Mood(allow_null=True, help_text="of what they repost; null: not known, or they repost nothing")
    not_scored = serializers.DictField(child=serializers.IntegerField())
    best_hours_utc = serializers.ListField(child=serializers.IntegerField())
    part_of_day = serializers.CharField(allow_null=True)
    formats = serializers.ListField(child=serializers.CharField())
    targeting = Targeting()
    too_small_for_a_campaign = serializers.BooleanField()


class Brief(serializers.Serializer):
    """The campaign brief of a segment, as text and as data."""

    release = serializers.CharField()
    segment = serializers.IntegerField()
    name = serializers.CharField()
    brief = serializers.CharField()
    campaign = Campaign()


class Night(serializers.Serializer):
    """A segment in one clustering."""

    version = serializers.CharField()
    created = serializers.DateTimeField()
    name = serializers.CharField(allow_null=True)
    share = serializers.FloatField()
    authors = serializers.IntegerField(help_text="two significant digits")


class History(serializers.Serializer):
    """A segment over the nights, the oldest first."""

    release = serializers.CharField()
    segment = serializers.IntegerField()
    nights = Night(many=True)


class ClusteringEntry(serializers.Serializer):
    """A clustering in the list."""

    version = serializers.CharField()
    created = serializers.DateTimeField()
    k = serializers.IntegerField()
    authors = serializers.IntegerField(help_text="two significant digits")


class Clusterings(serializers.Serializer):
    """The stored clusterings, the newest first."""

    release = serializers.CharField()
    clusterings = ClusteringEntry(many=True)


class ElbowPoint(serializers.Serializer):
    """The figures of one k."""

    k = serializers.IntegerField()
    inertia = serializers.FloatField(allow_null=True)
    silhouette = serializers.FloatField(allow_null=True)
    calinski_harabasz = serializers.FloatField(allow_null=True)
    stability = serializers.FloatField(allow_null=True)
    null_inertia = serializers.FloatField(allow_null=True)


class Clustering(serializers.Serializer):
    """Elbow and quality of a clustering."""

    release = serializers.CharField()
    version = serializers.CharField()
    created = serializers.DateTimeField()
    k = serializers.IntegerField()
    features = serializers.ListField(child=serializers.CharField())
    elbow = ElbowPoint(many=True)
    faults = serializers.ListField(child=serializers.CharField())
    moved_authors = serializers.FloatField(allow_null=True, help_text="share of known authors who changed segment")


class Profile(serializers.Serializer):
    """An author as released: typical values of a group of at least k."""

    group = serializers.IntegerField()
    segment = serializers.IntegerField()
    segment_confidence = serializers.FloatField()
    main_language = serializers.CharField()
    main_client = serializers.ChoiceField(CLIENT_KINDS, allow_null=True)
    verified_kind = serializers.ChoiceField(VERIFIED_KINDS, allow_null=True)
    protected = serializers.BooleanField(allow_null=True)
    followers = serializers.FloatField(allow_null=True)
    following = serializers.FloatField(allow_null=True)
    posts = serializers.FloatField(allow_null=True)
    listed = serializers.FloatField(allow_null=True)
    account_age_years = serializers.FloatField(allow_null=True)
    tweets_seen = serializers.FloatField()
    retweet_share = serializers.FloatField(allow_null=True)
    reply_share = serializers.FloatField(allow_null=True)
    link_share = serializers.FloatField(allow_null=True)
    media_share = serializers.FloatField(allow_null=True)
    likes_per_tweet = serializers.FloatField(allow_null=True)
    retweets_per_tweet = serializers.FloatField(allow_null=True)
    active_part = serializers.ChoiceField(PARTS_OF_DAY, allow_null=True)
    last_seen_month = serializers.CharField()
    sentiment_mean = serializers.FloatField(allow_null=True)
    sentiment_label = serializers.ChoiceField(LABELS, allow_null=True)
    subjectivity_mean = serializers.FloatField(allow_null=True)


class Profiles(serializers.Serializer):
    """A page of released rows."""

    release = serializers.CharField()
    rows = Profile(many=True)
    next = serializers.CharField(allow_null=True, help_text="cursor of the next page; null at the end")


def _account_fields() -> dict[str, serializers.Field]:
    fields: dict[str, serializers.Field] = {}
    for name, label in ACCOUNT_FACTS.items():
        top = 1.0 if name.endswith(("_share", "_mean", "_std")) else MOST
        fields[name] = Finite(required=False, allow_null=True, min_value=0, max_value=top, help_text=label)
    fields["hours"] = serializers.ListField(
        child=Finite(min_value=0, max_value=1e9),
        required=False,
        min_length=24,
        max_length=24,
        help_text="tweets by hour of the day, UTC",
    )
    return fields


Account = type("Account", (Question,), {"__doc__": "Features of an account; what is left out counts as average.",
                                        "__module__": __name__, **_account_fields()})  # fmt: skip


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "one account", {"accounts": [{"followers": 1200, "sentiment_mean": 0.8, "reply_share": 0.1}]},
            request_only=True,
        )
    ]
)  # fmt: skip
class AssignQuestion(Question):
    """Accounts to put into segments."""

    accounts = serializers.ListField(child=Account(), min_length=1, max_length=MOST_ACCOUNTS)


class Assignment(serializers.Serializer):
    """Where an account would fall."""

    segment = serializers.IntegerField()
    name = serializers.CharField(allow_null=True)
    confidence = serializers.FloatField(help_text="0 on the border of two segments to 1 at a centre")


class Assigned(serializers.Serializer):
    """The accounts' segments, in their order."""

    release = serializers.CharField()
    clustering = serializers.CharField()
    assignments = Assignment(many=True)


@extend_schema_serializer(
    examples=[OpenApiExample("two texts", {"texts": ["I love it", "It broke again"]}, request_only=True)]
)
class ScoreQuestion(Question):
    """Texts to score; they are not stored."""

    texts = serializers.ListField(
        child=Text(allow_blank=True, trim_whitespace=False, max_length=MOST_CHARACTERS),
        min_length=1,
        max_length=MOST_TEXTS,
    )


class Score(serializers.Serializer):
    """The scores of a text."""

    sentiment = serializers.FloatField(allow_null=True, help_text="0 negative to 1 positive; null if not scored")
    subjectivity = serializers.FloatField(allow_null=True, help_text="0 objective to 1 subjective; null if not scored")
    label = serializers.ChoiceField(LABELS, allow_null=True)
    not_scored = serializers.ChoiceField(NOT_SCORED, allow_null=True, help_text="why there is no score")
    language = serializers.CharField(allow_null=True, help_text="BCP 47, as detected; null if nobody can tell")


class Scored(serializers.Serializer):
    """The texts' scores, in their order."""

    model_version = serializers.CharField()
    scores = Score(many=True)


class Health(serializers.Serializer):
    """What an operator looks at."""

    role = serializers.ChoiceField(ROLES)
    database_ms = serializers.FloatField()
    release = serializers.CharField(allow_null=True)
    release_age_hours = serializers.FloatField(allow_null=True)
    downloads_today = serializers.IntegerField()


def closed_requests(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Spectacular's hook: bodies hold what is named and nothing else."""
    for name, schema in result.get("components", {}).get("schemas", {}).items():
        if name.endswith("Request"):
            schema["additionalProperties"] = False
    return result
