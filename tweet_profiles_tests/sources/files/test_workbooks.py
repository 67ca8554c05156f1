import openpyxl
import pyarrow as arrow
from pyarrow import parquet

from tweet_profiles_tests.sources.files.made import HEADER, bring_in, row, tweet


def test_the_first_sheet_of_a_workbook_that_has_rows_is_read(tmp_path, home):
    workbook = openpyxl.Workbook()
    sheet = workbook.create_sheet("second")
    for cells in [HEADER, row(1, "one"), row(2, "two\nlines"), ["", "", "", ""], row(3, "three")]:
        sheet.append(cells)
    workbook.save(tmp_path / "any.name")
    report, tweets = bring_in(home, tmp_path / "any.name")
    assert [tweet["text"] for tweet in tweets] == ["one", "two\nlines", "three"]
    assert "sheet 2 of 2 of a workbook" in report.outcomes[0].facts


def test_every_sheet_of_a_workbook_is_read_by_itself(tmp_path, home):
    workbook = openpyxl.Workbook()
    workbook.active.append(["made by hand", "for the team"])
    for number, name in enumerate(("January", "February", "empty")):
        sheet = workbook.create_sheet(name)
        for cells in [HEADER, row(number), ("x", "2", "no id", row(1)[3])] if name != "empty" else []:
            sheet.append(cells)
    workbook.save(tmp_path / "a.xlsx")
    report, tweets = bring_in(home, tmp_path / "a.xlsx")
    assert [tweet["id"] for tweet in tweets] == [row(0)[0], row(1)[0]]
    assert [outcome.file for outcome in report.outcomes] == [
        f"{tmp_path}/a.xlsx: {name}" for name in ("Sheet", "January", "February")
    ]
    assert len(report.left) == 3 and "Sheet holds no record" in report.left[0]
    assert len(report.quarantine_files) == 2


def test_a_cell_that_cannot_be_used_is_quarantined_by_its_row(tmp_path, home):
    workbook = openpyxl.Workbook()
    for cells in [HEADER, row(1), ("1", "2", "no time", "soon")]:
        workbook.active.append(cells)
    workbook.save(tmp_path / "a.xlsx")
    report, tweets = bring_in(home, tmp_path / "a.xlsx")
    assert len(tweets) == 1 and "row 3: " in report.outcomes[0].first_error
    assert "no time" in report.quarantine_files[0].read_text()


def test_parquet_is_read_by_row_groups(tmp_path, home):
    rows = [tweet(number) for number in range(3000)]
    parquet.write_table(arrow.Table.from_pylist(rows), tmp_path / "a", row_group_size=500)
    report, tweets = bring_in(home, tmp_path / "a")
    assert len(tweets) == 3000 and not report.left
    assert tweets[0]["created_at"] == "2023-05-01T12:30:00Z"


def test_damaged_workbooks_and_parquet_files_are_refused(tmp_path, home):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and nothing else")
    (tmp_path / "b.xls").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    report, _ = bring_in(home, tmp_path / "a.parquet", tmp_path / "b.xls")
    assert "damaged Parquet" in report.left[0] and "workbook that cannot be read" in report.left[1]
