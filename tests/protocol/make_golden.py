"""The golden frames: what this release puts on the wire, byte for byte, and how it must read it for ever.

`python -m tests.protocol.make_golden` writes the frames of `CASES` that have no file yet. A released frame
is never rewritten: delete its file by hand if you know that no station speaks it.
"""

from pathlib import Path
from typing import Final

import msgspec

from protocol import frame, messages
from protocol.frame import Ack, Frame, Refusal
from protocol.messages import Event, Fault, Heartbeat, Loss, Message, Poke, Reply, Request

FOLDER: Final = Path(__file__).parent / "golden"
RUN: Final = "9c41d0aa72be0f13"
NOON: Final = 1_793_246_400_000  # ms, 2026-10-29 12:00 in China
STREAM: Final = "5f0c2a9be1d47386"
DOWN: Final = "c39e6600d8b1724a"


def said(*each: Message) -> list[msgspec.Raw]:
    return [msgspec.Raw(messages.encode(message)) for message in each]


def _opened(number: int) -> Event:
    return Event(at=NOON + number, up=9000 + number, plugin="jobs", name="opened", session=f"s{number:04}")


CASES: Final[dict[str, Frame]] = {
    "up_events": Frame(
        1,
        STREAM,
        1201,
        boot="b7e1",
        sent=NOON + 500,
        up=9500,
        ack=Ack(DOWN, 87),
        msgs=said(
            _opened(0),
            Event(
                at=NOON + 40,
                up=9040,
                plugin="check_in",
                name="checked_in",
                d={"trade": "courier", "method": "tap", "first_today": True},
                session="s0001",
            ),
            Event(at=NOON + 90, up=9090, plugin="jobs", name="closed", d={"how": "idle", "after": 61000}),
        ),
    ),
    "up_request": Frame(
        1,
        STREAM,
        1204,
        boot="b7e1",
        sent=NOON + 900,
        up=9900,
        msgs=said(
            Request(
                at=NOON + 800,
                up=9800,
                id="3d9f02c1a4",
                plugin="legal_aid",
                name="place_booking",
                service="booking",
                d={"slot": "2026-10-30.1.0900", "matter": "wages", "contact": "c2VhbGVk" * 10},
            )
        ),
    ),
    "up_health": Frame(
        1,
        STREAM,
        1205,
        boot="b7e1",
        sent=NOON + 2000,
        up=11000,
        msgs=said(
            Heartbeat(at=NOON + 1900, up=10900, version="0.1.0", health={"disk_free_mb": 812, "ok": True}),
            Fault(
                at=NOON + 1950,
                up=10950,
                plugin="jobs",
                version="1.0.0",
                where="tile",
                kind="ZeroDivisionError",
                trace=["plugins/jobs/plugin.py:31 tile"],
            ),
        ),
    ),
    "up_packed": Frame(1, STREAM, 1, boot="b7e1", sent=NOON, up=9000, msgs=said(*map(_opened, range(40)))),
    "up_after_loss": Frame(1, STREAM, 5001, sent=NOON, up=9000, low=5001, msgs=said(_opened(7))),
    "up_run": Frame(
        1,
        STREAM,
        1210,
        run=RUN,
        prior="4b07",
        boot="b7e1",
        sent=NOON,
        up=9000,
        ack=Ack(DOWN, 88, of=88, run="4b07"),
        msgs=said(_opened(8)),
    ),
    "up_hole": Frame(
        1,
        STREAM,
        1300,
        run=RUN,
        boot="b7e1",
        sent=NOON,
        up=9000,
        gone=1280,
        msgs=said(Loss(at=NOON, up=9000, why="damaged", since=NOON - 60000, until=NOON)),
    ),
    "ack_only": Frame(1, STREAM, 1206, boot="b7e1", sent=NOON + 2500, up=11500, ack=Ack(DOWN, 88)),
    "down_reply": Frame(
        1,
        DOWN,
        88,
        sent=NOON + 2200,
        ack=Ack(STREAM, 1206),
        msgs=said(
            Reply(
                at=NOON + 2100,
                id="3d9f02c1a4",
                plugin="legal_aid",
                name="place_booking",
                status="confirmed",
                d={"code": "48213", "slot": "2026-10-30.1.0900"},
            ),
            Poke(at=NOON + 2150, collections=["legal_aid.slots", "jobs.posts"]),
        ),
    ),
    "down_fork": Frame(1, DOWN, 89, ack=Ack(STREAM, 1240, of=1225, run=RUN, fork=True)),
    "down_refusal": Frame(1, DOWN, 89, refused=Refusal("json", "0f3c2e9d81b7a645")),
}


def expected(case: Frame) -> bytes:
    """The frame as people read it: its JSON, indented."""
    return msgspec.json.format(msgspec.json.encode(case), indent=2) + b"\n"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, case in CASES.items():
        file = FOLDER / f"{name}.frame"
        if not file.exists():
            file.write_bytes(frame.encode(case))
            file.with_suffix(".json").write_bytes(expected(case))


if __name__ == "__main__":
    main()
