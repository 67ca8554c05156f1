"""What the UI shows of each batch: what was left out and why, and what has no score."""

from typing import Any

import orjson
import pytest
from dagster import AssetKey, RunsFilter

from tweet_profiles.contracts import SCORED_TWEETS
from tweet_profiles.home import Home
from tweet_profiles.landing.zone import LandingZone
from tweet_profiles.orchestration.definitions import build_definitions
from tweet_profiles.orchestration.instance import dagster_instance, execute
from tweet_profiles.orchestration.partitions import NAME as PARTITIONS
from tweet_profiles.tables import partition_file, read_table

pytestmark = pytest.mark.integration


def tweet(number: int, text: str | None, **more: Any) -> Any:
    return {
        "id": str(number), "author_id": str(number % 3), "text": text, "created_at": "2026-01-01T10:00:00Z",
        "observed_at": "2026-01-02T10:00:00Z", "hashtags": [], "author": {}, **more,
    }  # fmt: skip


BATCHES = [
    [
        tweet(1, "I love this oat milk, best ever"),
        tweet(2, "otra vez sin señal en mi casa, qué vergüenza"),
        tweet(3, "el servicio fue pésimo, no vuelvo nunca más"),
        tweet(4, "müşteri hizmetleri asla cevap vermiyor", lang="tr"),
        tweet(5, None, lang="en", has_hour=False),
        tweet(6, "@anna https://t.co/x", is_retweet=True, retweets_collected=True),
        tweet(7, "a text of the year 1512", created_at="1512-01-01T00:00:00Z"),
    ],
    [tweet(8, "delayed again, thanks a lot", version=2), tweet(9, "what a lovely day")],
]


def test_each_batch_tells_its_own_numbers_and_a_bad_record_stands_alone_in_the_quarantine(
    home: Home, own_database: str
) -> None:
    zone = LandingZone(home)
    for batch in BATCHES:
        with zone.writer("import") as writer:
            for one in batch:
                writer.add(one)
    keys = zone.keys()
    job = build_definitions().resolve_job_def("process_batch")
    with dagster_instance(home) as instance:
        instance.add_dynamic_partitions(PARTITIONS, keys)
        for _ in range(2):  # a second time changes nothing, and puts nothing aside twice
            execute(job, instance, partitions=keys)

        def told(asset: str, key: str) -> dict[str, Any]:
            event = instance.get_latest_materialization_event(AssetKey(asset))
            assert event is not None
            records = instance.fetch_materializations(AssetKey(asset), limit=10).records
            newest = next(record for record in records if record.partition_key == key)
            assert newest.asset_materialization is not None
            return {name: value.value for name, value in newest.asset_materialization.metadata.items()}

        first, second = told("scored_tweets", keys[0]), told("scored_tweets", keys[1])
        raw, profiles = told("raw_tweets", keys[0]), told("user_profiles", keys[1])
        arrivals = told("assigned_authors", keys[1])
        job_page = RunsFilter(job_name="process_batch", tags={".dagster/repository": "__repository__@tweet_profiles"})
        assert [run.tags["tweet_profiles/started_by"] for run in instance.get_runs(job_page)] == ["command"] * 2
    assert first["not_scored"] == "not scored (es 2, no text 2, tr 1)" and second["not_scored"] == "all scored"
    assert (first["tweets"], first["scored"], second["tweets"], second["scored"]) == (6, 1, 2, 2)
    assert (raw["tweets"], raw["quarantined"], raw["without_text"], raw["without_hour"]) == (6, 1, 1, 1)
    assert "created_at: must not be before 2006-03-21" in str(raw["quarantined_because"])
    assert raw["retweets_collected"] == "not known and yes"
    assert profiles["tweets_known"] == 2
    assert "data:image/png" in str(first["sentiment"]) and first["sentiment"] != second["sentiment"]
    assert (profiles["dagster/partition_row_count"], first["dagster/partition_row_count"]) == (5, 6)
    assert not [name for told_ in (first, second, raw, profiles, arrivals) for name in told_ if "run" in name]
    assert arrivals["note"] == "there is no clustering yet: the next one takes these authors in"
    [entry] = [orjson.loads(line) for file in home.quarantine.iterdir() for line in file.read_bytes().splitlines()]
    assert (entry["number"], entry["unit"]) == (7, "line") and orjson.loads(entry["content"]) == BATCHES[0][6]
    scored = read_table(partition_file(home.scored, keys[0]), SCORED_TWEETS, "scored_tweets")
    assert scored["lang"].tolist()[1:4] == ["es", "es", "tr"]
