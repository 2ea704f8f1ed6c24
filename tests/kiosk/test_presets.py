"""Settings on the command line: stored before the plugins' setup, or refused in one sentence."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk import presets, strings, ui_thread
from kiosk.__main__ import main
from kiosk.errors import PresetRefused
from kiosk.options import SHIPPED, Options
from kiosk.runtime import Runtime
from kiosk.testing import FakePlayer
from tests.kiosk import plugin_folder

SETTINGS = """
[settings.loud]
type = "flag"
default = false
title = { zh = "响", en = "Loud" }

[settings.opens]
type = "time"
default = "06:00"
title = { zh = "开门", en = "Opens" }

[settings.mood]
type = "choice"
default = "calm"
values = ["calm", "merry"]
title = { zh = "心情", en = "Mood" }

[settings.words]
type = "text"
default = ""
title = { zh = "话", en = "Words" }
"""
CODE = """
@hookimpl
def setup(station):
    return dict(station.settings)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    plugin_folder.write(tmp_path / "plugins", "desk", CODE, more=SETTINGS)
    return tmp_path / "plugins"


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    yield
    ui_thread.uninstall()


def started(folder: Path, *texts: str) -> dict[str, object]:
    """What the plugin saw in its setup."""
    options = Options(folder.parent / "data", plugins=(folder,), settings=texts)
    runtime = Runtime(options, player=FakePlayer())  # type: ignore[arg-type]
    runtime.start()
    seen: dict[str, object] = runtime.host["desk"].station.store
    assert dict(runtime.host["desk"].station.settings) == seen
    runtime.stop()
    return seen


def test_each_type_is_read_by_the_manifest_and_is_there_in_setup(folder: Path) -> None:
    seen = started(
        folder, "desk.minutes=45", "desk.loud=yes", "desk.opens=08:30", "desk.mood=merry", "desk.words= a=b. "
    )
    assert seen == {"minutes": 45, "loud": True, "opens": "08:30", "mood": "merry", "words": "a=b."}
    assert started(folder) == seen  # it was stored
    assert started(folder, "desk.loud=off", "desk.minutes=1", "desk.minutes=2") == {
        **seen,
        "loud": False,
        "minutes": 2,
    }


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("volume=50", "Write PLUGIN.NAME=VALUE"),
        ("desk.minutes", "Write PLUGIN.NAME=VALUE"),
        ("tent.minutes=1", "there is no plugin 'tent' here. Use one of desk."),
        ("desk.hours=1", "has no setting 'hours'. Use one of loud, minutes, mood, opens, words."),
        ("desk.minutes=soon", "minutes must be a whole number (0–720)"),
        ("desk.minutes=721", "minutes must be a whole number (0–720)"),
        ("desk.loud=maybe", "loud must be true or false"),
        ("desk.opens=8:3", "opens must be a time such as 08:30"),
        ("desk.mood=sad", "mood must be one of calm, merry"),
        ("desk.words=" + "x" * 501, "words may have at most 500 letters"),
    ],
)
def test_what_does_not_fit_is_refused_in_both_languages(folder: Path, text: str, sentence: str) -> None:
    with pytest.raises(PresetRefused) as refused:
        presets.read(["desk.minutes=1", text], [folder])
    english, chinese = (
        strings.own().text(language, refused.value.key, **refused.value.values) for language in ("en", "zh")
    )
    assert sentence in english
    assert text in english
    assert text in chinese
    assert chinese != english


@pytest.mark.parametrize("supervised", [[], ["--no-supervise"]])
def test_the_command_refuses_before_anything_starts(
    folder: Path, capsys: pytest.CaptureFixture[str], supervised: list[str]
) -> None:
    data = folder.parent / "data"
    words = ["--data", str(data), "--plugins", str(folder), "--set", "desk.minutes=1", "--set=desk.minutes=x"]
    assert main([*words, *supervised]) == 2
    err = capsys.readouterr().err
    assert len(err.strip().splitlines()) == 1
    assert "--set desk.minutes=x: minutes must be a whole number" in err
    assert not data.exists()


def test_settings_pass_through_the_supervisor(tmp_path: Path) -> None:
    code = (
        "import sys, kiosk.__main__ as front\n"
        "from kiosk import supervisor\n"
        "from kiosk.ladder import Plan\n"
        "def run(self):\n"
        "    print(*self._command(Plan(), 9), sep='\\n')\n"
        "    return 0\n"
        "supervisor.Supervisor.run = run\n"
        "sys.exit(front.main(['--data', sys.argv[1], '--set', 'broadcast.volume=50']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=SHIPPED.parent,
    )
    lines = done.stdout.splitlines()
    assert lines[lines.index("--set") + 1] == "broadcast.volume=50"


def test_the_demo_silences_no_radio_at_night() -> None:
    from server.demo import SETTINGS

    found = presets.read([each.removeprefix("--set=") for each in SETTINGS], [SHIPPED])
    assert {each.name: each.value for each in found} == {"quiet_from": "00:00", "quiet_until": "00:00"}
