"""The settings of the X API: who is asked what, with which token, and how much may be pulled.

What belongs here: names, bounds and the query that follows from them. What does not: talking to X (`x_client`).
Which fields are asked for is no setting: profiling needs these and no more, and what is not asked for cannot leak.
"""

import ipaddress
import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import orjson
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from tweet_profiles.errors import SettingError
from tweet_profiles.settings import current_home, env_files, is_demo_home, unusable
from tweet_profiles.sources.x.pacing import LIMITS
from tweet_profiles.sources.x.prices import NAMES

ENV_PREFIX = "TWEET_PROFILES_X_"
MAX_QUERY = 4096
"""Longest query that X takes on any plan; smaller plans take 512 or 1024 characters, and X says so."""

TWEET_FIELDS = frozenset(
    {
        "attachments",
        "author_id",
        "created_at",
        "entities",
        "lang",
        "note_tweet",
        "public_metrics",
        "referenced_tweets",
        "source",
    }
)
"""What profiles are made of. X adds id and text by itself."""
USER_FIELDS = frozenset({"created_at", "protected", "public_metrics", "verified", "verified_type"})
EXPANSIONS = frozenset({"author_id", "referenced_tweets.id"})

_POST_NAMES = {"note_tweet": "note_post"}
_POST_EXPANSIONS = {"author_id": "author_id", "referenced_tweets.id": "referenced_posts"}
_BY_EXPANSION_ONLY = {"author_id", "referenced_tweets"}
"""In the newer naming these two have no field of their own: their expansion brings them."""

_HANDLE = re.compile(r"[A-Za-z0-9_]{1,15}")
_PLAIN_WORD = re.compile(r"#?\w+")


class XSettings(BaseSettings):
    """Everything a user may set about X, from `TWEET_PROFILES_X_*` in the environment or in `.env`.

    The token is also taken from `X_BEARER_TOKEN`. It is never printed: its type hides it.
    """

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, extra="ignore", populate_by_name=True, frozen=True)

    bearer_token: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices(ENV_PREFIX + "BEARER_TOKEN", "X_BEARER_TOKEN"),
        description="app-only bearer token of the X developer project",
    )
    handles: Annotated[tuple[str, ...], NoDecode] = Field(default=(), description="the brand's accounts, a,b,c")
    keywords: Annotated[tuple[str, ...], NoDecode] = Field(default=(), description="words and phrases, a,b c,d")
    lang: str | None = Field(default=None, pattern=r"^[a-z]{2,3}$", description="only tweets in this language")
    include_retweets: bool = Field(default=True, description="whether retweets are pulled too: each costs a post")
    query: str | None = Field(default=None, min_length=1, description="a raw query instead of handles and keywords")
    rules: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="the stream's rules, one a line or a JSON list; without any, the query is the rule"
    )
    search: Literal["recent", "all"] = Field(default="recent", description="recent: 7 days; all: the full archive")
    names: Literal["post", "tweet"] = Field(
        default="post",
        description="whether search calls its fields post.fields, as the API 2.167 does, or tweet.fields",
    )
    monthly_post_cap: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="most posts a month that are pulled; X's own cap holds as well"
    )
    monthly_budget_usd: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="most dollars a month that pulls may cost by the prices known here"
    )
    prices: Annotated[dict[str, float], NoDecode] = Field(
        default_factory=dict,
        description="dollars a resource where yours are other than X's list: post=0.005,user=0.01,count=0.005",
    )
    cap_reset_day: Annotated[int, Field(ge=1, le=28)] = Field(default=1, description="day on which the month begins")
    page_size: Annotated[int, Field(ge=10, le=500)] = Field(default=100, description="tweets asked for at once")
    requests_per_second: Annotated[float, Field(gt=0, le=1000)] = Field(
        default=1.0, description="most searches a second; the full archive allows one"
    )
    window_days: Annotated[float, Field(gt=0, le=366)] = Field(
        default=7.0, description="a longer range is searched in pieces of this length"
    )
    search_lag_s: Annotated[float, Field(ge=0, le=600)] = Field(
        default=60.0, description="how long a tweet may take until search finds it; about 30 s have been seen"
    )
    gap_overlap_s: Annotated[float, Field(ge=0, le=600)] = Field(
        default=30.0,
        description="how late the stream may send a tweet; X documents 6 to 7 s for 99 of 100. A gap begins so early",
    )
    backfill_minutes: Annotated[int, Field(ge=0, le=5)] = Field(
        default=0, description="minutes the stream sends again after a reconnect; only some plans have it, 0 is off"
    )
    stall_s: Annotated[float, Field(gt=0, le=600)] = Field(
        default=20.0, description="without a byte for so long the stream is taken for dead"
    )
    timeout_s: Annotated[float, Field(gt=0, le=600)] = Field(
        default=30.0, description="how long X may be silent within an answer"
    )
    answer_s: Annotated[float, Field(gt=0, le=3600)] = Field(
        default=120.0, description="how long one whole answer may take, however slowly it drips in"
    )
    limits: Annotated[dict[str, int], NoDecode] = Field(
        default_factory=lambda: dict(LIMITS),
        description="requests in 15 minutes where the plan has others than X documents: recent=60,connect=50",
    )
    patience_s: Annotated[float, Field(ge=0)] = Field(
        default=3600.0, description="how long a search waits for an X that does not answer properly"
    )
    wait_scale: Annotated[float, Field(gt=0, le=1)] = Field(
        default=1.0, description="shortens the waits after faults; for tests against a server of one's own"
    )
    base_url: str = Field(default="https://api.x.com", description="where X answers")

    @field_validator("bearer_token", mode="after")
    @classmethod
    def _token_alone(cls, value: SecretStr | None) -> SecretStr | None:
        token = value.get_secret_value().strip() if value is not None else ""
        if not token:
            return None
        # An odd character would make the HTTP library print the whole header in its error.
        if not re.fullmatch(r"[\x21-\x7e]+", token):
            raise ValueError("holds spaces or other characters that no token has: give the token alone")
        return SecretStr(token)

    @field_validator("handles", mode="before")
    @classmethod
    def _handles(cls, value: Any) -> Any:
        handles = [handle.strip().removeprefix("@") for handle in _items(value, ",")]
        if not all(_HANDLE.fullmatch(handle) for handle in handles):
            raise ValueError("a handle has 1 to 15 letters, digits or _; separate several with commas")
        return tuple(handles)

    @field_validator("keywords", mode="before")
    @classmethod
    def _keywords(cls, value: Any) -> Any:
        keywords = [keyword.strip().strip('"') for keyword in _items(value, ",")]
        if any('"' in keyword for keyword in keywords):
            raise ValueError("a keyword holds a quotation mark: separate several with commas")
        return tuple(keywords)

    @field_validator("rules", mode="before")
    @classmethod
    def _rules(cls, value: Any) -> Any:
        return tuple(rule.strip() for rule in _items(value, "\n"))

    @field_validator("prices", mode="before")
    @classmethod
    def _prices(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return value
        prices = {}
        for item in _items(value, ","):
            name, _, number = item.partition("=")
            if name.strip() not in NAMES or not re.fullmatch(r"\s*\d+(\.\d+)?\s*", number):
                raise ValueError(f"should read NAME=DOLLARS,... with names {', '.join(NAMES)}")
            prices[name.strip()] = float(number)
        return prices

    @field_validator("limits", mode="before")
    @classmethod
    def _limits(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return {**LIMITS, **value}
        limits = dict(LIMITS)
        for item in _items(value, ","):
            name, _, number = item.partition("=")
            if name.strip() not in LIMITS or not number.strip().isdecimal() or int(number) < 1:
                raise ValueError(f"should read ROUTE=NUMBER,... with routes {', '.join(LIMITS)}")
            limits[name.strip()] = int(number)
        return limits

    @field_validator("base_url", mode="after")
    @classmethod
    def _safe_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
            raise ValueError("must be an address like https://api.x.com")
        if parts.scheme == "http" and not _is_loopback(parts.hostname):
            raise ValueError("must be https: over http the token would travel readable")
        return value.rstrip("/")

    @property
    def token(self) -> str:
        """The bearer token. Raises SettingError if there is none."""
        if self.bearer_token is None:
            raise SettingError(
                f"{ENV_PREFIX}BEARER_TOKEN is not set: take the bearer token of your project from "
                "https://developer.x.com and put it in the environment or in .env (X_BEARER_TOKEN does too)"
            )
        return self.bearer_token.get_secret_value()

    @property
    def search_query(self) -> str:
        """The query of the search. Raises SettingError if nothing says what to look for, or it is too long."""
        query = self.query or self._built_query()
        if len(query) > MAX_QUERY:
            raise SettingError(f"{ENV_PREFIX}QUERY is {len(query)} characters long; X takes at most {MAX_QUERY}")
        return query

    @property
    def stream_rules(self) -> tuple[str, ...]:
        """The rules of the filtered stream. Raises SettingError as `search_query` does."""
        return self.rules or (self.search_query,)

    @property
    def stream_returns_retweets(self) -> bool:
        """Whether none of the stream's rules leaves retweets out. Raises SettingError as `search_query` does."""
        return not any("-is:retweet" in rule.lower() for rule in self.stream_rules)

    def _built_query(self) -> str:
        terms = [f"@{handle}" for handle in self.handles]
        terms += [word if _PLAIN_WORD.fullmatch(word) else f'"{word}"' for word in self.keywords]
        if not terms:
            raise SettingError(
                f"nothing says which tweets to pull: set {ENV_PREFIX}HANDLES (the brand's accounts), "
                f"{ENV_PREFIX}KEYWORDS or a raw {ENV_PREFIX}QUERY"
            )
        parts = [f"({' OR '.join(terms)})" if len(terms) > 1 else terms[0]]
        parts += [f"-from:{handle}" for handle in self.handles]  # what the brand says is no audience
        parts += [f"lang:{self.lang}"] if self.lang else []
        parts += [] if self.include_retweets else ["-is:retweet"]
        return " ".join(parts)

    def field_params(self, *, stream: bool) -> dict[str, str]:
        """The request parameters that name the wanted fields; the stream has kept the older names."""
        if stream or self.names == "tweet":
            names = {"tweet.fields": TWEET_FIELDS, "expansions": EXPANSIONS}
        else:
            fields = {_POST_NAMES.get(name, name) for name in TWEET_FIELDS - _BY_EXPANSION_ONLY}
            names = {"post.fields": frozenset(fields), "expansions": frozenset(_POST_EXPANSIONS.values())}
        return {name: ",".join(sorted(values)) for name, values in {**names, "user.fields": USER_FIELDS}.items()}


def load_x_settings(**overrides: Any) -> XSettings:
    """Read the settings; `overrides` win over the environment, and that over the `.env` files.

    Raises:
        SettingError: naming every setting that cannot be used and why, without its value; or if the home is the
            demo's.
    """
    if is_demo_home(current_home()):
        raise SettingError(
            f"{current_home()} is the demo's home, and nothing of X comes into it: use your own, without --demo or by "
            "another TWEET_PROFILES_HOME"
        )
    try:
        return XSettings(_env_file=env_files(), **overrides)  # type: ignore[call-arg]
    except ValidationError as error:
        raise unusable(error, ENV_PREFIX) from None


def missing(config: XSettings) -> list[str]:
    """What is missing before anything can be pulled, one sentence a setting."""
    faults = []
    for name in ("token", "search_query", "stream_rules"):
        try:
            getattr(config, name)
        except SettingError as error:
            if str(error) not in faults:
                faults.append(str(error))
    return faults


def require(config: XSettings) -> None:
    """Raise SettingError naming all that is missing, if anything is."""
    faults = missing(config)
    if faults:
        raise SettingError("; ".join(faults))


def faults_of_environment() -> list[str]:
    """What keeps anything from being pulled with the settings as they are now; settings that cannot be used count."""
    try:
        return missing(load_x_settings())
    except SettingError as error:
        return [str(error)]


def _items(value: Any, separator: str) -> list[str]:
    if isinstance(value, str):
        text = value.strip()
        if text.startswith("["):
            try:
                value = orjson.loads(text)
            except orjson.JSONDecodeError:
                raise ValueError("begins with [ but is no JSON list") from None
        else:
            value = text.split(separator)
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise ValueError("must be a list of texts")
    return [item for item in value if item.strip()]


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
