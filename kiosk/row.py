"""A row of the stream up carries a checksum, so that a damaged one is neither sent nor salvaged."""

import zlib


def checksum(number: int, at: int, boot: str, run: str, request: str | None, body: bytes) -> int:
    """The sum of a row; it moves with the number, so that a renumbering can be written in SQL."""
    head = f"{at}\0{boot}\0{run}\0{request or ''}"
    return zlib.crc32(body, zlib.crc32(head.encode())) + number
