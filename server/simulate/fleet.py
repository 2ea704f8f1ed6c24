"""All stations on one thread: a selector over their sockets, and a look at each of them now and then."""

import resource
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from typing import Final

from server.errors import Refused
from server.simulate.station import Line, SimulatedStation, Traffic

TICK_S: Final = 0.25
DIALS: Final = 100  # connections begun in one go; between two of them those that are there are heard
SPARE_FILES: Final = 64

Progress = Callable[[float, Traffic], None]


class Fleet:
    """Stations on one broker. `run` returns when all of them are drained, or at the deadline."""

    def __init__(self, host: str, port: int, prefix: str, drop: float) -> None:
        self.traffic = Traffic()
        self._selector = selectors.DefaultSelector()
        self.line = Line(host, port, prefix, drop, self.traffic, self._opened, self._closed)

    def run(self, stations: Sequence[SimulatedStation], seconds: float, progress: Progress) -> float:
        """Let them return and say what they have; the seconds until all is acknowledged, or that have passed.

        `progress` is called every second with the seconds since the first of them connected.
        """
        _allow_files(len(stations))
        began = time.monotonic()
        first = min(each.returns for each in stations)
        next_tick = next_word = 0.0
        while (now := time.monotonic()) - began < seconds and self.traffic.drained < len(stations):
            if now >= next_tick:
                next_tick = now + TICK_S
                self._tick(stations, now)
            if now >= next_word:
                next_word = now + 1
                progress(max(0.0, now - max(began, first)), self.traffic)
            self._serve(min(next_tick, next_word) - time.monotonic())
        return time.monotonic() - max(began, first)

    def linger(
        self, stations: Sequence[SimulatedStation], enough: Callable[[], bool], seconds: float
    ) -> bool:
        """Stay on the line until `enough`, asked now and then, or for so long; whether it came true."""
        deadline = time.monotonic() + seconds
        while not (done := enough()) and (now := time.monotonic()) < deadline:
            self._tick(stations, now)
            self._serve(TICK_S)
        return done

    def reach(self, station: SimulatedStation, seconds: float) -> bool:
        """Whether the broker lets this one in within that time; it leaves again."""
        deadline = time.monotonic() + seconds
        while not station.ready and (now := time.monotonic()) < deadline:
            station.returns = min(
                station.returns, now + TICK_S
            )  # asked again at once: we wait for nothing else
            station.tick(now)
            self._serve(TICK_S)
        self.close([station])
        return station.ready

    def close(self, stations: Sequence[SimulatedStation]) -> None:
        """Every station says good-bye."""
        for each in stations:
            each.leave()
        self._selector.close()

    def _tick(self, stations: Sequence[SimulatedStation], now: float) -> None:
        dialled = 0
        for each in stations:
            dialled += not each.dialled and now >= each.returns
            each.tick(now)
            if dialled == DIALS:
                dialled = 0
                self._serve(0)

    def _serve(self, patience: float) -> None:
        """Take what the sockets have, waiting for it at most so long (s)."""
        for key, events in self._selector.select(max(0.0, patience)):
            station: SimulatedStation = key.data
            if station.sock is not key.fileobj:
                continue  # closed meanwhile, by one before it in this round
            writing = station.serve(time.monotonic(), bool(events & selectors.EVENT_READ))
            wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if writing else 0)
            if wanted != key.events and station.sock is key.fileobj:
                self._selector.modify(key.fileobj, wanted, station)

    def _opened(self, station: SimulatedStation, sock: socket.socket) -> None:
        # What paho could not write while it connected is written at the first event.
        self._selector.register(sock, selectors.EVENT_READ | selectors.EVENT_WRITE, station)

    def _closed(self, _station: SimulatedStation, sock: socket.socket) -> None:
        self._selector.unregister(sock)


def _allow_files(stations: int) -> None:
    """Raise the limit of open files to what the sockets need, or refuse in one sentence."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = stations + SPARE_FILES
    if hard != resource.RLIM_INFINITY and needed > hard:
        raise Refused(
            f"{stations} stations need {needed} open files, and this account may have {hard}: "
            "simulate fewer, or raise the limit (ulimit -n)."
        )
    if soft != resource.RLIM_INFINITY and needed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
