from collections.abc import Iterator
from uuid import uuid4

import pytest

from tweet_profiles_tests.api.seed import switch, write_release
from tweet_profiles_tests.api.served import Api, served


@pytest.fixture(scope="package")
def api(mongodb_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A served API over three nights, the last of them released: 1,000 authors."""
    with served(tmp_path_factory.mktemp("api"), mongodb_server, f"test_{uuid4().hex[:12]}") as running:
        for night in range(3):
            version = write_release(running.database, night)
            switch(running.database, version)
        yield running
