from contextlib import suppress
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tweet_profiles.errors import InputError, SettingError
from tweet_profiles.landing.tweets import BadRecord
from tweet_profiles.sources.formats.times import TimeReader, format_time, parse_time
from tweet_profiles_tests.sources.formats.made import converted, plain_rows, read_table, table_tweets

NOON = datetime(2022, 8, 19, 12, 5, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        "2022-08-19T12:05:30Z",
        "2022-08-19t12:05:30z",
        "2022-08-19T12:05:30.000Z",
        "2022-08-19 12:05:30+00:00",
        "2022-08-19 12:05:30 +0000",
        "2022-08-19 12:05:30 UTC",
        "2022-08-19 12:05:30 +0000 UTC",
        "2022-08-19 12:05:30 (UTC)",
        "2022/08/19 12:05:30 GMT",
        "2022-08-19T14:05:30+02:00",
        "2022-08-19T14:05:30+0200",
        "2022-08-19T14:05:30+02",
        "2022-08-19 14:05:30 CEST",
        "2022-08-19 05:05:30 PDT",
        "2022-08-19 5:05:30 AM PDT",
        "2022-08-19 09:05:30 PM JST",
        "2022-08-19 17:35:30 India Standard Time",
        "2022-08-19 14:05:30 W. Europe Daylight Time",
        "2022-08-19 14:05:30 Europe/Berlin",
        "Fri Aug 19 12:05:30 +0000 2022",
        "Fri Aug 19 05:05:30 PDT 2022",
        "Fri, 19 Aug 2022 12:05:30 GMT",
        "Fri, 19 Aug 2022 05:05:30 -0700 (PDT)",
        "Fri Aug 19 2022 14:05:30 GMT+0200 (Central European Summer Time)",
        "1660910730",
        "1660910730.0",
        "1660910730000",
        "1660910730000000",
        "1660910730000000000",
        "20220819120530",
        "20220819T120530Z",
    ],
)
def test_a_time_is_read_to_its_instant_however_it_is_written(written: str) -> None:
    assert parse_time(written, "it") == NOON


@pytest.mark.parametrize(
    "written",
    [
        "2022-08-19 12:05",
        "2022-08-19, 12:05",
        "August 19, 2022 12:05 PM",
        "Aug 19, 2022 · 12:05 PM",
        "12:05 PM - 19 Aug 2022",
        "19-Aug-2022 12:05",
        "Friday, 19th August 2022 at 12:05",
        "19/08/2022 12:05",
        "8/19/2022 12:05",
        "8/19/22, 12:05 PM",
        "19.08.2022 12:05",
        "12:05 19/08/2022",
    ],
)
def test_a_time_without_a_zone_is_read_in_the_one_that_is_named(written: str) -> None:
    assert TimeReader().read(written, "it").at == NOON.replace(second=0)
    in_cairo = TimeReader(zone=ZoneInfo("Africa/Johannesburg"), zone_named=True).read(written, "it")
    assert in_cairo.at == NOON.replace(hour=10, second=0) and not in_cairo.told_zone


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("soon", "no time that is known"),
        ("2h", "nobody knows when"),
        ("3 days ago", "nobody knows when"),
        ("2022-02-30", "calendar"),
        ("2022-08-19 25:05", "calendar"),
        ("2022-08-19 13:05 PM", "time of the day"),
        ("2022-08-19 12:05:30 IST", "--time-zone"),
        ("19-Aug-22", "no time that is known"),
        ("08/09/2022", "dmy or mdy"),
        ("12345678901", "10 digits"),
        ("1.66091073E+12", "no time that is known"),
        ("NaT", "missing"),
        (True, "not a time"),
        ({"a": 1}, "not a time"),
    ],
)
def test_what_means_no_instant_or_several_is_refused_with_the_reason(written: object, reason: str) -> None:
    with pytest.raises(BadRecord, match=reason):
        TimeReader().read(written, "the time")


def test_typed_cells_of_workbooks_and_mongodb_exports_are_times_too() -> None:
    assert parse_time(NOON.astimezone(timezone(timedelta(hours=3))), "it") == NOON
    assert parse_time(1660910730, "it") == NOON
    assert parse_time({"$date": {"$numberLong": "1660910730000"}}, "it") == NOON
    day = TimeReader().read(date(2022, 8, 19), "it")
    assert day.at == NOON.replace(hour=0, minute=0, second=0) and not day.has_hour


def test_an_ambiguous_zone_is_read_where_the_named_zone_uses_it() -> None:
    reader = TimeReader(zone=ZoneInfo("Asia/Kolkata"), zone_named=True)
    assert reader.read("2022-08-19 17:35:30 IST", "it").at == NOON


def test_a_day_has_no_hour() -> None:
    rows = plain_rows(3, created_at=["2023-06-01", "2023-06-02", "2023-06-03 10:00:00Z"])
    tweets = table_tweets(rows)
    assert [tweet.get("has_hour", True) for tweet in tweets] == [False, False, True]
    assert tweets[0]["created_at"] == "2023-06-01T00:00:00Z"
    assert "the hour stays unknown" in " ".join(read_table(rows).notes)


def test_midnight_in_every_row_is_no_hour_that_anybody_told() -> None:
    rows = plain_rows(12, created_at=[f"2023-06-{day:02} 00:00:00" for day in range(1, 13)])
    assert all(tweet["has_hour"] is False for tweet in table_tweets(rows))
    in_tokyo = table_tweets(rows, time_zone="Asia/Tokyo")
    assert in_tokyo[0]["created_at"] == "2023-06-01T00:00:00Z" and in_tokyo[0]["has_hour"] is False
    told = plain_rows(12, created_at=[f"2023-06-{day:02}T00:00:00Z" for day in range(1, 13)])
    assert all("has_hour" not in tweet for tweet in table_tweets(told))


def test_one_day_above_twelve_settles_the_order_of_the_whole_file_and_it_is_said() -> None:
    rows = plain_rows(2, created_at=["04/06/2023 10:00", "25/06/2023 10:00"])
    assert [tweet["created_at"][:10] for tweet in table_tweets(rows)] == ["2023-06-04", "2023-06-25"]
    assert any("day-month-year" in note for note in read_table(rows).notes)
    rows = plain_rows(2, created_at=["04/06/2023 10:00", "04/25/2023 10:00"])
    assert [tweet["created_at"][:10] for tweet in table_tweets(rows)] == ["2023-04-06", "2023-04-25"]


def test_dates_that_nothing_settles_are_refused_with_the_option_that_does() -> None:
    rows = plain_rows(2, created_at=["04/06/2023 10:00", "05/07/2023 10:00"])
    with pytest.raises(InputError, match="--date-format dmy or mdy"):
        read_table(rows)
    assert [tweet["created_at"][:10] for tweet in table_tweets(rows, date_format="mdy")] == ["2023-04-06", "2023-05-07"]
    assert table_tweets(rows, date_format="%d/%m/%Y %H:%M")[0]["created_at"] == "2023-06-04T10:00:00Z"


def test_dates_in_two_orders_are_refused() -> None:
    with pytest.raises(InputError, match="some dates have the day first"):
        read_table(plain_rows(2, created_at=["25/06/2023", "06/25/2023"]))


def test_a_date_in_another_order_than_proved_is_put_aside() -> None:
    rows = plain_rows(2, created_at=["25/06/2023", "06/07/2023"])
    reading = read_table(rows)
    late = rows[0] | {"created_at": "06/25/2023"}
    assert "another order" in str(converted(reading, [late]).errors[0])


@pytest.mark.parametrize("format_", ["day first", "ddmm"])
def test_a_date_format_that_is_none_is_refused(format_: str) -> None:
    with pytest.raises(SettingError, match="--date-format"):
        read_table(plain_rows(), date_format=format_)


def test_an_unknown_time_zone_is_refused() -> None:
    with pytest.raises(SettingError, match="Mars/Base"):
        read_table(plain_rows(), time_zone="Mars/Base")


def test_times_without_a_zone_are_said_to_be_read_as_utc() -> None:
    rows = plain_rows(1, created_at="2023-06-01 10:00:00")
    assert any("UTC" in note for note in read_table(rows).notes)
    assert table_tweets(rows, time_zone="Asia/Tokyo")[0]["created_at"] == "2023-06-01T01:00:00Z"


def test_excels_numbers_of_days_are_read_with_a_word() -> None:
    rows = plain_rows(2, created_at=["45078.5", "45079"])
    assert [tweet["created_at"] for tweet in table_tweets(rows)] == ["2023-06-01T12:00:00Z", "2023-06-02T00:00:00Z"]
    assert any("Excel" in note for note in read_table(rows).notes)


def test_a_day_and_a_time_in_two_columns_are_one_time() -> None:
    rows = [
        {"id": row["id"], "user": "ann", "text": "a", "date": "2023-06-01", "time": "10:20:00"} for row in plain_rows(2)
    ]
    assert [tweet["created_at"] for tweet in table_tweets(rows)] == ["2023-06-01T10:20:00Z"] * 2


@pytest.mark.parametrize("impossible", ["9999-12-31T23:59:59Z", "2006-03-20T23:59:59Z", "1970-01-01", "0001-01-01"])
def test_a_time_without_tweets_is_put_aside_alone(impossible: str) -> None:
    rows = plain_rows(3)
    rows[1]["created_at"] = impossible
    result = converted(read_table(rows), rows)
    assert len(result.tweets) == 2 and len(result.errors) == 1


@given(st.datetimes(datetime(2006, 3, 22), datetime(2099, 1, 1), timezones=st.just(UTC)))
def test_a_time_that_is_written_reads_back_to_the_same_instant(moment: datetime) -> None:
    assert parse_time(format_time(moment), "it") == moment
    whole = moment.replace(microsecond=0)
    assert parse_time(whole.strftime("%a %b %d %H:%M:%S +0000 %Y"), "it") == whole
    assert parse_time(whole.strftime("%a, %d %b %Y %H:%M:%S GMT"), "it") == whole
    assert parse_time(whole.strftime("%B %d, %Y %I:%M:%S %p UTC"), "it") == whole
    for order, pattern in (("dmy", "%d/%m/%Y %H:%M:%S"), ("mdy", "%m/%d/%Y %H:%M:%S")):
        assert TimeReader(order=order).read(whole.strftime(pattern), "it").at == whole


@given(st.text(max_size=40))
def test_no_text_makes_the_reading_of_times_fail_otherwise(text: str) -> None:
    with suppress(BadRecord):
        assert TimeReader().read(text, "it").at.tzinfo is UTC
