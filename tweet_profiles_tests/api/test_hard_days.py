"""Nothing released yet, the database gone and back, releases replaced under heavy reading, a stop in the middle."""

import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pymongo
import pytest

from tweet_profiles_tests.api.seed import switch, write_release
from tweet_profiles_tests.api.served import Api, served
from tweet_profiles_tests.servers import local_database

pytestmark = pytest.mark.integration


def test_before_the_first_release_the_answer_says_what_to_run(mongodb_server: str, tmp_path: Path) -> None:
    with served(tmp_path, mongodb_server, f"test_{uuid4().hex[:12]}") as api:
        for path in ("overview", "segments", "profiles", "downloads/csv", "timelines"):
            answer = api.get(path)
            assert answer.status == 404 and "tweet-profiles run" in answer.json()["detail"]
        assert api.get("health").json()["release"] is None
        page = api.get("/")
        assert page.status == 200 and b"tweet-profiles run" in page.body


def test_the_database_goes_and_comes_back_without_a_restart(tmp_path: Path) -> None:
    with local_database(tmp_path / "database") as server:
        uri = server.ensure()
        with served(tmp_path, uri, "test") as api:
            switch(api.database, write_release(api.database, 1, 100))
            assert api.get("segments").status == 200
            server.stop()
            for path in ("segments", "profiles", "/", "/readyz", "downloads/csv"):
                answer = api.get(path)
                assert answer.status == 503, path
                assert int(answer.headers["Retry-After"]) > 0
                assert answer.headers["Content-Type"] == "application/problem+json"
            assert api.get("/healthz", None).status == 200
            assert server.ensure() == uri
            until = time.monotonic() + 60
            while api.get("/readyz", None).status != 200 and time.monotonic() < until:
                time.sleep(0.3)
            assert api.get("segments").status == 200
            assert api.get("profiles").status == 200


def test_releases_replaced_under_heavy_reading_never_mix(mongodb_server: str, tmp_path: Path) -> None:
    with served(tmp_path, mongodb_server, f"test_{uuid4().hex[:12]}", workers=2) as api:
        marks: dict[str, float] = {}

        def release(night: int) -> None:
            version = write_release(api.database, night, 300, mark=float(night))
            marks[version] = float(night)
            switch(api.database, version)

        release(1)
        stop = threading.Event()
        seen: list[tuple[str, set[float], int]] = []
        odd: list[tuple[int, bytes]] = []

        def read(_: int) -> None:
            while not stop.is_set():
                answer = api.get("profiles?limit=200&sort=sentiment_mean")
                if answer.status != 200:
                    odd.append((answer.status, answer.body))
                    continue
                page = answer.json()
                seen.append((page["release"], {row["tweets_seen"] for row in page["rows"]}, len(page["rows"])))
                if answer.headers["ETag"] != f'"{page["release"]}"':
                    odd.append((0, answer.body[:100]))
                segments = api.get("segments").json()
                if sum(segment["authors"] for segment in segments["segments"]) != 300:
                    odd.append((1, str(segments).encode()[:300]))

        with ThreadPoolExecutor(8) as pool:
            readers = [pool.submit(read, number) for number in range(8)]
            try:
                for night in range(2, 9):
                    release(night)
            finally:
                stop.set()
            for reader in readers:
                reader.result()
        assert odd == []
        assert len({version for version, _, _ in seen}) > 3
        for version, values, rows in seen:
            assert values == {marks[version]} and rows == 200


def test_a_cursor_outlives_one_new_release_and_tells_when_it_is_gone(mongodb_server: str, tmp_path: Path) -> None:
    with served(tmp_path, mongodb_server, f"test_{uuid4().hex[:12]}") as api:
        switch(api.database, write_release(api.database, 1, 300, mark=1.0))
        cursor = api.get("profiles?limit=50").json()["next"]
        switch(api.database, write_release(api.database, 2, 300, mark=2.0))
        page = api.get(f"profiles?limit=50&cursor={cursor}").json()
        assert {row["tweets_seen"] for row in page["rows"]} == {1.0}
        switch(api.database, write_release(api.database, 3, 300, mark=3.0))
        gone = api.get(f"profiles?limit=50&cursor={cursor}")
        assert gone.status == 410 and "begin again" in gone.json()["detail"]


def test_a_stop_lets_running_requests_end(mongodb_server: str, tmp_path: Path) -> None:
    with served(tmp_path, mongodb_server, f"test_{uuid4().hex[:12]}") as api:
        switch(api.database, write_release(api.database, 1, 2000))
        whole = len(api.get("downloads/jsonl").body)
        with ThreadPoolExecutor(4) as pool:
            running = [pool.submit(api.get, "downloads/jsonl") for _ in range(4)]
            _wait_for(api, running)
            api.process.send_signal(signal.SIGTERM)
            assert api.process.wait(60) == 0
            assert [len(one.result().body) for one in running] == [whole] * 4


def _wait_for(api: Api, running: list) -> None:
    """Until all downloads have begun: each is noted before its first byte."""
    until = time.monotonic() + 30
    while api.database.api_audit.count_documents({}) < 1 + len(running) and time.monotonic() < until:
        time.sleep(0.01)


def test_the_seed_is_what_a_reader_of_releases_expects(mongodb_server: str) -> None:
    from tweet_profiles.contracts import RELEASED_PROFILES
    from tweet_profiles.release.store import ReleaseStore

    with pymongo.MongoClient(mongodb_server, tz_aware=True) as client:  # type: ignore[var-annotated]
        database = client[f"test_{uuid4().hex[:12]}"]
        switch(database, write_release(database, 1, 50))
        store = ReleaseStore(database)
        release = store.current()
        assert release is not None
        for frame in store.frames(release):
            RELEASED_PROFILES.validate(frame)
        client.drop_database(database.name)
