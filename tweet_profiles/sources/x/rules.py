"""The rules of the filtered stream: made, kept, recognised.

What belongs here: which rules are ours, and making X's those that are configured. What does not: when to look at them,
and what comes over the stream (`collector`).

Ours are known by their tag. Somebody else may have deleted one, or made it again under another id and without a tag,
and X may store a rule in another spelling than it was given: the id that X told for a rule, and its value but for
spelling, count as well.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from tweet_profiles.sources.x.answers import objects
from tweet_profiles.sources.x.client import XClient
from tweet_profiles.sources.x.errors import XRequestError, XRuleCapError

log = structlog.get_logger(__name__)

TAG = "tweet-profiles"
"""The tag of our rules. Rules with another tag belong to somebody else and are left alone."""


@dataclass(frozen=True)
class Rules:
    """The rules that the stream has: the ids of ours and of all, the values that had to be made."""

    ours: frozenset[str]
    present: frozenset[str]
    made: tuple[str, ...] = ()

    def judge(self, message: Mapping[str, Any]) -> bool | None:
        """Whether a message is for us: no if only others' rules match it, None if a rule matches that is not known."""
        matching = objects(message.get("matching_rules"))
        ids = {str(rule.get("id")) for rule in matching}
        if not matching or any(rule.get("tag") == TAG for rule in matching) or not self.ours.isdisjoint(ids):
            return True
        return False if ids <= self.present else None


def same_rule(value: str) -> str:
    """What is left of a rule without its spelling: letters' case, spaces, brackets around the whole."""
    value = re.sub(r"\s+", " ", value).strip().casefold()
    value = re.sub(r"\( | (?=\))", lambda match: match.group().strip(), value).replace("“", '"').replace("”", '"')
    while value.startswith("(") and value.endswith(")") and _closes_last(value):
        value = value[1:-1].strip()
    return value


def _closes_last(value: str) -> bool:
    depth = 0
    for position, character in enumerate(value):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return position == len(value) - 1
    return False


def sync_rules(client: XClient, wanted: tuple[str, ...], told: dict[str, str] | None = None) -> Rules:
    """Make the rules of the stream those that are configured.

    New rules are added before old ones go, so that nothing is missed in between; only where there is no room for them,
    old ones of ours go first. Rules without our tag stay, and what only they match is not landed.

    Args:
        client: whom to ask.
        wanted: the values.
        told: ids that X has told for values; what is told now is added.

    Raises:
        XRequestError: if X refuses a rule, with its reasons.
    """
    told = {} if told is None else told
    present = client.rules()
    found = _recognised(present, wanted, told)
    missing = [value for value in wanted if value not in found]
    obsolete = [rule["id"] for rule in present if rule.get("tag") == TAG and rule["id"] not in found.values()]
    if missing:
        try:
            made = client.change_rules(_addition(missing))
        except XRuleCapError:
            if not obsolete:
                raise
            made, obsolete = _in_place_of(client, obsolete, missing, present), []
        told |= made
        found |= made
        obsolete = [rule_id for rule_id in obsolete if rule_id not in made.values()]
    if obsolete:
        client.change_rules({"delete": {"ids": obsolete}})
    rules = client.rules() if missing or obsolete else present
    ours = frozenset({*found.values(), *_recognised(rules, wanted, told).values()})
    foreign = sum(rule["id"] not in ours for rule in rules)
    if foreign:
        log.warning("other rules of the same project cost posts too; what only they match is left out", rules=foreign)
    before = {rule["id"] for rule in present}
    return Rules(
        ours,
        frozenset(rule["id"] for rule in rules),
        tuple(value for value in missing if found.get(value) not in before),
    )


def _recognised(present: list[dict[str, Any]], wanted: tuple[str, ...], told: Mapping[str, str]) -> dict[str, str]:
    """The ids of the wanted values among the rules that are there."""
    ids = {rule["id"] for rule in present}
    by_value: dict[str, str] = {}
    for rule in sorted(present, key=lambda rule: rule.get("tag") != TAG):
        by_value.setdefault(same_rule(rule["value"]), rule["id"])
    found = {}
    for value in wanted:
        rule_id = told.get(value) if told.get(value) in ids else by_value.get(same_rule(value))
        if rule_id is not None:
            found[value] = rule_id
    return found


def _addition(values: list[str]) -> dict[str, Any]:
    return {"add": [{"value": value, "tag": TAG} for value in values]}


def _in_place_of(
    client: XClient, obsolete: list[str], values: list[str], present: list[dict[str, Any]]
) -> dict[str, str]:
    """There is no room: delete our old rules first, and put them back if the new ones are refused."""
    client.change_rules({"delete": {"ids": obsolete}})
    try:
        return client.change_rules(_addition(values))
    except XRequestError:
        client.change_rules(_addition([rule["value"] for rule in present if rule["id"] in obsolete]))
        raise
