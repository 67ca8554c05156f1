"""The exports that are known, as a table: how each is told from the others, and where it keeps what.

What belongs here: names of columns and keys, as data. What does not: how they are looked up (`tables`) and what their
cells mean (`values`, `times`). X's own answers (`v2`, `v1`) have conversions of their own: they nest other tweets.

A path is the name of a column, or names of nested keys with dots between them ("user.username"). "date + time" joins
the cells of two columns. Where several paths are named, the first that holds a value counts, record by record; of
several texts the first that is not cut.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

Paths = Mapping[str, tuple[str, ...]]

REFERENCES = ("retweet_of", "reply_to", "quote_of", "links", "media", "withheld", "blue")
"""What is read besides our fields: what another tweet, a link, a picture or a notice being there tells of this one."""

SEVERAL = frozenset({*REFERENCES, "text", "address"})
"""What may stand in several columns of usual names at once."""

AUTHOR_CELL = "author"
"""A cell that may hold an account as an object, a handle, or the address of a page."""

ADDRESS = "address"
"""The address of the tweet's page, which holds its id and its author's handle."""


@dataclass(frozen=True)
class Export:
    """One known export.

    Attributes:
        kind: its short name, part of the ids that are made for it.
        name: what it is, as told to people; "{shape}" becomes "CSV" or "JSON".
        marks: sets of paths; the export is known by having all of any one of them. Compared in lower case.
        looks: for tables without column names: patterns by column number that every row of a sample fits.
        paths: our fields to where they are kept.
        columns: how many columns a table without column names has.
        refusal: why it cannot be read as tweets and what to do; None if it can.
        escaped_newlines: whether a line end within a text is written as backslash and n.
    """

    kind: str
    name: str
    marks: tuple[frozenset[str], ...] = ()
    paths: Paths = field(default_factory=dict)
    looks: Mapping[int, re.Pattern[str]] = field(default_factory=dict)
    columns: tuple[int, ...] = ()
    refusal: str | None = None
    escaped_newlines: bool = False


def _marks(*alternatives: str) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(names.lower().split()) for names in alternatives)


def _paths(**names: str) -> Paths:
    """Paths by field; several are written with bars between them."""
    return MappingProxyType({name: tuple(path.strip() for path in paths.split("|")) for name, paths in names.items()})


_SNSCRAPE_ACCOUNT = {
    "author_id": "user.id_str | user.id",
    "author_handle": "user.username | username",
    "followers_count": "user.followersCount",
    "following_count": "user.friendsCount",
    "tweet_count": "user.statusesCount",
    "listed_count": "user.listedCount",
    "account_created_at": "user.created",
    "verified": "user.verified",
    "verified_type": "user.blueType",
    "blue": "user.blue",
    "protected": "user.protected",
}
_SNSCRAPE = _paths(
    id="id_str | id",
    address="url",
    author="user",
    text="retweetedTweet.rawContent | retweetedTweet.content | rawContent | content | renderedContent",
    created_at="date",
    lang="retweetedTweet.lang | lang",
    source="sourceLabel | source",
    hashtags="retweetedTweet.hashtags | hashtags",
    like_count="likeCount",
    retweet_count="retweetCount",
    reply_count="replyCount",
    quote_count="quoteCount",
    retweet_of="retweetedTweet",
    original_author_id="retweetedTweet.user.id_str | retweetedTweet.user.id",
    reply_to="inReplyToTweetId | inReplyToUser",
    quote_of="quotedTweet",
    links="links | outlinks",
    media="media | media.photos | media.videos | media.animated",
    **_SNSCRAPE_ACCOUNT,
)

KNOWN: tuple[Export, ...] = (
    Export(
        kind="twarc-csv",
        name="a twarc-csv table",
        marks=_marks(
            "author.public_metrics.followers_count public_metrics.like_count", "__twarc.retrieved_at author_id"
        ),
        escaped_newlines=True,
        paths=_paths(
            id="id",
            author_id="author_id | author.id",
            text="text",
            created_at="created_at",
            observed_at="__twarc.retrieved_at",
            lang="lang",
            source="source",
            hashtags="entities.hashtags",
            like_count="public_metrics.like_count",
            retweet_count="public_metrics.retweet_count",
            reply_count="public_metrics.reply_count",
            quote_count="public_metrics.quote_count",
            retweet_of="referenced_tweets.retweeted.id",
            reply_to="referenced_tweets.replied_to.id | in_reply_to_user_id",
            quote_of="referenced_tweets.quoted.id",
            original_author_id="retweeted_user_id",
            links="entities.urls",
            media="attachments.media_keys | attachments.media",
            withheld="withheld.scope",
            edits="edit_history_tweet_ids",
            followers_count="author.public_metrics.followers_count",
            following_count="author.public_metrics.following_count",
            tweet_count="author.public_metrics.tweet_count",
            listed_count="author.public_metrics.listed_count",
            account_created_at="author.created_at",
            verified="author.verified",
            verified_type="author.verified_type",
            protected="author.protected",
        ),
    ),
    Export(
        kind="snscrape",
        name="a twscrape {shape}",
        marks=_marks("rawContent user.blueType id_str", "rawContent user.blue id_str", "rawContent id_str date user"),
        paths=_SNSCRAPE,
    ),
    Export(
        kind="snscrape",
        name="an snscrape {shape}",
        marks=_marks(
            "rawContent renderedContent",
            "rawContent likeCount date",
            "content renderedContent",
            "content likeCount date",
            "_type rawContent",
        ),
        paths=_SNSCRAPE,
    ),
    Export(
        kind="apify",
        name="an Apify or twitterapi.io {shape}",
        marks=_marks(
            "author.userName createdAt text",
            "author.userName createdAt fullText",
            "author/userName createdAt text",
            "author/userName createdAt fullText",
            "twitterUrl createdAt text",
            "author.userName createdAt",
        ),
        paths=_paths(
            id="id | id_str | tweetId",
            address="twitterUrl | url",
            author_id="author.id | author/id | authorId",
            author_handle="author.userName | author/userName | author.username",
            author="author",
            text="retweet.fullText | retweet.text | retweeted_tweet.text | fullText | full_text | text",
            created_at="createdAt",
            lang="lang",
            source="source",
            hashtags="retweet.entities.hashtags | entities.hashtags | entities/hashtags | hashtags",
            like_count="likeCount",
            retweet_count="retweetCount",
            reply_count="replyCount",
            quote_count="quoteCount",
            is_retweet="isRetweet",
            is_reply="isReply",
            is_quote="isQuote",
            retweet_of="retweet | retweeted_tweet",
            quote_of="quote | quoted_tweet",
            original_author_id="retweet.author.id | retweeted_tweet.author.id",
            reply_to="inReplyToId",
            links="entities.urls",
            media="media | extendedEntities.media",
            followers_count="author.followers | author/followers",
            following_count="author.following | author/following",
            tweet_count="author.statusesCount | author/statusesCount",
            account_created_at="author.createdAt | author/createdAt",
            verified="author.isVerified | author/isVerified",
            verified_type="author.verifiedType | author/verifiedType",
            blue="author.isBlueVerified | author/isBlueVerified",
            protected="author.protected | author/protected",
        ),
    ),
    Export(
        kind="brightdata",
        name="a Bright Data {shape}",
        marks=_marks("user_posted date_posted description"),
        paths=_paths(
            id="id | post_id",
            address="url",
            author_id="user_id",
            author_handle="user_posted",
            text="description",
            created_at="date_posted",
            observed_at="timestamp",
            hashtags="hashtags",
            like_count="likes",
            retweet_count="reposts",
            reply_count="replies",
            quote_count="quotes",
            quote_of="quoted_post",
            reply_to="parent_post_details",
            media="photos | videos",
            links="external_url",
            followers_count="followers",
            following_count="following",
            tweet_count="posts_count",
            verified="is_verified",
        ),
    ),
    Export(
        kind="twint",
        name="a Twint {shape}",
        marks=_marks("conversation_id tweet username timezone", "tweet username replies_count likes_count"),
        paths=_paths(
            id="id",
            address="link",
            author_id="user_id",
            author_handle="username",
            text="tweet",
            created_at="date + time + timezone | created_at",
            lang="language",
            source="source",
            hashtags="hashtags",
            like_count="likes_count",
            retweet_count="retweets_count",
            reply_count="replies_count",
            is_retweet="retweet",
            retweet_of="retweet_id",
            original_author_id="user_rt_id",
            quote_of="quote_url",
            links="urls",
            media="photos",
        ),
    ),
    Export(
        kind="getoldtweets",
        name="a GetOldTweets {shape}",
        marks=_marks(
            "username date retweets favorites text permalink",
            "username date retweets favorites text mentions hashtags id",
        ),
        paths=_paths(
            id="id",
            address="permalink",
            author_id="author_id",
            author_handle="username",
            text="text",
            created_at="date",
            hashtags="hashtags",
            like_count="favorites",
            retweet_count="retweets",
            reply_count="replies",
            reply_to="to",
            links="urls",
        ),
    ),
    Export(
        kind="rtweet",
        name="an rtweet {shape}",
        marks=_marks("status_id user_id screen_name created_at", "status_id screen_name text display_text_width"),
        paths=_paths(
            id="status_id",
            address="status_url",
            author_id="user_id",
            author_handle="screen_name",
            text="retweet_text | text",
            created_at="created_at",
            lang="lang",
            source="source",
            hashtags="hashtags",
            like_count="favorite_count",
            retweet_count="retweet_count",
            reply_count="reply_count",
            quote_count="quote_count",
            is_retweet="is_retweet",
            is_quote="is_quote",
            reply_to="reply_to_status_id | reply_to_user_id",
            original_author_id="retweet_user_id",
            links="urls_url | urls_expanded_url",
            media="media_url | media_type",
            followers_count="followers_count",
            following_count="friends_count",
            tweet_count="statuses_count",
            listed_count="listed_count",
            account_created_at="account_created_at",
            verified="verified",
            protected="protected",
        ),
    ),
    Export(
        kind="x-web",
        name="tweets as X's own web pages get them (GraphQL)",
        marks=_marks("legacy.full_text legacy.user_id_str", "legacy.full_text rest_id"),
        paths=_paths(
            id="rest_id | legacy.id_str",
            author_id="legacy.user_id_str | core.user_results.result.rest_id",
            text=(
                "legacy.retweeted_status_result.result.note_tweet.note_tweet_results.result.text"
                " | legacy.retweeted_status_result.result.legacy.full_text"
                " | note_tweet.note_tweet_results.result.text | legacy.full_text"
            ),
            created_at="legacy.created_at",
            lang="legacy.lang",
            source="source",
            hashtags="legacy.entities.hashtags",
            like_count="legacy.favorite_count",
            retweet_count="legacy.retweet_count",
            reply_count="legacy.reply_count",
            quote_count="legacy.quote_count",
            retweet_of="legacy.retweeted_status_result.result",
            original_author_id="legacy.retweeted_status_result.result.legacy.user_id_str",
            reply_to="legacy.in_reply_to_status_id_str",
            is_quote="legacy.is_quote_status",
            links="legacy.entities.urls",
            media="legacy.entities.media | legacy.extended_entities.media",
            followers_count="core.user_results.result.legacy.followers_count",
            following_count="core.user_results.result.legacy.friends_count",
            tweet_count="core.user_results.result.legacy.statuses_count",
            listed_count="core.user_results.result.legacy.listed_count",
            account_created_at="core.user_results.result.legacy.created_at | core.user_results.result.core.created_at",
            verified="core.user_results.result.legacy.verified",
            blue="core.user_results.result.is_blue_verified",
            protected="core.user_results.result.legacy.protected",
        ),
    ),
    Export(
        kind="gnip",
        name="tweets as Gnip's activity streams",
        marks=_marks("verb actor.preferredUsername postedTime body"),
        paths=_paths(
            id="id",
            address="link",
            author_id="actor.id",
            author_handle="actor.preferredUsername",
            text="object.long_object.body | object.body | long_object.body | body",
            created_at="postedTime",
            lang="twitter_lang",
            source="generator.displayName",
            hashtags="twitter_entities.hashtags",
            like_count="favoritesCount",
            retweet_count="retweetCount",
            retweet_of="object.actor",
            original_author_id="object.actor.id",
            reply_to="inReplyTo",
            quote_of="twitter_quoted_status",
            links="twitter_entities.urls",
            media="twitter_entities.media | twitter_extended_entities.media",
            followers_count="actor.followersCount",
            following_count="actor.friendsCount",
            tweet_count="actor.statusesCount",
            listed_count="actor.listedCount",
            account_created_at="actor.postedTime",
            verified="actor.verified",
        ),
    ),
    Export(
        kind="sentiment140",
        name="a Sentiment140 table",
        columns=(6,),
        looks={
            1: re.compile(r"[024]"),
            2: re.compile(r"\d+"),
            3: re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} +\d{1,2} [\d:]{8} [A-Z]{3,4} \d{4}"),
            5: re.compile(r"@?\w{1,20}"),
        },
        paths=_paths(id="2", created_at="3", author_handle="5", text="6"),
    ),
    Export(
        kind="semeval",
        name="a SemEval table",
        columns=(3, 4),
        looks={1: re.compile(r"\d{9,19}|NA"), -2: re.compile(r"(?i)positive|negative|neutral|objective.*|-?[0-2]")},
        refusal=(
            "it is a SemEval table (id, label, text): it tells neither who wrote a tweet nor when, and there is no "
            "profile without an author; get the tweets of its ids from X (`twarc2 hydrate`) and import those"
        ),
    ),
    Export(
        kind="labelled",
        name="a labelled set",
        marks=_marks("tweet_id text airline_sentiment name tweet_created", "airline_sentiment tweet_created name text"),
        paths=_paths(
            id="tweet_id",
            author_handle="name",  # this set has handles in the column that elsewhere holds display names
            text="text",
            created_at="tweet_created",
            retweet_count="retweet_count",
        ),
    ),
)
"""In the order in which they are tried."""

USUAL: Paths = _paths(
    id=(
        "id_str | tweet_id | status_id | twitter_id | tweetid | tweet_id_str | post_id | id | ids | status_id_str"
        " | message_id"
        " | imported_id | tweet.id | nr | no | number | index | unnamed_0 | row | row_number"
    ),
    address=(
        "permalink | tweet_url | tweet_permalink | status_url | post_url | tweet_link | post_link | permanent_url | url"
        " | link | twitter_page_for_tweet"
    ),
    author_id=(
        "author_id | user_id | user_id_str | userid | author_id_str | from_user_id | from_user_id_str | account_id"
        " | author.id | author.id_str | user.id_str | user.id | user.user_id"
    ),
    author_handle=(
        "author_handle | username | screen_name | screenname | user_screen_name | user_username | handle | user_handle"
        " | author_username | author_user_name | author_screen_name | twitter_handle | from_user | from_user_name"
        " | account_name | vertex_1 | author.username | author.user_name | author.screen_name | user.screen_name"
        " | user.username | user.user_name | user_name"
    ),
    author="user | author | from | account | user_account | posted_by",
    text=(
        "full_text | note_tweet.text | extended_tweet.full_text | extended_text | text | tweet_text | tweet | content"
        " | raw_content | tweet_content | post_text | message | body | original_tweet | originaltweet | tweets"
        " | tweet.text | tweet.full_text | rendered_content"
    ),
    created_at=(
        "created_at | tweet_created_at | tweet_created | created | created_at_utc | datetime | date_time | timestamp"
        " | posted_at | post_date | tweet_date_utc | published_at | date_posted | tweet_date | tweet_at | tweetat"
        " | time_stamp | created_time | createdat | date | time | tweet_time | timestamp_ms | created_utc"
        " | tweet.created_at"
    ),
    observed_at="observed_at | retrieved_at | scraped_at | collected_at | crawled_at",
    lang="lang | language | tweet_lang | tweet_language | language_guess | language_code | iso_language_code",
    source="source | client | tweet_source | source_label | tweet_client_name | device",
    hashtags="hashtags | hash_tags | tags | entities.hashtags | entities_hashtags | hashtag",
    like_count=(
        "like_count | likes | favorites | favorite_count | favourites | favourite_count | likes_count"
        " | nlikes | n_likes | tweet_likes | public_metrics.like_count | stats.likes"
    ),
    retweet_count=(
        "retweet_count | retweets | reposts | repost_count | retweets_count | nretweets | n_retweets"
        " | tweet_retweets | public_metrics.retweet_count | stats.retweets"
    ),
    reply_count=(
        "reply_count | replies | replies_count | comments | nreplies | n_replies | public_metrics.reply_count"
        " | stats.comments"
    ),
    quote_count="quote_count | quotes | quotes_count | public_metrics.quote_count | stats.quotes",
    is_retweet="is_retweet | retweet | is_rt",
    is_reply="is_reply | reply | is_replied",
    is_quote="is_quote | is_quote_status | is_quote_tweet | quote | is_quoted",
    has_link="has_link",
    has_media="has_media",
    retweet_of=(
        "retweeted_status_id_str | retweeted_status_id | retweeted_status | retweeted_tweet_id | retweeted_id"
        " | retweet_id | retweet_tweetid | referenced_tweets.retweeted.id"
    ),
    reply_to=(
        "in_reply_to_status_id_str | in_reply_to_status_id | in_reply_to_tweet_id | in_reply_to_user_id"
        " | in_reply_to_tweetid | in_reply_to_screen_name | in_reply_to | reply_to_status_id"
    ),
    quote_of=(
        "quoted_status_id_str | quoted_status_id | quoted_tweet_id | quote_id | quoted_tweet_tweetid | quoted_status"
    ),
    links="urls | outlinks | expanded_urls",
    media="media | photos | media_url | media_urls | images | videos",
    original_author_id="original_author_id | retweeted_user_id | retweet_userid | retweeted_status.user.id_str",
    withheld="withheld.scope | withheld_scope",
    edits="edit_history_tweet_ids",
    followers_count=(
        "followers_count | user_followers | followers | follower_count | user_followers_count | author_followers"
        " | author_followers_count | user.followers_count | author.public_metrics.followers_count | twitter_followers"
        " | from_user_followercount"
    ),
    following_count=(
        "following_count | user_friends | friends_count | following | user_following | user_friends_count"
        " | user_following_count | user.friends_count | author.public_metrics.following_count | twitter_following"
        " | from_user_friendcount"
    ),
    tweet_count=(
        "tweet_count | statuses_count | user_statuses | posts | user_statuses_count | user_tweet_count"
        " | user.statuses_count | author.public_metrics.tweet_count | twitter_tweets | from_user_tweetcount"
    ),
    listed_count=(
        "listed_count | user_listed | user_listed_count | user.listed_count | author.public_metrics.listed_count"
    ),
    account_created_at=(
        "account_created_at | user_created | user_created_at | author_created_at | account_creation_date"
        " | from_user_created_at | user.created_at | author.created_at"
    ),
    verified=(
        "verified | user_verified | is_verified | author_verified | user.verified | author.verified | twitter_verified"
    ),
    verified_type="verified_type | user_verified_type | author.verified_type | user.verified_type",
    protected="protected | user_protected | user.protected | author.protected",
)
"""The names under which tables of any origin keep things, in small letters with underscores (`tables.usual_name`)."""

NOT_TWEETS: tuple[tuple[frozenset[str], str], ...] = tuple(
    (frozenset(names.lower().split()), sentence)
    for names, sentence in (
        ("follower", "it is the list of followers in X's archive of an account: its tweets are in tweets.js"),
        ("following", "it is the list of followed accounts in X's archive of an account: its tweets are in tweets.js"),
        (
            "like.tweetId",
            "it is the list of likes in X's archive of an account, whose authors and times it does not tell",
        ),
        ("account.accountId", "it is account.js of X's archive of an account: its tweets are in tweets.js"),
        ("dmConversation", "it holds direct messages, which are not public: its tweets are in tweets.js"),
        ("profile.description", "it is profile.js of X's archive of an account: its tweets are in tweets.js"),
        ("accountId userLink", "it is a list of followers: it holds no tweets"),
        ("followers_count friends_count screen_name statuses_count", "it holds accounts of API v1.1, not tweets"),
        ("username public_metrics.followers_count", "it holds accounts of API v2, not tweets"),
        ("username name join_date tweets", "it is a Twint list of accounts, not of tweets"),
        ("userName followers following type", "it holds accounts, not tweets"),
        ("start end tweet_count", "it holds counts of tweets (`twarc2 counts`), not tweets"),
        ("id action redacted_at reason", "it is a compliance answer: give it to `tweet-profiles forget --notices`"),
        ("sender_name timestamp_ms", "it is an export of messages by Facebook or Instagram, not of tweets"),
        ("orderedItems", "it is an export of Mastodon, not of tweets"),
        ("subreddit", "it is an export of Reddit, not of tweets"),
        ("permalink_url message created_time", "it is an export of Facebook, not of tweets"),
        ("videoId", "it is an export of YouTube, not of tweets"),
        ("note_tweet noteTweetId", "it is note-tweet.js of X's archive: the tweets themselves are in tweets.js"),
        ("resource_type pagination_token", "it is an answer of the API without tweets"),
    )
)
"""What people also have, by the paths that tell it; asked only where a file cannot be read as tweets."""
