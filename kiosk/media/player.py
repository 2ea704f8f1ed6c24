"""The player process: libmpv, commands as JSON lines on stdin, events as JSON lines on stdout.

    {"do": "play", "id": 7, "path": "/…/a.ogg", "start": 12.5}     {"do": "stop"}
    {"do": "volume", "level": 60}                                  {"do": "say", "id": 8, "path": "/…/b.wav"}

    {"event": "started", "id": 7, "video": false, "duration": 31.0}
    {"event": "position", "id": 7, "position": 13.0, "duration": 31.0}        every half second
    {"event": "ended", "id": 7, "position": 31.0}     {"event": "failed", "id": 7, "key": "unplayable"}
    {"event": "said", "id": 8, "ok": true}            {"event": "ducked", "level": 25.0}
    {"event": "beat"}                                 every half second while nothing plays

It is a process of its own because decoders crash: a bad file then costs a second of silence, not the screen.
It ends when stdin closes. Pictures go into the memory of the inherited descriptor (`kiosk.media.frames`).
"""

import argparse
import contextlib
import ctypes
import json
import os
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from kiosk.media.frames import FrameMemory, fit

#: What is left of the programme's volume while a clip is spoken over it.
DUCKED: Final = 0.25
#: A spoken clip is at least so loud, even where the programme is turned to silence.
LEAST_SPOKEN: Final = 60.0
BEAT_SECONDS: Final = 0.5

#: Evens out quiet speech and loud songs; frames of 250 ms keep the look-ahead below two seconds.
LOUDNESS: Final = "lavfi=[dynaudnorm=framelen=250:gausssize=11:maxgain=6]"

#: Only the file that was asked for: nothing of the user's configuration, no scripts, no network, no
#: second file that a playlist or a container might point to.
OPTIONS: Final[Mapping[str, object]] = {
    "config": False,
    "load_scripts": False,
    "ytdl": False,
    "osc": False,
    "terminal": False,
    "input_default_bindings": False,
    "input_vo_keyboard": False,
    "osd_level": 0,
    "idle": True,
    "hwdec": "no",
    "sub_auto": "no",
    "audio_file_auto": "no",
    "autoload_files": False,
    "access_references": False,
    "load_unsafe_playlists": False,
    "audio_fallback_to_null": True,
}

#: libmpv's software renderer; the binding knows the calls but not these parameters (numbers of render.h).
_SOFTWARE: Final = {"sw_size": 17, "sw_format": 18, "sw_stride": 19, "sw_pointer": 20}


class Events:
    """The way out: one JSON line an event, whole lines even from several threads."""

    def __init__(self) -> None:
        # Libraries print: give them stderr and keep the real stdout for events.
        self._out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        self._lock = threading.Lock()

    def send(self, event: str, **fields: object) -> None:
        """Write the event; once nobody listens it is dropped, as stdin is about to close too."""
        with self._lock, contextlib.suppress(BrokenPipeError):
            self._out.write(json.dumps({"event": event, **fields}) + "\n")
            self._out.flush()


def silent() -> bool:
    """Whether to play without a sound device: told so by the environment, or none is there."""
    if os.environ.get("SDL_AUDIODRIVER") == "dummy" or os.environ.get("YIZHAN_AUDIO") == "null":
        return True
    served = any(os.environ.get(name) for name in ("PULSE_SERVER", "PIPEWIRE_REMOTE", "XDG_RUNTIME_DIR"))
    return not served and not Path("/dev/snd").is_dir()


class Voice:
    """One mpv instance that plays one file at a time and tells what became of it."""

    def __init__(self, mpv: Any, **options: object) -> None:
        sound = {"ao": "null"} if silent() else {}
        self._mpv = mpv
        self.core = mpv.MPV(**OPTIONS, **sound, **options)
        self._lock = threading.Lock()
        self._entries: dict[int, int] = {}
        self._current = 0
        self._position = 0.0
        self._start, self._past_end = 0.0, False
        self.core.event_callback("start-file", "file-loaded", "end-file")(self._heard)

    def play(self, number: int, path: str, start: float = 0.0) -> None:
        """Start the file, in place of what plays."""
        if not os.path.isfile(path):
            self._entries = {}
            self.core.command("stop")
            self.failed(number, "missing")
            return
        # Events of the new entry may come before `loadfile` has returned its number.
        with self._lock:
            self._start, self._past_end = start, False
            self.core["start"] = f"{start:.3f}" if start > 0 else "none"
            entry = self.core.command("loadfile", os.path.abspath(path), "replace")
            self._entries = {entry["playlist_entry_id"]: number}

    def stop(self) -> None:
        self.core.command("stop")

    def position(self) -> tuple[int, float, float] | None:
        """Number, position and length in seconds of what plays, or None."""
        number, position = self._current, self.core.time_pos
        if not number or position is None:
            return None
        self._position = max(0.0, position)
        return number, self._position, self.core.duration or 0.0

    def _heard(self, event: Any) -> None:
        with self._lock:
            kinds, kind = self._mpv.MpvEventID, event.event_id.value
            if kind == kinds.START_FILE:
                self._current = self._entries.get(event.data.playlist_entry_id, 0)
                self._position = 0.0
            elif kind == kinds.FILE_LOADED and self._current:
                duration = self.core.duration or 0.0
                self._past_end = 0.0 < duration <= self._start
                self.started(self._current, self._has_picture(), duration)
            elif kind == kinds.END_FILE:
                self._ended(event.data)

    def _ended(self, end: Any) -> None:
        number = self._entries.pop(end.playlist_entry_id, 0)
        if number == self._current:
            self._current = 0
        if not number:
            return
        # Started at or behind its end, a file plays nothing: for mpv an error, for us its end.
        if end.reason == end.EOF or (end.reason == end.ERROR and self._past_end):
            self.ended(number, self._position)
        elif end.reason in (end.ERROR, end.REDIRECT):
            # A playlist would go on to what it lists; only files are ours to play.
            if end.reason == end.REDIRECT:
                self.core.command_async("stop")
            self.failed(number, "unplayable")

    def _has_picture(self) -> bool:
        return any(each["type"] == "video" and not each.get("albumart") for each in self.core.track_list)

    def started(self, number: int, video: bool, duration: float) -> None:
        """The file is open and plays."""

    def ended(self, number: int, position: float) -> None:
        """The file has been played to its end."""

    def failed(self, number: int, key: str) -> None:
        """The file cannot be played; `key` says why."""


class Programme(Voice):
    """What is on: sound and picture."""

    def __init__(self, mpv: Any, events: Events, frames: FrameMemory) -> None:
        super().__init__(mpv, vo="libmpv", video_timing_offset=0)
        self._events, self._frames = events, frames
        with contextlib.suppress(ValueError, SystemError, TypeError):
            # Without this filter in the FFmpeg at hand the programme is merely less even.
            self.core["af"] = LOUDNESS
        mpv.MpvRenderParam.TYPES.update({name: (at, ctypes.c_void_p) for name, at in _SOFTWARE.items()})
        self._render = mpv.MpvRenderContext(self.core, "sw")
        self._drawable = threading.Event()
        self._render.update_cb = self._drawable.set

    def started(self, number: int, video: bool, duration: float) -> None:
        self._events.send("started", id=number, video=video, duration=duration)

    def ended(self, number: int, position: float) -> None:
        self._events.send("ended", id=number, position=position)

    def failed(self, number: int, key: str) -> None:
        self._events.send("failed", id=number, key=key)

    def run(self) -> None:
        """Draw each picture as it comes and tell the position; on a thread of its own, for ever.

        Should it die, the beat stops, by which the kiosk knows that this process wants a restart.
        """
        told = 0.0
        while True:
            self._drawable.wait(BEAT_SECONDS / 2)
            self._drawable.clear()
            if self._render.update():
                self._draw()
            if time.monotonic() - told >= BEAT_SECONDS:
                told = time.monotonic()
                if playing := self.position():
                    number, position, duration = playing
                    self._events.send("position", id=number, position=position, duration=duration)
                else:
                    self._events.send("beat")

    def _draw(self) -> None:
        shown = self.core.dwidth, self.core.dheight
        width, height = fit(*shown) if all(shown) else (16, 16)
        pixels = self._frames.next_slot(self._current, width, height)
        target = (ctypes.c_char * len(pixels)).from_buffer(pixels)
        size, stride = (ctypes.c_int * 2)(width, height), ctypes.c_size_t(width * 4)
        self._render.render(
            sw_size=ctypes.pointer(size),
            sw_format=ctypes.c_char_p(b"rgb0"),
            sw_stride=ctypes.pointer(stride),
            sw_pointer=ctypes.pointer(target),
        )
        # What comes while no video is open is the renderer's empty picture.
        if all(shown):
            self._frames.publish()


class Clip(Voice):
    """A short clip spoken over the programme, which is turned down meanwhile."""

    def __init__(self, mpv: Any, events: Events, programme: Voice) -> None:
        super().__init__(mpv, vid="no")
        self._events, self._programme = events, programme
        self.level = 100.0

    def say(self, number: int, path: str) -> None:
        self._duck(True)
        self.play(number, path)

    def turn(self, level: float) -> None:
        """Set the volume, 0 to 100. Who asks to be read to must hear it, however low the programme is."""
        self.level = min(100.0, max(0.0, level))
        self.core.volume = max(self.level, LEAST_SPOKEN)
        self._duck(bool(self._entries))

    def _duck(self, ducked: bool) -> None:
        level = self.level * DUCKED if ducked else self.level
        self._programme.core.volume = level
        self._events.send("ducked", level=level)

    def ended(self, number: int, position: float) -> None:
        self._done(number, True)

    def failed(self, number: int, key: str) -> None:
        self._done(number, False)

    def _done(self, number: int, ok: bool) -> None:
        if not self._entries:
            self._duck(False)
        self._events.send("said", id=number, ok=ok)


def serve(events: Events, frames: FrameMemory) -> None:
    """Obey stdin until it closes."""
    try:
        import mpv  # loads libmpv, which may be missing
    except OSError:
        events.send("failed", id=0, key="no_player")
        return
    programme = Programme(mpv, events, frames)
    clip = Clip(mpv, events, programme)
    threading.Thread(target=programme.run, name="frames", daemon=True).start()
    for line in sys.stdin:
        try:
            match json.loads(line):
                case {"do": "play", "id": int(number), "path": str(path), "start": int() | float() as start}:
                    programme.play(number, path, start)
                case {"do": "stop"}:
                    programme.stop()
                case {"do": "volume", "level": int() | float() as level}:
                    clip.turn(level)
                case {"do": "say", "id": int(number), "path": str(path)}:
                    clip.say(number, path)
        except (ValueError, SystemError, RuntimeError) as err:
            # What libmpv refuses must not end the process: the file is skipped, the next one plays.
            print(f"player: {line.strip()}: {err!r}", file=sys.stderr)  # noqa: T201 - stderr is the log here


def main(argv: list[str] | None = None) -> None:
    """Run the player process."""
    parser = argparse.ArgumentParser(description="The station's player process; started by the kiosk.")
    parser.add_argument("--frames-fd", type=int, required=True, help="descriptor of the memory for pictures")
    serve(Events(), FrameMemory(parser.parse_args(argv).frames_fd))
    # mpv's own threads would keep the process; nothing of theirs is worth waiting for.
    os._exit(0)


if __name__ == "__main__":
    main()
