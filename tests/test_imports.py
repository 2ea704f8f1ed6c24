"""The import table holds, ARCHITECTURE.md prints it, and nothing but the screen loads Kivy."""

import json
import subprocess
import sys

import pytest

from tests import import_table
from tests.import_table import ROOT, Import


def test_every_import_is_allowed_by_the_table() -> None:
    found = [each for path in import_table.sources() for each in import_table.imports(path)]
    assert len(found) > 100
    assert [each for each in found if not import_table.allowed(each)] == []


@pytest.mark.parametrize(
    ("file", "module"),
    [
        ("protocol/frame.py", "kiosk.station"),
        ("kiosk/outbox.py", "kivy.clock"),
        ("kiosk/outbox.py", "kiosk.ui.app"),
        ("kiosk/outbox.py", "paho.mqtt.client"),
        ("kiosk/ui/app.py", "server.app"),
        ("plugins/jobs/rules.py", "kiosk.station"),
        ("plugins/jobs/rules.py", "plugins.jobs.store"),
        ("plugins/jobs/store.py", "kivy.clock"),
        ("plugins/jobs/screen.py", "plugins.check_in.rules"),
        ("plugins/jobs/screen.py", "plugins.jobs_more.rules"),
        ("server/store/events.py", "paho.mqtt.client"),
        ("server/app.py", "kiosk.station"),
        ("server/app.py", "plugins.jobs.rules"),
    ],
)
def test_the_table_refuses_what_it_must(file: str, module: str) -> None:
    assert not import_table.allowed(Import(file, 1, module))


def test_architecture_prints_the_table() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    printed = page.partition(import_table.BEGIN)[2].partition(import_table.END)[0]
    assert printed.strip() == import_table.table(), "run: python -m tests.import_table"


def test_nothing_but_screens_loads_kivy() -> None:
    modules = []
    for path in import_table.sources():
        file = path.relative_to(ROOT).as_posix()
        outside = import_table.area_of(file).name not in ("kiosk.ui", "plugins.X.screen")
        if outside and path.name != "__main__.py" and "/migrations/" not in file and file not in MAIN_ONLY:
            modules.append(file.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
    code = (
        "import importlib, json, sys\n"
        "for name in json.loads(sys.argv[1]): importlib.import_module(name)\n"
        "print([name for name in sys.modules if name.split('.')[0] == 'kivy'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(modules)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.strip() == "[]"


#: Needs libmpv at import; the child process that runs it is not the screen.
MAIN_ONLY = ("kiosk/media/player.py",)
