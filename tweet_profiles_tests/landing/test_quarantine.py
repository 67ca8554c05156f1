import stat
from base64 import b64decode
from pathlib import Path

import orjson

from tweet_profiles.home import Home
from tweet_profiles.landing.quarantine import MAX_BYTES, Quarantine, append


def entries(path: Path) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def test_a_record_is_kept_whole_with_where_it_stood_and_why(home: Home) -> None:
    with Quarantine(home, "/data/a.csv", "1") as quarantine:
        quarantine.add(17, "line", "has no text", "1,2,,x" * 10_000)
    (entry,) = entries(quarantine.path)
    assert entry == {
        "file": "/data/a.csv",
        "unit": "line",
        "number": 17,
        "reason": "has no text",
        "content": "1,2,,x" * 10_000,
    }
    assert stat.S_IMODE(quarantine.path.stat().st_mode) == 0o600


def test_two_files_of_one_name_and_two_states_of_one_file_each_have_a_quarantine_of_their_own(home: Home) -> None:
    for source, identity in (("/jan/a.csv", "1"), ("/feb/a.csv", "1"), ("/feb/a.csv", "2")):
        with Quarantine(home, source, identity) as quarantine:
            quarantine.add(1, "line", "bad", source + identity)
    assert len(list(home.quarantine.iterdir())) == 3


def test_the_same_file_again_does_not_double_its_records_and_mended_ones_leave(home: Home) -> None:
    for bad in (2, 2, 1):
        with Quarantine(home, "/a.csv", "1") as quarantine:
            for number in range(bad):
                quarantine.add(number, "line", "bad", "x")
        assert len(entries(quarantine.path)) == bad
    with Quarantine(home, "/a.csv", "1"):
        pass
    assert not list(home.quarantine.iterdir())


def test_bytes_that_are_no_utf_8_are_kept_exactly(home: Home) -> None:
    with Quarantine(home, "/a.csv", "1") as quarantine:
        quarantine.add(1, "line", "not UTF-8", b"caf\xe9")
    (entry,) = entries(quarantine.path)
    assert entry["content"] == "caf\\xe9" and b64decode(str(entry["content_base64"])) == b"caf\xe9"


def test_a_record_of_many_megabytes_is_cut_and_says_so(home: Home) -> None:
    append(home, "x-stream-1", "stream", "too long", b"a" * (3 * MAX_BYTES))
    (entry,) = entries(home.quarantine / "x-stream-1.jsonl")
    assert len(str(entry["content"])) == MAX_BYTES and entry["content_bytes"] == 3 * MAX_BYTES


def test_records_of_the_api_are_added_to_those_of_the_day(home: Home) -> None:
    for content in (b"1", b"2"):
        append(home, "x-stream-1", "stream", "bad", content)
    assert [entry["content"] for entry in entries(home.quarantine / "x-stream-1.jsonl")] == ["1", "2"]
