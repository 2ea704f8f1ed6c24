"""`make demo`: broker, headquarters and one station with sample content, on this machine, until Ctrl-C.

With DEMO_SECONDS set, a scripted visitor uses every service by real touches; then what the station recorded
is compared with what headquarters stored and shows, and the exit status says whether they agree exactly.
DEMO_OUT names another folder than build/demo; what an earlier demo left there is deleted.
"""

import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Final

from server.demo_content import write_samples
from server.demo_reconcile import Reconciliation

ROOT: Final = Path(__file__).resolve().parent.parent
OUT: Final = Path(os.environ.get("DEMO_OUT") or ROOT / "build" / "demo").resolve()
SHOWN: Final = OUT.relative_to(ROOT) if OUT.is_relative_to(ROOT) else OUT
STATION: Final = "zl-018"
USER: Final = "hq"
#: The radio has no quiet hours (both times are the same), so that the demo sounds at night as by day.
SETTINGS: Final = ("--set=broadcast.quiet_from=00:00", "--set=broadcast.quiet_until=00:00")
START_SECONDS: Final = 60.0
DRAIN_SECONDS: Final = 30.0


class DemoError(Exception):
    """The demo cannot go on; the sentence says why and what to do."""


class Children:
    """The processes that the demo started; each is ended by its own id, the last one first."""

    def __init__(self) -> None:
        self._running: list[tuple[str, subprocess.Popen[bytes]]] = []

    def start(self, name: str, *command: str, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start `python -m ...` in a session of its own, so that Ctrl-C reaches it only through us.

        Its standard input stays open until it is ended.
        """
        with (OUT / f"{name}.log").open("wb") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=ROOT,
                env={**os.environ, **(env or {})},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._running.append((name, child))
        return child

    def fallen(self) -> str | None:
        """The name of a child that has ended by itself, if any has."""
        return next((name for name, child in self._running if child.poll() is not None), None)

    def end(self) -> None:
        for name, child in reversed(self._running):
            if child.stdin:
                child.stdin.close()
            if child.poll() is None:
                child.terminate()
            try:
                child.wait(15)
            except subprocess.TimeoutExpired:
                print(f"{name} did not end by itself and was stopped.", file=sys.stderr)
                child.kill()
                child.wait()


def main(argv: list[str]) -> int:
    """Run the demo; 0 if it ended as asked and, with a visitor, all numbers agree."""
    if argv:
        print("usage: yizhan demo   (DEMO_SECONDS=60 runs a scripted visitor)", file=sys.stderr)
        return 0 if argv[0] in ("-h", "--help") else 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    children = Children()
    try:
        seconds = _seconds()
        _clear()
        return _run(children, seconds)
    except DemoError as err:
        print(f"demo: {err}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nEnding ...")
        return 0
    finally:
        # A second Ctrl-C while the children end would leave some of them behind.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        children.end()


def _seconds() -> float | None:
    given = os.environ.get("DEMO_SECONDS", "")
    if not given:
        return None
    try:
        return max(20.0, float(given))
    except ValueError as err:
        raise DemoError(f"DEMO_SECONDS is '{given}'; write a number of seconds, such as 60") from err


def _clear() -> None:
    """Empty the folder of an earlier demo, and nobody else's."""
    if OUT.exists() and any(OUT.iterdir()) and not (OUT / "samples").is_dir():
        raise DemoError(f"{SHOWN} holds something else than a demo; name another folder in DEMO_OUT")
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)


def _run(children: Children, seconds: float | None) -> int:
    http, mqtt = _free(8080), _free(1883)
    hq, data = OUT / "headquarters", OUT / "station"
    dashboard = f"http://127.0.0.1:{http}/"
    password = secrets.token_urlsafe(9)
    print("Preparing sample content ...", flush=True)
    code = _prepare(hq, password)
    server = ("server", "run", "--data", str(hq), "--http-port", str(http), "--mqtt-port", str(mqtt))
    children.start("server", *server)
    _until(lambda: _answers(dashboard), children, "headquarters")
    claim = ("--data", str(data), "--server", dashboard, "--claim", code, *SETTINGS)
    screen = _screen()
    began = time.monotonic()
    if seconds is None:
        size = ("--size", "1080x1920") if screen else _window()
        children.start("kiosk", "kiosk", *claim, *size, env=screen)
        _until(lambda: (data / "station.db").exists(), children, "the station")
    else:
        walk = (
            "--shots",
            str(OUT / "shots"),
            "--report",
            str(OUT / "walked.json"),
            "--seconds",
            str(seconds),
        )
        visitor = children.start("visitor", "kiosk.visitor", *claim, *walk, env=screen)
    print(f"\n  Headquarters  {dashboard}\n  Log in        {USER}   {password}")
    where = "" if seconds is None else "  (the visitor's window is offscreen: see the shots)"
    where = "  (no display here: it runs offscreen)" if screen else where
    print(f"  Station       {STATION} 织东路暖心驿站{where}")
    print(f"  Logs          {SHOWN}/*.log\n", flush=True)
    if seconds is None:
        print("Ctrl-C ends everything.", flush=True)
        while not (name := children.fallen()):
            time.sleep(0.5)
        raise DemoError(f"{name} has ended by itself; {SHOWN}/{name}.log says why")
    return _reconciled(visitor, children, data, hq, dashboard, password, seconds, began)


def _reconciled(
    visitor: subprocess.Popen[bytes],
    children: Children,
    data: Path,
    hq: Path,
    dashboard: str,
    password: str,
    seconds: float,
    began: float,
) -> int:
    print("A visitor uses every service ...", flush=True)
    walked, drained = OUT / "walked.json", Reconciliation(data, hq, STATION, dashboard, USER, password)
    while not walked.exists() and visitor.poll() is None and time.monotonic() - began < seconds + 120:
        time.sleep(0.1)
    if not walked.exists():
        raise DemoError(f"the visitor did not get through; {SHOWN}/visitor.log says where")
    deadline = time.monotonic() + DRAIN_SECONDS
    summary = drained.look()
    while not summary.agrees and time.monotonic() < deadline:
        time.sleep(0.2)
        summary = drained.look()
    summary.write(OUT / "summary.json", walked)
    print(summary.text(), flush=True)
    return 0 if summary.agrees else 1


def _prepare(hq: Path, password: str) -> str:
    """Fill headquarters' data folder by its own commands; the station's claim code."""
    samples = write_samples(ROOT / "assets", OUT / "samples")
    _command(hq, "add-user", USER, "--password-stdin", stdin=password)
    _command(hq, "add-office", "legal", "--key-file", str(OUT / "legal-centre.key"))
    for collection, file in samples.items():
        _command(hq, "import", collection, str(file))
    said = _command(
        hq,
        "add-station",
        STATION,
        *("--name", "织东路暖心驿站", "--number", "ZL-018", "--hours", "06:00–22:00"),
        *("--phone", "0572-0000018", "--facilities", "热水,微波炉,充电,药箱,借伞"),
    )
    digits = "".join(mark for mark in said if mark.isdigit() or mark.isspace()).split()
    return max(digits, key=len)


def _command(hq: Path, *words: str, stdin: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-m", "server", words[0], "--data", str(hq), *words[1:]],
        cwd=ROOT,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DemoError(
            f"'yizhan server {' '.join(words)}' failed: {done.stderr.strip() or done.stdout.strip()}"
        )
    return done.stdout


def _screen() -> dict[str, str]:
    """What the station's environment needs beyond ours: SDL's offscreen driver where there is no display."""
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        return {}
    return {"SDL_VIDEODRIVER": "offscreen", "SDL_AUDIODRIVER": "dummy"}


def _window() -> tuple[str, ...]:
    """A portrait window that fits on the display, beside the terminal in which Ctrl-C is pressed."""
    height = int(_display_height() * 0.85)
    return ("--size", f"{max(320, height * 9 // 16)}x{max(569, height)}")


def _display_height() -> int:
    """In pixels, by the X library that the window needs too; of a common display if it cannot tell."""
    try:
        x = ctypes.CDLL("libX11.so.6")
        x.XOpenDisplay.restype = ctypes.c_void_p
        display = x.XOpenDisplay(None)
        if display:
            height = int(x.XDisplayHeight(ctypes.c_void_p(display), 0))
            x.XCloseDisplay(ctypes.c_void_p(display))
            return height
    except OSError:
        pass
    return 1080


def _free(port: int) -> int:
    """This port if nobody listens on it, else one that is free."""
    for wanted in (port, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError:
                print(f"Port {port} is in use; another one is taken.")
                continue
            return int(probe.getsockname()[1])
    raise DemoError("no free port on this machine")


def _answers(dashboard: str) -> bool:
    try:
        with urllib.request.urlopen(dashboard, timeout=2):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def _until(ready: Callable[[], bool], children: Children, what: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if name := children.fallen():
            log = OUT / f"{name}.log"
            last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
            raise DemoError(f"{what} did not start. {name} said: {' / '.join(last) or 'nothing'}")
        if time.monotonic() > deadline:
            raise DemoError(f"{what} did not start within {START_SECONDS:.0f} s; see {SHOWN}")
        time.sleep(0.1)
