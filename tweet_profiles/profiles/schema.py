"""The shape of the collections: validators, indexes, schema version and migrations.

What belongs here: everything that `prepare` sets up on a database. What does not: reading and writing documents.
Validators are made from the pandera contracts, so that there is one source of what a column is.

Collections:
    scores    one document a tweet: {_id: pseudonym, author, order, writes, created_hour, sentiment, ...}, no text
    profiles  one document an author: {_id: pseudonym, clock, schema_version, ... USER_PROFILES ..., assignments}
    topics    {_id: pseudonym of a hashtag, name}: only hashtags that enough authors share
    state     small facts: the schema version, the current clustering
"""

from collections.abc import Callable
from typing import Any

import pandera.pandas as pa
import structlog
from pymongo import ASCENDING, DESCENDING
from pymongo.database import Database
from pymongo.errors import CollectionInvalid

from tweet_profiles.contracts import LABELS, USER_PROFILES
from tweet_profiles.errors import DatabaseError

log = structlog.get_logger(__name__)

Document = dict[str, Any]

SCHEMA_VERSION = 1
MIGRATIONS: dict[int, Callable[[Database[Document]], None]] = {}
"""By the version they lead to; each must bear being run again, because a kill may come before the version is noted."""

_BSON_TYPES = {"int64": ["int", "long"], "float64": ["double", "int", "long"], "boolean": "bool", "string": "string"}
_INDEXES = {
    "scores": [[("author", ASCENDING)]],
    "profiles": [
        [("last_seen", DESCENDING)],
        [("sentiment_mean", ASCENDING)],
        [("tweets_seen", DESCENDING)],
    ],
}


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
    """`$jsonSchema` of a score document: above all, that there is nothing in it that could hold a text."""
    unit = {"bsonType": ["double", "int"], "minimum": 0, "maximum": 1}
    key = {"bsonType": "string", "pattern": "^[0-9a-f]{32}$"}
    return {
        "$jsonSchema": {
            "bsonType": "object",
            "required": ["_id", "author", "order", "writes", "created_hour", "sentiment", "subjectivity", "label"],
            "properties": {
                "_id": key,
                "author": key,
                "sentiment": unit,
                "subjectivity": unit,
                "label": {"enum": list(LABELS)},
                "created_hour": {"bsonType": "date"},
                "text": {"not": {}},
            },
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


def prepare(database: Database[Document]) -> None:
    """Make collections, validators and indexes, and run the migrations that are due. May be called at any time.

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
    for name, validator in (("profiles", profile_validator()), ("scores", score_validator())):
        _ensure_validator(database, name, validator)
    for name, indexes in _INDEXES.items():
        for keys in indexes:
            database[name].create_index(keys)
    for step in range(version + 1, SCHEMA_VERSION + 1):
        MIGRATIONS[step](database)
        log.info("migrated the database", schema_version=step)
    # Noted last: who is killed before begins again, and every step bears that.
    database.state.update_one({"_id": "schema"}, {"$set": {"version": SCHEMA_VERSION}}, upsert=True)


def _ensure_validator(database: Database[Document], name: str, validator: Document) -> None:
    try:
        database.create_collection(name, validator=validator)
    except CollectionInvalid:
        database.command("collMod", name, validator=validator)
