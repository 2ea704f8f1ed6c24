"""Imports: a CSV or Excel file becomes rows of a collection, checked field by field, or nothing does."""

import csv
import io
import mimetypes
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from pathlib import Path
from typing import Any, Final

from protocol.manifest import Content, ContentField, Manifest
from server.errors import NotFound, Refused
from server.manifests import content_of
from server.store import Store, content, media
from server.store.content import Changed

#: What people type instead of the full name.
ALIASES: Final = {"jobs": "jobs.posts", "programme": "broadcast.programme", "slots": "legal_aid.slots"}

_KEY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_YES: Final = {"true", "yes", "y", "1", "是", "有"}
_NO: Final = {"false", "no", "n", "0", "否", "无", "没有", ""}
_DATES: Final = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日", "%Y%m%d")

Row = dict[str, Any]


@dataclass(frozen=True)
class Problem:
    """One thing to mend; `line` counts from 1 as editors and Excel do."""

    line: int
    sentence: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.sentence}"


@dataclass(frozen=True)
class Report:
    """What an import did. With problems and without `skip_bad` nothing was imported."""

    collection: str
    rows: int
    imported: bool
    changed: Changed = field(default_factory=Changed)
    problems: tuple[Problem, ...] = ()


class Bad(Exception):
    """A cell that does not fit; the text is the sentence of its problem."""


def import_file(
    store: Store,
    manifests: Mapping[str, Manifest],
    name: str,
    file: Path,
    now: int,
    *,
    replace: bool = False,
    skip_bad: bool = False,
) -> Report:
    """Import a file into the collection of this name or alias.

    Rows are added or replaced by their key; with `replace` rows that the file does not have are deleted.
    A file with bad rows changes nothing, unless `skip_bad` asks for the good ones.
    """
    collection = ALIASES.get(name, name)
    declared = content_of(dict(manifests), collection)
    if declared is None:
        known = sorted(f"{each.id}.{key}" for each in manifests.values() for key in each.content)
        raise NotFound(f"There is no collection '{name}'; use one of {', '.join(known)}.", collection=name)
    if declared.served_by != "import":
        raise Refused(f"{collection} is filled by headquarters itself; import its rota instead.")
    rows, problems = check(declared, _table(file), file.parent)
    if problems and not skip_bad:
        return Report(collection, len(rows), False, problems=tuple(problems))
    # Files first: they are only copied aside by their hash, and the database stays free meanwhile.
    kept = [_keep_media(store, declared, row) for row in rows]
    with store.write() as conn:
        for found in {each.sha256: each for row in kept for each in row}.values():
            media.record(conn, found, now)
        changed = content.put(conn, collection, declared.key, rows)
        if replace:
            stays = {str(row[declared.key]) for row in rows}
            gone = [key for key in content.keyed(conn, collection) if key not in stays]
            changed = Changed(
                changed.added, changed.changed, changed.same, content.remove(conn, collection, gone, now=now)
            )
    return Report(collection, len(rows), True, changed, tuple(problems))


def check(
    declared: Content, lines: Iterator[tuple[int, list[Any]]], folder: Path
) -> tuple[list[Row], list[Problem]]:
    """The good rows, and what is wrong with the others, line by line. Media cells become paths for now."""
    number, header = next(lines, (1, []))
    names, problems = _columns(declared, number, header)
    missing = [key for key, each in declared.fields.items() if each.required and key not in names]
    if missing:
        problems.append(Problem(number, f"the columns {', '.join(missing)} are missing"))
        return [], problems
    rows: list[Row] = []
    seen: dict[str, int] = {}
    for number, cells in lines:
        if all(cell is None or str(cell).strip() == "" for cell in cells):
            continue
        row, wrong = _row(declared, names, cells, folder)
        key = str(row.get(declared.key) or "")
        if key and not _KEY.fullmatch(key):
            wrong.append(f'{declared.key} "{key}" may have at most 64 letters a to z, digits and . _ : -')
        elif key in seen:
            wrong.append(f'{declared.key} "{key}" stands in line {seen[key]} already')
        elif key:
            seen[key] = number
        if wrong:
            problems += [Problem(number, each) for each in wrong]
        else:
            rows.append(row)
    return rows, problems


def _columns(declared: Content, number: int, header: list[Any]) -> tuple[list[str], list[Problem]]:
    """The field of each column, empty where none is meant; and columns that are not known."""
    spoken = {key.casefold(): key for key in declared.fields}
    for key, each in declared.fields.items():
        spoken.update({title.strip().casefold(): key for title in each.title.values()})
    names, problems = [], []
    for cell in header:
        title = "" if cell is None else str(cell).strip()
        name = spoken.get(title.casefold(), "")
        if title and not name:
            choices = ", ".join(declared.fields)
            problems.append(Problem(number, f'the column "{title}" is not known; use {choices}'))
        if name and name in names:
            problems.append(Problem(number, f'the column "{title}" stands there twice'))
            name = ""
        names.append(name)
    return names, problems


def _row(declared: Content, names: list[str], cells: list[Any], folder: Path) -> tuple[Row, list[str]]:
    given = {name: cell for name, cell in zip(names, cells, strict=False) if name}
    row: Row = {}
    wrong = []
    if any(cell not in (None, "") for cell in cells[len(names) :]):
        wrong.append("there are more cells than columns; put texts that hold commas in quotes")
    for name, kind in declared.fields.items():
        cell = given.get(name)
        text = _text(cell)
        try:
            if not text and kind.required:
                raise Bad(f"{name} is empty; it must be filled in")
            row[name] = _value(name, kind, cell, text, folder)
        except Bad as err:
            wrong.append(str(err))
    return row, wrong


def _value(name: str, kind: ContentField, cell: Any, text: str, folder: Path) -> Any:
    if kind.type == "flag":
        return _flag(name, text)
    if not text:
        return "" if kind.type in ("text", "choice") else None
    match kind.type:
        case "integer":
            return _integer(name, kind, text)
        case "date":
            return _date(name, cell, text)
        case "time":
            return _time(name, cell, text)
        case "choice":
            if text not in kind.values:
                raise Bad(f'{name} "{text}" is not known; use one of {", ".join(kind.values)}')
            return text
        case "media":
            path = folder / text
            if not path.is_file():
                raise Bad(f'{name} "{text}" is not there; put the file at {path}')
            return path
        case _:
            if kind.max is not None and len(text) > kind.max:
                raise Bad(f"{name} has {len(text)} letters; at most {kind.max} fit on the screen")
            return text


def _text(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)  # Excel keeps every number as a fraction
    return "" if cell is None else str(cell).strip()


def _integer(name: str, kind: ContentField, text: str) -> int:
    try:
        number = int(re.sub(r"(?<=\d)[,，](?=\d{3})", "", text))
    except ValueError as err:
        raise Bad(f'{name} "{text}" is not a whole number; write e.g. 6000') from err
    if abs(number) > 2**53 or (kind.max is not None and number > kind.max):
        raise Bad(f"{name} {number} is too large; at most {kind.max or 2**53}")
    return number


def _date(name: str, cell: Any, text: str) -> str:
    if isinstance(cell, datetime | date):
        return (cell.date() if isinstance(cell, datetime) else cell).isoformat()
    for form in _DATES:
        try:
            return datetime.strptime(text, form).date().isoformat()  # noqa: DTZ007 - a date has no zone
        except ValueError:
            continue
    raise Bad(f'{name} "{text}" is not a date; write e.g. 2026-11-22')


def _time(name: str, cell: Any, text: str) -> str:
    if isinstance(cell, datetime | time):
        return cell.strftime("%H:%M")
    found = re.fullmatch(r"(\d{1,2})[:：](\d{2})(?:[:：]\d{2})?", text)
    if not found or int(found[1]) > 23 or int(found[2]) > 59:
        raise Bad(f'{name} "{text}" is not a time; write e.g. 08:30')
    return f"{int(found[1]):02}:{found[2]}"


def _flag(name: str, text: str) -> bool:
    if text.casefold() in _YES:
        return True
    if text.casefold() in _NO:
        return False
    raise Bad(f'{name} "{text}" is neither yes nor no; write true or false')


def _keep_media(store: Store, declared: Content, row: Row) -> list[media.Media]:
    """Copy the files of a row into the store and put their hashes in place of the paths."""
    kept = []
    for name, kind in declared.fields.items():
        if kind.type == "media" and row[name] is not None:
            path: Path = row[name]
            guessed = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            with path.open("rb") as source:
                found = media.keep(store.media_dir, source, path.name, guessed)
            kept.append(found)
            row[name] = found.sha256
    return kept


def _table(file: Path) -> Iterator[tuple[int, list[Any]]]:
    """Line number and cells of every line, from CSV or Excel; Refused if the file is neither."""
    try:
        if file.suffix.casefold() in (".xlsx", ".xlsm"):
            return _excel(file)
        return _csv(file.read_bytes(), file)
    except OSError as err:
        raise Refused(f"{file} cannot be read: {err.strerror or err}.") from err


def _csv(data: bytes, file: Path) -> Iterator[tuple[int, list[Any]]]:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = data.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise Refused(f"{file} is neither UTF-8 nor GB18030; save it as CSV UTF-8.")
    first = text.partition("\n")[0]
    comma = max(",\t;，", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=comma)
    start = 1
    try:
        for cells in reader:
            yield start, cells
            start = reader.line_num + 1
    except csv.Error as err:
        raise Refused(f"{file}, line {start}: {err}.") from err


def _excel(file: Path) -> Iterator[tuple[int, list[Any]]]:
    from zipfile import BadZipFile

    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(file, read_only=True, data_only=True)
    except (BadZipFile, InvalidFileException, KeyError) as err:
        raise Refused(f"{file} is no Excel file that can be read; save it again as .xlsx.") from err
    try:
        for number, cells in enumerate(book.worksheets[0].iter_rows(values_only=True), 1):
            yield number, list(cells)
    finally:
        book.close()
