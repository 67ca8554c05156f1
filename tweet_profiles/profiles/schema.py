"""The shape of the collections: validators, indexes, schema version and migrations.

What belongs here: everything that `prepare` sets up on a database. What does not: reading and writing documents.
Validators are made from the pandera contracts, so that there is one source of what a column is.

Collections:
    scores    one document an author: {_id: pseudonym, writes, tweets}, the scores of its tweets (`buckets`), no text
    profiles  one document an author: {_id: pseudonym, clock, schema_version, ... USER_PROFILES ..., assignments}
    topics    {_id: pseudonym of a hashtag, name}: only hashtags that enough authors share
    state     small facts: the schema version, the current clustering
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import pandera.pandas as pa
import structlog
from pymongo import ASCENDING
from pymongo.database import Database
from pymongo.errors import CollectionInvalid, DuplicateKeyError, OperationFailure

from tweet_profiles.contracts import USER_PROFILES
from tweet_profiles.errors import DatabaseError
from tweet_profiles.profiles.buckets import merge, pack, row_of_version_1, row_of_version_2, unpack

log = structlog.get_logger(__name__)

Document = dict[str, Any]
Recompute = Callable[[Sequence[str]], object]

SCHEMA_VERSION = 3
_NAMESPACE_EXISTS = 48

_BSON_TYPES = {"int64": ["int", "long"], "float64": ["double", "int", "long"], "boolean": "bool", "string": "string"}


def profile_validator() -> Document:
    """`$jsonSchema` of a profile document, from the contract USER_PROFILES."""
    properties: Document = {"_id": {"bsonType": "string", "pattern": "^[0-9a-f]{32}$"}}
    required = ["_id", "clock", "schema_version"]
    for name, column in USER_PROFILES.columns.items():
        if name == "author_key":
            continue
        properties[name] = _property(name, column)
        if not column.nullable:
            required.append(name)
    return {"$jsonSchema": {"bsonType": "object", "required": sorted(required), "properties": properties}}


def score_validator() -> Document:
    """`$jsonSchema` of a bucket: its characters are those of numbers, keys and codes, so that no text can be in it."""
    key = {"bsonType": "string", "pattern": "^[0-9a-f]{32}$"}
    rows = {"bsonType": "string", "pattern": r'^\[\[[\[\]0-9A-Za-z",./_:+-]*\]\]$'}
    return {
        "$jsonSchema": {
            "bsonType": "object",
            "required": ["_id", "writes", "tweets"],
            "properties": {
                "_id": key,
                "writes": {"bsonType": ["int", "long"], "minimum": 1},
                "tweets": rows,
            },
            "additionalProperties": False,
        }
    }


def _property(name: str, column: pa.Column) -> Document:
    kind = str(column.dtype)
    if kind == "object":
        return {"bsonType": "array", "minItems": 24, "maxItems": 24} if name == "hours" else {"bsonType": "object"}
    described: Document = {"bsonType": _BSON_TYPES.get(kind, "date")}
    for check in column.checks:
        bounds = check.statistics or {}
        if "min_value" in bounds:
            described["minimum"] = bounds["min_value"]
        if "max_value" in bounds:
            described["maximum"] = bounds["max_value"]
        if "allowed_values" in bounds:
            described = {"enum": list(bounds["allowed_values"])}
    return described


def prepare(database: Database[Document], recompute: Recompute) -> None:
    """Make collections, validators and indexes, and run the migrations that are due. May be called at any time.

    Args:
        database: where.
        recompute: computes the profiles of these authors from their buckets and writes those that are not up to date.

    Raises:
        DatabaseError: if the database was written by a newer version of this package.
    """
    known = database.state.find_one({"_id": "schema"})
    version = SCHEMA_VERSION if known is None else int(known["version"])
    if version > SCHEMA_VERSION:
        raise DatabaseError(
            f"the database {database.name} has schema version {version}, this package knows {SCHEMA_VERSION}: "
            "upgrade tweet_profiles, or name another database in TWEET_PROFILES_MONGODB_DATABASE"
        )
    if known is not None and version == SCHEMA_VERSION:
        return
    ensure_validators(database)
    for step in range(version + 1, SCHEMA_VERSION + 1):
        MIGRATIONS[step](database, recompute)
        log.info("migrated the database", schema_version=step)
    # Noted last: who is killed before begins again, and every step bears that.
    database.state.update_one({"_id": "schema"}, {"$set": {"version": SCHEMA_VERSION}}, upsert=True)


def ensure_validators(database: Database[Document]) -> None:
    """Make the collections that have validators, or give them theirs."""
    for name, validator in (("profiles", profile_validator()), ("scores", score_validator())):
        _ensure_validator(database, name, validator)


def _scores_by_author(database: Database[Document], _recompute: Recompute) -> None:
    """To version 2: from one document a tweet to one an author, and without indexes that nothing asked for.

    A bucket's `writes` begin where the writes of its tweets ended, so that profiles stay up to date.
    """
    old = {"author": {"$exists": True}}
    found = database.scores.find(old).sort("author", ASCENDING)
    for author, group in itertools.groupby(found, key=lambda document: document["author"]):
        documents = list(group)
        rows = [row_of_version_1(document) for document in documents]
        while True:
            present = database.scores.find_one({"_id": author})
            merged, _ = merge([] if present is None else unpack(present), rows)
            if present is not None and merged == unpack(present):
                break
            writes = sum(document["writes"] for document in documents) if present is None else present["writes"]
            bucket = {"_id": author, "writes": writes, "tweets": pack(merged)}
            try:
                if present is None:
                    database.scores.insert_one(bucket)
                else:
                    database.scores.replace_one({"_id": author, "writes": writes}, {**bucket, "writes": writes + 1})
            except DuplicateKeyError:
                continue
    database.scores.delete_many(old)
    for name in ("scores", "profiles"):
        database[name].drop_indexes()


def _own_and_passed_on(database: Database[Document], recompute: Recompute) -> None:
    """To version 3: rows get the fields that came since, and every profile is computed anew from them."""
    authors: list[str] = []
    for found in database.scores.find({}):
        bucket: Document | None = found
        while bucket is not None:
            stored = unpack(bucket)
            filled = [row_of_version_2(row) for row in stored]
            change = {**bucket, "writes": bucket["writes"] + 1, "tweets": pack(filled)}
            unchanged = {"_id": bucket["_id"], "writes": bucket["writes"]}
            if filled == stored or database.scores.replace_one(unchanged, change).matched_count:
                authors.append(bucket["_id"])
                break
            # Written or removed by somebody else in between.
            bucket = database.scores.find_one({"_id": bucket["_id"]})
    recompute(authors)


MIGRATIONS: dict[int, Callable[[Database[Document], Recompute], None]] = {2: _scores_by_author, 3: _own_and_passed_on}
"""By the version they lead to; each must bear being run again, because a kill may come before the version is noted."""


def _ensure_validator(database: Database[Document], name: str, validator: Document) -> None:
    try:
        database.create_collection(name, validator=validator)
    except (CollectionInvalid, OperationFailure) as error:
        # Made before, or by another process since this one looked.
        if isinstance(error, OperationFailure) and error.code != _NAMESPACE_EXISTS:
            raise
        database.command("collMod", name, validator=validator)
