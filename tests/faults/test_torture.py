"""The short form of `make torture`: every row of the fault matrix once, by the smallest injection."""

from collections.abc import Iterator

import pytest

from tests.faults import registry
from tests.faults.torture import Torture

SEED = 20261122
FAULTS = registry.load()

pytestmark = [pytest.mark.window, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def torture() -> Iterator[Torture]:
    with Torture(SEED) as torture:
        yield torture


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.short])
def test_nothing_is_lost_and_nothing_is_invented(torture: Torture, name: str) -> None:
    report = torture.run(FAULTS[name], seconds=0.0)
    if report.skipped:
        pytest.skip(report.skipped)
    assert report.ok, f"SEED={SEED}: {report.line()}"


def test_every_row_of_the_matrix_is_there() -> None:
    assert list(FAULTS) == list(registry.MATRIX)
