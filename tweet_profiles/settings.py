"""The settings of the pipeline: one typed object, read from the environment and from `.env` files.

What belongs here: names, defaults, bounds and one-line descriptions of everything a user may set, and where settings
are looked for. What does not: connecting to anything, or deciding what a setting means for a stage.

The order of precedence: the environment, `.env` in the home folder, `.env` of the project (beside `pyproject.toml`, or
the file that TWEET_PROFILES_ENV_FILE names; empty: none). The current directory never matters. Which folder is the home
is told by the environment or by the project's `.env`. A relative path in a file is relative to that file's folder.
"""

import os
import re
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from tweet_profiles.errors import SettingError

ENV_PREFIX = "TWEET_PROFILES_"
ENV_FILE = ".env"
DEMO_MARK = "made_up_tweets_only"
"""A file that marks the demo's home: no setting leads out of it, neither to a MongoDB nor to X."""
_CRON = re.compile(r"[-*/,\dA-Za-z]+( [-*/,\dA-Za-z]+){4}")


def default_home() -> Path:
    """`.tweet_profiles` beside the project's `pyproject.toml`, else in the user's home.

    It does not depend on the current directory: a nightly run started from another folder must not begin
    with an empty home.
    """
    return (project_root() if _is_checkout() else Path.home()) / ".tweet_profiles"


def demo_home(home: Path) -> Path:
    """The demo's home, beside the given one, so that what is made up never mixes with a brand's tweets."""
    return home if home.name.endswith("_demo") else home.with_name(f"{home.name}_demo")


def is_demo_home(home: Path) -> bool:
    """Whether this is a home of the demo."""
    return (home / DEMO_MARK).exists()


def _is_checkout() -> bool:
    return (project_root() / "pyproject.toml").is_file()


def project_env_file() -> Path | None:
    """The project's `.env`, whether it exists or not; None if there is no project folder, or it is turned off.

    Raises:
        SettingError: if TWEET_PROFILES_ENV_FILE names a file that is not there.
    """
    named = os.environ.get(f"{ENV_PREFIX}ENV_FILE")
    if named is None:
        return project_root() / ENV_FILE if _is_checkout() else None
    path = Path(named).expanduser().absolute()
    if named and not path.is_file():
        raise SettingError(f"{ENV_PREFIX}ENV_FILE: {path} is not there")
    return path if named else None


def env_files(home: Path | None = None) -> list[Path]:
    """The `.env` files that settings are read from and that exist; a later one wins.

    Args:
        home: the home folder; by default the one that the environment or the project's file names.

    Raises:
        SettingError: if a file cannot be read, or the home's file names another home.
    """
    own = (home or current_home()) / ENV_FILE
    if f"{ENV_PREFIX}HOME" in _values(own):
        raise SettingError(
            f"{own} sets {ENV_PREFIX}HOME, but a home cannot name another one: set it in the environment or in the "
            "project's .env"
        )
    return [path for path in (project_env_file(), own) if path is not None and path.is_file()]


def current_home() -> Path:
    """The home folder of the environment, else of the project's `.env`, else `default_home`."""
    named = os.environ.get(f"{ENV_PREFIX}HOME")
    if named:
        return Path(named).expanduser().absolute()
    project = project_env_file()
    return default_home() if project is None else _path_in(project, "HOME") or default_home()


def _values(path: Path) -> dict[str, str | None]:
    try:
        return {name.upper(): value for name, value in dotenv_values(path, encoding="utf-8").items()}
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise SettingError(f"{path} cannot be read ({why})") from None


def _path_in(file: Path, setting: str) -> Path | None:
    """A path that a `.env` file gives, relative to the file's folder; None if it gives none."""
    value = _values(file).get(ENV_PREFIX + setting)
    return file.parent / Path(value).expanduser() if value else None


class Settings(BaseSettings):
    """Everything a user may set, from `TWEET_PROFILES_*` in the environment or in `.env` (`load_settings`).

    `MONGODB_URI` is also taken without the prefix, the name under which other tools know it.
    """

    model_config = SettingsConfigDict(env_prefix=ENV_PREFIX, extra="ignore", populate_by_name=True, frozen=True)

    home: Path = Field(default_factory=default_home, description="folder of everything that is stored here")
    mongodb_uri: SecretStr | None = Field(
        default=None,
        validation_alias="MONGODB_URI",
        description="MongoDB to use; without it a local one is started",
    )
    mongodb_database: str = Field(default="tweet_profiles", min_length=1, max_length=60, description="its database")
    mongodb_timeout_s: Annotated[float, Field(gt=0, le=600)] = Field(
        default=20.0, description="how long a MongoDB that does not answer is waited for"
    )
    pseudonym_key: SecretStr | None = Field(
        default=None,
        description="secret of the pseudonyms, at least 32 characters; without it one is made in the home",
    )
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        default=1000, description="a batch lands when it holds so many tweets"
    )
    batch_age_s: Annotated[float, Field(gt=0)] = Field(
        default=60.0, description="or when its oldest tweet has waited so long"
    )
    model_dir: Path | None = Field(default=None, description="sentiment model; without it the shipped one")
    k_anonymity: Annotated[int, Field(ge=2, le=1000)] = Field(
        default=5, description="how many authors must share what is shown"
    )
    release_days: Annotated[float, Field(ge=0, le=365)] = Field(
        default=7, description="how old a release grows before a new one is made for fewer changed authors than k"
    )
    late_days: Annotated[float, Field(ge=0, le=365)] = Field(
        default=2, description="how long after its end a week of the timelines waits for late tweets, then it stays"
    )
    time_zone: str = Field(default="UTC", description="time zone of the schedules, an IANA name")
    recluster_cron: str = Field(default="30 3 * * *", description="when the authors are grouped anew")
    nights_kept: Annotated[int, Field(ge=2, le=1000)] = Field(
        default=30, description="how many clusterings stay, the current one among them"
    )
    pull_cron: str = Field(default="5 * * * *", description="when the search of X is pulled")
    purge_cron: str = Field(default="15 4 * * *", description="when raw tweets older than the retention are removed")
    retention_days: Annotated[float, Field(gt=0, le=3650)] = Field(default=30, description="how long raw tweets stay")
    search_days_from: date = Field(default=date(2026, 1, 1), description="first day offered for a search by day")
    max_attempts: Annotated[int, Field(ge=1, le=20)] = Field(
        default=3, description="a batch that failed so often is parked"
    )
    api_hosts: str = Field(
        default="localhost,127.0.0.1,[::1]", description="names of the API's host, with commas between"
    )
    api_https: bool = Field(default=False, description="the API stands behind a proxy that speaks TLS")
    api_rate_per_minute: Annotated[int, Field(ge=1)] = Field(
        default=600, description="requests a minute that a key may make"
    )
    dagster_url: str = Field(default="http://127.0.0.1:3000", pattern="^https?://", description="the page links to it")
    executor: Literal["in_process", "multiprocess"] = Field(
        default="in_process",
        description="whether the steps of a run that the UI or a schedule starts share one process, which loads the "
        "model once, or have one each; a command's always share one",
    )
    notify_urls: SecretStr | None = Field(
        default=None,
        description="who is told of failed runs: addresses as apprise takes them (mailto://, slack://, json://), with "
        "spaces between; needs the extra `notify`",
    )
    page_url: str | None = Field(
        default=None, pattern="^https?://", description="address of the page, where it is served; the UI links to it"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="least important log lines that are written"
    )

    @field_validator("mongodb_uri", "notify_urls", mode="after")
    @classmethod
    def _empty_is_none(cls, value: SecretStr | None) -> SecretStr | None:
        return value if value is not None and value.get_secret_value().strip() else None

    @field_validator("home", mode="after")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("time_zone", mode="after")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("is no time zone that is known here: give an IANA name like Europe/London") from None
        return value

    @field_validator("recluster_cron", "pull_cron", "purge_cron", mode="after")
    @classmethod
    def _cron(cls, value: str) -> str:
        if not _CRON.fullmatch(value):
            raise ValueError("is no cron expression: minute hour day month weekday, like 30 3 * * *")
        return value

    @field_validator("pseudonym_key", mode="after")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < 32:
            raise ValueError("needs at least 32 characters; `openssl rand -hex 32` makes one")
        return value


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; `overrides` win over the environment, and that over the `.env` files.

    In the demo's home neither a MongoDB nor a key of the user's is used.

    Raises:
        SettingError: naming every setting that cannot be used and why, without its value.
    """
    home = Path(overrides.pop("home", None) or current_home()).expanduser().absolute()
    files = env_files(home)
    if f"{ENV_PREFIX}MODEL_DIR" not in os.environ:
        folders = [folder for file in files if (folder := _path_in(file, "MODEL_DIR")) is not None]
        overrides = {**({"model_dir": folders[-1]} if folders else {}), **overrides}
    if is_demo_home(home):
        overrides = {**overrides, "mongodb_uri": None, "pseudonym_key": None}
    try:
        return Settings(_env_file=files, home=home, **overrides)  # type: ignore[call-arg]
    except ValidationError as error:
        raise unusable(error, ENV_PREFIX) from None


def unusable(error: ValidationError, prefix: str) -> SettingError:
    """One sentence that names every setting that cannot be used and why, without its value.

    Args:
        error: what pydantic found.
        prefix: of the environment variables of these settings.
    """

    def variable(field: str) -> str:
        # A field is named in small letters; one that has a variable's name of its own is told by that.
        return field if field.isupper() else prefix + field.upper()

    errors = (
        f"{variable(str(each['loc'][0]))}: {each['msg'].removeprefix('Value error, ')}" for each in error.errors()
    )
    return SettingError(f"{'; '.join(errors)}. Set it in the environment or in .env")


@cache
def project_root() -> Path:
    """The checkout (or install folder) that holds `models/` and `tweet_profiles/`."""
    return Path(__file__).resolve().parents[1]
