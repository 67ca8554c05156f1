import codecs

import pytest

from tweet_profiles_tests.sources.files.made import bring_in, framed, lines, row, table, tweet, values

TEXT = "naïve \u201cquotes\u201d 😀"
MARKS = {
    "utf-8": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
}


@pytest.mark.parametrize("encoding", MARKS)
@pytest.mark.parametrize("kind", ["table", "lines"])
def test_a_byte_order_mark_tells_the_encoding(encoding, kind):
    plain = table([row(1, TEXT)]) if kind == "table" else lines([tweet(1, TEXT)])
    content = MARKS[encoding] + plain.decode().encode(encoding)
    assert values(framed(content))[0]["text"] == TEXT
    # Two such files, one after the other.
    assert len(values(framed(content * 2))) == 2


def test_utf_16_is_seen_without_a_mark():
    assert values(framed(table([row(1, TEXT)]).decode().encode("utf-16-le")))[0]["text"] == TEXT


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("it isn\u2019t good \u2013 no", "cp1252"), ("café crème", "latin-1")],
)
def test_the_encoding_that_is_advised_reads_the_file(tmp_path, home, text, encoding):
    (tmp_path / "a.csv").write_bytes(table([row(1, text)]).decode().encode(encoding))
    report, _ = bring_in(home, tmp_path / "a.csv")
    assert f"--encoding {encoding}" in report.left[0]
    report, tweets = bring_in(home, tmp_path / "a.csv", encoding=encoding)
    assert tweets[0]["text"] == text and not report.left


def test_a_byte_that_has_no_meaning_in_the_named_encoding_costs_its_record_alone(tmp_path, home):
    content = table([row(number) for number in range(10)]).replace(b"like", b"lik\x81", 1)
    (tmp_path / "a.csv").write_bytes(content)
    report, tweets = bring_in(home, tmp_path / "a.csv", encoding="cp1252")
    assert len(tweets) == 9 and report.quarantined == 1


def test_a_few_broken_bytes_do_not_make_a_small_file_one_of_another_encoding(tmp_path, home):
    file = tmp_path / "tweets.csv"
    file.write_bytes(table([row(number) for number in range(5)]) + b"\x9c\x01\xff\x00\x12\n" + table([row(6)], None))
    report, tweets = bring_in(home, file)
    assert report.landed == 6 == len(tweets) and report.quarantined == 1
