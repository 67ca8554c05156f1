"""Any bytes, any texts, any broken line: nothing crashes, and every record is in one account."""

import csv
import io
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tweet_profiles.errors import InputError
from tweet_profiles.home import Home
from tweet_profiles_tests.sources.files.made import bring_in, broken, framed, lines, row, table, tweet, values

PIECES = st.sampled_from(
    [
        b'"',
        b'""',
        b",",
        b";",
        b"\t",
        b"\n",
        b"\r\n",
        b"\\",
        b'\\"',
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b'"id": "1500000000000000001"',
        b"\xef\xbb\xbf",
        b"\xff",
        b"\xe9",
        b"\x00",
        b"NaN",
        b"1500000000000000001",
        b"2023-05-01T12:30:00Z",
        b"text",
        b"id,author_id,text,created_at\n",
        b"window.YTD.tweets.part0 = ",
        table([row(1)]),
        lines([tweet(2)]),
        json.dumps([tweet(3), tweet(4)], indent=1).encode(),
    ]
)
CONTENT = st.lists(PIECES | st.binary(max_size=4), max_size=40).map(b"".join)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00\ufeff"), min_size=1, max_size=60)


@settings(max_examples=300, deadline=None)
@given(content=CONTENT)
def test_whatever_the_bytes_every_line_is_in_a_record_or_the_file_is_refused(content: bytes) -> None:
    try:
        items = framed(content)
    except InputError as error:
        assert str(error)
        return
    for item in broken(items):
        assert item.reason and item.number > 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(beginning=st.sampled_from([table([row(5)]), lines([tweet(5)]), b"[" + lines([tweet(5)]), b""]), content=CONTENT)
def test_whatever_the_bytes_the_books_balance(beginning: bytes, content: bytes) -> None:
    with TemporaryDirectory() as folder:
        home = Home.open(Path(folder) / "home")
        (Path(folder) / "file").write_bytes(beginning + content)
        report, tweets = bring_in(home, Path(folder) / "file")
        assert report.landed == len(tweets)


@settings(max_examples=200, deadline=None)
@given(
    texts=st.lists(TEXT, min_size=1, max_size=30),
    separator=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
)
def test_what_the_csv_module_writes_is_read_back_as_it_was(
    texts: list[str], separator: str, end: str, quoting: int
) -> None:
    if quoting == csv.QUOTE_MINIMAL:
        texts = [text.replace("\r", "\n") for text in texts]  # the module does not quote it, so nobody can read it back
    rows = [row(number, text) for number, text in enumerate(texts)]
    items = framed(table(rows, delimiter=separator, lineterminator=end, quoting=quoting))
    assert [tuple(value.values()) for value in values(items)] == rows and not broken(items)


@settings(max_examples=200, deadline=None)
@given(
    texts=st.lists(TEXT, min_size=4, max_size=30),
    bad=st.integers(0, 29),
    damage=st.sampled_from(["quote", "cut", "more", "bytes"]),
)
def test_a_broken_row_loses_itself_alone(texts: list[str], bad: int, damage: str) -> None:
    texts = [" ".join(text.split()).replace('"', "'") or "x" for text in texts]
    bad %= len(texts)
    written = [table([row(number, text)], header=None) for number, text in enumerate(texts)]
    tweet_id, author, text, time = row(bad, texts[bad].replace(",", ""))
    written[bad] = {
        "quote": f'{tweet_id},{author},"{text},{time}\n'.encode(),
        "cut": f"{tweet_id},{author}\n".encode(),
        "more": f"{tweet_id},{author},{text},{time},more\n".encode(),
        "bytes": f"{tweet_id},{author},".encode() + b"caf\xe9 \xf0\x9f" + f",{time}\n".encode(),
    }[damage]
    # Enough sound rows for one that is not in UTF-8 to be an exception.
    more = [table([row(number)], header=None) for number in range(100, 140)]
    items = framed(b"".join([b"id,author_id,text,created_at\n", *written, *more]))
    expected = [row(number, text) for number, text in enumerate(texts) if number != bad]
    assert [tuple(value.values()) for value in values(items)][:-40] == expected
    assert b"".join(item.raw + b"\n" for item in broken(items) if isinstance(item.raw, bytes)) == written[bad]


@settings(max_examples=200, deadline=None)
@given(
    texts=st.lists(TEXT, min_size=4, max_size=20),
    bad=st.integers(0, 19),
    indent=st.sampled_from([None, 0, 1, 4]),
    at=st.floats(0, 1),
)
def test_an_object_of_an_array_that_is_cut_loses_itself_alone(
    texts: list[str], bad: int, indent: int | None, at: float
) -> None:
    bad %= len(texts)
    written = [json.dumps(tweet(number, text), indent=indent) for number, text in enumerate(texts)]
    cut = 1 + int(at * (len(written[bad]) - 2))
    written[bad] = written[bad][:cut]
    joint = ",\n" if indent is not None else ", "
    items = framed(("[" + joint.lstrip(",") + joint.join(written) + "]").encode())
    sound = [value for value in values(items) if isinstance(value, dict)]
    assert sound == [tweet(number, text) for number, text in enumerate(texts) if number != bad]
    assert len(items) > len(sound)


def test_a_csv_of_random_texts_is_read_as_the_csv_module_reads_it() -> None:
    rows = [row(number, f'a "b" {number}\nc, d' if number % 3 else "plain") for number in range(5000)]
    content = table(rows)
    theirs = list(csv.reader(io.StringIO(content.decode(), newline="")))[1:]
    assert [list(value.values()) for value in values(framed(content))] == theirs
