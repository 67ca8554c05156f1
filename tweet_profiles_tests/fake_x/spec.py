"""What X's OpenAPI document (2.167) allows in a request: parameters, their patterns and their possible values."""

import re


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ID = r"[0-9]{1,19}"
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
_TEXT = r"(?s).{1,4096}"
_USER_FIELDS = _names(
    """
    confirmed_email connection_status created_at description entities id is_identity_verified location
    name parody profile_banner_url profile_image_url protected public_metrics receives_your_dm
    subscription subscription_type url username verified verified_followers_count verified_type
    withheld
    """
)
_POST_FIELDS = _names(
    """
    article article_title attachments card_uri community_id context_annotations conversation_id
    created_at display_text_range edit_controls entities geo id lang matched_media_notes media_metadata
    non_public_metrics note_post note_request_suggestions organic_metrics paid_partnership
    possibly_sensitive promoted_metrics public_metrics reply_settings scopes source
    suggested_source_links suggested_source_links_with_counts text withheld
    """
)
_POST_EXPANSIONS = _names(
    """
    article.cover_media article.media_entities attachments.media_keys attachments.media_source_tweet
    attachments.poll_ids author_id edit_history_post_ids entities.mentions.username geo.place_id
    in_reply_to_user_id referenced_posts username
    """
)
_TWEET_FIELDS = _names(
    """
    article attachments author_id card_uri community_id context_annotations conversation_id created_at
    display_text_range edit_controls edit_history_tweet_ids entities geo id in_reply_to_user_id lang
    matched_media_notes media_metadata non_public_metrics note_request_suggestions note_tweet
    organic_metrics paid_partnership possibly_sensitive promoted_metrics public_metrics
    referenced_tweets reply_settings scopes source suggested_source_links
    suggested_source_links_with_counts text withheld
    """
)
_TWEET_EXPANSIONS = _names(
    """
    article.cover_media article.media_entities attachments.media_keys attachments.media_source_tweet
    attachments.poll_ids author_id edit_history_tweet_ids entities.mentions.username geo.place_id
    in_reply_to_user_id entities.note.mentions.username referenced_tweets.id
    referenced_tweets.id.attachments.media_keys referenced_tweets.id.author_id
    """
)
Allowed = dict[str, str | frozenset[str]]


def _search(most: str) -> Allowed:
    return {
        "query": _TEXT,
        "max_results": most,
        "next_token": _TEXT,
        "pagination_token": _TEXT,
        "start_time": _TIME,
        "end_time": _TIME,
        "since_id": _ID,
        "until_id": _ID,
        "sort_order": "recency|relevancy",
        "post.fields": _POST_FIELDS,
        "expansions": _POST_EXPANSIONS,
        "user.fields": _USER_FIELDS,
    }


ENDPOINTS: dict[tuple[str, str], Allowed] = {
    ("GET", "/2/tweets/search/recent"): _search(r"[1-9]\d|100"),
    ("GET", "/2/tweets/search/all"): _search(r"[1-9]\d|[1-4]\d\d|500"),
    ("GET", "/2/tweets/search/stream"): {
        "backfill_minutes": "[0-5]",
        "start_time": _TIME,
        "end_time": _TIME,
        "tweet.fields": _TWEET_FIELDS,
        "expansions": _TWEET_EXPANSIONS,
        "user.fields": _USER_FIELDS,
    },
    ("GET", "/2/tweets/search/stream/rules"): {"ids": _TEXT, "max_results": r"\d+", "pagination_token": ".{16}"},
    ("POST", "/2/tweets/search/stream/rules"): {"dry_run": "true|false", "delete_all": "true|false"},
    ("GET", "/2/usage/tweets"): {
        "days": r"\d+",
        "usage.fields": _names(
            """
    cap_reset_day daily_client_app_usage daily_project_usage project_cap project_id project_usage
    """
        ),
    },
    ("GET", "/2/tweets/counts/recent"): {
        "query": _TEXT,
        "start_time": _TIME,
        "end_time": _TIME,
        "since_id": _ID,
        "until_id": _ID,
        "next_token": _TEXT,
        "pagination_token": _TEXT,
        "granularity": "minute|hour|day",
    },
}


def violations(method: str, path: str, params: dict[str, str], body: object) -> list[str]:
    """What the document does not allow in a request."""
    allowed = ENDPOINTS.get((method, path))
    if allowed is None:
        return [f"{method} {path}: no such operation"]
    faults = []
    for name, value in params.items():
        rule = allowed.get(name)
        if rule is None:
            faults.append(f"{name}: unknown parameter")
        elif isinstance(rule, str):
            if not re.fullmatch(rule, value):
                faults.append(f"{name}: {value!r} is not allowed")
        else:
            values = value.split(",")
            faults += [f"{name}: {item!r} is not allowed" for item in values if item not in rule]
            if len(set(values)) < len(values):
                faults.append(f"{name}: repeated values")
    if "query" in allowed and "query" not in params:
        faults.append("query: required")
    if method == "POST":
        faults += _rule_body_faults(body)
    return faults


def _rule_body_faults(body: object) -> list[str]:
    if not isinstance(body, dict) or not body or set(body) - {"add", "delete"}:
        return ["body: add or delete"]
    faults = []
    for rule in body.get("add", []):
        if not isinstance(rule, dict) or "value" not in rule or set(rule) - {"value", "tag"}:
            faults.append("body.add: value and tag")
    delete = body.get("delete", {})
    if set(delete) - {"ids", "values"} or not all(re.fullmatch(_ID, item) for item in delete.get("ids", [])):
        faults.append("body.delete: ids or values")
    return faults
