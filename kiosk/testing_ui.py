"""The whole kiosk as a child process with a window that nobody sees, driven by real touches: for tests.

    with Kiosk(tmp_path / "station") as kiosk:
        kiosk.tap(name="home.check_in")
        kiosk.wait(text="外卖配送")
        kiosk.shot(tmp_path / "trades.png")

It imports no Kivy itself.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

ROOT = Path(__file__).resolve().parent.parent
PATIENCE: Final = 60.0  # s that an answer may take beyond what the command itself may


class KioskFailed(AssertionError):
    """A command was refused, or the kiosk died; holds what it wrote to standard error."""


class KioskReplaced(KioskFailed):
    """The screen process died before it answered, and the supervisor has started another one."""


class Kiosk:
    """`arguments` go to `python -m kiosk`. It is closed by its process id, in order if possible.

    `home` (the default) waits for the home screen, past the set-up of a station that is not claimed.
    `done` is called on a thread of its own with the fields of `kiosk.station.Done` of each message that is on
    disk before the screen shows it as done.
    `hellos` are the screen processes that have begun to take commands: monotonic time (s) and process id.
    """

    def __init__(
        self,
        data: Path,
        arguments: Sequence[str] = (),
        *,
        size: tuple[int, int] = (1080, 1920),
        plugins: Sequence[Path] = (),
        idle: float = 600.0,
        countdown: float = 30.0,
        home: bool = True,
        supervise: bool = False,
        environment: dict[str, str] | None = None,
        done: Callable[[dict[str, Any]], object] = lambda entry: None,
    ) -> None:
        self.data = data
        self._home = home
        command = [sys.executable, "-m", "kiosk", "--data", str(data), "--drive"]
        command += [f"--size={size[0]}x{size[1]}", f"--idle={idle}", f"--countdown={countdown}"]
        command += [] if supervise else ["--no-supervise"]
        for folder in plugins:
            command += ["--plugins", str(folder)]
        command += arguments
        self._stderr = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed in close()
        quiet = {"SDL_VIDEODRIVER": "offscreen", "SDL_AUDIODRIVER": "dummy"}
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        self._written = ""
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
            encoding="utf-8",
            env={**os.environ, **quiet, "PYTHONPATH": path, **(environment or {})},
        )
        self.hellos: list[tuple[float, int]] = []
        self._done = done
        self._heard = threading.Condition()
        self._answers: dict[int, dict[str, Any]] = {}
        self._asked = 0
        self._silent = False
        assert self.process.stdout
        self._reader = threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        if self._home:
            try:
                self.go_home()
            except BaseException:
                self.close()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The screen process, once it takes commands; beneath a supervisor another one than `process`."""
        return self.hellos[-1][1] if self.hellos else None

    def do(self, **command: Any) -> dict[str, Any]:
        """Send one command of `kiosk.ui.driver`; its answer, or KioskFailed."""
        answer = self._ask(command)
        if not answer["ok"]:
            raise KioskFailed(f"{command}: {answer['error']}\n{self.errors()}")
        return answer

    def hello(self, count: int, seconds: float = 30) -> None:
        """Wait until so many screen processes have begun to take commands."""
        with self._heard:
            if not self._heard.wait_for(lambda: len(self.hellos) >= count or self._silent, seconds):
                raise KioskFailed(f"no screen process came up\n{self.errors()}")
        if len(self.hellos) < count:
            raise KioskFailed(f"the kiosk has ended\n{self.errors()}")

    def _ask(self, command: dict[str, Any]) -> dict[str, Any]:
        """The answer to one command; KioskReplaced if the process that read it, if any has, is gone."""
        assert self.process.stdin
        with self._heard:
            self._asked += 1
            number, before = self._asked, len(self.hellos)
        with contextlib.suppress(BrokenPipeError, ValueError):
            self.process.stdin.write(json.dumps({**command, "id": number}) + "\n")
            self.process.stdin.flush()

        def known() -> bool:
            return number in self._answers or self._silent or 0 < before < len(self.hellos)

        with self._heard:
            in_time = self._heard.wait_for(known, float(command.get("seconds", 10)) + PATIENCE)
            answer = self._answers.pop(number, None)
            if answer is not None:
                return answer
            replaced = not self._silent and in_time
        if replaced:
            raise KioskReplaced(f"the screen process was replaced during {command}\n{self.errors()}")
        what = "has ended" if in_time else "does not answer"
        raise KioskFailed(f"the kiosk {what} during {command}\n{self.errors()}")

    def _read(self, lines: IO[str]) -> None:
        """What it says, on a thread of its own, until it says nothing any more."""
        with contextlib.suppress(ValueError):  # closed before all was read
            for line in lines:
                try:
                    said = json.loads(line)
                except ValueError:
                    continue  # half a line of a process that was killed
                self._take(said)
        with self._heard:
            self._silent = True
            self._heard.notify_all()

    def _take(self, said: dict[str, Any]) -> None:
        if "done" in said:
            self._done(said["done"])
            return
        with self._heard:
            if "hello" in said:
                self.hellos.append((time.monotonic(), said["hello"]))
                self._answers.clear()
            else:
                self._answers[said["id"]] = said
            self._heard.notify_all()

    def go_home(self, seconds: float = 30) -> None:
        """Wait for the home screen; on a station that is not claimed, put the set-up off."""
        self.wait(name="shell.language", seconds=seconds)
        if "setup.later" in self.names():
            self.tap(name="setup.later")
            self.wait(name="shell.manager")

    def tap(self, name: str = "", text: str = "", seconds: float = 10) -> float | None:
        """Touch the widget of that name, or the one that shows the text; ms until something was drawn."""
        shown: float | None = self.do(do="tap", name=name, text=text, seconds=seconds)["shown_ms"]
        return shown

    def touch(self, x: float, y: float) -> None:
        """Touch a place, in pixels from the upper left."""
        self.do(do="touch", at=[x, y])

    def scan(self, code: str) -> None:
        """Type a code as a scanner does."""
        self.do(do="scan", code=code)

    def wait(self, name: str = "", text: str = "", gone: str = "", seconds: float = 10) -> None:
        """Wait until the name or text is there, or `gone` is not."""
        self.do(do="wait", name=name, text=text, gone=gone, seconds=seconds)

    def shot(self, path: Path) -> Path:
        """Write the screen as a PNG of exactly this name."""
        self.do(do="shot", path=str(path))
        return path

    def texts(self) -> list[str]:
        """All visible texts from the top."""
        texts: list[str] = self.do(do="texts")["texts"]
        return texts

    def names(self) -> list[str]:
        """The names of what can be touched."""
        names: list[str] = self.do(do="texts")["names"]
        return names

    def widgets(self) -> list[dict[str, Any]]:
        """Every visible tappable and text with its box: see `kiosk.ui.seeing.described`."""
        widgets: list[dict[str, Any]] = self.do(do="widgets")["widgets"]
        return widgets

    def errors(self) -> str:
        """What it has written to standard error, at most the last 8000 letters; also after its end."""
        if not self._stderr.closed:
            self._stderr.seek(0)
            self._written = self._stderr.read()[-8000:]
        return self._written

    def close(self, seconds: float = 10) -> int:
        """Ask it to end, and end it if it does not; its exit status."""
        assert self.process.stdin
        assert self.process.stdout
        if self.process.poll() is None:
            self.process.terminate()
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self._reader.join(seconds)
        self.errors()
        for pipe in (self.process.stdin, self.process.stdout, self._stderr):
            try:
                pipe.close()
            except BrokenPipeError:
                continue
        return status
