"""Authors who come between two clusterings: put where the clustering would put them, and released no sooner."""

from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from pymongo.database import Database

from tweet_profiles.contracts import SCORED_TWEETS
from tweet_profiles.home import Home
from tweet_profiles.orchestration.assets.assigned_authors import assigned_authors
from tweet_profiles.orchestration.partitions import NAME as PARTITIONS
from tweet_profiles.orchestration.resources import HomeResource, MongoResource
from tweet_profiles.segments import features
from tweet_profiles.segments.arrivals import Centres, place
from tweet_profiles.segments.features import build_features
from tweet_profiles.segments.store import SegmentStore
from tweet_profiles.tables import partition_file, write_table
from tweet_profiles_tests.segments.made import KINDS, clustered, made_profiles, night, save

Store = Database[dict[str, Any]]

PINNED = {"k": len(KINDS), "k_min": len(KINDS), "k_max": len(KINDS)}
"""How many segments there are is of no concern here: not looking for k is quicker."""


def arrivals_of(database: Store) -> dict[str, dict[str, Any]]:
    found = database.profiles.find({"arrival": {"$exists": True}})
    return {profile["_id"]: profile["arrival"] for profile in found}


def test_an_author_gets_the_segment_and_the_confidence_that_the_clustering_gives() -> None:
    profiles = made_profiles(700, 31)
    result = clustered(profiles, **PINNED)
    stored = features.Scaler.from_json(result.scaler.to_json())
    placed = place(profiles, Centres("v", stored, result.clustering.centroids, result.matching.segments, result.reach))
    assert (placed.segment == result.segment_of).all()
    assert np.allclose(placed.confidence, result.clustering.confidence, rtol=0, atol=1e-12)
    assert 0 < placed.far.mean() <= 0.02


def test_new_authors_are_assigned_and_those_of_the_clustering_stay_as_they_were(database: Store) -> None:
    old, new = made_profiles(600, 32), made_profiles(80, 33, first=10**6)
    save(database, pd.concat([old, new], ignore_index=True))
    version, result = night(database, old, **PINNED)
    store = SegmentStore(database)
    before = dict(store.assignments(version))
    # One of the clustering is another kind of author by now.
    database.profiles.update_one(
        {"_id": old["author_key"][0]},
        {"$set": {"followers": 1e7, "retweet_share": 0.0, "link_share": 1.0, "sentiment_mean": 0.5, "posts": 1e6}},
    )
    done = store.assign_arrivals([*old["author_key"][:50], *new["author_key"]])
    assert done.reason is None and done.version == version
    assert sum(done.assigned.values()) == 80 and done.clustered == 50 and done.leaning == 1
    assert dict(store.assignments(version)) == before
    assert {arrival["version"] for arrival in arrivals_of(database).values()} == {version}
    known = Centres(version, result.scaler, result.clustering.centroids, result.matching.segments, result.reach)
    expected = dict(zip(new["author_key"], place(new, known).segment.tolist(), strict=True))
    assert dict(store.arrivals(version)) == expected
    assert store.assign_arrivals(new["author_key"].tolist()) == store.assign_arrivals(new["author_key"].tolist())
    assert dict(store.arrivals(version)) == expected


def test_who_is_like_nobody_is_said_to_be_far_from_every_centre(database: Store) -> None:
    old, new = made_profiles(600, 34), made_profiles(20, 35, first=10**6)
    new.loc[:4, ["followers", "following", "posts", "tweets_seen", "likes_per_tweet"]] = 10**9
    save(database, pd.concat([old, new], ignore_index=True))
    night(database, old, **PINNED)
    done = SegmentStore(database).assign_arrivals(new["author_key"].tolist())
    assert 5 <= done.far < 10
    assert sum(arrivals_of(database)[key]["far"] for key in new["author_key"][:5]) == 5


def test_before_the_first_clustering_nothing_is_assigned_and_it_is_said(database: Store) -> None:
    profiles = made_profiles(30, 36)
    save(database, profiles)
    done = SegmentStore(database).assign_arrivals(profiles["author_key"].tolist())
    assert done.reason is not None and "there is no clustering yet" in done.reason
    assert not done.assigned and arrivals_of(database) == {}


@pytest.mark.parametrize(
    ("change", "told"), [("gone", "followers no longer known"), ("other transform", "followers changed")]
)
def test_if_the_features_changed_since_nothing_is_assigned_and_it_is_said(
    database: Store, monkeypatch: pytest.MonkeyPatch, change: str, told: str
) -> None:
    old, new = made_profiles(300, 37), made_profiles(10, 38, first=10**6)
    save(database, pd.concat([old, new], ignore_index=True))
    night(database, old, **PINNED)
    known = features.FEATURES["followers"]
    if change == "gone":
        monkeypatch.delitem(features.FEATURES, "followers")
    else:
        changed = features.Feature(known.name, known.label, "sqrt", known.read)
        monkeypatch.setitem(features.FEATURES, "followers", changed)
    done = SegmentStore(database).assign_arrivals(new["author_key"].tolist())
    assert done.reason is not None and told in done.reason and "run the job recluster" in done.reason
    assert arrivals_of(database) == {}


def test_the_next_night_tells_how_many_were_new_and_how_many_stay_where_they_were_put(database: Store) -> None:
    old, new = made_profiles(600, 39), made_profiles(60, 40, first=10**6)
    everybody = pd.concat([old, new], ignore_index=True)
    save(database, everybody)
    _, first = night(database, old, **PINNED)
    assert first.new_authors is None and first.arrivals_kept is None
    SegmentStore(database).assign_arrivals(new["author_key"].tolist())
    version, second = night(database, everybody, **PINNED)
    assert second.new_authors == 60
    assert second.arrivals_kept is not None and second.arrivals_kept >= 0.9
    assert arrivals_of(database) == {}, "they are in the clustering itself now"
    document = database.clusterings.find_one({"_id": version})
    assert document is not None and document["new_authors"] == 60


def test_readers_switched_in_the_middle_end_with_authors_of_the_version_they_are_on(
    database: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = made_profiles(300, 41), made_profiles(10, 42, first=10**6)
    save(database, pd.concat([old, new], ignore_index=True))
    night(database, old, **PINNED)
    store, nights = SegmentStore(database), []
    whole = store._assign_arrivals

    def overtaken(version: str, authors: list[str]) -> Any:
        done = whole(version, authors)
        if not nights:
            nights.append(night(database, old, **PINNED)[0])
        return done

    monkeypatch.setattr(store, "_assign_arrivals", overtaken)
    done = store.assign_arrivals(new["author_key"].tolist())
    assert done.version == nights[0]
    assert {arrival["version"] for arrival in arrivals_of(database).values()} == {nights[0]}


def test_who_came_while_the_clustering_was_made_is_assigned_after_it(database: Store) -> None:
    old, new = made_profiles(300, 43), made_profiles(10, 44, first=10**6)
    save(database, pd.concat([old, new], ignore_index=True))
    version, _ = night(database, old, **PINNED)
    done = SegmentStore(database).assign_latecomers()
    assert sum(done.assigned.values()) == 10
    assert set(dict(SegmentStore(database).arrivals(version))) == set(new["author_key"])


@pytest.mark.parametrize("clustered_before", [True, False])
def test_the_asset_tells_who_was_assigned_where(
    home: Home, own_database: str, mongodb_server: str, clustered_before: bool
) -> None:
    resource = HomeResource(root=str(home.root))
    mongo = MongoResource(home=resource)
    old, new = made_profiles(400, 45), made_profiles(40, 46, first=10**6)
    for batch, authors in (("b1", new["author_key"][:25]), ("b2", new["author_key"][15:])):
        # Only who the authors are is of concern here; the other columns have to be there.
        scored = pd.DataFrame({"author_key": authors}).reindex(columns=list(SCORED_TWEETS.columns))
        write_table(partition_file(home.scored, batch), scored.assign(position=0, version=1))
    with mongo.database() as database:
        save(database, pd.concat([old, new], ignore_index=True))
        version = night(database, old, **PINNED)[0] if clustered_before else "none"
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(PARTITIONS, ["b1", "b2"])
        done = dg.materialize(
            [assigned_authors],
            instance=instance,
            resources={"home": resource, "mongo": mongo},
            tags={"dagster/asset_partition_range_start": "b1", "dagster/asset_partition_range_end": "b2"},
        )
        events = done.asset_materializations_for_node("assigned_authors")
    assert {event.partition for event in events} == {"b1", "b2"}
    for event in events:  # each batch has 25 authors, of whom 10 are in both
        told = event.metadata
        assert told["clustering"].value == version
        assert told["assigned"].value == (25 if clustered_before else 0)
        why = "assigned with the scaler" if clustered_before else "there is no clustering yet"
        assert why in str(told["note"].value)


def test_scaling_with_the_stored_scaler_is_scaling_as_the_features_were() -> None:
    profiles = made_profiles(200, 47)
    matrix = build_features(profiles)
    again = features.Scaler.from_json(matrix.scaler.to_json()).transform(profiles)
    assert np.array_equal(again, matrix.frame.drop(columns="author_key").to_numpy(dtype=float))
