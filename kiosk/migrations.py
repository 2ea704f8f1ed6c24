"""sqlite_utils' Migrations, imported only where a step is still to be taken."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite_utils

    Step = Callable[[sqlite_utils.Database], None]


class Migrations:
    """Used as the library's: a decorator for steps, then `apply`. Its table holds which were taken.

    The library takes a tenth of a second to import, and at nearly every start there is nothing to do.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._steps: list[Step] = []

    def __call__(self) -> "Callable[[Step], Step]":
        """Add the decorated function as the next step, under its own name."""

        def add(step: "Step") -> "Step":
            self._steps.append(step)
            return step

        return add

    def apply(self, db: "sqlite_utils.Database") -> None:
        """Take the steps that this database has not seen, each in its own transaction."""
        if {step.__name__ for step in self._steps} <= self._taken(db):
            return
        import sqlite_utils

        library = sqlite_utils.Migrations(self.name)
        for step in self._steps:
            library()(step)
        library.apply(db)

    def _taken(self, db: "sqlite_utils.Database") -> set[str]:
        table = "_sqlite_migrations"
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [table]).fetchone():
            return set()
        query = f"SELECT name FROM {table} WHERE migration_set = ?"
        return {name for (name,) in db.execute(query, [self.name])}
