import gzip
import json
import os
import signal
import subprocess
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from tweet_profiles.contracts import RAW_TWEETS
from tweet_profiles.errors import SettingError
from tweet_profiles.home import Home
from tweet_profiles.landing.frames import raw_frame
from tweet_profiles.landing.zone import LandingZone
from tweet_profiles.sources.files import import_paths
from tweet_profiles.sources.formats import convert
from tweet_profiles.sources.sample import generate, pages
from tweet_profiles_tests.conftest import executable
from tweet_profiles_tests.sources.files.made import bring_in, lines, row, table, tweet


def flattened(page: dict[str, Any]) -> list[dict[str, Any]]:
    """As `twarc2 flatten` writes a page: one tweet a line, its author and originals nested."""
    users = {user["id"]: user for user in page["includes"]["users"]}
    originals = {one["id"]: one for one in page["includes"]["tweets"]}
    flat = []
    for one in page["data"]:
        references = [entry | originals.get(entry["id"], {}) for entry in one.get("referenced_tweets", [])]
        line = one | {"author": users[one["author_id"]], "__twarc": page["__twarc"]}
        flat.append(line | ({"referenced_tweets": references} if references else {}))
    return flat


def test_pages_and_flattened_lines_of_the_same_tweets_read_the_same(tmp_path: Path) -> None:
    page = next(pages(3, 100))
    whole, lines = convert(page), [convert(line) for line in flattened(page)]
    flat = [tweet for converted in lines for tweet in converted.tweets]
    for ours, theirs in zip(whole.tweets, flat, strict=True):
        # A page tells by its other tweets which fields were asked for; a single line can't.
        known = {name for name in theirs if name not in ("is_reply", "is_quote", "has_media")}
        assert {name: ours[name] for name in known} == {name: theirs[name] for name in known}  # type: ignore[literal-required]


@pytest.mark.parametrize("packed", [False, True])
def test_plain_and_gzip_pages_land_every_tweet_once(tmp_path: Path, home: Home, packed: bool) -> None:
    file = generate(tmp_path / "pages.jsonl", tweets=450)
    if packed:
        file = Path(f"{file}.gz")
        file.write_bytes(gzip.compress((tmp_path / "pages.jsonl").read_bytes()))
    report, tweets = bring_in(home, file)
    assert report.landed == 450 == len({tweet["id"] for tweet in tweets})
    assert report.read == report.landed + report.duplicates
    RAW_TWEETS.validate(raw_frame(tweets).frame)


def test_importing_the_same_file_again_lands_nothing(tmp_path: Path, home: Home) -> None:
    file = generate(tmp_path / "pages.jsonl", tweets=300)
    bring_in(home, file)
    report, tweets = bring_in(home, file, file)
    assert report.landed == 0 and report.duplicates == report.read
    assert len(tweets) == 300


def test_missing_author_fields_stay_missing(tmp_path: Path, home: Home) -> None:
    page = {
        "data": [
            {"id": "1", "author_id": "7", "text": "a", "created_at": "2026-01-01T00:00:00Z"},
            {"id": "2", "author_id": "8", "text": "b", "created_at": "2026-01-01T00:00:00Z"},
        ],
        "includes": {"users": [{"id": "7", "public_metrics": {"followers_count": 0}}]},
    }
    (tmp_path / "p.json").write_text(json.dumps(page, indent=2))
    _, tweets = bring_in(home, tmp_path / "p.json")
    frame = raw_frame(tweets).frame
    assert frame["followers"].tolist()[0] == 0
    assert frame["followers"].isna().tolist() == [False, True]
    assert frame["following"].isna().all() and frame["likes"].isna().all() and frame["verified"].isna().all()


def test_v1_tweets_are_read_with_their_full_text_and_counts(tmp_path: Path, home: Home) -> None:
    tweet = {
        "id_str": "11",
        "created_at": "Wed Oct 10 20:19:24 +0000 2018",
        "full_text": "Great coffee at Norvella",
        "favorite_count": 3,
        "retweet_count": 1,
        "lang": "en",
        "source": '<a href="http://example.com">Twitter for iPhone</a>',
        "user": {"id_str": "5", "followers_count": 12, "friends_count": 4, "screen_name": "gone", "verified": False},
        "entities": {"hashtags": [{"text": "Coffee"}], "urls": []},
    }
    (tmp_path / "v1.jsonl").write_text(json.dumps(tweet) + "\n")
    _, tweets = bring_in(home, tmp_path / "v1.jsonl")
    row = raw_frame(tweets).frame.iloc[0]
    assert (row["likes"], row["followers"], row["following"]) == (3, 12, 4)
    assert row["hashtags"] == ["coffee"] and row["source"] == "Twitter for iPhone"
    assert row["created_at"].isoformat() == "2018-10-10T20:19:24+00:00"
    assert "gone" not in json.dumps(tweets)


def test_csv_columns_are_found_by_their_usual_names(tmp_path: Path, home: Home) -> None:
    (tmp_path / "t.csv").write_text(
        "id,user_id,user_created,user_followers,date,text,hashtags,favorites\n"
        "1340539111971516416,2,2009-04-08 17:52:46,405,2020-12-20 06:06:44,\"two\nlines\",\"['Tea', 'Oat']\",3\n"
        "1340539111971516417,3,,,2020-12-20 06:06:45,no account,,\n"
    )
    report, tweets = bring_in(home, tmp_path / "t.csv")
    frame = raw_frame(tweets).frame
    assert report.landed == 2
    assert frame["text"].tolist() == ["two\nlines", "no account"]
    assert frame["hashtags"].tolist() == [["tea", "oat"], []]
    assert frame["followers"].tolist()[0] == 405 and frame["followers"].isna().tolist()[1]


def test_csv_columns_and_constants_can_be_named(tmp_path: Path, home: Home) -> None:
    (tmp_path / "t.csv").write_text("nr;x\n".replace(";", ",") + "1340539111971516416,hello\n")
    columns, constants = {"id": "nr", "text": "x"}, {"author_id": "9", "created_at": "2026-01-01", "lang": "en"}
    _, tweets = bring_in(home, tmp_path / "t.csv", columns=columns, constants=constants)
    assert tweets[0]["text"] == "hello" and tweets[0]["lang"] == "en" and tweets[0]["author_id"] == "9"


def test_a_wrong_csv_mapping_names_what_there_is(tmp_path: Path, home: Home) -> None:
    (tmp_path / "t.csv").write_text("nr,x\n1,hello\n")
    report, _ = bring_in(home, tmp_path / "t.csv", columns={"id": "number"})
    assert "its columns are nr, x" in report.left[0]
    with pytest.raises(SettingError, match="no such field"):
        bring_in(home, tmp_path / "t.csv", columns={"identifier": "nr"})


def test_other_encodings_are_read_when_named(tmp_path: Path, home: Home) -> None:
    (tmp_path / "t.csv").write_bytes("id,user_id,date,text\n1340539111971516416,2,2026-01-01,café\n".encode("latin-1"))
    _, tweets = bring_in(home, tmp_path / "t.csv", encoding="latin-1")
    assert tweets[0]["text"] == "café"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"data": [{"id": "1"', "no JSON"),
        ("[1, 2]", "not a JSON object"),
        ('{"data": [{"id": "x", "author_id": "2", "text": "t", "created_at": "2026-01-01"}]}', "id"),
        ('{"data": [{"id": "1", "author_id": "2", "text": "t"}]}', "time of creation"),
        ('{"data": [{"id": "1", "author_id": "2", "text": "t", "created_at": "soon"}]}', "time of creation"),
        ('{"title": "Unauthorized", "status": 401}', "error answer"),
    ],
)
def test_every_kind_of_bad_line_is_put_aside_with_its_reason(
    tmp_path: Path, home: Home, line: str, reason: str
) -> None:
    good = json.dumps(
        {"id": "1650000004194304123", "author_id": "2", "text": "t", "created_at": "2026-01-01T00:00:00Z"}
    )
    (tmp_path / "f.jsonl").write_text(f"{good}\n\n{line}\n")
    report, tweets = bring_in(home, tmp_path / "f.jsonl")
    assert report.landed == len(tweets) == 1 and report.quarantined >= 1
    entry = json.loads(report.quarantine_files[0].read_text().splitlines()[0])
    assert entry["number"] == 3 and entry["unit"] == "line" and reason in entry["reason"] and entry["content"] in line
    assert report.quarantine_files[0].stat().st_mode & 0o077 == 0


def test_a_gzip_file_that_breaks_off_keeps_what_came_before(tmp_path: Path, home: Home) -> None:
    whole = gzip.compress(generate(tmp_path / "p.jsonl", tweets=900).read_bytes())
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    report, tweets = bring_in(home, tmp_path / "cut.jsonl.gz")
    assert 100 < len(tweets) < 900
    assert "breaks off" in report.quarantine_files[0].read_text()


@pytest.mark.integration
def test_memory_stays_flat_however_large_the_file(tmp_path: Path, home: Home) -> None:
    def peak(repeats: int) -> int:
        file = tmp_path / f"{repeats}.jsonl"
        with file.open("w") as out:
            for number in range(repeats * 2000):
                tweet = {
                    "id": str(10**18 + number),
                    "author_id": "2",
                    "text": "t" * 200,
                    "created_at": "2026-01-01T00:00:00Z",
                }
                out.write(json.dumps(tweet) + "\n")
        tracemalloc.start()
        bring_in_only(Home.open(tmp_path / f"home{repeats}"), file)
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    def bring_in_only(own: Home, file: Path) -> None:
        import_paths([file], LandingZone(own, batch_size=200))

    small, large = peak(5), peak(15)  # both larger than the part that is probed
    assert large < small * 1.2


@pytest.mark.integration
def test_an_import_killed_in_the_middle_and_started_again_lands_every_tweet_once(tmp_path: Path, home: Home) -> None:
    file = generate(tmp_path / "pages.jsonl", tweets=6000)
    environment = {**os.environ, "TWEET_PROFILES_BATCH_SIZE": "100"}
    process = subprocess.Popen([executable(), "import", str(file)], env=environment, stdout=subprocess.DEVNULL)
    while not list(home.landing.glob("*.gz")):
        assert process.poll() is None
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = len(LandingZone(home).keys())
    report, tweets = bring_in(home, file)
    assert before > 0 and report.landed > 0
    assert len(tweets) == len({tweet["id"] for tweet in tweets}) == 6000
    assert not list(home.landing.glob(".*"))


def test_a_page_counts_as_its_tweets_and_of_it_a_bad_one_is_quarantined_without_its_neighbours(
    tmp_path: Path, home: Home
) -> None:
    page = {"data": [tweet(number) for number in range(100)]}
    del page["data"][50]["created_at"]
    (tmp_path / "pages.jsonl").write_bytes(lines([page, page]))
    report, _ = bring_in(home, tmp_path / "pages.jsonl")
    assert (report.read, report.landed, report.duplicates, report.quarantined) == (200, 99, 99, 2)
    entry = json.loads(report.quarantine_files[0].read_text().splitlines()[0])
    assert entry["number"] == 1 and json.loads(entry["content"]) == page["data"][50]


def test_two_files_of_one_name_each_have_their_records_in_the_quarantine(tmp_path: Path, home: Home) -> None:
    for folder in ("jan", "feb"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.csv").write_bytes(table([row(1), (*row(2), folder)]))
    for _ in range(2):
        bring_in(home, tmp_path / "jan", tmp_path / "feb")
        kept = "".join(path.read_text() for path in home.quarantine.iterdir())
        assert kept.count('feb"') == kept.count('jan"') == 1


@pytest.mark.parametrize(
    ("texts", "given", "known"),
    [
        (["mine"] * 30, None, {False}),
        (["mine"] * 30 + ["RT @other: theirs"], None, {True}),
        (["mine"] * 1500 + ["RT @other: theirs"] + ["mine"] * 500, None, {False, True}),
        (["mine"] * 30, True, {True}),
        (["RT @other: theirs"] * 30, False, {False}),
    ],
)
def test_the_first_tweets_or_the_user_tell_whether_retweets_were_collected(
    tmp_path: Path, home: Home, texts: list[str], given: bool | None, known: set[bool]
) -> None:
    (tmp_path / "a.csv").write_bytes(table(row(number, text) for number, text in enumerate(texts)))
    _, tweets = bring_in(home, tmp_path / "a.csv", retweets=given)
    assert {one["retweets_collected"] for one in tweets} == known
    if len(known) == 2:
        flags = [one["retweets_collected"] for one in sorted(tweets, key=lambda one: int(one["id"]))]
        assert flags == [False] * 1500 + [True] * 501


def test_tweets_of_forgotten_authors_are_counted_as_such(tmp_path: Path, home: Home) -> None:
    from tweet_profiles.privacy.pseudonyms import author_key
    from tweet_profiles.privacy.suppression import SuppressionList
    from tweet_profiles.settings import load_settings

    SuppressionList(home).add(frozenset({author_key(home.pseudonym_key(load_settings()), row(7)[1])}))
    (tmp_path / "a.csv").write_bytes(table(row(number) for number in range(50)))
    report, tweets = bring_in(home, tmp_path / "a.csv")
    assert len(tweets) == 49 and report.skipped == {"author asked to be forgotten": 1} and not report.left


def test_many_small_files_land_in_few_batches(tmp_path: Path, home: Home) -> None:
    for number in range(100):
        (tmp_path / f"{number}.csv").write_bytes(table([row(number), row(number + 1)]))
    report, tweets = bring_in(home, *sorted(tmp_path.glob("*.csv")))
    assert len(tweets) == 101 and report.batches == 1
    assert sum(outcome.landed for outcome in report.outcomes) == 101
