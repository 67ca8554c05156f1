"""Clusterings in MongoDB: written as one version, which readers switch to at once.

What belongs here: documents and the order in which they are written. What does not: computing them.

Collections:
    clusterings  one document a version: {_id: version, created, k, choice, sweep, scaler, centroids, matching, ...}
    segments     one document a segment a version: {_id: "version/segment", version, segment, name, ...}
    profiles     an author's segment under `assignments.<version>`: {segment, confidence}
    state        {_id: "clustering", version}: the pointer. It moves last, so that a reader who follows it finds a
                 version complete; whoever is killed before leaves readers on the old one.
"""

import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import structlog
from pymongo import ASCENDING, DESCENDING, UpdateMany, UpdateOne
from pymongo.database import Database

from tweet_profiles.segments.features import Scaler
from tweet_profiles.segments.pipeline import ClusterResult, PreviousClustering, sweep_rows

log = structlog.get_logger(__name__)

POINTER = "clustering"
CHUNK = 2_000


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
        )

    def assignments(self, version: str) -> Iterator[tuple[str, int]]:
        """Author pseudonym and segment of every author of a version."""
        field = f"assignments.{version}.segment"
        for profile in self.database.profiles.find({field: {"$exists": True}}, {field: 1}):
            yield profile["_id"], int(profile["assignments"][version]["segment"])

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
            "moved_authors": result.moved_authors,
            "faults": result.faults,
        }
