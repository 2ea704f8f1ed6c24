"""`Player`: what the station knows of its player process.

Every call returns at once: one thread of its own starts the process when it is first needed, writes to it,
hears it, and starts it again when it dies or falls silent. No Kivy here; pictures are polled.
"""

import contextlib
import json
import logging
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

from kiosk.media.frames import Frame, FrameMemory
from kiosk.ui_thread import call_soon

log = logging.getLogger(__name__)

#: A process silent for so long is taken for hung; it beats twice a second.
SILENCE_SECONDS: Final = 15.0
#: An item during which the process died so often is given up, so that one bad file cannot stop the programme.
DEATHS_PER_ITEM: Final = 3
RESTART_SECONDS: Final = 0.3

#: Why an item failed; texts for them are the plugin's.
Failure = Literal["", "missing", "unplayable", "no_player", "dies"]


@dataclass(frozen=True)
class PlayerState:
    """What the player is at; times in seconds, the duration 0 until known."""

    status: Literal["idle", "playing", "failed"] = "idle"
    path: Path | None = None
    position: float = 0.0
    duration: float = 0.0
    video: bool = False
    failure: Failure = ""


@dataclass(frozen=True)
class Ended:
    """An item is over: played to its end, or failed for the reason given."""

    path: Path
    position: float
    failure: Failure = ""


@dataclass(frozen=True)
class _Item:
    number: int
    path: Path
    start: float


class _Child:
    """One run of the process, and the thread that hears it."""

    def __init__(self, frames_fd: int, hear: "Callable[[_Child, dict[str, Any] | None], None]") -> None:
        root = Path(__file__).resolve().parents[2]
        paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kiosk.media.player", "--frames-fd", str(frames_fd)],
            pass_fds=[frames_fd],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        self.heard = time.monotonic()
        self._hear = hear
        try:
            threading.Thread(target=self._read, name="player-ears", daemon=True).start()
        except RuntimeError:
            self.process.kill()
            raise

    def send(self, **command: object) -> None:
        """Write one command; to a dead process it is lost, which `hear` is about to tell."""
        assert self.process.stdin
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(command) + "\n")
            self.process.stdin.flush()

    def _read(self) -> None:
        assert self.process.stdout
        try:
            for line in self.process.stdout:
                self.heard = time.monotonic()
                with contextlib.suppress(json.JSONDecodeError):
                    self._hear(self, json.loads(line))
        except Exception:
            log.exception("the player process is not heard any more")
        finally:
            self._hear(self, None)


class Player:
    """Plays one programme item at a time, and short clips over it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._state = PlayerState()
        self._number = 0
        self._listeners: list[Callable[[Ended], None]] = []
        # The rest belongs to the thread.
        self._frames: FrameMemory | None = None
        self._child: _Child | None = None
        self._item: _Item | None = None
        self._deaths = 0
        self._level = 100.0
        self._unable = False

    # Any thread may call these.

    def play(self, path: Path, start: float = 0.0) -> None:
        """Play the file from `start` seconds, in place of what plays."""
        with self._lock:
            self._number += 1
            item = _Item(self._number, Path(path), max(0.0, start))
            self._state = PlayerState("playing", item.path, item.start)
        self._tell(partial(self._begin, item))

    def stop(self) -> None:
        """Stop what plays; a spoken clip goes on."""
        with self._lock:
            self._number += 1
            self._state = PlayerState()
        self._tell(self._halt)

    def volume(self, level: float) -> None:
        """Set the volume, 0 to 100."""
        self._tell(partial(self._turn, min(100.0, max(0.0, level))))

    def say(self, path: Path) -> None:
        """Play a short clip now, the programme turned down under it; a clip that still speaks is cut."""
        self._tell(partial(self._speak, Path(path)))

    def on_ended(self, listener: Callable[[Ended], None]) -> Callable[[], None]:
        """Call `listener` on the UI thread after each item that ends or fails; returns what undoes it."""
        with self._lock:
            self._listeners.append(listener)

        def forget() -> None:
            with self._lock, contextlib.suppress(ValueError):
                self._listeners.remove(listener)

        return forget

    @property
    def state(self) -> PlayerState:
        """What plays now."""
        with self._lock:
            return self._state

    def latest_frame(self) -> Frame | None:
        """The newest picture of the item that plays, or None; compare `number` with the one drawn last."""
        with self._lock:
            number, playing = self._number, self._state.status == "playing"
        frame = self._frames.latest() if playing and self._frames else None
        return frame if frame and frame.item == number else None

    @property
    def pid(self) -> int | None:
        """The process id of the player process, while there is one."""
        child = self._child
        return child.process.pid if child else None

    def close(self) -> None:
        """End the process and the thread."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread:
            self._inbox.put(None)
            thread.join(timeout=5)

    # All below runs on the thread.

    def _tell(self, what: Callable[[], None]) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="player", daemon=True)
                self._thread.start()
        self._inbox.put(what)

    def _run(self) -> None:
        while True:
            try:
                what = self._inbox.get(timeout=1.0)
            except queue.Empty:
                self._watch()
                continue
            if what is None:
                break
            try:
                what()
            except Exception:  # no room for a process, or a bug: it costs the item, not the thread
                log.exception("the player could not do as told")
                if item := self._item:
                    self._over(item, "dies")
        self._item = None
        if child := self._child:
            self._child = None
            assert child.process.stdin
            with contextlib.suppress(BrokenPipeError):
                child.process.stdin.close()
            try:
                child.process.wait(timeout=3)
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()

    def _watch(self) -> None:
        child = self._child
        if child and time.monotonic() - child.heard > SILENCE_SECONDS:
            child.process.kill()

    def _started(self) -> _Child:
        """The running process; started, with the volume set, if there is none."""
        if self._child is None:
            self._frames = self._frames or FrameMemory()
            self._child = _Child(self._frames.fd, self._overheard)
            self._child.send(do="volume", level=self._level)
        return self._child

    def _overheard(self, child: _Child, event: dict[str, Any] | None) -> None:
        self._inbox.put(partial(self._gone, child) if event is None else partial(self._hear, child, event))

    def _begin(self, item: _Item) -> None:
        self._item, self._deaths = item, 0
        if self._unable:
            self._over(item, "no_player")
        else:
            self._send_item(item)

    def _send_item(self, item: _Item) -> None:
        self._started().send(do="play", id=item.number, path=str(item.path), start=item.start)

    def _halt(self) -> None:
        self._item = None
        if self._child:
            self._child.send(do="stop")

    def _turn(self, level: float) -> None:
        self._level = level
        if self._child:
            self._child.send(do="volume", level=level)

    def _speak(self, path: Path) -> None:
        if not self._unable:
            with self._lock:
                number = self._number
            self._started().send(do="say", id=number, path=str(path))

    def _hear(self, child: _Child, event: dict[str, Any]) -> None:
        try:
            self._take_in(child, event)
        except (KeyError, TypeError, ValueError) as err:
            log.warning("the player process said something odd: %r", err)

    def _take_in(self, child: _Child, event: dict[str, Any]) -> None:
        if event["event"] == "failed" and event["key"] == "no_player":
            self._unable = True
        item = self._item
        if item is None or child is not self._child or event.get("id") not in (item.number, 0):
            return
        match event["event"]:
            case "started":
                self._update(item, video=event["video"], duration=event["duration"])
            case "position":
                self._update(item, position=event["position"], duration=event["duration"])
            case "ended":
                self._update(item, position=event["position"])
                self._over(item, "")
            case "failed":
                self._over(item, event["key"])

    def _gone(self, child: _Child) -> None:
        child.process.kill()  # it may be only deaf to us
        child.process.wait()
        if child is not self._child:
            return
        self._child = None
        item = self._item
        if item is None:
            return
        self._deaths += 1
        if self._deaths >= DEATHS_PER_ITEM:
            self._over(item, "dies")
            return
        time.sleep(RESTART_SECONDS * self._deaths)
        with self._lock:
            position = self._state.position if self._number == item.number else item.start
        self._send_item(replace(item, start=position))

    def _update(self, item: _Item, **changes: Any) -> None:
        with self._lock:
            if self._number == item.number:
                self._state = replace(self._state, **changes)

    def _over(self, item: _Item, failure: Failure) -> None:
        self._item = None
        with self._lock:
            # Something else was asked for in the meantime: nobody waits for this one.
            if self._number != item.number:
                return
            ended = Ended(item.path, self._state.position, failure)
            self._state = replace(self._state, status="failed", failure=failure) if failure else PlayerState()
            listeners = tuple(self._listeners)
        for listener in listeners:
            call_soon(partial(listener, ended))
