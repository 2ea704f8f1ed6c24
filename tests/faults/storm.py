"""Everything at once: kiosks, broker and headquarters killed at random moments, on a bad line."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from random import Random

from tests.faults.bad_line import WEATHERS
from tests.faults.kiosk_killed import kill_again
from tests.faults.proxy import CALM
from tests.faults.registry import fault
from tests.faults.report import Report
from tests.faults.town import Town


@fault("storm", least=15, share=30)
def run(town: Town, seconds: float, rng: Random) -> Report:
    """How many kills of each kind is in the notes."""
    ends = time.monotonic() + seconds
    with town.busy(), ThreadPoolExecutor(len(town.stations) + 2) as pool:
        kiosks = [pool.submit(kill_again, booth, ends, Random(rng.random())) for booth in town.stations]
        servers = pool.submit(_kill_servers, town, ends, Random(rng.random()))
        pool.submit(_change_weather, town, ends, Random(rng.random())).result()
    screens = sum(each.result() for each in kiosks)
    headquarters, brokers = servers.result()
    notes = [f"{screens} kiosk, {headquarters} headquarters, {brokers} broker"]
    return town.settle("kills", screens + headquarters + brokers, notes=notes)


def _kill_servers(town: Town, ends: float, rng: Random) -> tuple[int, int]:
    """Headquarters with its collector, and within its life the broker; how often each."""
    servers = brokers = 0
    while not servers or time.monotonic() < ends:
        town.centre.ensure()
        time.sleep(rng.uniform(0.1, 1.5))
        for _ in range(rng.randint(0, 3)):
            killed = town.centre.kill_broker()
            brokers += killed
            if killed and rng.random() < 0.3:
                shutil.rmtree(town.centre.data / "broker" / "store", ignore_errors=True)
            time.sleep(rng.uniform(0.5, 1.5))
        servers += town.centre.kill()
    return servers, brokers


def _change_weather(town: Town, ends: float, rng: Random) -> None:
    while time.monotonic() < ends:
        town.proxy.weather = rng.choice((*WEATHERS, CALM, CALM))
        time.sleep(rng.uniform(0.5, 3))
    town.proxy.weather = CALM
