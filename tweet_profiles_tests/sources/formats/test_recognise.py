from typing import Any

import pytest

from tweet_profiles.errors import InputError, SettingError
from tweet_profiles.landing.tweets import author_id_of
from tweet_profiles.sources.formats import FIELDS
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

TIME = "2023-06-01T08:15:00Z"


def test_what_a_file_has_lacks_and_does_not_use_is_told() -> None:
    reading = read_table(plain_rows(2, mood="good", likes="3"))
    assert reading.name == "a plain table"
    assert reading.columns["like_count"] == "likes" and reading.unused == ("mood",)
    assert "lang" in reading.missing and "text" not in reading.missing and set(reading.missing) <= set(FIELDS)


def test_a_field_is_named_by_column_number_or_dotted_path() -> None:
    rows = [{"a": tweet_id(1), "b": "ann_7", "c": "tea", "d": TIME}]
    by_name = {"id": "a", "author_handle": "b", "text": "c", "created_at": "D"}
    by_number = {"id": "1", "author_handle": "2", "text": "3", "created_at": "4"}
    assert table_tweets(rows, columns=by_name) == table_tweets(rows, columns=by_number)
    value = {"key": tweet_id(1), "who": {"at": {"name": "ann_7"}}, "parts": [{"body": "tea"}], "when": TIME}
    by_path = {"id": "key", "author_handle": "who.at.name", "text": "parts.0.body", "created_at": "when"}
    assert json_tweets([value], columns=by_path) == table_tweets(rows, columns=by_name)


def test_columns_of_a_table_without_a_header_are_named_by_number() -> None:
    rows = [[tweet_id(number), "ann_7", "tea", TIME] for number in range(3)]
    columns = {"id": "1", "author_handle": "2", "text": "3", "created_at": "4"}
    result = converted(read_headless(rows, columns=columns), [numbered(row) for row in rows])
    assert [tweet["id"] for tweet in result.tweets] == [tweet_id(number) for number in range(3)]
    with pytest.raises(InputError, match=r"its columns are 1, 2, 3, 4.*NUMBER"):
        read_headless(rows)


def test_a_column_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(InputError, match="no column words for text; its columns are id, author_id"):
        read_table(plain_rows(), columns={"text": "words"})
    with pytest.raises(SettingError, match="no such field"):
        read_table(plain_rows(), columns={"words": "text"})


def test_one_id_for_all_is_refused_with_the_way_out() -> None:
    with pytest.raises(SettingError, match="--make-ids"):
        read_table(plain_rows(), constants={"id": "1"})


def test_one_author_for_all_is_taken_only_where_the_file_tells_none() -> None:
    with pytest.raises(SettingError, match="tells its authors"):
        read_table(plain_rows(), constants={"author_id": "7"})
    rows = [{name: cell for name, cell in row.items() if name != "author_id"} for row in plain_rows()]
    with pytest.raises(InputError, match="--value author_handle"):
        read_table(rows)
    reading = read_table(rows, constants={"author_id": "7", "lang": "en"})
    assert any("one account" in note for note in reading.notes)
    tweets = converted(reading, rows).tweets
    assert {(tweet["author_id"], tweet["lang"]) for tweet in tweets} == {("7", "en")}
    assert table_tweets(rows, constants={"author_handle": "ann_7"})[0]["author_id"] == author_id_of("ann_7")


@pytest.mark.parametrize(
    "ids", [["1", "2", "3"], ["0", "1", "2"], ["7", "530", "81"], ["3", "2", "1"], ["1.0", "2.0", "3.0"]]
)
def test_row_numbers_are_no_ids_of_tweets(ids: list[str]) -> None:
    rows = plain_rows(3, id=ids)
    with pytest.raises(InputError, match=r"row numbers.*--make-ids"):
        read_table(rows)
    assert len({tweet["id"] for tweet in table_tweets(rows, make_ids=True)}) == 3


def test_row_numbers_in_a_table_written_as_json_are_no_ids_either() -> None:
    with pytest.raises(InputError, match="row numbers"):
        read_json(plain_rows(3, id=[1, 2, 3]))
    tweets = json_tweets(plain_rows(3, id=[1, 2, 3]), make_ids=True)
    assert {tweet["id"] for tweet in tweets} == {tweet["id"] for tweet in table_tweets(plain_rows(3), make_ids=True)}


def test_keys_of_ones_own_beside_xs_are_read() -> None:
    value = {"id": tweet_id(1), "author_id": "7", "tweet_text": "tea", "timestamp": TIME, "error": None, "title": "a"}
    assert json_tweets([value])[0]["text"] == "tea"


def test_numbers_too_small_for_their_years_are_replaced_with_a_word_about_it() -> None:
    rows = plain_rows(3, id=["4001", "4002", "4003"])
    assert any("ids are made" in note for note in read_table(rows).notes)
    assert not {"4001", "4002", "4003"} & {tweet["id"] for tweet in table_tweets(rows)}


def test_the_first_tweets_of_all_keep_their_small_ids() -> None:
    rows = plain_rows(2, id=["20", "29"], created_at=["2006-03-21T20:50:14Z", "2006-03-21T21:02:56Z"])
    assert [tweet["id"] for tweet in table_tweets(rows)] == ["20", "29"]


def test_two_files_numbered_alike_lose_nothing_once_ids_are_made() -> None:
    january = plain_rows(3, id=["1", "2", "3"])
    february = plain_rows(3, id=["1", "2", "3"], created_at="2023-07-01T00:00:01Z")
    both = [*table_tweets(january, make_ids=True), *table_tweets(february, make_ids=True)]
    again = table_tweets(january[1:], make_ids=True)
    assert len({tweet["id"] for tweet in both}) == 6
    assert {tweet["id"] for tweet in again} < {tweet["id"] for tweet in both}


def test_ids_whose_last_digits_excel_made_zeros_are_refused() -> None:
    rows = plain_rows(6, id=[f"16500000{number:02}194300000" for number in range(10, 16)])
    rows = [row | {"id": row["id"][:15] + "0000"} for row in rows]
    with pytest.raises(InputError, match="Excel"):
        read_table(rows)


def test_a_column_that_many_tweets_share_is_no_id() -> None:
    with pytest.raises(InputError, match="many different tweets have the same id"):
        read_table(plain_rows(5, id=tweet_id(1)))


def test_ids_are_read_from_addresses_where_nothing_else_has_them() -> None:
    rows = [{"url": f"https://x.com/ann_7/status/{tweet_id(n)}", "text": f"tea {n}", "date": TIME} for n in range(3)]
    tweets = table_tweets(rows)
    assert [tweet["id"] for tweet in tweets] == [tweet_id(n) for n in range(3)]
    assert {tweet["author_id"] for tweet in tweets} == {author_id_of("ann_7")}


def test_a_handle_column_comes_before_one_of_names() -> None:
    row = {"id": tweet_id(1), "user": "Ann Lee", "username": "ann_7", "content": "tea", "date": TIME}
    assert table_tweets([row])[0]["author_id"] == author_id_of("ann_7")


def test_what_is_no_handle_is_no_author() -> None:
    rows = [
        {"id": tweet_id(number), "user": user, "text": "tea", "date": TIME}
        for number, user in enumerate(["ann_7", "Ann Lee", "https://example.com/ann"])
    ]
    result = converted(read_table(rows), rows)
    assert len(result.tweets) == 1
    assert [str(error) for error in result.errors] == [
        "its author is no handle: a handle has at most 15 letters, digits and underscores"
    ] * 2


def test_one_author_is_not_known_in_two_ways_in_one_file() -> None:
    rows = plain_rows(3, username="ann_7", author_id=["701", "", "701"])
    result = converted(read_table(rows), rows)
    assert {tweet["author_id"] for tweet in result.tweets} == {"701"}
    assert "author's id is missing" in str(result.errors[0])


def test_hashes_of_authors_are_authors_with_a_word_about_it() -> None:
    rows = plain_rows(3, author_id=[f"{number:02}b7+Kq9hd/8Zf3yHqk1Qw==" for number in (1, 2, 1)])
    assert any("hashes" in note for note in read_table(rows).notes)
    assert len({tweet["author_id"] for tweet in table_tweets(rows)}) == 2


def test_numbers_of_rows_are_no_handles() -> None:
    rows = [{"UserName": str(3799 + number), "TweetAt": "16-03-2020", "OriginalTweet": "tea"} for number in range(6)]
    with pytest.raises(InputError, match="counts the rows"):
        read_table(rows, make_ids=True)


def test_the_whole_text_counts_not_the_cut_one() -> None:
    rows = plain_rows(2, text="the beginning of…", full_text=["the beginning of it all", "NA"])
    assert [tweet["text"] for tweet in table_tweets(rows)] == ["the beginning of it all", "the beginning of…"]


def test_a_column_of_references_tells_of_every_tweet() -> None:
    rows = plain_rows(3, in_reply_to_status_id=["", "12.0", "nan"], retweeted_status_id=["", "", tweet_id(9)])
    tweets = table_tweets(rows)
    assert [tweet["is_reply"] for tweet in tweets] == [False, True, False]
    assert [tweet["is_retweet"] for tweet in tweets] == [False, False, True]


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ([{"follower": {"accountId": "1", "userLink": "a"}}], "list of followers"),
        ([{"like": {"tweetId": "1", "fullText": "a"}}], "list of likes"),
        ([{"account": {"accountId": "1"}}], "account.js"),
        ([{"id": "1", "username": "a", "public_metrics": {"followers_count": 1}}], "accounts of API v2"),
        (
            [{"id_str": "1", "screen_name": "a", "followers_count": 1, "friends_count": 1, "statuses_count": 1}],
            "accounts",
        ),
        ([{"data": [{"id": "1", "username": "a", "public_metrics": {"followers_count": 1}}]}], "accounts of API v2"),
        ([{"data": [{"id": "1", "text": "a", "edit_history_tweet_ids": ["1"]}]}], "tweet.fields=author_id,created_at"),
        ([{"start": "a", "end": "b", "tweet_count": 1}], "counts of tweets"),
        ([{"sender_name": "a", "timestamp_ms": 1, "content": "b"}], "Facebook or Instagram"),
        ([{"title": "Unauthorized", "status": 401}], "error answer of the API"),
        ([{"errors": [{"code": 32, "message": "no"}]}], "error answer of the API"),
        ([{"delete": {"status": {"id": 1}}}], "forget --notices"),
        ([{"a": 1}], "no key for id, text, created_at, author_id or author_handle; its keys are a"),
        ([], "no key for id"),
    ],
)
def test_what_holds_no_tweets_is_named(values: list[Any], what: str) -> None:
    with pytest.raises(InputError, match=what):
        read_json(values)


def test_a_list_of_ids_is_named_with_what_to_do() -> None:
    with pytest.raises(InputError, match="twarc2 hydrate"):
        read_table([{"tweet_id": tweet_id(number)} for number in range(3)])


def test_a_set_without_authors_and_times_is_said_to_give_no_profiles() -> None:
    with pytest.raises(InputError, match="gives no profiles"):
        read_table([{"text": "tea", "sentiment": "good"}])


def test_no_text_of_a_file_stands_in_the_message_that_refuses_it() -> None:
    secret = "I met Ann Lee yesterday. She said it!"
    with pytest.raises(InputError, match="--no-header") as refused:
        read_table([{tweet_id(1): tweet_id(2), secret: "tea"}])
    assert "Ann" not in str(refused.value) and "Lee" not in str(refused.value)


def test_records_of_another_kind_in_a_file_are_put_aside() -> None:
    good = {"id": tweet_id(1), "user": "ann_7", "text": "tea", "date": TIME}
    others = [{"error": "rate limit"}, [1, 2], "text", None, {"id": "x"}]
    result = converted(read_json([good, *others]), [good, *others])
    assert len(result.tweets) == 1 and len(result.errors) == len(others)


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("like_count", "12,0"),
        ("like_count", "many"),
        ("like_count", "-1"),
        ("followers_count", "1.2K"),
        ("verified", "perhaps"),
        ("is_reply", "perhaps"),
        ("account_created_at", "long ago"),
        ("retweeted_user_id", "1.2E+18"),
    ],
)
def test_a_fact_that_cannot_be_read_is_unknown_and_does_not_cost_the_tweet(column: str, cell: str) -> None:
    rows = plain_rows(3, text="RT @bob: tea", **{column: ["", cell, ""]})
    without, unread, _ = table_tweets(rows)
    same = ("id", "author_id", "created_at", "observed_at")
    assert {name: value for name, value in unread.items() if name not in same} == {
        name: value for name, value in without.items() if name not in same
    }
    if column != "retweeted_user_id":
        assert f"{column} cannot be read in 1 of the first 3 records: unknown there" in read_table(rows).notes


def test_a_kind_of_verification_where_a_flag_is_expected_tells_both() -> None:
    author = table_tweets(plain_rows(1, verified="Blue"))[0]["author"]
    assert author == {"verified": True, "verified_type": "blue"}


def test_an_account_made_after_now_has_no_known_age() -> None:
    rows = plain_rows(2, account_created_at=["2012-01-01T00:00:00Z", "2199-01-01T00:00:00Z"])
    known, unknown = table_tweets(rows)
    assert known["author"] == {"created_at": "2012-01-01T00:00:00Z"} and unknown["author"] == {}


def test_a_column_of_a_flag_s_name_that_counts_is_no_flag() -> None:
    rows = plain_rows(5, retweet=["3", "0", "1", "12", "1"])
    reading = read_table(rows)
    assert reading.unused == ("retweet",) and not any(tweet["is_retweet"] for tweet in table_tweets(rows))


def test_an_author_whose_id_is_spoilt_is_known_by_handle() -> None:
    rows = plain_rows(3, author_id=["701", "1.2E+18", "1.2E+18"], username=["ann_7", "bob_8", "bob_8"])
    first, second, third = (tweet["author_id"] for tweet in table_tweets(rows))
    assert first == "701" and second == third == author_id_of("bob_8")


def test_a_column_of_ids_that_holds_some_handles_tells_both() -> None:
    rows = plain_rows(3, author_id=["701", "NorvellaHelp", "1e18"])
    reading = read_table(rows)
    whole = converted(reading, rows)
    assert [tweet["author_id"] for tweet in whole.tweets] == ["701", author_id_of("norvellahelp")]
    assert len(whole.errors) == 1


def test_display_names_are_refused_even_where_some_have_the_form_of_handles() -> None:
    rows = [
        {"id": tweet_id(number), "user_name": name, "text": "tea", "date": TIME}
        for number, name in enumerate(["Ann Smith", "Bob 🍵", "Citizen", "Dr. Cy"])
    ]
    with pytest.raises(InputError, match="user_name holds names, not handles"):
        read_table(rows)


@pytest.mark.parametrize(
    ("name", "value"), [("lang", "English please"), ("verified", "perhaps"), ("like_count", "some"), ("is_reply", "x")]
)
def test_one_value_for_all_that_a_field_cannot_have_is_refused(name: str, value: str) -> None:
    with pytest.raises(SettingError, match=f"--value {name}"):
        read_table(plain_rows(), constants={name: value})


def test_the_id_of_a_tweet_goes_before_that_of_a_database() -> None:
    value = {"_id": {"$oid": "645f0"}, "id": {"$numberLong": tweet_id(1)}, "text": "tea", "author_id": "7"}
    (tweet,) = json_tweets([value | {"created_at": {"$date": TIME}}])
    assert (tweet["id"], tweet["created_at"]) == (tweet_id(1), TIME)


def test_what_is_nested_in_the_columns_of_a_typed_table_is_found_by_its_usual_name() -> None:
    row = {
        "id_str": tweet_id(1),
        "created_at": TIME,
        "full_text": "tea",
        "user": {"id_str": "701", "followers_count": 5},
        "entities": {"hashtags": [{"text": "Norvella"}]},
    }
    reading = read_table([row])
    (tweet,) = table_tweets([row])
    assert tweet["author_id"] == "701" and tweet["hashtags"] == ["norvella"]
    assert tweet["author"] == {"public_metrics": {"followers_count": 5}} and reading.unused == ()
