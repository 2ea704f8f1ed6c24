"""What the station is: name, hours, manager. Headquarters keeps it; the station replicates it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

COLLECTION = "station.profile"


@dataclass(frozen=True)
class Profile:
    """`number` is the one on the door plate ("ZL-018"), `hours` are spoken ("06:00–22:00").

    `run` is this start of the screen's program: headquarters tells two machines of one name apart by it.
    """

    id: str = ""
    number: str = ""
    name: str = ""
    hours: str = ""
    manager_phone: str = ""
    facilities: tuple[str, ...] = ()
    run: str = ""


def from_row(station: str, row: Mapping[str, Any], run: str = "") -> Profile:
    """The profile in a row of `station.profile`; what is missing or of the wrong type stays empty."""

    def text(name: str) -> str:
        value = row.get(name)
        return value if isinstance(value, str) else ""

    facilities = row.get("facilities")
    return Profile(
        id=station,
        number=text("number"),
        name=text("name"),
        hours=text("hours"),
        manager_phone=text("manager_phone"),
        facilities=tuple(each for each in facilities if isinstance(each, str))
        if isinstance(facilities, list)
        else (),
        run=run,
    )
