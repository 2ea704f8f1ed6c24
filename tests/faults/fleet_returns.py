"""A whole fleet returns at once after an outage: simulated stations at the real broker and collector."""

import random
import re
import subprocess
import sys
from typing import Final

from tests.faults.centre import ROOT
from tests.faults.registry import Setting, fault
from tests.faults.report import Report
from tests.faults.town import Town

FLEET: Final = 2600
LONG: Final = 120.0  # s from which on the whole fleet returns
RATE: Final = 4000  # messages a second that even a busy machine drains
MEMORY: Final = 500.0  # MiB that the server may take


def command(town: Town, stations: int, messages: int, seed: int) -> list[str]:
    """`yizhan simulate`, all at once."""
    words = [sys.executable, "-m", "yizhan", "simulate", "--data", str(town.centre.data), "--at-once"]
    words += ["--stations", str(stations), "--messages", str(messages), "--seed", str(seed)]
    return [*words, "--mqtt", f"127.0.0.1:{town.centre.mqtt}", "--drop", "0.02"]


@fault("fleet_returns", least=15, share=0.5, own=Setting(stations=1))
def run(town: Town, seconds: float, rng: random.Random) -> Report:
    """As many stations as the time allows; a real one is used meanwhile."""
    stations = FLEET if seconds >= LONG else 60
    messages = max(20, min(1500, int(seconds * RATE / 2 / stations)))
    with town.busy():
        done = subprocess.run(
            command(town, stations, messages, rng.randrange(2**16)),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=max(120.0, 10 * seconds),
            check=False,
        )
    said = done.stdout.splitlines()
    problems = [line for line in said if line.startswith("DIFFERENCE")][:5]
    if done.returncode:
        problems.append(" / ".join([*said[-2:], done.stderr.strip()[-500:]]))
    measured = {"stations": float(stations), "messages": float(stations * messages)}
    for line in said:
        if drained := re.search(r"drained in ([\d.]+) s: .* ([\d,]+) messages/s", line):
            measured["fleet_drain_s"] = float(drained[1])
            measured["messages_per_s"] = float(drained[2].replace(",", ""))
        if most := re.search(r"^server .*: (\d+) MiB at most", line):
            measured["server_mib"] = float(most[1])
    if "fleet_drain_s" not in measured or "server_mib" not in measured:
        problems.append("the simulation did not say how it went")
    if measured.get("server_mib", 0.0) >= MEMORY:
        problems.append(f"the server took {measured['server_mib']:.0f} MiB")
    notes = [
        f"{measured.get('messages_per_s', 0):,.0f} messages/s",
        f"{measured.get('server_mib', 0):.0f} MiB",
    ]
    return town.settle("stations", stations, notes=notes, measured=measured, problems=problems)
