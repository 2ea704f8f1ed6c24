"""Weather between stations and broker: a TCP proxy that reads MQTT packets and loses, holds, repeats."""

import asyncio
import contextlib
import random
import threading
from collections import Counter
from dataclasses import dataclass
from typing import Final, Self

HOST: Final = "127.0.0.1"
PUBLISH: Final = 3  # type of the packets that carry frames, births and wills
HELD: Final = 0.3  # s that a packet waits at most for the next one to overtake it


@dataclass(frozen=True)
class Weather:
    """What happens to each PUBLISH, as probabilities; the rest of the conversation goes through.

    `delay`: seconds from, to. `up` and `down` say which directions suffer. For everything, whatever it is:
    `stalled` holds it until the weather is another one; `half_open` swallows it, and such a connection stays
    dead for ever, without a word to either end; `away` closes all connections and takes no new ones.
    """

    drop: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    cut: float = 0.0
    delay: tuple[float, float] = (0.0, 0.0)
    up: bool = True
    down: bool = True
    stalled: bool = False
    half_open: bool = False
    away: bool = False


CALM: Final = Weather()


class Proxy:
    """Listens on `port`, speaks to the broker on `target`; `counts` says what it has done, by kind.

    Set `weather` at any time, from any thread. Use as a context manager.
    """

    def __init__(self, target: int, rng: random.Random) -> None:
        self.target, self.port = target, 0
        self.counts: Counter[str] = Counter()
        self._rng = rng
        self._weather = CALM
        self._moving = asyncio.Event()
        self._moving.set()
        self._lines: set[_Line] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def weather(self) -> Weather:
        return self._weather

    @weather.setter
    def weather(self, weather: Weather) -> None:
        asyncio.run_coroutine_threadsafe(self._turn(weather), self._loop).result(10)

    @property
    def living(self) -> int:
        """How many connections carry anything."""
        return sum(1 for line in list(self._lines) if not line.dead)

    def cut(self) -> int:
        """Cut every connection now; how many there were."""

        async def cut() -> int:
            return self._cut_all()

        return asyncio.run_coroutine_threadsafe(cut(), self._loop).result(10)

    # The rest runs on the loop's thread.

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accept, HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        self._server.close()
        self._moving.set()
        self._cut_all()
        tasks = [each for each in asyncio.all_tasks() if each is not asyncio.current_task()]
        if tasks:
            await asyncio.wait(tasks, timeout=5)

    async def _turn(self, weather: Weather) -> None:
        self._weather = weather
        if weather.stalled:
            self._moving.clear()
        else:
            self._moving.set()
        if weather.half_open:
            for line in self._lines:
                line.dead = True
            self.counts["half_open"] += len(self._lines)
        if weather.away:
            self._cut_all()

    def _cut_all(self) -> int:
        found = list(self._lines)
        for line in found:
            line.cut()
        self.counts["cut"] += len(found)
        return len(found)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._weather.away:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(HOST, self.target)
        except OSError:
            writer.transport.abort()
            return
        line = _Line(writer, far_writer, dead=self._weather.half_open)
        self._lines.add(line)
        up, down = asyncio.Queue[bytes](), asyncio.Queue[bytes]()
        work = [
            self._read(reader, up),
            self._read(far_reader, down),
            self._pump(line, up, far_writer, True),
            self._pump(line, down, writer, False),
        ]
        tasks = [asyncio.ensure_future(each) for each in work]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._lines.discard(line)
            line.cut()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, reader: asyncio.StreamReader, packets: "asyncio.Queue[bytes]") -> None:
        while True:
            packets.put_nowait(await _packet(reader))

    async def _pump(
        self, line: "_Line", packets: "asyncio.Queue[bytes]", writer: asyncio.StreamWriter, up: bool
    ) -> None:
        """Carry packets of one direction for ever."""
        overtaken = b""
        while True:
            try:
                packet = await asyncio.wait_for(packets.get(), HELD if overtaken else None)
            except TimeoutError:
                writer.write(overtaken)
                overtaken = b""
                continue
            await self._moving.wait()
            if line.dead:
                self.counts["swallowed"] += 1
                continue
            weather = self._weather
            out = [packet]
            if packet[0] >> 4 == PUBLISH and (weather.up if up else weather.down):
                out = await self._suffer(line, packet, weather)
                if out and not overtaken and self._happens("reordered", weather.reorder):
                    overtaken = b"".join(out)
                    continue
            writer.write(b"".join(out) + overtaken)
            overtaken = b""
            await writer.drain()

    async def _suffer(self, line: "_Line", packet: bytes, weather: Weather) -> list[bytes]:
        """What is left of a PUBLISH: nothing, itself, or itself twice."""
        if self._happens("cut", weather.cut):
            line.cut()
            return []
        if self._happens("dropped", weather.drop):
            return []
        if weather.delay[1]:
            self.counts["delayed"] += 1
            await asyncio.sleep(self._rng.uniform(*weather.delay))
        return [packet] * (2 if self._happens("duplicated", weather.duplicate) else 1)

    def _happens(self, what: str, probability: float) -> bool:
        happens = self._rng.random() < probability
        self.counts[what] += happens
        return happens


@dataclass(eq=False)
class _Line:
    """One station's connection: its two sockets."""

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter
    dead: bool = False

    def cut(self) -> None:
        for writer in (self.near, self.far):
            with contextlib.suppress(OSError, RuntimeError):
                writer.transport.abort()


async def _packet(reader: asyncio.StreamReader) -> bytes:
    """One whole MQTT packet: type, remaining length in up to four bytes of seven bits each, the rest."""
    head = await reader.readexactly(1)
    length = 0
    for position in range(4):
        byte = await reader.readexactly(1)
        head += byte
        length |= (byte[0] & 0x7F) << 7 * position
        if not byte[0] & 0x80:
            break
    return head + await reader.readexactly(length)
