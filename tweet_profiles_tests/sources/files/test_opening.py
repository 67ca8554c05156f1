import bz2
import gzip
import io
import json
import lzma
import os
import tarfile
import threading
import zipfile

import pytest
import zstandard

from tweet_profiles_tests.sources.files.made import bring_in, lines, row, table, tweet

TWEETS = [tweet(number, f"tweet {number} " + os.urandom(20).hex()) for number in range(2000)]
PACKERS = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstandard.compress,
}


def zipped(members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize("packing", PACKERS)
def test_packed_files_are_read_whatever_their_names(tmp_path, home, packing):
    (tmp_path / "tweets.dat").write_bytes(PACKERS[packing](lines(TWEETS)))
    report, tweets = bring_in(home, tmp_path / "tweets.dat")
    assert len(tweets) == 2000 and report.outcomes[0].facts[0] == packing


@pytest.mark.parametrize("packing", PACKERS)
def test_a_packed_file_that_breaks_off_keeps_what_came_before_and_says_so(tmp_path, home, packing):
    for name, content in {"lines": lines(TWEETS), "table": table(row(number) for number in range(20_000))}.items():
        # bzip2 and xz give nothing of a block that is not whole: small blocks, one after the other.
        pieces = [PACKERS[packing](content[at : at + 20_000]) for at in range(0, len(content), 20_000)]
        packed = b"".join(pieces)
        (tmp_path / name).write_bytes(packed[: len(packed) * 2 // 3])
        report, _ = bring_in(home, tmp_path / name)
        (outcome,) = report.outcomes
        assert 100 < outcome.landed < len(content.splitlines()) - 100
        assert outcome.quarantined == 1 and "breaks off" in outcome.first_error


def test_packed_files_that_were_put_together_are_one(tmp_path, home):
    for pack in PACKERS.values():
        (tmp_path / "both").write_bytes(pack(lines(TWEETS[:100])) + pack(lines(TWEETS[100:200])))
        report, tweets = bring_in(home, tmp_path / "both")
        assert report.read == 200 and len(tweets) == 200


def test_every_file_of_an_archive_is_read_and_what_is_none_is_told(tmp_path, home):
    content = zipped(
        {
            "a/one": lines(TWEETS[:10]),
            "a/two": gzip.compress(lines(TWEETS[10:20])),
            "readme": b"hello",
            "__MACOSX/one": b"x",
        }
    )
    (tmp_path / "all.zip").write_bytes(content)
    report, tweets = bring_in(home, tmp_path / "all.zip")
    assert len(tweets) == 20
    assert {outcome.file.rpartition(": ")[2]: outcome.landed for outcome in report.outcomes} == {
        "a/one": 10,
        "a/two": 10,
        "readme": 0,
    }
    assert len(report.left) == 1 and "all.zip: readme" in report.left[0]


def test_a_zip_archive_that_breaks_off_keeps_what_came_before_and_says_so(tmp_path, home):
    content = zipped({"one": lines(TWEETS[:50]), "two": lines(TWEETS[50:])})
    (tmp_path / "cut.zip").write_bytes(content[: len(content) // 2])
    report, tweets = bring_in(home, tmp_path / "cut.zip")
    assert report.outcomes[0].landed == 50 and 100 < len(tweets) < 2000
    assert "breaks off" in report.outcomes[1].first_error and "breaks off" in report.left[-1]


def test_tar_archives_are_read_as_they_come(tmp_path, home):
    with tarfile.open(tmp_path / "all.tar.gz", "w:gz") as archive:
        for name, content in {
            "x/one.json": lines(TWEETS[:5]),
            "x/two.json.bz2": bz2.compress(lines(TWEETS[5:9])),
        }.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    report, tweets = bring_in(home, tmp_path / "all.tar.gz")
    assert len(tweets) == 9 and not report.left


@pytest.mark.parametrize(
    "content",
    [lines(TWEETS), gzip.compress(lines(TWEETS)), zipped({"one": lines(TWEETS)})],
    ids=["plain", "gzip", "zip"],  # the bytes hold the time at which they were packed
)
def test_a_pipe_is_as_good_as_a_file(tmp_path, home, content):
    os.mkfifo(tmp_path / "pipe")
    feeder = threading.Thread(target=(tmp_path / "pipe").write_bytes, args=(content,))
    feeder.start()
    report, tweets = bring_in(home, tmp_path / "pipe")
    feeder.join()
    assert len(tweets) == 2000 and not report.left


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"\x89PNG\r\n\x1a\n....", "picture"),
        (b"SQLite format 3\x00" + bytes(100), "SQLite"),
        (gzip.compress(b"RDX3\nX\n\x00", mtime=0), "write.csv"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "git lfs pull"),
        (bytes(range(256)) * 100, "binary"),
        (b"PK\x03\x04 cut", "zip archive that breaks off"),
        (b"\x1f\x8b\x08", "cannot be unpacked"),
        (b"just some words\nwithout any columns\n", "no column"),
        (b"{}", "no key for id"),
    ],
)
def test_what_holds_no_tweets_is_named_and_does_not_stop_the_others(tmp_path, home, content, words):
    folder = tmp_path / "folder"
    (folder / "below").mkdir(parents=True)
    (folder / "a").write_bytes(content)
    (folder / "below" / "b").write_bytes(lines(TWEETS[:3]))
    (folder / ".hidden").write_bytes(b"x")
    report, tweets = bring_in(home, folder)
    assert len(tweets) == 3 and report.files == 2
    assert len(report.left) == 1 and words in report.left[0] and str(folder / "a") in report.left[0]


def test_a_file_that_may_not_be_read_is_told(tmp_path, home, monkeypatch):
    (tmp_path / "a").write_bytes(lines(TWEETS[:3]))
    original = type(tmp_path).open
    monkeypatch.setattr(
        type(tmp_path),
        "open",
        lambda path, *rest: (
            (_ for _ in ()).throw(PermissionError(13, "Permission denied"))
            if path.name == "a"
            else original(path, *rest)
        ),
    )
    report, _ = bring_in(home, tmp_path / "a")
    assert "cannot be read: Permission denied" in report.left[0]


def test_the_zip_that_x_delivers_is_read_as_it_is(tmp_path, home):
    tweets = [
        {"tweet": {"id_str": "1500000000000000123", "full_text": "tea", "created_at": "Mon May 01 12:30:00 +0000 2023"}}
    ]
    account = [{"account": {"accountId": "701", "username": "ann_7"}}]
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("data/account.js", f"window.YTD.account.part0 = {json.dumps(account)}")
        archive.writestr("data/tweets.js", f"window.YTD.tweets.part0 = {json.dumps(tweets)}")
    report, (landed,) = bring_in(home, tmp_path / "x.zip")
    assert landed["author_id"] == "701" and landed["text"] == "tea"
    assert len(report.left) == 1 and "account.js" in report.left[0]
