"""2,600 stations return to a headquarters at the same moment, without the jitter that would spread them.

Each has twelve hours to say, so that this takes a minute; `yizhan simulate --stations 2600` lets them say 72
hours. The simulator's own process, the broker and headquarters share the machine.
"""

import tempfile
from pathlib import Path

from server.simulate.run import Plan
from server.simulate.run import run as simulate
from server.store import Store
from tests.bench.headquarters import headquarters
from tests.bench.measure import Figure

STATIONS = 2600
MESSAGES = 250
SECONDS = 110.0


def run() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder, headquarters(Path(folder) / "headquarters") as there:
        store = Store(there.data)
        try:
            plan = Plan("127.0.0.1", there.mqtt_port, STATIONS, MESSAGES, at_once=True, seconds=SECONDS)
            outcome = simulate(store, plan, lambda _: None)
        finally:
            store.close()
    server, broker = outcome.process("server"), outcome.process("broker")
    assert server is not None
    assert broker is not None
    share = outcome.traffic.acknowledged / outcome.said
    detail = (
        f"{outcome.traffic.acknowledged:,} of {outcome.said:,} messages in {outcome.seconds:.0f} s, "
        f"{outcome.traffic.acknowledged / server.cpu:,.0f} for each second that the server was given a core; "
        + ("stored counts agree exactly" if outcome.agrees else "NOT all was acknowledged, or counts differ")
    )
    return [
        Figure("2,600 stations return: messages/s drained", outcome.speed, "/s", detail=detail),
        Figure("2,600 stations return: share acknowledged", share, "", 1.0, True),
        Figure("2,600 stations return: server's memory at most", server.most, "MiB", 500),
        Figure("2,600 stations return: broker's memory at most", broker.most, "MiB"),
    ]
