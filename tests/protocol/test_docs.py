"""docs/protocol.md is true: its frames are decoded, its numbers are those of the code."""

import re
from pathlib import Path
from typing import get_args

import pytest

from protocol import frame, messages, stream
from protocol.messages import Event, Heartbeat, Poke, Reply, Unknown
from protocol.stream import Acceptance, Receiver
from protocol.topics import PREFIX

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)


def test_the_examples_are_frames_of_known_messages() -> None:
    read = [frame.decode(block.encode()) for block in BLOCKS]
    said = [[messages.decode(raw) for raw in each.msgs] for each in read]
    assert [[type(message) for message in each] for each in said] == [
        [Event, Heartbeat],
        [Reply, Poke],
        [],
        [],
        [Heartbeat],
    ]
    for block, each in zip(BLOCKS, read, strict=True):
        assert frame.decode(frame.encode(each)) == each
        assert set(re.findall(r'"(\w+)":', block)) >= {"v", "stream", "first"}
    assert not any(isinstance(message, Unknown) for each in said for message in each)


def test_the_loss_of_the_last_example_is_recorded_by_a_receiver_that_has_less() -> None:
    lost = frame.decode(BLOCKS[-1].encode())
    lost_range = Acceptance(0, 5001, (4001, 5000))
    assert Receiver(4000).offer(lost.first, len(lost.msgs), lost.low) == lost_range
    assert Receiver(4000).offer(lost.first, len(lost.msgs), gone=lost.gone) == lost_range


@pytest.mark.parametrize(
    "said",
    [
        f"longer than {frame.GZIP_ABOVE} bytes",
        f"{frame.MAX_WIRE // 1024} KiB as it comes",
        f"{frame.MAX_PLAIN // 1024**2} MiB after unpacking",
        f"{frame.MAX_MESSAGES}\nmessages",
        f"{frame.FRAME_MESSAGES} messages or {frame.FRAME_BYTES // 1024} KiB",
        f"for {stream.RETRY_MIN:.0f} s",
        f"beyond {stream.RETRY_MAX:.0f} s",
        f"{PREFIX}/{{station}}/up",
    ],
)
def test_the_numbers_are_those_of_the_code(said: str) -> None:
    assert said in PAGE


def test_every_field_and_every_message_type_is_described() -> None:
    for field in (
        *frame.Frame.__struct_fields__,
        *frame.Ack.__struct_fields__,
        *frame.Refusal.__struct_fields__,
    ):
        assert f"`{field}`" in PAGE, field
    for kind in (*get_args(messages.Up), *get_args(messages.Down)):
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{kind.__struct_config__.tag}`"))
        for field in set(kind.__struct_fields__) - {"at", "up"}:
            assert f"`{field}`" in row, (kind, field)
    assert frame.MAX_NUMBER == 2**53
    assert stream.WINDOW == 4
