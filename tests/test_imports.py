"""The import table holds, ARCHITECTURE.md prints it, and nothing but the screen loads Kivy."""

import json
import subprocess
import sys
from pathlib import Path

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
        ("kiosk/runtime.py", "plugins"),
        ("kiosk/runtime.py", "nacl.public"),
        ("plugins/jobs/screen_more.py", "sqlite_utils"),
        ("plugins/jobs/words.py", "kivy.clock"),
    ],
)
def test_the_table_refuses_what_it_must(file: str, module: str) -> None:
    assert not import_table.allowed(Import(file, 1, module))


def test_architecture_prints_the_table() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    printed = page.partition(import_table.BEGIN)[2].partition(import_table.END)[0]
    assert printed.strip() == import_table.table(), "run: python -m tests.import_table"


def test_nobody_may_import_what_nobody_imports() -> None:
    """The table stays as narrow as the code."""
    found = [each for path in import_table.sources() for each in import_table.imports(path)]
    used = {(import_table.area_of(each.file).name, each.module.split(".")[0]) for each in found}
    single = {(each.file, each.module.split(".")[0]) for each in found}
    for area in import_table.AREAS.values():
        for name in area.may:
            package = {"own": "plugins", "kiosk.ui": "kiosk"}.get(name, name)
            assert (area.name, package) in used, (area.name, name)
    for file, more in import_table.ONLY_IN.items():
        assert all((file, name) in single for name in more), file
    by_computed_name = {each.file for each in found if not each.module} - set(import_table.ROOTS)
    assert by_computed_name == set(import_table.BY_COMPUTED_NAME)


def test_an_import_by_name_is_an_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_table, "ROOT", tmp_path)
    file = tmp_path / "kiosk" / "sly.py"
    file.parent.mkdir()
    file.write_text("import importlib\nimportlib.import_module('server.app')\nimportlib.import_module(x)\n")
    _, by_name, computed = import_table.imports(file)
    assert by_name == Import("kiosk/sly.py", 2, "server.app")
    assert not import_table.allowed(by_name)
    assert not import_table.allowed(computed)


def test_nothing_but_screens_loads_kivy() -> None:
    """Also where Kivy is installed under another name or not at all: it is refused at the import itself."""
    modules = []
    for path in import_table.sources():
        file = path.relative_to(ROOT).as_posix()
        screen = import_table.area_of(file) in SCREENS
        if not screen and path.name != "__main__.py" and "/migrations/" not in file and file not in MAIN_ONLY:
            modules.append(file.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
    assert len(modules) > 100
    done = subprocess.run(
        [sys.executable, "-c", REFUSE_KIVY, json.dumps(modules)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == []


SCREENS = (import_table.AREAS["kiosk.ui"], import_table.AREAS["plugins.X.screen"])
#: Needs libmpv at import; the child process that runs it is not the screen.
MAIN_ONLY = ("kiosk/media/player.py",)
#: Imports each module by itself and prints who asked for Kivy, even where it caught the refusal.
REFUSE_KIVY = """
import importlib, json, sys
class Refuse:
    culprits = []
    asking = ""
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("kivy", "kivymd") or name.startswith("kiosk.ui."):
            self.culprits.append([self.asking, name])
            raise ImportError(f"{self.asking} loads {name}")
refuse = Refuse()
sys.meta_path.insert(0, refuse)
for refuse.asking in json.loads(sys.argv[1]):
    importlib.import_module(refuse.asking)
print(json.dumps(refuse.culprits))
"""
