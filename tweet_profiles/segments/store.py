"""Clusterings in MongoDB: written as one version, which readers switch to at once.

What belongs here: documents and the order in which they are written. What does not: computing them.

Collections:
    clusterings  one document a version: {_id: version, created, k, choice, sweep, scaler, centroids, matching, ...}
    segments     one document a segment a version: {_id: "version/segment", version, segment, name, ...}
    profiles     an author's segment under `assignments.<version>`: {segment, confidence}; and for who came after that
                 version, under `arrival`: {version, segment, confidence, far}, which counts while that version does.
                 Apart, so that a version stays what it was when it was described and released
    state        {_id: "clustering", version}: the pointer. It moves last, so that a reader who follows it finds a
                 version complete; whoever is killed before leaves readers on the old one.
"""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import structlog
from pymongo import ASCENDING, DESCENDING, UpdateMany, UpdateOne
from pymongo.database import Database

from tweet_profiles.errors import DatabaseError
from tweet_profiles.profiles.store import ProfileStore
from tweet_profiles.segments.arrivals import NO_CLUSTERING, Arrivals, Centres, obstacle, place
from tweet_profiles.segments.features import Scaler
from tweet_profiles.segments.pipeline import ClusterResult, PreviousClustering, sweep_rows

log = structlog.get_logger(__name__)

POINTER = "clustering"
CHUNK = 2_000
LOOKUP = 25
"""Values looked up a request, as in `profiles.store`."""


@dataclass(frozen=True)
class ClusteringVersion:
    """A stored clustering: its document, and its segments' documents from the largest to the smallest."""

    version: str
    document: dict[str, Any]
    segments: list[dict[str, Any]]

    @property
    def k(self) -> int:
        """Number of segments."""
        return int(self.document["k"])

    @property
    def authors(self) -> int:
        """Number of authors that were grouped."""
        return int(self.document["authors"])


class SegmentStore:
    """Reads and writes clusterings.

    Args:
        database: where.
        keep: how many versions stay, the current one among them.
    """

    def __init__(self, database: Database[dict[str, Any]], keep: int = 30):
        self.database, self.keep = database, keep

    def prepare(self) -> None:
        """Make the indexes. May be called any number of times."""
        self.database.segments.create_index([("version", ASCENDING), ("segment", ASCENDING)])
        self.database.clusterings.create_index([("created", DESCENDING)])

    def current_version(self) -> str | None:
        """The version that readers use, None before the first."""
        pointer = self.database.state.find_one({"_id": POINTER})
        return None if pointer is None else str(pointer["version"])

    def current(self) -> ClusteringVersion | None:
        """The clustering that readers use, None before the first."""
        version = self.current_version()
        return None if version is None else self.read(version)

    def read(self, version: str) -> ClusteringVersion | None:
        """One stored clustering, None if there is no such version."""
        document = self.database.clusterings.find_one({"_id": version})
        if document is None:
            return None
        segments = list(self.database.segments.find({"version": version}).sort([("authors", -1), ("segment", 1)]))
        return ClusteringVersion(version, document, segments)

    def created(self, version: str) -> datetime:
        """When a stored clustering was made."""
        made: datetime = self.database.clusterings.find_one({"_id": version}, {"created": 1})["created"]  # type: ignore[index]
        return made

    def history(self, limit: int = 30) -> list[dict[str, Any]]:
        """Finished versions, the newest first: version, created, k and {segment: share of the authors}."""
        return list(
            self.database.clusterings.find(
                {"complete": True}, {"created": 1, "k": 1, "shares": 1, "names": 1, "authors": 1}
            )
            .sort("created", DESCENDING)
            .limit(limit)
        )

    def previous(self) -> PreviousClustering | None:
        """What the next clustering compares itself with."""
        current = self.current()
        if current is None:
            return None
        document = current.document
        return PreviousClustering(
            scaler=Scaler.from_json(document["scaler"]),
            centroids=np.array(document["centroids"]),
            segments=[int(segment) for segment in document["segments"]],
            ever_used=int(document["ever_used"]),
            assignments=dict(self.assignments(current.version)),
            arrivals=dict(self.arrivals(current.version)),
        )

    def assignments(self, version: str) -> Iterator[tuple[str, int]]:
        """Author pseudonym and segment of every author of a version."""
        field = f"assignments.{version}.segment"
        for profile in self.database.profiles.find({field: {"$exists": True}}, {field: 1}):
            yield profile["_id"], int(profile["assignments"][version]["segment"])

    def arrivals(self, version: str) -> Iterator[tuple[str, int]]:
        """Author pseudonym and segment of every author who came after a version and was assigned to it."""
        for profile in self.database.profiles.find({"arrival.version": version}, {"arrival.segment": 1}):
            yield profile["_id"], int(profile["arrival"]["segment"])

    def centres(self, version: str) -> Centres | None:
        """What assigning authors to a version needs, None if there is no such version."""
        document = self.database.clusterings.find_one({"_id": version})
        if document is None:
            return None
        return Centres(
            version=version,
            scaler=Scaler.from_json(document["scaler"]),
            centroids=np.array(document["centroids"]),
            segments=tuple(int(segment) for segment in document["segments"]),
            reach={int(segment): float(reach) for segment, reach in document.get("reach", {}).items()},
        )

    def assign_arrivals(self, authors: Sequence[str]) -> Arrivals:
        """Give authors who are not in the current clustering a segment of it; see `arrivals`.

        Who is in it keeps its segment until the next. Doing so again changes nothing. If readers are switched to
        another version meanwhile, the authors are assigned to that one too.
        """
        version = self.current_version()
        while version is not None:
            done = self._assign_arrivals(version, authors)
            now = self.current_version()
            if now == version:
                return done
            version = now
        return Arrivals(reason=NO_CLUSTERING)

    def assign_latecomers(self) -> Arrivals:
        """Assign every author who is not in the current clustering: those who came while it was made."""
        version = self.current_version()
        waiting = self.database.profiles.find({f"assignments.{version}": {"$exists": False}}, {"_id": 1})
        return self.assign_arrivals([profile["_id"] for profile in waiting])

    def _assign_arrivals(self, version: str, authors: Sequence[str]) -> Arrivals:
        done = Arrivals(version)
        centres = self.centres(version)
        if centres is None:
            raise DatabaseError(
                f"readers are pointed at clustering {version}, which is not there: run the job recluster"
            )
        done.reason = obstacle(centres.scaler)
        if done.reason is not None:
            return done
        for start in range(0, len(authors), CHUNK):
            chunk = list(authors[start : start + CHUNK])
            clustered = self._segments_of(version, chunk)
            profiles = ProfileStore(self.database).frame(chunk)
            placed = place(profiles, centres)
            updates = []
            rows = zip(profiles["author_key"], placed.segment, placed.confidence, placed.far, strict=True)
            for key, segment, sure, far in rows:
                if key in clustered:
                    done.clustered += 1
                    done.leaning += int(clustered[key] != segment)
                    continue
                done.assigned[int(segment)] += 1
                done.far += int(far)
                arrival = {
                    "version": version,
                    "segment": int(segment),
                    "confidence": round(float(sure), 4),
                    "far": bool(far),
                }
                updates.append(UpdateOne({"_id": key}, {"$set": {"arrival": arrival}}))
            if updates:
                self.database.profiles.bulk_write(updates, ordered=False)
        return done

    def _segments_of(self, version: str, authors: Sequence[str]) -> dict[str, int]:
        field = f"assignments.{version}.segment"
        found: dict[str, int] = {}
        for start in range(0, len(authors), LOOKUP):
            wanted = {"_id": {"$in": list(authors[start : start + LOOKUP])}, field: {"$exists": True}}
            for profile in self.database.profiles.find(wanted, {field: 1}):
                found[profile["_id"]] = int(profile["assignments"][version]["segment"])
        return found

    def write_version(self, result: ClusterResult, keys: pd.Series, created: datetime | None = None) -> str:
        """Store a clustering beside the current one; readers do not see it until `switch`.

        Returns:
            The new version's name.
        """
        moment = created or datetime.now(UTC)
        version = f"v{moment:%Y%m%dT%H%M%S}{secrets.token_hex(3)}"
        self.prepare()
        self.database.clusterings.insert_one(self._document(version, moment, result, len(keys)))
        self.database.segments.insert_many(
            [
                {"_id": f"{version}/{segment.segment}", "version": version, **segment.document()}
                for segment in result.segments
            ]
        )
        self.assign(version, keys, result.segment_of, result.clustering.confidence)
        self.database.clusterings.update_one({"_id": version}, {"$set": {"complete": True}})
        return version

    def assign(self, version: str, keys: pd.Series, segment_of: np.ndarray, confidence: np.ndarray) -> None:
        """Write authors' segments of a version onto their profiles; authors without a profile are left out."""
        rows = list(zip(keys, segment_of, confidence, strict=True))
        for start in range(0, len(rows), CHUNK):
            self.database.profiles.bulk_write(
                [
                    UpdateOne(
                        {"_id": key},
                        {
                            "$set": {
                                f"assignments.{version}": {"segment": int(segment), "confidence": round(float(sure), 4)}
                            }
                        },
                    )
                    for key, segment, sure in rows[start : start + CHUNK]
                ],
                ordered=False,
            )

    def switch(self, version: str) -> None:
        """Make a complete version the one that readers use, then drop what is older than is kept.

        Raises:
            ValueError: if the version is not complete.
        """
        if self.database.clusterings.find_one({"_id": version, "complete": True}) is None:
            raise ValueError(f"clustering {version} is not complete and cannot be switched to")
        self.database.state.update_one({"_id": POINTER}, {"$set": {"version": version}}, upsert=True)
        self._drop_old(version)

    def _drop_old(self, current: str) -> None:
        kept = [entry["_id"] for entry in self.history(self.keep)]
        kept = [current, *[version for version in kept if version != current]][: self.keep]
        for entry in self.database.clusterings.find({"_id": {"$nin": kept}}, {"_id": 1}):
            old = entry["_id"]
            field = f"assignments.{old}"
            self.database.profiles.bulk_write([UpdateMany({field: {"$exists": True}}, {"$unset": {field: ""}})])
            self.database.segments.delete_many({"version": old})
            self.database.clusterings.delete_one({"_id": old})
            log.info("dropped an old clustering", version=old)
        past = {"arrival": {"$exists": True}, "arrival.version": {"$ne": current}}
        self.database.profiles.update_many(past, {"$unset": {"arrival": ""}})

    @staticmethod
    def _document(version: str, moment: datetime, result: ClusterResult, authors: int) -> dict[str, Any]:
        used = list(result.matching.segments)
        births, deaths = list(result.matching.births), list(result.matching.deaths)
        return {
            "_id": version,
            "created": moment,
            "complete": False,
            "k": result.choice.k,
            "authors": authors,
            "choice": asdict(result.choice),
            "sweep": sweep_rows(result.sweep),
            "scaler": result.scaler.to_json(),
            "features": result.scaler.names,
            "centroids": result.clustering.centroids.tolist(),
            "segments": used,
            "names": {str(segment.segment): segment.name for segment in result.segments},
            "shares": {str(segment.segment): segment.share for segment in result.segments},
            "ever_used": max([*used, *deaths]),
            "births": births,
            "deaths": deaths,
            "drift": {str(segment): moved for segment, moved in result.matching.moved.items()},
            "reach": {str(segment): reach for segment, reach in result.reach.items()},
            "moved_authors": result.moved_authors,
            "new_authors": result.new_authors,
            "arrivals_kept": result.arrivals_kept,
            "faults": result.faults,
        }
