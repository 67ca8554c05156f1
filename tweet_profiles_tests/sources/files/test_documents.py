import io
import json

import pytest

from tweet_profiles.sources.files.documents import frame_json
from tweet_profiles_tests.sources.files.made import broken, framed, lines, tweet, values

TWEETS = [tweet(number, 'a "quoted" {brace] and \\ back') for number in range(40)]


def joined(tweets, form):
    """The tweets as files have them; each as it stands."""
    texts = [json.dumps(one, indent=2 if "pretty" in form else None) for one in tweets]
    if "pretty" in form and "array" in form:
        texts = ["\n".join("  " + line for line in text.splitlines()) for text in texts]
    return {
        "array": lambda: "[" + ", ".join(texts) + "]",
        "pretty array": lambda: "[\n" + ",\n".join(texts) + "\n]\n",
        "pretty objects": lambda: "\n".join(texts),
        "objects without space": lambda: "".join(texts),
        "array of a line each": lambda: "[\n" + ",\n".join(texts) + "\n]",
        "lines": lambda: "\n".join(texts) + "\n",
        "arrays one after the other": lambda: "".join(f"[{text}]\n" for text in texts),
        "assignment": lambda: "window.YTD.tweets.part0 = [ " + ", ".join(texts) + " ]",
        "two assignments": lambda: "".join(
            f"window.YTD.tweets.part{at} = [ {text} ]\n" for at, text in enumerate(texts)
        ),
        "pretty array with a missing comma": lambda: "[\n" + "\n".join(texts) + "\n]\n",
    }[form]()


FORMS = (
    "array",
    "pretty array",
    "pretty objects",
    "objects without space",
    "array of a line each",
    "lines",
    "arrays one after the other",
    "assignment",
    "two assignments",
    "pretty array with a missing comma",
)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("piece", [7, 1 << 20])
def test_every_object_is_found_whatever_stands_around_it(form, piece, monkeypatch):
    monkeypatch.setattr("tweet_profiles.sources.files.documents._PIECE", piece)
    items = framed(joined(TWEETS, form).encode())
    assert values(items) == TWEETS and not broken(items)


@pytest.mark.parametrize("form", ["array", "pretty array", "pretty objects", "array of a line each"])
@pytest.mark.parametrize(
    ("where", "instead"),
    [
        ('"author_id": "', '"author_id": '),  # a quote opens at the wrong place
        ('"author_id": ', '"author_id" '),
        (f'"{TWEETS[20]["created_at"]}"', "nan"),
        (f'{TWEETS[20]["created_at"]}"', TWEETS[20]["created_at"]),
        ('"text": ', '"text": \x01'),
        ('"text": ', '"text": {'),
        ('"text": ', '"text": }'),
    ],
)
def test_an_object_that_cannot_be_parsed_is_broken_alone_and_whole(form, where, instead):
    marker = TWEETS[20]["id"]
    content = joined(TWEETS, form)
    at = content.index(where, content.index(marker))
    content = content[:at] + instead + content[at + len(where) :]
    items = framed(content.encode())
    assert values(items) == TWEETS[:20] + TWEETS[21:]
    bad = b" ".join(item.raw if isinstance(item.raw, bytes) else item.raw.encode() for item in broken(items))
    assert marker.encode() in bad and TWEETS[19]["id"].encode() not in bad and TWEETS[21]["id"].encode() not in bad
    assert broken(items)[0].number == 21


def test_an_object_whose_end_is_missing_costs_itself_alone():
    content = joined(TWEETS, "pretty array")
    start = content.index("{", content.index(TWEETS[20]["id"]) - 20)
    end = content.index("}", content.index("created_at", start))
    items = framed((content[:end] + content[end + 1 :]).encode())
    assert values(items) == TWEETS[:20] + TWEETS[21:]
    assert len(broken(items)) == 1


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b'{"id": nan}', "no JSON"),
        (b'{"id": "\\ud800"}', "no JSON"),
        (b'{"id": "\xff"}', "no JSON"),
        (b'{"id": "1"', "no JSON"),
        (b"garbage", "no JSON"),
        (b"{'id': '1'}", "json.dumps"),
    ],
)
def test_of_lines_a_bad_one_is_broken_alone(bad, reason):
    items = framed(lines(TWEETS[:3]) + bad + b"\n" + lines(TWEETS[3:5]))
    assert values(items) == TWEETS[:5]
    (item,) = broken(items)
    assert item.number == 4 and item.raw == bad and reason in item.reason


def test_a_first_line_that_is_broken_does_not_hide_the_others():
    items = framed(b'{"id": "1", "text\n' + lines(TWEETS))
    assert values(items) == TWEETS and [item.number for item in broken(items)] == [1]


def test_objects_that_stand_on_one_line_are_each_a_record():
    first, second, third, torn = (json.dumps(tweet(number)).encode() for number in range(4))
    items = framed(b"\n".join([first, second + third, torn[:40] + torn]))
    assert values(items) == [tweet(0), tweet(1), tweet(2), tweet(3)]
    assert [(one.number, one.unit, one.raw) for one in broken(items)] == [(3, "line", torn[:40])]
    assert [item.number for item in items] == [1, 2, 2, 3, 3]


def test_a_torn_line_gives_no_record_of_what_is_nested_in_it():
    whole = json.dumps(tweet(1, author={"id": "7", "username": "ann"}, public_metrics={"like_count": 1}))
    items = framed(f"{whole}\n{whole[:-5]}\n{whole}\n".encode())
    assert len(values(items)) == 2 and [one.raw for one in broken(items)] == [whole[:-5].encode()]


@pytest.mark.parametrize("form", ["lines", "pretty array"])
@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_nan_and_infinities_as_programs_write_them_are_null(form, word):
    tweets = [tweet(number, "says NaN", lang=None) for number in range(3)]
    items = framed(joined(tweets, form).replace("null", word).encode())
    assert values(items) == tweets and not broken(items)


@pytest.mark.parametrize("noise", ['log: 12 "rows', "<html>", '"', "{", "'id': 5, x", "\x00\x00", "a]b"])
@pytest.mark.parametrize("form", ["pretty objects", "array of a line each"])
def test_what_stands_between_objects_is_broken_alone(form, noise):
    texts = joined(TWEETS, form)
    at = texts.index("{", texts.index(TWEETS[19]["created_at"]))
    items = framed((texts[:at] + noise + "\n" + texts[at:]).encode())
    assert values(items) == TWEETS
    assert len(broken(items)) <= 2 and all(TWEETS[20]["id"].encode() not in one.raw for one in broken(items))


def test_marks_of_files_that_were_put_together_are_nothing():
    mark = b"\xef\xbb\xbf"
    assert values(framed(mark + lines(TWEETS[:2]) + mark + lines(TWEETS[2:3]))) == TWEETS[:3]
    array = json.dumps(TWEETS[:2]).encode()
    assert values(framed(mark + array + mark + array)) == TWEETS[:2] * 2


def test_what_is_no_object_is_given_on_to_be_refused():
    assert values(framed(b'[1, "two", null, {"a": 3}]')) == [1, "two", None, {"a": 3}]


@pytest.mark.integration
def test_a_document_of_any_size_is_read_in_the_memory_of_a_part_of_it():
    class Endless(io.RawIOBase):
        """An array of 15 million bytes, made as it is read."""

        given = 0

        def read(self, size=-1):
            if self.given > 15_000_000:
                return b""
            piece = (b"[" if not self.given else b",") + b",".join([json.dumps(TWEETS[0]).encode()] * 1000)
            self.given += len(piece)
            return piece

    import tracemalloc

    tracemalloc.start()
    count = sum(1 for _ in frame_json(Endless(), b"[{").items)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count > 60_000 and peak < 10_000_000


def test_lines_of_files_that_were_put_together_without_a_line_end_lose_nothing():
    content = lines(TWEETS[:3]).rstrip(b"\n") + lines(TWEETS[3:5])
    items = framed(content)
    assert values(items) == TWEETS[:5] and [item.number for item in items] == [1, 2, 3, 3, 4]


def test_a_document_of_nothing_but_broken_objects_is_read_in_little_time():
    bad = b'{"id": "1", "text": "x"'
    items = framed(b"[" + b",\n".join([bad] * 5000) + b"]" + lines(TWEETS[:1]))
    assert not any(isinstance(value, dict) and value != TWEETS[0] for value in values(items))
    assert sum(item.raw.count(bad) for item in broken(items)) == 5000
