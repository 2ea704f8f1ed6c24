"""The window's pixels as a PNG file, without Pillow."""

import struct
import zlib
from pathlib import Path


def encode(width: int, height: int, rgb: bytes) -> bytes:
    """A PNG of rows from the bottom up, three bytes a pixel, as OpenGL reads them."""
    stride = width * 3
    rows = b"".join(b"\0" + rgb[y * stride : (y + 1) * stride] for y in range(height - 1, -1, -1))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def grab() -> tuple[int, int, bytes]:
    """Width, height and pixels of what the window shows now."""
    from kivy.core.window import Window
    from kivy.graphics.opengl import GL_RGB, GL_UNSIGNED_BYTE, glPixelStorei, glReadPixels

    # Rows of three bytes a pixel are not padded to four.
    glPixelStorei(0x0D05, 1)
    width, height = Window.system_size
    return width, height, bytes(glReadPixels(0, 0, width, height, GL_RGB, GL_UNSIGNED_BYTE))


def take(path: Path) -> None:
    """Write what the window shows now; for tools, which may wait for a disk."""
    path.write_bytes(encode(*grab()))
