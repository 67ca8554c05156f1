"""The Dagster resources: the seam where tests and deployments swap the home, MongoDB and the model.

What belongs here: how an asset gets at the outside. What does not: what it does with it. No secret is a
resource field, because Dagster shows those in the UI; secrets come from `settings` at the moment of use.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import dagster as dg
from pymongo.database import Database

from tweet_profiles.database.connection import connect
from tweet_profiles.home import Home
from tweet_profiles.landing.zone import LandingZone
from tweet_profiles.profiles.store import ProfileStore
from tweet_profiles.sentiment.scoring import Scorer, load_scorer
from tweet_profiles.settings import Settings, load_settings
from tweet_profiles.sources.x.config import XSettings, load_x_settings, require


class HomeResource(dg.ConfigurableResource):
    """The home folder and what lies in it."""

    root: str | None = None
    """Folder to use instead of TWEET_PROFILES_HOME."""

    def settings(self) -> Settings:
        """The settings, with this resource's folder as home if it names one."""
        return load_settings(home=Path(self.root)) if self.root else load_settings()

    def open(self) -> Home:
        """The home, its folders made. Raises HomeError if it cannot be written."""
        return Home.open(self.settings().home)

    def landing_zone(self) -> LandingZone:
        """The landing zone of the home."""
        settings = self.settings()
        return LandingZone(self.open(), batch_size=settings.batch_size, batch_age_s=settings.batch_age_s)


class XResource(dg.ConfigurableResource):
    """What is asked of X: the environment's settings, with those given here in their place. Never the token."""

    handles: list[str] | None = None
    keywords: list[str] | None = None
    query: str | None = None
    search: str | None = None
    monthly_post_cap: int | None = None

    def configured(self) -> XSettings:
        """The settings. Raises SettingError naming all that is missing or cannot be used."""
        given = {name: value for name, value in self.model_dump().items() if value is not None}
        config = load_x_settings(**given)
        require(config)
        return config


class MongoResource(dg.ConfigurableResource):
    """The database: MONGODB_URI's, else the local server of the home."""

    home: HomeResource

    @contextmanager
    def database(self) -> Iterator[Database[dict[str, Any]]]:
        """The prepared database for the duration of one step. Raises DatabaseError if it cannot be had."""
        settings = self.home.settings()
        home = self.home.open()
        home.refuse_during_rotation()
        client = connect(settings, home)
        try:
            database = client[settings.mongodb_database]
            ProfileStore(database).prepare()
            yield database
        finally:
            client.close()


class ModelResource(dg.ConfigurableResource):
    """The sentiment model, loaded once a process however many partitions a run scores."""

    home: HomeResource

    def scorer(self) -> Scorer:
        """The scorer of the configured model. Raises ModelError if its files are missing or damaged."""
        return _load_once(self.home.settings().model_dir)

    def forget(self) -> None:
        """Load the model anew the next time: its files were replaced."""
        _load_once.cache_clear()


@lru_cache(maxsize=2)
def _load_once(model_dir: Path | None) -> Scorer:
    return load_scorer(model_dir)


def default_resources() -> dict[str, dg.ConfigurableResource[Any]]:
    """The resources of a deployment, configured by the environment."""
    home = HomeResource()
    return {"home": home, "mongo": MongoResource(home=home), "model": ModelResource(home=home), "x": XResource()}
