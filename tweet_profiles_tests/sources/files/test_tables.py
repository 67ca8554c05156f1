import pytest

from tweet_profiles.errors import InputError
from tweet_profiles_tests.sources.files.made import HEADER, broken, framed, row, skipped, table, values


def texts(items):
    return [value["text"] for value in values(items)]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found_though_other_ones_stand_in_the_texts(separator):
    rows = [row(number, "one, two; three | four, five") for number in range(5)]
    items = framed(table(rows, delimiter=separator))
    assert texts(items) == ["one, two; three | four, five"] * 5 and not broken(items)


def test_the_separator_that_excel_notes_before_the_header_is_believed():
    items = framed(b"sep=;\n" + table([row(1)], delimiter=";"))
    assert texts(items) == ["I like it"] and items[0].number == 3


def test_a_given_separator_is_believed():
    content = b"id:author_id:text:created_at\n1:2:hello:2023-05-01\n"
    assert texts(framed(content, delimiter=":")) == ["hello"]


def test_a_text_over_lines_is_one_text():
    rows = [row(1, 'one\ntwo, three\n\n"four", five'), row(2, "x")]
    assert texts(framed(table(rows))) == [rows[0][2], "x"]
    assert texts(framed(table(rows, lineterminator="\r\n"))) == [rows[0][2], "x"]


def test_the_number_of_a_record_is_that_of_its_first_line():
    items = framed(table([row(1, "one\ntwo\nthree"), row(2)]))
    assert [item.number for item in items] == [2, 5]


@pytest.mark.parametrize("text", ["fine", "fine, thanks", 'so "fine" it is', "so\nfine"])
def test_a_quote_that_is_never_closed_costs_its_own_row_alone(text):
    rows = [table([row(number, text)], header=None).decode() for number in range(3000)]
    tweet_id, author, _, time = row(1500)
    rows[1500] = f'{tweet_id},{author},"{text.replace(chr(34), chr(34) * 2)},{time}\n'
    items = framed((",".join(HEADER) + "\n" + "".join(rows)).encode())
    assert len(values(items)) == 2999
    assert b"\n".join(item.raw for item in broken(items)).decode() + "\n" == rows[1500]


def test_quotes_that_are_never_closed_cost_their_rows_alone_where_no_column_holds_numbers():
    lines = [f"{'abcdefg'[number % 7]},x,word word,y\n" for number in range(2000)]
    for bad in (100, 101, 1500):
        lines[bad] = 'a,x,"word word,y\n'
    items = framed(("first,second,third,fourth\n" + "".join(lines)).encode())
    assert len(values(items)) == 1997
    assert [item.number for item in broken(items)] == [102, 103, 1502]


@pytest.mark.parametrize(
    ("field", "text"),
    [
        (r'"he said \"it is bad, really\" to me"', 'he said "it is bad, really" to me'),
        (r'"it ends so: \""', 'it ends so: "'),
        ('"he said "it is bad" to me"', 'he said "it is bad" to me'),
        (r'"C:\"', "C:\\"),
    ],
)
def test_quotes_that_are_escaped_in_another_way_or_not_at_all_are_read_as_they_are_meant(field, text):
    content = table([row(1)]).decode() + f"{row(2)[0]},700002,{field},2023-05-01T12:30:00Z\n" + ",".join(row(3)) + "\n"
    items = framed(content.encode())
    assert texts(items) == ["I like it", text, "I like it"] and not broken(items)


@pytest.mark.parametrize("lines_before", [0, 3])
def test_lines_of_a_text_that_look_like_rows_are_its_author_s_words(lines_before):
    forged = ",".join(row(999, "not mine"))
    text = "\n".join([*["look"] * lines_before, "here:", forged, forged, "end"])
    items = framed(table([row(1), row(2, text), row(3)]))
    assert texts(items) == ["I like it", text, "I like it"] and not broken(items)


def test_a_quote_that_is_never_closed_does_not_take_the_closing_one_of_a_later_row():
    rows = [row(number) for number in range(20)]
    lines = table(rows).decode().splitlines()
    lines[5] = lines[5].replace("I like it", '"never closed')
    lines[9] = lines[9].replace("I like it", 'it is 6"')
    items = framed("\n".join(lines).encode())
    assert [one["id"] for one in values(items)] == [one[0] for one in rows if one != rows[4]]
    assert [(one.number, one.raw) for one in broken(items)] == [(6, lines[5].encode())]


@pytest.mark.parametrize("text", ['"all of it', 'so "good', '"good" it is', '"'])
def test_a_table_with_tabs_that_quotes_nothing_loses_no_row(text):
    content = table([row(1), row(2, "TEXT"), row(3)], delimiter="\t").replace(b"TEXT", text.encode())
    items = framed(content)
    assert texts(items) == ["I like it", text, "I like it"] and not broken(items)


def test_the_names_of_columns_may_go_over_lines():
    header = ["id", "author_id", "text\n(of the tweet)", "created_at"]
    items = framed(table([row(1, "one\ntwo"), row(2)], header))
    assert [one["text (of the tweet)"] for one in values(items)] == ["one\ntwo", "I like it"] and not broken(items)


def test_a_row_with_too_many_or_too_few_fields_is_broken_alone_and_whole():
    content = table([row(1), (*row(2), "more"), row(3)[:2], row(4)])
    items = framed(content)
    assert len(values(items)) == 2
    assert [(item.number, item.reason) for item in broken(items)] == [
        (3, "5 fields where there should be 4"),
        (4, "2 fields where there should be 4"),
    ]
    assert broken(items)[0].raw == ",".join((*row(2), "more")).encode()


def test_a_line_of_bytes_that_are_no_utf_8_is_broken_alone():
    content = table([row(number) for number in range(50)]).splitlines(keepends=True)
    content[30] = content[30].replace(b"like", b"lik\xe9")
    items = framed(b"".join(content))
    assert len(values(items)) == 49
    assert broken(items)[0].number == 31 and "--encoding latin-1" in broken(items)[0].reason


def test_a_nameless_column_and_one_that_comes_twice_have_names_of_their_own():
    content = table([("0", *row(1), "again")], header=("", *HEADER, "text"))
    assert list(values(framed(content))[0]) == ["column 1", *HEADER, "text.2"]


def test_the_row_names_that_r_writes_without_a_header_are_a_column():
    content = table([("1", *row(1)), ("2", *row(2))])
    assert [value["column 1"] for value in values(framed(content))] == ["1", "2"]


def test_a_table_without_a_header_has_its_columns_named_by_number():
    content = table([row(1), row(2)], header=None)
    assert [list(value) for value in values(framed(content))] == [["1", "2", "3", "4"]] * 2
    named = table([("name", "word"), ("other", "text")], header=None)
    assert len(values(framed(named, has_header=False))) == 2


def test_files_that_were_put_together_with_their_headers_and_marks_are_one_table():
    content = b"\xef\xbb\xbf" + table([row(1)]) + b"\xef\xbb\xbf" + table([row(2)])
    items = framed(content)
    assert [value["id"] for value in values(items)] == [row(1)[0], row(2)[0]]
    assert skipped(items) == ["the header again"] and not broken(items)


def test_rows_of_empty_cells_are_counted_and_empty_lines_are_nothing():
    items = framed(table([row(1)]) + b",,,\n\n\n" + table([row(2)], header=None))
    assert len(values(items)) == 2 and skipped(items) == ["a row of empty cells"]


def test_a_line_without_end_is_broken_alone(monkeypatch):
    monkeypatch.setattr("tweet_profiles.sources.files.tables.MAX_LINE", 5000)
    content = table([row(1), row(2, "x" * 20_000), row(3)])
    items = framed(content)
    assert [value["id"] for value in values(items)] == [row(1)[0], row(3)[0]]
    assert "more than 5000 characters" in broken(items)[0].reason


def test_a_table_that_is_quoted_by_apostrophes_is_refused_with_the_way_out():
    rows = [[f"'{cell}'" for cell in row(number, "one, two")] for number in range(3)]
    content = "\n".join(",".join(cells) for cells in [HEADER, *rows])
    with pytest.raises(InputError, match="quotes its fields with ' where \" is usual"):
        framed(content.encode())


def test_a_delimiter_that_is_none_is_refused():
    from tweet_profiles.sources.files.tables import parse_delimiter

    assert parse_delimiter("tab") == "\t"
    with pytest.raises(InputError, match="one character"):
        parse_delimiter("::")


def test_a_table_without_quoting_may_have_quotes_in_its_texts():
    texts_in = ['"I love it" she said', '"never closed', 'it is 5" long', '"whole"', "plain"]
    content = "\n".join("\t".join(cells) for cells in [HEADER, *(row(at, text) for at, text in enumerate(texts_in))])
    items = framed(content.encode())
    assert texts(items) == [*texts_in[:3], "whole", "plain"] and not broken(items)


def test_quotes_behind_a_space_are_quotes():
    content = (
        ", ".join(HEADER) + "\n" + "".join(f'{row(at)[0]}, {row(at)[1]}, "a, b", {row(at)[3]}\n' for at in range(3))
    )
    assert texts(framed(content.encode())) == ["a, b"] * 3


def test_a_title_before_the_header_is_no_part_of_the_table():
    content = b"Report of the brand\nmade,yesterday\n\n" + table([row(1), row(2)])
    items = framed(content)
    assert texts(items) == ["I like it"] * 2 and not broken(items)


def test_a_separator_at_the_end_of_each_row_is_no_cell_that_shifts_the_others():
    content = (",".join(HEADER) + "\n" + "".join(",".join((*row(at), "")) + "\n" for at in range(3))).encode()
    assert [value["id"] for value in values(framed(content))] == [row(at)[0] for at in range(3)]


def test_files_that_were_put_together_without_a_line_end_between_them_lose_no_row():
    content = table([row(1), row(2)]).rstrip(b"\n") + table([row(3), row(4)])
    items = framed(content)
    assert [value["id"] for value in values(items)] == [row(at)[0] for at in (1, 2, 3, 4)]
    assert [item.number for item in items if hasattr(item, "value")] == [2, 3, 4, 5] and not broken(items)
