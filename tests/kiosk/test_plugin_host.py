"""A bad plugin costs its own tile, nothing else."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kiosk import blame, ui_thread
from kiosk.blame import Journal
from kiosk.plugin_host import GIVE_UP, Failed, PluginHost
from kiosk.testing import FakeStation
from protocol.messages import Fault
from tests.kiosk import plugin_folder

GOOD = """
@hookimpl
def setup(station):
    return {"made": station.plugin.id}

@hookimpl
def tile(station):
    return Tile(live=station.tr("hello", name=station.store["made"]))
"""

Load = Callable[..., PluginHost]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "plugins").mkdir()
    return tmp_path / "plugins"


@pytest.fixture
def load(tmp_path: Path, folder: Path) -> Iterator[Load]:
    """Loads every plugin of the folder on the place of a fake station; `faults` is what was reported."""
    stations: list[FakeStation] = []

    def load_(**options: object) -> PluginHost:
        home = plugin_folder.write(tmp_path / "base", f"base_{len(stations)}")
        stations.append(FakeStation(home, setup=False))
        host = PluginHost(
            [folder],
            stations[-1]._place,
            Journal(tmp_path / "blame"),
            installed=False,
            **options,  # type: ignore[arg-type]
        )
        host.load()
        return host

    yield load_
    for each in stations:
        each.close()


def names(host: PluginHost) -> list[str]:
    return [each.manifest.id for each in host.plugins]


def test_plugins_are_set_up_and_called_in_the_order_of_their_manifests(folder: Path, load: Load) -> None:
    plugin_folder.write(folder, "late", GOOD, order=20)
    plugin_folder.write(folder, "early", GOOD, order=10)
    host = load()
    assert names(host) == ["early", "late"]
    assert [tile.live for tile in host.call_all("tile").values()] == ["你好 early", "你好 late"]


def test_a_broken_manifest_is_named_with_its_line_and_the_others_run(folder: Path, load: Load) -> None:
    plugin_folder.write(folder, "good", GOOD)
    plugin_folder.write(folder, "broken", GOOD, more="\n[settings.wrong]\ntype = 'colour'\n")
    plugin_folder.write(folder, "empty", GOOD)
    (folder / "empty" / "manifest.toml").write_text("")
    host = load()
    assert names(host) == ["good"]
    assert {Path(each.file).parent.name for each in host.refused} == {"broken", "empty"}
    broken = next(each for each in host.refused if "broken" in each.file)
    assert broken.line > 20


def test_a_plugin_for_another_api_is_refused(folder: Path, load: Load) -> None:
    home = plugin_folder.write(folder, "future", GOOD)
    file = home / "manifest.toml"
    file.write_text(file.read_text().replace(">=1,<2", ">=2"))
    host = load()
    assert host.plugins == []
    assert "API" in host.refused[0].problem


def test_a_plugin_whose_folder_has_another_name_is_refused(folder: Path, load: Load) -> None:
    plugin_folder.write(folder, "good", GOOD).rename(folder / "other")
    host = load()
    assert "must have the id 'other'" in host.refused[0].problem


def test_a_misspelt_hook_is_refused_with_the_right_name(folder: Path, load: Load) -> None:
    plugin_folder.write(folder, "good", GOOD)
    plugin_folder.write(folder, "typo", "@hookimpl\ndef tyle(station):\n    pass\n")
    host = load()
    assert names(host) == ["good"]
    assert host.refused[0].problem == "there is no hook 'tyle'; did you mean 'tile'?"
    assert host.refused[0].line == 3


def test_a_hook_with_an_unknown_parameter_is_refused(folder: Path, load: Load) -> None:
    plugin_folder.write(folder, "typo", "@hookimpl\ndef reply(station, answer):\n    pass\n")
    host = load()
    assert host.refused[0].problem == "hook 'reply' has no parameter 'answer'; it may take station, reply"


@pytest.mark.parametrize(
    "raising",
    ["1 / 0", "raise SystemExit(3)", "import sys; sys.exit()", "raise GeneratorExit", "assert False"],
)
def test_whatever_a_hook_raises_is_fenced_and_told(folder: Path, load: Load, raising: str) -> None:
    plugin_folder.write(folder, "bad", f"@hookimpl\ndef tile(station):\n    {raising}\n", order=1)
    plugin_folder.write(folder, "good", GOOD)
    told: list[Fault] = []
    host = load(on_fault=told.append)
    results = host.call_all("tile")
    assert isinstance(results["bad"], Failed)
    assert not results["bad"]
    assert results["good"].live == "你好 good"
    assert host["bad"].failed is not None
    assert [(each.plugin, each.version, each.where) for each in told] == [("bad", "1.0.0", "tile")]
    assert told[0].trace[-1] == "bad/plugin.py:5 tile"


def test_a_fault_says_nothing_of_the_values(folder: Path, load: Load) -> None:
    code = '@hookimpl\ndef scanned(station, code):\n    raise ValueError(f"no such card {code}")\n'
    plugin_folder.write(folder, "bad", code)
    told: list[Fault] = []
    load(on_fault=told.append).call("bad", "scanned", "13800001234")
    assert "13800001234" not in repr(told)


@pytest.mark.parametrize("where", ["import", "setup"])
def test_a_plugin_that_cannot_begin_is_shown_as_failed_and_never_called(
    folder: Path, load: Load, where: str
) -> None:
    bomb = "raise SystemExit\n" if where == "import" else "@hookimpl\ndef setup(station):\n    1 / 0\n"
    plugin_folder.write(folder, "bad", bomb + "\n@hookimpl\ndef tile(station):\n    return Tile()\n")
    plugin_folder.write(folder, "good", GOOD)
    host = load()
    assert names(host) == ["bad", "good"]
    assert host["bad"].failed is not None
    assert host["bad"].failed.where == where
    assert isinstance(host.call("bad", "tile"), Failed)
    assert set(host.call_all("tile")) == {"good"}


def test_a_tile_that_works_again_is_shown_again(folder: Path, load: Load) -> None:
    code = """
times = []

@hookimpl
def tile(station):
    times.append(1)
    return Tile(live=str(1 // (len(times) - 1)))
"""
    plugin_folder.write(folder, "shaky", code)
    host = load()
    assert not host.call("shaky", "tile")
    assert host["shaky"].failed is not None
    assert host.call("shaky", "tile").live == "1"
    assert host["shaky"].failed is None


def test_a_plugin_that_fails_again_and_again_is_given_up_and_told_once(folder: Path, load: Load) -> None:
    code = "calls = []\n\n@hookimpl\ndef tile(station):\n    calls.append(1)\n    1 / 0\n"
    plugin_folder.write(folder, "bad", code)
    told: list[Fault] = []
    host = load(on_fault=told.append)
    for _ in range(GIVE_UP + 5):
        host.call("bad", "tile")
    import plugins.bad.plugin as module  # type: ignore[import-not-found]

    assert len(module.calls) == GIVE_UP
    assert len(told) == 1


def test_timers_and_results_of_background_work_are_fenced_too(folder: Path, load: Load) -> None:
    code = """
@hookimpl
def setup(station):
    station.every(1, lambda: 1 / 0)
    station.run(lambda: 1 / 0)
    station.run(lambda: 1, then=lambda one: one / 0)
    station.report("seen", count=1).then(lambda receipt: 1 / 0)
"""
    plugin_folder.write(folder, "bad", code)
    told: list[str] = []
    host = load(on_fault=lambda fault: told.append(fault.where))
    station = host["bad"].station
    assert station._place.pool.idle()
    station._place.database.read(lambda db: None).wait()
    ui_thread.pump()
    ui_thread.advance(1)
    assert sorted(told) == ["every", "run", "then"]  # the second `then` is the same fault again
    assert len(host["bad"].faults) == 4


def test_the_first_plugin_that_takes_a_code_ends_the_asking(folder: Path, load: Load) -> None:
    take = "@hookimpl\ndef scanned(station, code):\n    return code == {!r}\n"
    plugin_folder.write(folder, "first", take.format("1"), order=1)
    plugin_folder.write(folder, "bad", "@hookimpl\ndef scanned(station, code):\n    1 / 0\n", order=2)
    plugin_folder.write(folder, "second", take.format("2"), order=3)
    host = load()
    assert host.call_until("scanned", "1") == "first"
    assert host.call_until("scanned", "2") == "second"
    assert host.call_until("scanned", "3") is None


def test_in_safe_mode_only_essential_plugins_run(folder: Path, load: Load) -> None:
    plugin_folder.write(folder, "needed", GOOD, essential=True)
    plugin_folder.write(folder, "nice", GOOD)
    host = load(safe_mode=True)
    assert set(host.call_all("tile")) == {"needed"}
    assert host["nice"].failed is not None
    assert host["nice"].failed.kind == "SafeMode"


def test_a_plugin_in_quarantine_is_not_even_imported_until_its_next_version(folder: Path, load: Load) -> None:
    home = plugin_folder.write(folder, "bad", "raise SystemExit\n")
    host = load(quarantined=[("bad", "1.0.0")])
    assert host["bad"].failed is not None
    assert host["bad"].failed.kind == "Quarantined"
    file = home / "manifest.toml"
    file.write_text(file.read_text().replace("1.0.0", "1.0.1"))
    (home / "plugin.py").write_text("from kiosk import Tile, hookimpl\n" + GOOD)
    host = load(quarantined=[("bad", "1.0.0")])
    assert host.call("bad", "tile").live == "你好 bad"


def test_the_journal_names_who_runs_and_who_ran_around_it(tmp_path: Path, folder: Path, load: Load) -> None:
    plugin_folder.write(folder, "inner", "@hookimpl\ndef tile(station):\n    return blame_now()\n")
    host = load()
    journal = tmp_path / "blame"
    import plugins.inner.plugin as module  # type: ignore[import-not-found]

    module.blame_now = lambda: blame.read(journal)
    seen = host.call("inner", "tile")
    assert [(each.plugin, each.hook, each.version) for each in seen] == [("inner", "tile", "1.0.0")]
    assert blame.read(journal) == []
    nested = host.fenced("inner", "touch", lambda: (host.call("inner", "tile"), blame.read(journal)))()
    assert [each.hook for each in nested[0]] == ["tile"]
    assert [each.hook for each in nested[1]] == ["touch"]


def test_the_shipped_plugins_load_without_a_fault(load: Load, folder: Path, tmp_path: Path) -> None:
    from kiosk.options import SHIPPED

    station = FakeStation(plugin_folder.write(tmp_path / "base", "base"), setup=False)
    host = PluginHost([SHIPPED], station._place, Journal(tmp_path / "blame2"), installed=False)
    host.load()
    assert [str(each) for each in host.refused] == []
    assert [each.manifest.id for each in host.plugins if each.failed] == []
    station.close()


def test_a_plugin_that_gets_no_more_memory_is_named_before_the_process_gives_up(
    tmp_path: Path, folder: Path, load: Load
) -> None:
    plugin_folder.write(folder, "greedy", "@hookimpl\ndef tile(station):\n    raise MemoryError\n")
    named: list[blame.Blame] = []
    host = load(exhausted=lambda: named.extend(blame.read(tmp_path / "blame")))
    assert isinstance(host.call("greedy", "tile"), Failed)
    assert [(each.plugin, each.hook) for each in named] == [("greedy", "tile")]
    assert blame.read(tmp_path / "blame") == []
