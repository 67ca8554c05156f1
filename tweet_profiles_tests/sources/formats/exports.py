"""Made-up records in the shape of known exports, shared by the tests of formats."""

from typing import Any

from tweet_profiles_tests.sources.formats.made import tweet_id

V1_TIME = "Thu Jun 01 08:15:00 +0000 2023"
TIME = "2023-06-01T08:15:00Z"
TWINT = {
    "id": tweet_id(1),
    "conversation_id": tweet_id(1),
    "created_at": "2023-06-01 10:15:00 Mitteleuropäische Sommerzeit",
    "date": "2023-06-01",
    "time": "10:15:00",
    "timezone": "+0200",
    "user_id": "701",
    "username": "ann_7",
    "name": "Ann",
    "tweet": "a cup of #norvella",
    "language": "en",
    "mentions": "[]",
    "urls": "['https://a.example']",
    "photos": "[]",
    "replies_count": "1",
    "retweets_count": "2",
    "likes_count": "3",
    "hashtags": "['norvella']",
    "link": f"https://twitter.com/ann_7/status/{tweet_id(1)}",
    "retweet": "False",
    "quote_url": "",
    "video": "0",
}


def snscrape(number: int = 1, **changes: Any) -> dict[str, Any]:
    user = {
        "_type": "snscrape.modules.twitter.User",
        "username": "ann_7",
        "id": 701,
        "displayname": "Ann",
        "created": "2012-01-01T00:00:00+00:00",
        "followersCount": 10,
        "friendsCount": 5,
        "statusesCount": 100,
        "listedCount": 1,
        "protected": False,
        "verified": False,
        "blue": True,
    }
    tweet = {
        "_type": "snscrape.modules.twitter.Tweet",
        "url": f"https://twitter.com/ann_7/status/{tweet_id(number)}",
        "date": "2023-06-01T08:15:00+00:00",
        "rawContent": "a cup of #Norvella",
        "renderedContent": "a cup of #Norvella",
        "id": int(tweet_id(number)),
        "user": user,
        "replyCount": 1,
        "retweetCount": 2,
        "likeCount": 3,
        "quoteCount": 4,
        "lang": "en",
        "source": '<a href="http://x">Twitter Web App</a>',
        "sourceLabel": "Twitter Web App",
        "links": None,
        "media": None,
        "retweetedTweet": None,
        "quotedTweet": None,
        "inReplyToTweetId": None,
        "hashtags": ["Norvella"],
    }
    return tweet | changes


def apify(**changes: Any) -> dict[str, Any]:
    author = {
        "type": "user",
        "userName": "ann_7",
        "id": "701",
        "name": "Ann",
        "followers": 10,
        "following": 5,
        "statusesCount": 100,
        "isVerified": False,
        "isBlueVerified": False,
        "createdAt": "Tue Jan 03 00:00:00 +0000 2012",
    }
    tweet = {
        "type": "tweet",
        "id": tweet_id(1),
        "url": f"https://x.com/ann_7/status/{tweet_id(1)}",
        "text": "a cup of…",
        "fullText": "a cup of #Norvella",
        "createdAt": V1_TIME,
        "likeCount": 3,
        "retweetCount": 2,
        "replyCount": 1,
        "quoteCount": 0,
        "lang": "en",
        "isReply": True,
        "isRetweet": False,
        "isQuote": False,
        "author": author,
        "entities": {"hashtags": [{"text": "Norvella"}]},
    }
    return tweet | changes


def archived(number: int, **changes: Any) -> dict[str, Any]:
    tweet = {
        "id": tweet_id(number),
        "id_str": tweet_id(number),
        "full_text": "a cup of norvella",
        "created_at": V1_TIME,
        "lang": "en",
        "favorite_count": "3",
        "retweet_count": "0",
        "entities": {"hashtags": [], "urls": []},
        "edit_info": {"initial": {"editTweetIds": [tweet_id(number)], "editsRemaining": "5"}},
    }
    return {"tweet": tweet | changes}
