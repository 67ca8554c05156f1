"""Whether the profiles hold what no release shows yet: one document, written as profiles change and are released.

What belongs here: that fact, and from when on it is a trouble. What does not: profiles, releases, and telling people.

    state  {_id: "unreleased", since, last}: when the first and the last change came that no release holds, and that no
           night held back as too few to release. Gone once all is released.
"""

from datetime import datetime, timedelta
from typing import Any

from pymongo.database import Database

FACT = "unreleased"
PATIENCE = timedelta(days=2)
"""Two nights may miss a change: one in which it came, and one that failed."""


def note_change(database: Database[dict[str, Any]], now: datetime) -> None:
    """Note that profiles have changed."""
    database.state.update_one({"_id": FACT}, {"$set": {"last": now}, "$setOnInsert": {"since": now}}, upsert=True)


def note_release(database: Database[dict[str, Any]], grouped: datetime) -> None:
    """Note that a release of the profiles as they were at this moment is the one that readers use."""
    database.state.delete_one({"_id": FACT, "last": {"$lte": grouped}})
    database.state.update_one({"_id": FACT, "since": {"$lt": grouped}}, {"$set": {"since": grouped}})


def note_held(database: Database[dict[str, Any]], grouped: datetime) -> None:
    """Note that the changes until this moment are held back, as too few authors made them for a release."""
    database.state.update_one({"_id": FACT, "since": {"$lt": grouped}}, {"$set": {"since": grouped}})


def unreleased_since(database: Database[dict[str, Any]]) -> datetime | None:
    """Since when the profiles hold what no release shows; None if all is released."""
    noted = database.state.find_one({"_id": FACT})
    return None if noted is None else noted["since"]


def is_behind(since: datetime | None, now: datetime) -> bool:
    """Whether what no release shows has waited for more than two nights."""
    return since is not None and now - since > PATIENCE
