"""Made-up tweets in their one form, landed as a source would."""

from typing import Any

from tweet_profiles.landing.zone import LandingZone


def tweet(number: int, observed: str = "2026-01-01T00:00:00Z") -> Any:
    """A tweet that says no more than it must."""
    return {
        "id": str(number),
        "author_id": str(number % 7),
        "text": f"tweet {number}",
        "created_at": "2026-01-01T00:00:00Z",
        "observed_at": observed,
        "hashtags": [],
        "author": {},
    }


def land(zone: LandingZone, *tweets: Any) -> Any:
    """Land the tweets; the writer, which tells what became of them."""
    with zone.writer("import") as writer:
        for entry in tweets:
            writer.add(entry)
    return writer
