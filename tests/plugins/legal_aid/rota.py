"""A rota for tests: who is on, when, where."""

from typing import Any


def row(slot_id: str, date: str, start: str, **more: Any) -> dict[str, Any]:
    """One row of the collection, free, of lawyer 1, unless told otherwise."""
    return {
        "slot_id": slot_id,
        "date": date,
        "start": start,
        "minutes": 30,
        "person": "1 号律师",
        "role": "lawyer",
        "matters": "wages,injury,contract",
        "room": "镇调解中心 2 号室",
        "free": True,
        **more,
    }


def rota(today: str = "2026-11-21", tomorrow: str = "2026-11-22") -> list[dict[str, Any]]:
    """Lawyer 1 and a mediator today, lawyer 2 tomorrow; three of the eleven slots are taken."""
    mediator = {"person": "值班调解员", "role": "mediator", "matters": "wages,rent,other", "room": "视频接待"}
    second = {"person": "2 号律师", "matters": "wages,injury", "room": "镇调解中心 1 号室"}
    return [
        *(row(f"A{n}", today, f"{14 + n // 2}:{n % 2 * 30:02}", free=n > 1) for n in range(4)),
        *(row(f"B{n}", today, f"{16 + n // 2}:{n % 2 * 30:02}", **mediator) for n in range(4)),
        *(
            row(f"C{n}", tomorrow, f"{9 + n // 2:02}:{n % 2 * 30:02}", free=n != 1, **second)
            for n in range(3)
        ),
    ]
