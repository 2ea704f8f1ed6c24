"""The short form of `make torture`: rows of the fault matrix once, by the smallest injection."""

import pytest

from tests.faults import registry
from tests.faults.report import Report
from tests.faults.torture import ROOT, side_by_side

SEED = 20261122
FAULTS = registry.load()

#: Rows in towns of their own, and which tests show the same in the small; `make torture` runs them all.
ELSEWHERE = {
    "disk_cloned": "tests/protocol/test_copies_machine.py",
    "fleet_returns": "tests/server/test_simulate.py",
    "mqtt_thread_dies": "tests/kiosk/test_link.py",
    "plugin_hostile": "tests/kiosk/test_supervisor.py",
    "versions_mixed": "tests/protocol/test_frame.py",
}
SHORT = [fault for name, fault in FAULTS.items() if fault.short and name not in ELSEWHERE]

pytestmark = [pytest.mark.window, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def reports() -> dict[str, Report]:
    """All rows at once: most of their time is waiting."""
    return {report.name: report for report in side_by_side(SHORT, 0.0, SEED)}


@pytest.mark.parametrize("name", [fault.name for fault in SHORT])
def test_nothing_is_lost_and_nothing_is_invented(reports: dict[str, Report], name: str) -> None:
    report = reports[name]
    if report.skipped:
        pytest.skip(report.skipped)
    assert report.ok, f"SEED={SEED}: {report.line()}"


def test_every_row_of_the_matrix_is_there() -> None:
    assert list(FAULTS) == list(registry.MATRIX)
    assert all((ROOT / proof).exists() for proof in ELSEWHERE.values())
