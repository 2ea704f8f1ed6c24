"""Pictures from the player process, in memory that both processes see.

The memory has no name (memfd): it is gone with its last user, whichever of the two is killed, and nothing
has to be unlinked.
"""

import mmap
import os
import struct
from dataclasses import dataclass
from typing import Final

#: The largest picture; bigger video is scaled down to fit, as the stage is no larger.
MAX_WIDTH: Final = 1280
MAX_HEIGHT: Final = 720

_SLOTS: Final = 3
_SLOT_BYTES: Final = MAX_WIDTH * MAX_HEIGHT * 4
_NEWEST: Final = struct.Struct("<Q")
_ABOUT: Final = struct.Struct("<IIQ")
#: Number of the newest frame at 0, then width, height and item of each slot.
#: A whole page, so that pixels are aligned.
_HEAD_BYTES: Final = 4096
BYTES: Final = _HEAD_BYTES + _SLOTS * _SLOT_BYTES


@dataclass(frozen=True)
class Frame:
    """One picture of an item: `number` grows with each; `pixels` are opaque RGBA, row by row from the top.

    The pixels are the player's own memory: use or copy them within the next two frames' time.
    """

    number: int
    item: int
    width: int
    height: int
    pixels: memoryview


def fit(width: int, height: int) -> tuple[int, int]:
    """The size within the largest picture that keeps the shape; the width a multiple of 16 (fast rows)."""
    scale = min(1.0, MAX_WIDTH / width, MAX_HEIGHT / height)
    return max(16, round(width * scale / 16) * 16), max(2, min(MAX_HEIGHT, round(height * scale)))


class FrameMemory:
    """A ring of three frames. One process publishes, another reads; neither waits for the other."""

    def __init__(self, fd: int | None = None) -> None:
        """Make new memory, or attach to that of an inherited file descriptor, which is then owned."""
        self.fd = os.memfd_create("yizhan-frames", os.MFD_CLOEXEC) if fd is None else fd
        if fd is None:
            os.ftruncate(self.fd, BYTES)
        self._map = mmap.mmap(self.fd, BYTES)
        self._view = memoryview(self._map)
        self._number = self._newest()
        self._full = b""

    def next_slot(self, item: int, width: int, height: int) -> memoryview:
        """Where the next frame is to be drawn; not visible to the reader before `publish`."""
        slot = (self._number + 1) % _SLOTS
        _ABOUT.pack_into(self._map, 8 + slot * _ABOUT.size, width, height, item)
        start = _HEAD_BYTES + slot * _SLOT_BYTES
        return self._view[start : start + width * height * 4]

    def publish(self) -> None:
        """Make opaque what was drawn in the next slot, and show it to the reader."""
        slot = (self._number + 1) % _SLOTS
        width, height, _ = _ABOUT.unpack_from(self._map, 8 + slot * _ABOUT.size)
        if len(self._full) != width * height:
            self._full = b"\xff" * (width * height)
        # The renderer leaves 0 in the fourth byte, which a texture takes for transparency. On the map this
        # takes 3 ms for 720p, on a memoryview 45.
        start = _HEAD_BYTES + slot * _SLOT_BYTES
        self._map[start + 3 : start + width * height * 4 : 4] = self._full
        self._number += 1
        _NEWEST.pack_into(self._map, 0, self._number)

    def latest(self) -> Frame | None:
        """The newest frame, or None before the first."""
        number = self._newest()
        if number == 0:
            return None
        slot = number % _SLOTS
        width, height, item = _ABOUT.unpack_from(self._map, 8 + slot * _ABOUT.size)
        start = _HEAD_BYTES + slot * _SLOT_BYTES
        return Frame(number, item, width, height, self._view[start : start + width * height * 4])

    def _newest(self) -> int:
        (number,) = _NEWEST.unpack_from(self._map, 0)
        return int(number)
