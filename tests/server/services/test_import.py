"""Files become rows, or a list of what to mend."""

import hashlib
from collections.abc import Iterator
from datetime import date, time
from pathlib import Path

import pytest
from openpyxl import Workbook

from server.errors import NotFound, Refused
from server.manifests import read_all
from server.services.content import Report, import_file
from server.store import Store, content, media
from tests.server import ground

HEAD = "job_id,title,company,trade,area,pay_min,pay_max,shift,kind,posted,expires,phone,detail"
GOOD = "J1,骑手,外卖站,delivery,城东,6000,9000,flexible,full_time,2026-11-01,2026-12-31,0572-1,包住"


class Desk:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ground.lay(folder / "hq")
        self.store = Store(folder / "hq")
        self.manifests, _ = read_all()

    def put(self, name: str, data: str | bytes, collection: str = "jobs", **options: bool) -> Report:
        file = self.folder / name
        file.write_bytes(data.encode() if isinstance(data, str) else data)
        return import_file(self.store, self.manifests, collection, file, 1, **options)

    def rows(self, collection: str = "jobs.posts") -> dict[str, dict[str, object]]:
        with self.store.read() as conn:
            return content.keyed(conn, collection)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.store.close()


def problems(report: Report) -> list[str]:
    return [str(problem) for problem in report.problems]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_csv_is_read_in_the_encodings_that_people_save(desk: Desk, encoding: str) -> None:
    report = desk.put("jobs.csv", f"{HEAD}\r\n{GOOD}\r\n".encode(encoding))
    assert report.imported
    assert report.changed.added == 1
    row = desk.rows()["J1"]
    assert row["title"] == "骑手"
    assert row["pay_min"] == 6000
    assert row["posted"] == "2026-11-01"


def test_titles_serve_as_headers_and_dates_come_in_usual_forms(desk: Desk) -> None:
    fields = desk.manifests["jobs"].content["posts"].fields
    header = ",".join(fields[name].title["zh"] for name in HEAD.split(","))
    dates = [("J1", "2026/11/1"), ("J2", "2026年11月1日"), ("J3", "20261101"), ("J4", "2026.11.01")]
    lines = [GOOD.replace("J1", key).replace("2026-11-01", day) for key, day in dates]
    assert desk.put("jobs.csv", "\n".join([header, *lines])).imported
    assert {row["posted"] for row in desk.rows().values()} == {"2026-11-01"}


def test_mistakes_are_reported_line_by_line_and_nothing_is_imported(desk: Desk) -> None:
    text = "\n".join(
        [
            HEAD,
            GOOD,
            GOOD.replace("J1", "J2").replace("6000", "abc"),
            "",
            GOOD.replace("J1", "J3").replace("delivery", "pilot").replace("2026-11-01", "soon"),
            GOOD,
            GOOD.replace("J1", "J 4"),
            GOOD.replace("J1", "J5").replace("骑手", ""),
            GOOD.replace("J1", "J6") + ",extra",
        ]
    )
    report = desk.put("jobs.csv", text)
    assert not report.imported
    found = problems(report)
    assert 'line 3: pay_min "abc" is not a whole number; write e.g. 6000' in found
    assert any(each.startswith('line 5: trade "pilot" is not known; use one of delivery') for each in found)
    assert 'line 5: posted "soon" is not a date; write e.g. 2026-11-22' in found
    assert 'line 6: job_id "J1" stands in line 2 already' in found
    assert any(each.startswith('line 7: job_id "J 4"') for each in found)
    assert "line 8: title is empty; it must be filled in" in found
    assert any(each.startswith("line 9: there are more cells") for each in found)
    assert desk.rows() == {}


def test_with_skip_bad_the_good_rows_come_in(desk: Desk) -> None:
    bad = GOOD.replace("J1", "J2").replace("6000", "x")
    report = desk.put("jobs.csv", f"{HEAD}\n{GOOD}\n{bad}", skip_bad=True)
    assert report.imported
    assert len(report.problems) == 1
    assert desk.rows().keys() == {"J1"}


def test_the_same_file_again_changes_no_revision(desk: Desk) -> None:
    desk.put("jobs.csv", f"{HEAD}\n{GOOD}")
    with desk.store.read() as conn:
        before = content.revision_of(conn, "jobs.posts")
    assert desk.put("jobs.csv", f"{HEAD}\n{GOOD}").changed.same == 1
    with desk.store.read() as conn:
        assert content.revision_of(conn, "jobs.posts") == before


def test_rows_that_the_file_lacks_go_only_when_asked(desk: Desk) -> None:
    two = GOOD.replace("J1", "J2")
    desk.put("jobs.csv", f"{HEAD}\n{GOOD}\n{two}")
    desk.put("jobs.csv", f"{HEAD}\n{two}")
    assert desk.rows().keys() == {"J1", "J2"}
    assert desk.put("jobs.csv", f"{HEAD}\n{two}", replace=True).changed.deleted == 1
    assert desk.rows().keys() == {"J2"}


def test_unknown_and_missing_columns_are_named(desk: Desk) -> None:
    found = problems(desk.put("a.csv", f"{HEAD},wage\n{GOOD},1"))
    assert found[0].startswith('line 1: the column "wage" is not known; use job_id')
    assert "are missing" in problems(desk.put("b.csv", "job_id\nJ1"))[0]
    assert problems(desk.put("c.csv", ""))


def test_an_excel_file_is_read_with_its_own_types(desk: Desk) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(HEAD.split(","))
    cells: list[object] = list(GOOD.split(","))
    cells[5], cells[9], cells[11] = 6000.0, date(2026, 11, 1), 5720001
    sheet.append(cells)
    sheet.append([None] * 13)
    bad = list(cells)
    bad[0], bad[5] = "J2", 6000.5
    sheet.append(bad)
    file = desk.folder / "jobs.xlsx"
    book.save(file)
    report = import_file(desk.store, desk.manifests, "jobs", file, 1, skip_bad=True)
    assert problems(report) == ['line 4: pay_min "6000.5" is not a whole number; write e.g. 6000']
    row = desk.rows()["J1"]
    assert (row["pay_min"], row["posted"], row["phone"]) == (6000, "2026-11-01", "5720001")


def test_media_files_lie_beside_the_csv_and_are_kept_by_their_hash(desk: Desk) -> None:
    (desk.folder / "m").mkdir()
    (desk.folder / "m" / "a.ogg").write_bytes(b"sound")
    head = "item_id,start,end,weekdays,position,title,kind,seconds,media,has_picture"
    fine = "M1,10:00,9:30:00,1234567,1,新闻,news,20,m/a.ogg,否"
    bad = fine.replace("M1", "M2").replace("a.ogg", "b.ogg")
    report = desk.put("p.csv", f"{head}\n{fine}\n{bad}", "programme")
    (sentence,) = problems(report)
    assert sentence.startswith('line 3: media "m/b.ogg" is not there; put the file at ')
    assert desk.put("p.csv", f"{head}\n{fine}", "programme").imported
    row = desk.rows("broadcast.programme")["M1"]
    digest = hashlib.sha256(b"sound").hexdigest()
    assert (row["media"], row["end"], row["has_picture"]) == (digest, time(9, 30).strftime("%H:%M"), False)
    with desk.store.read() as conn:
        found = media.get(conn, digest)
    assert found is not None
    assert (found.size, found.type, found.name) == (5, "audio/ogg", "a.ogg")
    assert media.path(desk.store.media_dir, digest).read_bytes() == b"sound"


def test_what_is_no_table_is_refused_in_words(desk: Desk) -> None:
    with pytest.raises(NotFound, match=r"There is no collection 'nope'; use one of"):
        desk.put("a.csv", "x", "nope")
    with pytest.raises(Refused, match="import its rota instead"):
        desk.put("a.csv", "x", "legal_aid.slots")
    with pytest.raises(Refused, match="no Excel file"):
        desk.put("a.xlsx", "x")
    with pytest.raises(Refused, match="cannot be read"):
        import_file(desk.store, desk.manifests, "jobs", desk.folder / "missing.csv", 1)
    with pytest.raises(Refused, match="neither UTF-8 nor GB18030"):
        desk.put("a.csv", b"\xff\xff\xff")
