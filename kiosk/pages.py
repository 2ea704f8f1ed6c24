"""Reads a damaged SQLite file page by page, without SQLite, which gives up where it need not.

The format is that of https://www.sqlite.org/fileformat2.html; the numbers in comments are its sections. What
is valid of the write-ahead log lies over the file. Nothing is believed that does not add up.
"""

import mmap
import struct
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

INTERIOR: Final = {2: 12, 5: 12}  # page type -> bytes of its header (1.6)
LEAF: Final = {10: 8, 13: 8}
TABLE_LEAF: Final = 13
DEEP: Final = 20  # levels that a tree has at most

#: A row: its rowid (0 in a table without), and the values.
Row = tuple[int, list[Any]]

PAGE: Final = 4096  # bytes, as `kiosk.database_file` makes them


class Unreadable(Exception):
    """Bytes that make no sense."""


class Image:
    """The pages of a database as its last transaction left them, numbered from 1."""

    def __init__(self, path: Path, size: int = PAGE) -> None:
        self._file = _map(path)
        # Not asked of the header, which may be what is damaged: a station's database has no other.
        self.size = self.usable = size
        self._wal = _map(path.with_name(path.name + "-wal"))
        self._newer = self._read_wal()
        self.count = max([len(self._file) // self.size, *self._newer])

    def page(self, number: int) -> bytes:
        """One page; Unreadable if there is none."""
        if (offset := self._newer.get(number)) is not None:
            return self._wal[offset : offset + self.size]
        data = self._file[(number - 1) * self.size : number * self.size] if number > 0 else b""
        if len(data) < self.size:
            raise Unreadable("there is no such page")
        return data

    def leaf(self, number: int, strict: bool = True) -> list[Row]:
        """The rows of a leaf. If it is `strict`, one that makes no sense takes the others with it."""
        page, start = self.page(number), 100 if number == 1 else 0
        rows = []
        for cell in self._cells(page, start, LEAF):
            try:
                rows.append(self._row(page, cell, page[start]))
            except (Unreadable, IndexError, UnicodeDecodeError, struct.error) as err:
                if strict:
                    raise Unreadable("a row of the page makes no sense") from err
        return rows

    def rows(self, root: int, seen: set[int], strict: bool = True) -> Iterator[Row]:
        """All rows that can be reached from a root page. No page in `seen` is read, and those read go there.

        In a tree of rowids what does not lie where its key belongs is left out. The last come first: who has
        no time for all goes without the oldest.
        """
        yield from self._walk(root, seen, strict, -(2**63), 2**63 - 1, DEEP)

    def orphans(self, seen: set[int]) -> Iterator[Row]:
        """Rows on leaves of rowid tables that are not in `seen`, of whatever table."""
        for number in range(1, self.count + 1):
            if number not in seen:
                try:
                    if self.page(number)[100 if number == 1 else 0] == TABLE_LEAF:
                        yield from self.leaf(number, strict=False)
                except (Unreadable, IndexError):
                    continue

    def _walk(
        self, number: int, seen: set[int], strict: bool, low: int, high: int, deep: int
    ) -> Iterator[Row]:
        if number in seen or not deep:
            return
        try:
            page, start = self.page(number), 100 if number == 1 else 0
            kind = page[start]
            if kind in LEAF:
                rows = self.leaf(number, strict)
                seen.add(number)
                yield from (row for row in reversed(rows) if kind == 10 or low <= row[0] <= high)
                return
            cells = self._cells(page, start, INTERIOR)
            last = int.from_bytes(page[start + 8 : start + 12])
            children: list[tuple[int, int, int, Row | None]] = []
            for cell in cells:
                child = int.from_bytes(page[cell : cell + 4])
                if kind == 5:
                    key = _varint(page, cell + 4)[0]
                    children.append((child, low, min(high, key), None))
                    low = max(low, key + 1)
                else:
                    children.append((child, low, high, self._row(page, cell, kind)))
        except (Unreadable, IndexError, UnicodeDecodeError, struct.error):
            return
        seen.add(number)
        for child, lowest, highest, row in [(last, low, high, None), *reversed(children)]:
            if row is not None:
                yield row
            yield from self._walk(child, seen, strict, lowest, highest, deep - 1)

    def _cells(self, page: bytes, start: int, kinds: dict[int, int]) -> list[int]:
        """Where the cells of a page begin (1.6)."""
        header = kinds.get(page[start])
        if header is None:
            raise Unreadable("a page of another kind")
        count = int.from_bytes(page[start + 3 : start + 5])
        first = start + header
        end = first + 2 * count
        if end > self.usable:
            raise Unreadable("more cells than fit")
        cells = [int.from_bytes(page[at : at + 2]) for at in range(first, end, 2)]
        if any(not end <= cell < self.usable for cell in cells):
            raise Unreadable("a cell outside of the page")
        return cells

    def _row(self, page: bytes, cell: int, kind: int) -> Row:
        at = cell + 4 if kind == 2 else cell
        length, at = _varint(page, at)
        rowid = 0
        if kind == TABLE_LEAF:
            rowid, at = _varint(page, at)
        return rowid, _record(self._payload(page, at, length, kind))

    def _payload(self, page: bytes, at: int, length: int, kind: int) -> bytes:
        """A row's bytes, from the page and those that it overflows to (1.6, 1.7)."""
        usable = self.usable
        most = usable - 35 if kind == TABLE_LEAF else (usable - 12) * 64 // 255 - 23
        if not 0 < length <= usable * self.count:
            raise Unreadable("a row of no such length")
        if length <= most:
            if at + length > usable:
                raise Unreadable("a row that does not fit on its page")
            return page[at : at + length]
        least = (usable - 12) * 32 // 255 - 23
        here = least + (length - least) % (usable - 4)
        here = here if here <= most else least
        if at + here + 4 > usable:
            raise Unreadable("a row that does not fit on its page")
        parts, rest = [page[at : at + here]], length - here
        following = int.from_bytes(page[at + here : at + here + 4])
        while rest > 0:
            page = self.page(following)
            following = int.from_bytes(page[:4])
            parts.append(page[4 : 4 + min(rest, usable - 4)])
            rest -= usable - 4
        return b"".join(parts)

    def _read_wal(self) -> dict[int, int]:
        """Where the log holds newer pages (4.1): as far as the checksums are right, up to the last commit."""
        wal = self._wal
        if len(wal) < 32 or wal[:3] != b"\x37\x7f\x06" or wal[3] not in (0x82, 0x83):
            return {}
        order = "<" if wal[3] == 0x82 else ">"
        if int.from_bytes(wal[8:12]) != self.size:
            return {}
        sums = _wal_sum(wal[:24], order, (0, 0))
        if sums != struct.unpack(">2I", wal[24:32]):
            return {}
        newer: dict[int, int] = {}
        pending: dict[int, int] = {}
        step = 24 + self.size
        for at in range(32, len(wal) - step + 1, step):
            number, commit = struct.unpack(">2I", wal[at : at + 8])
            sums = _wal_sum(wal[at : at + 8], order, sums)
            sums = _wal_sum(wal[at + 24 : at + step], order, sums)
            if wal[at + 8 : at + 16] != wal[16:24] or sums != struct.unpack(">2I", wal[at + 16 : at + 24]):
                break
            pending[number] = at + 24
            if commit:
                newer.update(pending)
                pending.clear()
        return newer


def _map(path: Path) -> "mmap.mmap | bytes":
    try:
        with open(path, "rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (FileNotFoundError, IsADirectoryError, ValueError):  # missing, or empty
        return b""


def _wal_sum(data: bytes, order: str, sums: tuple[int, int]) -> tuple[int, int]:
    first, second = sums
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        first = (first + even + second) & 0xFFFFFFFF
        second = (second + odd + first) & 0xFFFFFFFF
    return first, second


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of 1 to 9 bytes, and where it ends."""
    if data[at] < 0x80:
        return data[at], at + 1
    value = 0
    for end in range(at, at + 8):
        byte = data[end]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, end + 1
    value = value << 8 | data[at + 8]
    return (value - (1 << 64) if value >> 63 else value), at + 9


_SIZES: Final = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)  # of the serial types 0 to 9 (2.1)


def _record(data: bytes) -> list[Any]:
    """The values of a row (2.1)."""
    head, at = (data[0], 1) if data[0] < 0x80 else _varint(data, 0)
    layout, end = _layout(data[at:head], head)
    if end != len(data):
        raise Unreadable("a row of another length than its values")
    values: list[Any] = []
    for kind, start, stop in layout:
        if kind >= 12:
            values.append(str(data[start:stop], "utf-8") if kind % 2 else data[start:stop])
        elif kind == 7:
            values.append(struct.unpack(">d", data[start:stop])[0])
        elif kind in (8, 9):
            values.append(kind - 8)
        else:
            values.append(int.from_bytes(data[start:stop], signed=True) if kind else None)
    return values


@lru_cache(4096)  # most rows of a table look like one before
def _layout(kinds: bytes, start: int) -> tuple[list[tuple[int, int, int]], int]:
    """Kind, begin and end of each value in a row, by the head of the row; and where the row ends."""
    layout, at = [], 0
    while at < len(kinds):
        kind, at = _varint(kinds, at)
        if kind < 0 or kind in (10, 11):
            raise Unreadable("a value of no kind")
        size = _SIZES[kind] if kind < 10 else (kind - 12) // 2
        layout.append((kind, start, start + size))
        start += size
    return layout, start
