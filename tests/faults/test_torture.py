"""The short form of `make torture`: every row of the fault matrix once, by the smallest injection."""

import pytest

from tests.faults import registry
from tests.faults.report import Report
from tests.faults.torture import side_by_side

SEED = 20261122
FAULTS = registry.load()

pytestmark = [pytest.mark.window, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def reports() -> dict[str, Report]:
    """All rows at once: most of their time is waiting."""
    short = [fault for fault in FAULTS.values() if fault.short]
    return {report.name: report for report in side_by_side(short, 0.0, SEED)}


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if fault.short])
def test_nothing_is_lost_and_nothing_is_invented(reports: dict[str, Report], name: str) -> None:
    report = reports[name]
    if report.skipped:
        pytest.skip(report.skipped)
    assert report.ok, f"SEED={SEED}: {report.line()}"


def test_every_row_of_the_matrix_is_there() -> None:
    assert list(FAULTS) == list(registry.MATRIX)
