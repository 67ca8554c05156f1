"""Each known export with made-up records of its shape."""

import json
from pathlib import Path

import pytest

from tweet_profiles.errors import InputError, SettingError
from tweet_profiles.landing.tweets import author_id_of
from tweet_profiles.sources.formats import ReadOptions, Record, recognise
from tweet_profiles_tests.sources.formats.exports import TIME, TWINT, V1_TIME, apify, archived, snscrape
from tweet_profiles_tests.sources.formats.made import (
    converted,
    json_tweets,
    numbered,
    plain_rows,
    read_headless,
    read_json,
    read_table,
    table_tweets,
    tweet_id,
)


def test_snscrape_lines() -> None:
    reading = read_json([snscrape()])
    assert reading.name == "an snscrape JSON file" and "conversationId" not in reading.unused
    (tweet,) = json_tweets([snscrape()])
    assert tweet == {
        "id": tweet_id(1),
        "author_id": "701",
        "text": "a cup of #Norvella",
        "created_at": TIME,
        "observed_at": TIME,
        "hashtags": ["norvella"],
        "lang": "en",
        "source": "Twitter Web App",
        "is_retweet": False,
        "is_reply": False,
        "is_quote": False,
        "has_link": False,
        "has_media": False,
        "public_metrics": {"retweet_count": 2, "reply_count": 1, "like_count": 3, "quote_count": 4},
        "author": {
            "created_at": "2012-01-01T00:00:00Z",
            "verified": True,
            "verified_type": "blue",
            "protected": False,
            "public_metrics": {"followers_count": 10, "following_count": 5, "tweet_count": 100, "listed_count": 1},
        },
    }


def test_a_retweet_of_snscrape_has_the_whole_text_and_none_of_the_originals_counts() -> None:
    original = snscrape(2, rawContent="the whole of what was said")
    original["user"] = original["user"] | {"id": 702}
    (tweet,) = json_tweets([snscrape(3, rawContent="RT @bob: the whole of wh…", retweetedTweet=original)])
    assert tweet["is_retweet"] is True and tweet["text"] == "the whole of what was said"
    assert tweet["original_author_id"] == "702" and "public_metrics" not in tweet


def test_an_snscrape_table_in_which_the_account_is_a_written_dict() -> None:
    row = {name: cell for name, cell in snscrape().items() if not isinstance(cell, list)} | {"likeCount": "3.0"}
    row["user"] = "{'username': 'ann_7', 'id': 701, 'created': datetime.datetime(2012, 1, 1, tzinfo=utc)}"
    reading = read_table([row])
    assert reading.name == "an snscrape table"
    (tweet,) = table_tweets([row])
    assert tweet["author_id"] == "701" and tweet["public_metrics"]["like_count"] == 3


def test_twscrape_lines() -> None:
    value = snscrape(1, id_str=tweet_id(1), media={"photos": [{"url": "a"}], "videos": [], "animated": []}, links=[])
    assert read_json([value]).name == "a twscrape JSON file"
    (tweet,) = json_tweets([value])
    assert tweet["has_media"] is True and tweet["is_reply"] is False


def test_apify_items() -> None:
    reading = read_json([apify()])
    assert reading.name.startswith("an Apify") and set(reading.unused) == {"type"}
    (tweet,) = json_tweets([apify()])
    assert (tweet["text"], tweet["author_id"], tweet["created_at"]) == ("a cup of #Norvella", "701", TIME)
    assert tweet["is_reply"] is True and tweet["hashtags"] == ["norvella"]
    assert tweet["author"]["public_metrics"]["followers_count"] == 10


def test_pages_that_another_service_wraps_around_its_tweets() -> None:
    page = {"tweets": [apify(), apify(id=tweet_id(2), createdAt="soon")], "has_next_page": False, "next_cursor": ""}
    reading = read_json([page])
    assert reading.name.startswith("pages of an Apify")
    result = converted(reading, [page])
    assert len(result.tweets) == 1 and str(result.errors[0]).startswith("tweet 2 of the page")


def test_an_apify_table_with_slashes_in_its_columns() -> None:
    row = {"id": tweet_id(1), "text": "tea", "createdAt": V1_TIME, "author/userName": "ann_7", "author/id": "701"}
    assert table_tweets([row])[0]["author_id"] == "701"


def test_bright_data_items() -> None:
    item = {
        "id": tweet_id(1),
        "user_posted": "ann_7",
        "name": "Ann Lee",
        "description": "a cup of norvella",
        "date_posted": "2023-06-01T08:15:00.000Z",
        "photos": None,
        "url": f"https://x.com/ann_7/status/{tweet_id(1)}",
        "quoted_post": {"description": None, "url": None},
        "replies": 1,
        "reposts": 2,
        "likes": 3,
        "followers": 10,
        "is_verified": True,
        "hashtags": None,
    }
    reading = read_json([item])
    assert reading.name == "a Bright Data JSON file"
    assert any("handle alone" in note for note in reading.notes)
    (tweet,) = json_tweets([item])
    assert tweet["author_id"] == author_id_of("ann_7") and tweet["is_quote"] is False
    assert tweet["public_metrics"] == {"retweet_count": 2, "reply_count": 1, "like_count": 3}
    assert "verified_type" not in tweet["author"]  # of 2023: nobody knows how it came by the mark


def test_a_twint_table_whose_zone_stands_in_a_column_of_its_own() -> None:
    assert read_table([TWINT]).name == "a Twint table"
    (tweet,) = table_tweets([TWINT])
    assert (tweet["created_at"], tweet["author_id"], tweet["hashtags"]) == (TIME, "701", ["norvella"])
    assert tweet["has_link"] is True and tweet["has_media"] is False and tweet["is_quote"] is False
    windows = TWINT | {"timezone": "W. Europe Standard Time"}
    assert table_tweets([windows])[0]["created_at"] == TIME


def test_twint_lines() -> None:
    line = TWINT | {
        "id": int(tweet_id(1)),
        "user_id": 701,
        "hashtags": ["norvella"],
        "retweet": False,
        "likes_count": 3,
    }
    assert read_json([line]).name == "a Twint JSON file"
    (tweet,) = json_tweets([line])
    assert tweet["public_metrics"]["like_count"] == 3 and tweet["created_at"] == TIME


def test_a_getoldtweets_table() -> None:
    row = {
        "username": "ann_7",
        "date": "2016-06-01 08:15",
        "retweets": "2",
        "favorites": "3",
        "text": "a cup of #norvella",
        "geo": "",
        "mentions": "",
        "hashtags": "#norvella #tea",
        "id": tweet_id(1),
        "permalink": f"https://twitter.com/ann_7/status/{tweet_id(1)}",
    }
    reading = read_table([row])
    assert reading.name == "a GetOldTweets table" and reading.unused == ("geo", "mentions")
    (tweet,) = table_tweets([row])
    assert tweet["author_id"] == author_id_of("Ann_7") and tweet["hashtags"] == ["norvella", "tea"]


def test_an_rtweet_table() -> None:
    row = {
        "user_id": "701",
        "status_id": tweet_id(1),
        "created_at": "2019-06-01 08:15:00",
        "screen_name": "ann_7",
        "text": "RT @bob: a cup…",
        "retweet_text": "a cup of norvella",
        "display_text_width": "12",
        "is_retweet": "TRUE",
        "is_quote": "FALSE",
        "reply_to_status_id": "NA",
        "favorite_count": "0",
        "retweet_count": "4",
        "hashtags": 'c("norvella", "tea")',
        "retweet_user_id": "702",
        "followers_count": "10",
        "verified": "TRUE",
        "account_created_at": "2012-01-01 00:00:00",
    }
    reading = read_table([row])
    assert reading.name == "an rtweet table"
    (tweet,) = table_tweets([row])
    assert tweet["text"] == "a cup of norvella" and tweet["is_retweet"] and tweet["original_author_id"] == "702"
    assert tweet["is_reply"] is False and tweet["hashtags"] == ["norvella", "tea"]
    assert tweet["author"]["verified_type"] == "legacy"


def test_a_twarc_csv_table_with_its_line_ends_and_edits() -> None:
    row = {
        "id": tweet_id(2),
        "conversation_id": tweet_id(1),
        "referenced_tweets.replied_to.id": "",
        "referenced_tweets.retweeted.id": "",
        "referenced_tweets.quoted.id": tweet_id(9),
        "author_id": "701",
        "created_at": TIME,
        "text": "a cup\\nof norvella",
        "lang": "en",
        "public_metrics.like_count": "3",
        "edit_history_tweet_ids": json.dumps([tweet_id(1), tweet_id(2)]),
        "withheld.scope": "",
        "entities.hashtags": '["#norvella"]',
        "author.public_metrics.followers_count": "10",
        "author.verified": "True",
        "author.verified_type": "business",
        "__twarc.retrieved_at": "2023-07-01T00:00:00+00:00",
    }
    reading = read_table([row])
    assert reading.name == "a twarc-csv table"
    (tweet,) = table_tweets([row])
    assert tweet["text"] == "a cup\nof norvella" and tweet["observed_at"] == "2023-07-01T00:00:00Z"
    assert (tweet["id"], tweet["version"]) == (tweet_id(1), 2)
    assert tweet["is_quote"] is True and tweet["is_reply"] is False and tweet["is_retweet"] is False
    assert tweet["author"]["verified_type"] == "business"
    assert table_tweets([row | {"withheld.scope": "user"}])[0]["text"] is None


def test_tweets_of_xs_own_web_pages() -> None:
    legacy = {
        "id_str": tweet_id(1),
        "user_id_str": "701",
        "full_text": "a cup of…",
        "created_at": V1_TIME,
        "lang": "en",
        "favorite_count": 3,
        "is_quote_status": False,
        "entities": {"hashtags": [{"text": "norvella"}], "urls": []},
    }
    account = {"rest_id": "701", "is_blue_verified": True, "legacy": {"followers_count": 10, "verified": False}}
    value = {
        "rest_id": tweet_id(1),
        "core": {"user_results": {"result": account}},
        "note_tweet": {"note_tweet_results": {"result": {"text": "a cup of norvella and much more"}}},
        "legacy": legacy,
        "edit_control": {"edit_tweet_ids": [tweet_id(0), tweet_id(1)]},
    }
    (tweet,) = json_tweets([value])
    assert tweet["text"] == "a cup of norvella and much more" and tweet["author"]["verified_type"] == "blue"
    assert (tweet["id"], tweet["version"]) == (tweet_id(0), 2)


def test_activity_streams_of_gnip() -> None:
    actor = {"id": "id:twitter.com:701", "preferredUsername": "ann_7", "followersCount": 10}
    value = {
        "id": f"tag:search.twitter.com,2005:{tweet_id(1)}",
        "objectType": "activity",
        "verb": "post",
        "actor": actor,
        "postedTime": "2016-06-01T08:15:00.000Z",
        "body": "a cup of norvella",
        "generator": {"displayName": "Twitter for iPhone"},
        "twitter_lang": "en",
        "favoritesCount": 3,
        "object": {"objectType": "note"},
    }
    (tweet,) = json_tweets([value])
    assert (tweet["id"], tweet["author_id"], tweet["is_retweet"]) == (tweet_id(1), "701", False)


def sentiment140(first_id: int) -> list[list[str]]:
    return [
        ["4", str(first_id + number), "Mon Apr 06 22:19:45 PDT 2009", "NO_QUERY", f"user_{number}", "tea again"]
        for number in range(5)
    ]


def test_a_sentiment140_table_has_no_header_and_genuine_early_ids() -> None:
    rows = sentiment140(1_467_810_369)
    reading = read_headless(rows)
    assert reading.name == "a Sentiment140 table" and reading.columns["text"] == "6"
    tweets = converted(reading, [numbered(row) for row in rows]).tweets
    assert tweets[0]["id"] == "1467810369" and tweets[0]["created_at"] == "2009-04-07T05:19:45Z"
    assert len({tweet["author_id"] for tweet in tweets}) == 5


def test_its_test_set_whose_ids_are_row_numbers_is_refused_with_the_way_out() -> None:
    rows = sentiment140(3)
    with pytest.raises(InputError, match=r"row numbers.*--make-ids"):
        read_headless(rows)
    tweets = converted(read_headless(rows, make_ids=True), [numbered(row) for row in rows]).tweets
    assert len({tweet["id"] for tweet in tweets}) == 5


def test_a_semeval_table_is_named_with_what_it_lacks() -> None:
    rows = [[str(628949369883000832 + number), "neutral", "tea, as every day"] for number in range(4)]
    with pytest.raises(InputError, match=r"SemEval.*neither who wrote"):
        read_headless(rows)
    with pytest.raises(InputError, match="SemEval"):
        read_table([dict(zip(rows[0], row, strict=True)) for row in rows[1:]])


def test_a_first_row_taken_for_column_names_is_noticed() -> None:
    first, *rows = sentiment140(1_467_810_369)
    with pytest.raises(InputError, match="--no-header"):
        read_table([dict(zip(first, row, strict=True)) for row in rows])


def test_a_sentiment140_table_to_which_somebody_gave_column_names() -> None:
    names = ["target", "ids", "date", "flag", "user", "text"]
    rows = [dict(zip(names, row, strict=True)) for row in sentiment140(1_467_810_369)]
    tweets = table_tweets(rows)
    assert tweets[0]["id"] == "1467810369" and tweets[0]["author_id"] == author_id_of("user_0")


def test_the_airline_set_whose_handles_stand_under_name() -> None:
    row = {
        "tweet_id": tweet_id(1),
        "airline_sentiment": "neutral",
        "name": "ann_7",
        "retweet_count": "0",
        "text": "tea on board",
        "tweet_created": "2015-02-24 11:35:52 -0800",
    }
    (tweet,) = table_tweets([row])
    assert tweet["author_id"] == author_id_of("ann_7") and tweet["created_at"] == "2015-02-24T19:35:52Z"


def test_xs_own_archive_needs_to_be_told_whose_it_is() -> None:
    with pytest.raises(InputError, match=r"account\.js.*author_handle"):
        read_json([archived(1)])
    (tweet,) = json_tweets([archived(1)], constants={"author_id": "701"})
    assert tweet["author_id"] == "701" and tweet["public_metrics"] == {"retweet_count": 0, "like_count": 3}
    assert tweet["is_reply"] is False
    (tweet,) = json_tweets([archived(1)], constants={"author_handle": "@Ann_7"})
    assert tweet["author_id"] == author_id_of("ann_7")


def test_the_account_beside_an_archive_tells_whose_it_is(tmp_path: Path) -> None:
    account = [{"account": {"accountId": "701", "username": "ann_7"}}]
    (tmp_path / "account.js").write_text(f"window.YTD.account.part0 = {json.dumps(account)}")
    sample = [Record(1, "record", archived(1), "")]
    reading = recognise(sample, "json", ReadOptions(), None, str(tmp_path / "tweets.js"))
    assert reading.convert(sample[0]).tweets[0]["author_id"] == "701"


def test_a_later_version_in_an_archive_has_the_first_ones_id() -> None:
    edit = {"edit": {"initialTweetId": tweet_id(1), "editControlInitial": {"editTweetIds": [tweet_id(1), tweet_id(2)]}}}
    (tweet,) = json_tweets([archived(2, edit_info=edit)], constants={"author_id": "701"})
    assert (tweet["id"], tweet["version"]) == (tweet_id(1), 2)


def test_v2_edits_are_one_tweet_in_versions() -> None:
    history = [tweet_id(1), tweet_id(2), tweet_id(3)]
    tweets = [
        {"id": number, "author_id": "7", "text": f"v{number}", "created_at": TIME, "edit_history_tweet_ids": history}
        for number in history
    ]
    read = json_tweets([{"data": tweets}])
    assert {tweet["id"] for tweet in read} == {tweet_id(1)} and [tweet["version"] for tweet in read] == [1, 2, 3]


def test_withheld_tweets_have_no_text() -> None:
    common = {"author_id": "7", "created_at": TIME}
    page = {
        "data": [
            {"id": "1", "text": "@ann's account has been withheld in India in response to a legal demand.", **common},
            {"id": "2", "text": "anything", "withheld": {"copyright": False, "country_codes": ["IN"]}, **common},
            {"id": "3", "text": "", "attachments": {"media_keys": ["3_1"]}, **common},
        ]
    }
    tweets = json_tweets([page])
    assert [tweet["text"] for tweet in tweets] == [None, None, None]
    assert "has_link" not in tweets[0] and tweets[2]["has_media"] is True


def test_v1_tweets_in_their_three_forms() -> None:
    user = {"id_str": "701", "screen_name": "ann_7", "verified": True}
    common = {"id_str": tweet_id(1), "created_at": V1_TIME, "user": user}
    extended = {"full_text": "a cup of norvella", "entities": {"hashtags": [{"text": "Tea"}]}}
    forms = [
        common | {"text": "short"},
        common | {"full_text": "a cup of norvella"},
        common | {"text": "a cup of…", "truncated": True, "extended_tweet": extended},
    ]
    tweets = json_tweets(forms)
    assert [tweet["text"] for tweet in tweets] == ["short", "a cup of norvella", "a cup of norvella"]
    assert tweets[2]["hashtags"] == ["tea"] and "verified_type" not in tweets[0]["author"]
    assert json_tweets([{"statuses": forms}]) == tweets


def test_notices_among_tweets_are_skipped_and_counted() -> None:
    tweet = {"id_str": tweet_id(1), "created_at": V1_TIME, "text": "tea", "user": {"id_str": "7"}}
    others = [
        {"delete": {"status": {"id_str": "1", "user_id_str": "2"}}},
        {"scrub_geo": {"user_id": 1, "up_to_status_id": 2}},
        {"status_withheld": {"id": 1}},
        {"data": {"delete": {"tweet": {"id": "1", "author_id": "2"}}}},
        {"data": {"event_type": "post_delete", "payload": {}}},
        {"limit": {"track": 3}},
        {"warning": {"code": "FALLING_BEHIND"}},
        {"title": "operational-disconnect", "disconnect_type": "UpstreamOperationalDisconnect"},
    ]
    result = converted(read_json([tweet, *others]), [tweet, *others])
    assert len(result.tweets) == 1 and result.errors == [] and result.skipped.total() == len(others)
    assert sum(count for reason, count in result.skipped.items() if "forget --notices" in reason) == 5


def test_xs_own_answers_take_no_columns_of_the_users() -> None:
    page = {"data": [{"id": "1", "author_id": "7", "text": "a", "created_at": TIME}]}
    with pytest.raises(SettingError, match="leave --column away"):
        read_json([page], columns={"text": "data.0.text"})
    with pytest.raises(SettingError, match="one author for all"):
        read_json([page], constants={"author_id": "7"})
    assert json_tweets([page], constants={"lang": "de"})[0]["lang"] == "de"


def test_flattened_and_plain_json_read_the_same_as_a_table() -> None:
    rows = plain_rows(3, lang="en")
    in_table, in_json = table_tweets(rows), json_tweets(rows)
    assert [tweet["text"] for tweet in in_table] == [tweet["text"] for tweet in in_json]
    assert [tweet["id"] for tweet in in_table] == [tweet["id"] for tweet in in_json]


def test_ids_that_rtweet_wrote_with_an_x_before_them_are_the_ids() -> None:
    row = {
        "user_id": "x701",
        "status_id": f"x{tweet_id(1)}",
        "created_at": TIME,
        "screen_name": "ann_7",
        "text": "RT @bob: tea",
        "is_retweet": "TRUE",
        "retweet_user_id": "x702",
    }
    (tweet,) = table_tweets([row])
    assert (tweet["id"], tweet["author_id"], tweet["original_author_id"]) == (tweet_id(1), "701", "702")


def test_hashtags_that_stand_beside_a_v1_tweet_without_entities_are_its_hashtags() -> None:
    value = {
        "id_str": tweet_id(1),
        "created_at": V1_TIME,
        "full_text": "a cup",
        "hashtags": ["Norvella", "tea time"],
        "user": {"id_str": "701", "screen_name": "ann_7"},
    }
    assert json_tweets([value])[0]["hashtags"] == ["norvella"]
