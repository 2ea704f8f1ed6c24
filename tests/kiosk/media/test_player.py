"""The real player process, without a sound device: what it plays, shows, refuses and survives."""

import json
import math
import os
import signal
import struct
import subprocess
import sys
import threading
import time
import wave
from pathlib import Path

import pytest

from kiosk import ui_thread
from kiosk.media import client
from kiosk.media.client import Ended, Player
from kiosk.media.frames import FrameMemory, fit

ROOT = Path(__file__).resolve().parents[3]
FILM = ROOT / "assets" / "sample" / "media" / "dawn.webm"


@pytest.fixture(scope="module", autouse=True)
def no_sound_device():
    before = os.environ.get("SDL_AUDIODRIVER")
    os.environ["SDL_AUDIODRIVER"] = "dummy"
    yield
    if before is None:
        del os.environ["SDL_AUDIODRIVER"]
    else:
        os.environ["SDL_AUDIODRIVER"] = before


def tone(path, seconds):
    rate = 16_000
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        samples = (int(9000 * math.sin(index * 0.17)) for index in range(int(rate * seconds)))
        out.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return path


class Listening:
    """A player, what it told the UI thread, and patience."""

    def __init__(self):
        self.player = Player()
        self.ended: list[Ended] = []
        self.player.on_ended(self.ended.append)

    def until(self, holds, seconds=15.0):
        deadline = time.monotonic() + seconds
        while not (answer := holds()):
            ui_thread.pump(0.02)
            assert time.monotonic() < deadline, (self.player.state, self.ended)
        return answer


@pytest.fixture
def radio():
    ui_thread.uninstall()
    radio = Listening()
    yield radio
    radio.player.close()
    ui_thread.uninstall()


def test_nothing_runs_before_the_first_item(radio):
    assert radio.player.pid is None
    assert radio.player.state.status == "idle"
    assert radio.player.latest_frame() is None


def test_a_sound_is_played_to_its_end(radio, tmp_path):
    file = tone(tmp_path / "tone.wav", 0.8)
    radio.player.play(file)
    assert radio.player.state.status == "playing"
    radio.until(lambda: radio.ended)
    assert (radio.ended[0].path, radio.ended[0].failure) == (file, "")
    assert radio.player.state.status == "idle"


def test_an_item_begins_where_it_is_told_to(radio, tmp_path):
    radio.player.play(tone(tmp_path / "long.wav", 20), start=12)
    state = radio.until(lambda: radio.player.state.position > 12 and radio.player.state)
    assert 12 < state.position < 15
    assert state.duration == pytest.approx(20, abs=0.1)


def test_an_item_joined_behind_its_end_is_over_and_not_a_failure(radio, tmp_path):
    radio.player.play(tone(tmp_path / "short.wav", 0.5), start=9)
    radio.until(lambda: radio.ended)
    assert radio.ended[0].failure == ""


def test_a_picture_arrives_and_is_neither_black_nor_transparent(radio):
    radio.player.play(FILM, start=10)
    first = radio.until(radio.player.latest_frame)
    assert (first.width, first.height) == (640, 360)
    assert len(first.pixels) == 640 * 360 * 4
    assert max(first.pixels[0::4]) > 100
    assert set(first.pixels[3::4].tobytes()) == {255}
    assert radio.player.state.video
    radio.until(lambda: radio.player.latest_frame().number > first.number)


def test_a_sound_has_no_picture_not_even_that_of_the_film_before(radio, tmp_path):
    radio.player.play(FILM)
    radio.until(radio.player.latest_frame)
    radio.player.play(tone(tmp_path / "tone.wav", 5))
    assert radio.player.latest_frame() is None
    radio.until(lambda: radio.player.state.duration)
    assert radio.player.latest_frame() is None


@pytest.mark.parametrize("kind", ["missing", "noise", "empty", "folder", "playlist"])
def test_what_cannot_be_played_fails_with_a_reason_and_the_next_item_plays(radio, tmp_path, kind):
    good = tone(tmp_path / "good.wav", 0.3)
    bad = tmp_path / "bad.ogg"
    if kind == "noise":
        bad.write_bytes(os.urandom(4000))
    elif kind == "empty":
        bad.touch()
    elif kind == "folder":
        bad.mkdir()
    elif kind == "playlist":
        bad = tmp_path / "list.m3u"
        bad.write_text(f"#EXTM3U\n{good}\n")
    radio.player.play(bad)
    radio.until(lambda: radio.ended)
    assert radio.ended[0].failure == ("missing" if kind in ("missing", "folder") else "unplayable")
    assert radio.player.state.status == "failed"
    radio.player.play(good)
    radio.until(lambda: len(radio.ended) == 2)
    assert radio.ended[1].failure == ""


def test_a_killed_process_is_started_again_and_goes_on_where_it_was(radio, tmp_path):
    radio.player.play(tone(tmp_path / "long.wav", 30), start=5)
    radio.until(lambda: radio.player.state.position > 5.2)
    first = radio.player.pid
    os.kill(first, signal.SIGKILL)
    radio.until(lambda: radio.player.pid not in (None, first))
    before = radio.player.state.position
    radio.until(lambda: radio.player.state.position > before + 0.3)
    assert radio.player.state.position < 12
    assert radio.ended == []


def test_a_process_that_cannot_be_started_costs_the_item_and_not_the_player(radio, tmp_path, monkeypatch):
    start, refusals = subprocess.Popen, [OSError(12, "Cannot allocate memory")]

    def popen(*args, **options):
        if refusals:
            raise refusals.pop()
        return start(*args, **options)

    monkeypatch.setattr(client.subprocess, "Popen", popen)
    file = tone(tmp_path / "tone.wav", 0.3)
    radio.player.play(file)
    radio.until(lambda: radio.ended)
    assert radio.ended[0].failure == "dies"
    radio.player.play(file)
    radio.until(lambda: len(radio.ended) == 2)
    assert radio.ended[1].failure == ""


ODD = [
    b"\xff\xfe{",
    b"[]",
    b"{}",
    b'"event"',
    b'{"event": "started", "id": 0}',
    b'{"event": "failed", "id": 0}',
]


@pytest.mark.parametrize(("odd", "starts"), [(ODD, 1), ([b"[" * 100_000], 2)])
def test_a_process_that_babbles_is_heard_on_or_replaced(radio, tmp_path, monkeypatch, odd, starts):
    babble = tmp_path / "babble"
    babble.write_bytes(b"".join(line + b"\n" for line in odd))
    code = (
        f"import os, sys; os.write(1, open({str(babble)!r}, 'rb').read());"
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    )
    start, commands = subprocess.Popen, []

    def popen(command, **options):
        commands.append(command)
        again = len(commands) > 1
        return start(command if again else [command[0], "-c", code, *command[1:]], **options)

    monkeypatch.setattr(client.subprocess, "Popen", popen)
    radio.player.play(tone(tmp_path / "tone.wav", 0.5))
    radio.until(lambda: radio.ended)
    assert radio.ended[0].failure == ""
    assert len(commands) == starts


def test_a_hung_process_is_replaced(radio, tmp_path, monkeypatch):
    radio.player.play(tone(tmp_path / "long.wav", 30))
    radio.until(lambda: radio.player.state.position > 0.1)
    first = radio.player.pid
    monkeypatch.setattr(client, "SILENCE_SECONDS", 2.0)
    os.kill(first, signal.SIGSTOP)
    radio.until(lambda: radio.player.pid not in (None, first))
    radio.until(lambda: radio.player.state.position > 0.5)


def test_an_item_that_kills_the_process_again_and_again_is_given_up(radio, tmp_path):
    radio.player.play(tone(tmp_path / "long.wav", 30))
    seen = set()
    for _ in range(client.DEATHS_PER_ITEM):
        pid = radio.until(lambda: radio.player.pid not in (None, *seen) and radio.player.pid)
        seen.add(pid)
        os.kill(pid, signal.SIGKILL)
    radio.until(lambda: radio.ended)
    assert radio.ended[0].failure == "dies"


def test_stop_ends_an_item_without_telling(radio, tmp_path):
    radio.player.play(tone(tmp_path / "long.wav", 30))
    radio.until(lambda: radio.player.state.position > 0)
    radio.player.stop()
    assert radio.player.state.status == "idle"
    radio.player.play(tone(tmp_path / "short.wav", 0.2))
    radio.until(lambda: radio.ended)
    assert [each.path.name for each in radio.ended] == ["short.wav"]


def test_a_listener_that_was_withdrawn_hears_nothing(radio, tmp_path):
    heard = []
    forget = radio.player.on_ended(heard.append)
    forget()
    radio.player.play(tone(tmp_path / "short.wav", 0.2))
    radio.until(lambda: radio.ended)
    assert heard == []


def test_close_leaves_no_process(radio, tmp_path):
    radio.player.play(tone(tmp_path / "long.wav", 30))
    radio.until(lambda: radio.player.state.position > 0)
    pid = radio.player.pid
    radio.player.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_process_ends_when_the_station_is_killed(tmp_path):
    file = tone(tmp_path / "long.wav", 30)
    code = (
        "import sys, time, pathlib; from kiosk.media.client import Player; player = Player();"
        f"player.play(pathlib.Path({str(file)!r}))\n"
        "while player.state.position == 0: time.sleep(0.05)\n"
        "print(player.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as station:
        pid = int(station.stdout.readline())
        station.kill()
    deadline = time.monotonic() + 10
    while alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(pid):
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


# the process by itself


class Process:
    """The player process, spoken to directly."""

    def __init__(self):
        self.memory = FrameMemory()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "kiosk.media.player", "--frames-fd", str(self.memory.fd)],
            pass_fds=[self.memory.fd],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        self.events = []
        self._heard = threading.Condition()
        threading.Thread(target=self._hear, daemon=True).start()

    def _hear(self):
        for line in self.process.stdout:
            with self._heard:
                self.events.append(json.loads(line))
                self._heard.notify_all()

    def send(self, line):
        self.process.stdin.write(line if isinstance(line, str) else json.dumps(line) + "\n")
        self.process.stdin.flush()

    def wait(self, **fields):
        def found():
            return any(fields.items() <= event.items() for event in self.events)

        with self._heard:
            assert self._heard.wait_for(found, 15), self.events


@pytest.fixture
def process():
    process = Process()
    yield process
    process.process.stdin.close()
    assert process.process.wait(10) == 0


def test_a_clip_is_spoken_over_the_programme_which_goes_on(process, tmp_path):
    process.send({"do": "play", "id": 1, "path": str(tone(tmp_path / "long.wav", 20)), "start": 0})
    process.wait(event="started", id=1)
    process.send({"do": "say", "id": 2, "path": str(tone(tmp_path / "clip.wav", 0.4))})
    process.wait(event="ducked", level=25.0)
    process.wait(event="said", id=2, ok=True)
    process.wait(event="ducked", level=100.0)
    assert not [event for event in process.events if event["event"] in ("ended", "failed")]


def test_a_missing_clip_leaves_the_programme_as_loud_as_it_was(process, tmp_path):
    process.send({"do": "say", "id": 2, "path": str(tmp_path / "none.wav")})
    process.wait(event="said", id=2, ok=False)
    process.wait(event="ducked", level=100.0)


def test_nonsense_on_its_input_is_passed_over(process, tmp_path):
    for line in ("\n", "nonsense\n", "[]\n", '{"do": "dance"}\n', '{"do": "play"}\n'):
        process.send(line)
    process.send({"do": "play", "id": 3, "path": str(tone(tmp_path / "a.wav", 0.2)), "start": 0})
    process.wait(event="ended", id=3)


def test_pictures_keep_their_shape_within_the_largest_size():
    assert fit(640, 360) == (640, 360)
    assert fit(1920, 1080) == (1280, 720)
    assert fit(1080, 1920) == (400, 720)
    assert all(width % 16 == 0 for width, _ in (fit(n, 300) for n in range(10, 3000, 37)))
