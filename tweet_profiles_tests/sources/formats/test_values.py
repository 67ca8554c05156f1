import pytest

from tweet_profiles.landing.tweets import BadRecord, author_id_of
from tweet_profiles.sources.formats.values import (
    LARGEST_ID,
    MADE_ID_BASE,
    account_of,
    count_of,
    flag_of,
    handle_of,
    hashtags,
    identifier,
    language_of,
    listed,
    made_id,
    text_of,
)
from tweet_profiles_tests.sources.formats.made import converted, plain_rows, read_table, table_tweets, tweet_id

MISSING = ["", " ", "NA", "nan", "NaN", "None", "null", "N/A", "-", "<NA>", "NaT", None, float("nan")]


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        (1650000004194304123, "1650000004194304123"),
        (" 1650000004194304123 ", "1650000004194304123"),
        ("'1650000004194304123", "1650000004194304123"),
        ('="1650000004194304123"', "1650000004194304123"),
        ('"1650000004194304123"', "1650000004194304123"),
        ("001234", "1234"),
        ("1234.0", "1234"),
        (1234.0, "1234"),
        ({"$numberLong": "1650000004194304123"}, "1650000004194304123"),
        ("tag:search.twitter.com,2005:1650000004194304123", "1650000004194304123"),
        ("20", "20"),
        (str(LARGEST_ID), str(LARGEST_ID)),
    ],
)
def test_an_id_is_exact_where_the_cell_is(cell: object, number: str) -> None:
    assert identifier(cell, "the id") == number


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("1.65E+18", "Excel"),
        ("1,65E+18", "Excel"),
        (1.65e18, "pandas or Excel"),
        ("1650000004194304123.0", "pandas"),
        (float("inf"), "rounded"),
        (12.5, "rounded"),
        ("abc", "not a number"),
        ("12 34", "not a number"),
        ("-5", "not a number"),
        ("١٢٣", "not a number"),
        (True, "not a number"),
        ([1], "not a number"),
        (str(LARGEST_ID + 1), "larger than any id of X"),
        ("NA", "missing"),
        (None, "missing"),
    ],
)
def test_an_id_that_is_none_or_was_spoilt_is_refused_with_who_spoilt_it(cell: object, reason: str) -> None:
    with pytest.raises(BadRecord, match=reason):
        identifier(cell, "the id")


def test_a_made_id_is_the_same_for_the_same_tweet_and_none_of_x_nor_of_an_author() -> None:
    first = made_id("plain", "7", "2023-06-01T08:00:00Z", "a")
    assert first == made_id("plain", "7", "2023-06-01T08:00:00Z", "a")
    others = [
        made_id("twint", "7", "2023-06-01T08:00:00Z", "a"),
        made_id("plain", "8", "2023-06-01T08:00:00Z", "a"),
        made_id("plain", "7", "2023-06-01T08:00:01Z", "a"),
        made_id("plain", "7", "2023-06-01T08:00:00Z", None),
    ]
    assert len({first, *others}) == 5
    assert all(MADE_ID_BASE <= int(one) < 10**20 for one in (first, *others))
    assert LARGEST_ID < int(author_id_of("ann")) < MADE_ID_BASE


@pytest.mark.parametrize("cell", MISSING)
def test_what_stands_for_no_value_is_missing_in_every_field_and_no_text(cell: object) -> None:
    fields = ("lang", "source", "like_count", "verified", "account_created_at", "hashtags", "followers_count", "text")
    rows = plain_rows(2, **dict.fromkeys(fields, cell))
    (tweet, _) = table_tweets(rows)
    assert tweet.get("text") is None
    assert not {"lang", "source", "public_metrics"} & set(tweet)
    assert tweet["author"] == {} and tweet["hashtags"] == []


@pytest.mark.parametrize("name", ["id", "author_id", "created_at"])
def test_what_a_tweet_cannot_be_without_is_put_aside_alone(name: str) -> None:
    rows = plain_rows(3)
    rows[1][name] = "NA"
    result = converted(read_table(rows), rows)
    assert [tweet["id"] for tweet in result.tweets] == [tweet_id(0), tweet_id(2)]
    assert len(result.errors) == 1 and "missing" in str(result.errors[0])


@pytest.mark.parametrize(
    ("cell", "count"),
    [(12, 12), ("12", 12), ("12.0", 12), ("1,234", 1234), ("1,234,567", 1234567), ("1.2K", None), ("3 M", None)],
)
def test_a_count_is_exact_or_missing(cell: object, count: int | None) -> None:
    assert count_of(cell, "likes") == count


@pytest.mark.parametrize("cell", ["many", "-1", "1.5", "1,23", True, "9" * 30])
def test_what_is_no_count_is_refused(cell: object) -> None:
    with pytest.raises(BadRecord, match="likes is not a count"):
        count_of(cell, "likes")


def test_flags_are_read_as_people_and_programs_write_them() -> None:
    assert [flag_of(cell, "it") for cell in (True, "TRUE", "t", "1", "1.0", "Yes", 1)] == [True] * 7
    assert [flag_of(cell, "it") for cell in (False, "False", "f", "0", "0.0", "no", 0)] == [False] * 7
    assert flag_of("NA", "it") is None
    with pytest.raises(BadRecord, match="it is neither"):
        flag_of("perhaps", "it")


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        ("en", "en"),
        ("EN", "en"),
        ("en-GB", "en"),
        ("en_US", "en"),
        ("pt-br", "pt"),
        ("zh-Hant-TW", "zh"),
        ("in", "id"),
        ("iw", "he"),
        ("eng", "en"),
        ("ckb", "ckb"),
        ("tl", "tl"),
    ],
)
def test_a_language_is_what_its_tag_says(tag: str, language: str) -> None:
    assert language_of(tag) == language


@pytest.mark.parametrize(
    "tag", ["und", "qme", "qam", "qct", "qht", "qst", "zxx", "art", "English", "English (UK)", "xx", "e", "NA", "12", 5]
)
def test_what_says_no_language_is_missing(tag: object) -> None:
    assert language_of(tag) is None


@pytest.mark.parametrize(
    "cell",
    [
        ["OatDrink", "Norvella"],
        [{"text": "OatDrink", "indices": [0, 3]}, {"text": "Norvella"}],
        [{"tag": "OatDrink"}, {"tag": "Norvella"}],
        "['OatDrink', 'Norvella']",
        '["OatDrink", "Norvella"]',
        "[{'text': 'OatDrink', 'indices': [0, 9]}, {'text': 'Norvella', 'indices': [9, 12]}]",
        '[{"tag": "OatDrink"}, {"tag": "Norvella"}]',
        'c("OatDrink", "Norvella")',
        "OatDrink Norvella",
        "#OatDrink #Norvella",
        "OatDrink, Norvella",
        "OatDrink;Norvella",
        "[OatDrink Norvella]",
    ],
)
def test_hashtags_are_read_from_every_way_of_writing_lists(cell: object) -> None:
    assert hashtags(listed(cell)) == ["oatdrink", "norvella"]


@pytest.mark.parametrize(
    "cell", ["[{'text': 'Oat", "a-b", "123", "x" * 101, "{'indices': [1]}", [None, 5], "[]", "c()"]
)
def test_what_has_not_the_form_of_a_hashtag_is_none(cell: object) -> None:
    assert hashtags(listed(cell)) == []


@pytest.mark.parametrize(
    "cell",
    [
        "Ann_7",
        "@ann_7",
        " ann_7 ",
        "https://x.com/ann_7",
        "twitter.com/ann_7/status/12",
        "http://m.twitter.com/ann_7?a",
    ],
)
def test_a_handle_is_found_in_what_people_write(cell: str) -> None:
    handle = handle_of(cell)
    assert handle is not None and handle.lower() == "ann_7"


@pytest.mark.parametrize(
    "cell",
    ["Ann Lee", "Ann ☕", "https://example.com/ann", "https://x.com/i/web/status/12", "a" * 16, "", 7, None],
)
def test_what_is_no_handle_is_none(cell: object) -> None:
    assert handle_of(cell) is None


def test_an_account_is_read_out_of_the_cell_that_holds_it() -> None:
    assert account_of("{'username': 'ann', 'id': 7}") == {"username": "ann", "id": 7}
    assert account_of('{"screen_name": "ann"}') == {"screen_name": "ann"}
    shown = "{'username': 'ann', 'id': 7, 'created': datetime.datetime(2012, 1, 1), 'other': {'username': 'bob'}}"
    assert account_of(shown) == {"username": "ann", "id": "7"}
    assert account_of("User(username='ann', id=7, friends=[User(username='bob')])") == {"username": "ann", "id": "7"}
    assert account_of("ann") is None


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("b'caf\\xc3\\xa9 \\xf0\\x9f\\x98\\x8d'", "café 😍"),
        ('b"it\\xe2\\x80\\x99s good"', "it’s good"),  # noqa: RUF001
        ("b'cut \\xf0", "b'cut \\xf0"),
        ("tea &amp; oats", "tea &amp; oats"),
        ("a\x00b", "ab"),
        ("half \ud83d", "half �"),
    ],
)
def test_a_text_is_what_was_written(cell: str, text: str) -> None:
    assert text_of(cell, table=True) == text


@pytest.mark.parametrize(
    "notice",
    [
        "@ann's account has been withheld in India in response to a legal demand. Learn more.",
        "@ann’s account is temporarily unavailable because it violates the X Media Policy. Learn more.",  # noqa: RUF001
        "This Tweet from @ann has been withheld in Germany in response to a legal demand.",
        "This Post is unavailable.",
        "This Tweet was deleted by the Tweet author. Learn more",
        "This Post is from a suspended account. Learn more",
        "This Post violated the X Rules. Learn more",
        "Account suspended",
        "Tweet is not available",
        "Not Available",
    ],
)
def test_a_notice_of_x_is_no_text(notice: str) -> None:
    assert text_of(notice, table=False) is None


@pytest.mark.parametrize(
    "opinion",
    [
        "This Post is unavailable in my country, shame on you norvella!",
        "The account was suspended after I complained",
        "norvella is not available anywhere",
        "Account suspended again, thanks norvella",
    ],
)
def test_an_opinion_about_such_things_stays_a_text(opinion: str) -> None:
    assert text_of(opinion, table=False) == opinion


def test_na_is_a_text_where_no_table_wrote_it() -> None:
    assert text_of("NA", table=False) == "NA"
    assert text_of("NA", table=True) is None
