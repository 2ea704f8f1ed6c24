"""Finds, loads, calls and fences plugins: a bad one costs its own tile, nothing else.

pluggy says which function implements which hook; the calls are made here, one implementation at a time,
because pluggy lets one raising plugin abort the call for all.
"""

import difflib
import importlib
import logging
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import pluggy

from kiosk import discovery, hookspecs
from kiosk.blame import Journal
from kiosk.station import Place, Station
from kiosk.strings import load as load_strings
from protocol.errors import ManifestError
from protocol.manifest import Manifest
from protocol.messages import Fault

log = logging.getLogger(__name__)

GIVE_UP: Final = 10  # faults of one plugin ...
WINDOW: Final = 600.0  # ... in so many seconds: it is not called again until the next start
TELL_AGAIN: Final = 600.0  # s before the same fault is told to headquarters again
TRACE: Final = 20  # frames kept of a traceback


@dataclass
class Loaded:
    """A plugin in its place. `failed` is set while the shell should show its fallback card instead."""

    manifest: Manifest
    folder: Path
    station: Station
    failed: Fault | None = None
    running: bool = False
    faults: deque[float] = field(default_factory=lambda: deque(maxlen=GIVE_UP), repr=False)
    told: dict[tuple[str, str], float] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Failed:
    """What `call` returns instead of a result; false, so that nobody takes it for one."""

    fault: Fault

    def __bool__(self) -> bool:
        return False


class PluginHost:
    """`plugins` are those of the home screen, in order; `refused` says in sentences which could not be used.

    `quarantined` holds (id, version) pairs that are shown but not called; so are, in `safe_mode`, all that
    are not essential. `exhausted` is called, with the plugin in the journal, when one got no more memory.
    """

    def __init__(
        self,
        folders: Iterable[Path],
        place: Place,
        journal: Journal,
        on_fault: Callable[[Fault], object] = lambda fault: None,
        quarantined: Collection[tuple[str, str]] = (),
        safe_mode: bool = False,
        installed: bool = True,
        exhausted: Callable[[], object] = lambda: None,
    ) -> None:
        self.plugins: list[Loaded] = []
        self.refused: list[ManifestError] = []
        self._folders = [folder.resolve() for folder in folders]
        self._place = place
        self._journal = journal
        self._on_fault = on_fault
        self._quarantined = quarantined
        self._safe_mode = safe_mode
        self._installed = installed
        self._exhausted = exhausted
        self._by_id: dict[str, Loaded] = {}
        self._hooks = pluggy.PluginManager("yizhan")
        self._hooks.add_hookspecs(hookspecs)

    def load(self) -> None:
        """Read the manifests, import the plugins and run `setup` of each; on the loader thread."""
        found, self.refused = discovery.find(self._folders, self._installed)
        self._reach(self._folders)
        for each in found:
            try:
                self._load(each)
            except ManifestError as err:
                self.refused.append(err)
        for refusal in self.refused:
            log.error("plugin refused: %s", refusal)

    def __getitem__(self, plugin_id: str) -> Loaded:
        return self._by_id[plugin_id]

    def __contains__(self, plugin_id: str) -> bool:
        return plugin_id in self._by_id

    def implements(self, plugin_id: str, hook: str) -> bool:
        """Whether the plugin runs and has this hook."""
        loaded = self._by_id.get(plugin_id)
        return loaded is not None and loaded.running and self._function(plugin_id, hook) is not None

    def call(self, plugin_id: str, hook: str, *args: object) -> Any:
        """Call one plugin's hook (its station is added): the result, None if it has none, or Failed."""
        loaded = self._by_id[plugin_id]
        if not loaded.running:
            return Failed(loaded.failed or _not_called(loaded.manifest, "NotRunning"))
        implementation = self._function(plugin_id, hook)
        if implementation is None:
            return None
        function, names = implementation
        given = dict(zip(_parameters(hook), (loaded.station, *args), strict=True))
        result = self._guarded(loaded, hook, function, [given[name] for name in names], {})
        if not isinstance(result, Failed) and loaded.failed and loaded.failed.where == hook:
            loaded.failed = None
        return result

    def call_all(self, hook: str, *args: object) -> dict[str, Any]:
        """Call the hook of every plugin that has it; results and Failed by plugin id."""
        return {
            loaded.manifest.id: self.call(loaded.manifest.id, hook, *args)
            for loaded in self.plugins
            if self.implements(loaded.manifest.id, hook)
        }

    def call_until(self, hook: str, *args: object) -> str | None:
        """Call the plugins in order until one answers true: its id."""
        for loaded in self.plugins:
            if self.implements(loaded.manifest.id, hook) and self.call(loaded.manifest.id, hook, *args):
                return loaded.manifest.id
        return None

    def fenced(self, plugin_id: str, where: str, fn: Callable[..., Any]) -> Callable[..., Any]:
        """`fn` as a call into the plugin: named in the journal, its exceptions the plugin's faults."""
        loaded = self._by_id[plugin_id]
        return lambda *args, **named: self._guarded(loaded, where, fn, args, named)

    def blame(self, plugin_id: str, where: str, err: BaseException) -> Fault:
        """The plugin has raised this outside of a fenced call, such as in its widgets' callbacks."""
        return self._blame(self._by_id[plugin_id], where, err)

    def _load(self, found: discovery.Found) -> None:
        manifest = found.manifest
        try:
            strings = load_strings(found.folder / "strings")
        except (ValueError, OSError) as err:
            raise ManifestError(str(found.folder / "strings"), 1, f"cannot be read: {err}") from err

        def fence(where: str, fn: Callable[..., Any]) -> Callable[..., Any]:
            def fenced(*args: Any, **named: Any) -> Any:
                return self._guarded(loaded, where, fn, args, named) if loaded.running else None

            return fenced

        station = Station(self._place, manifest, strings, fence)
        loaded = Loaded(manifest, found.folder, station)
        if stop := self._stopped(manifest):
            loaded.failed = _not_called(manifest, stop)
        else:
            module = self._guarded(loaded, "import", _import, [found], {})
            if isinstance(module, ModuleType):
                self._register(manifest, module)
                loaded.running = True
        self._by_id[manifest.id] = loaded
        self.plugins.append(loaded)
        if loaded.running:
            store = self.call(manifest.id, "setup")
            if isinstance(store, Failed):
                loaded.running = False
            else:
                station.store = store

    def _stopped(self, manifest: Manifest) -> str:
        if (manifest.id, manifest.version) in self._quarantined:
            return "Quarantined"
        return "SafeMode" if self._safe_mode and not manifest.essential else ""

    def _register(self, manifest: Manifest, module: ModuleType) -> None:
        try:
            self._hooks.register(module, name=manifest.id)
            self._hooks.check_pending()
        except pluggy.PluginValidationError as err:
            problem, line = _misfit(module)
            if self._hooks.has_plugin(manifest.id):
                self._hooks.unregister(name=manifest.id)
            raise ManifestError(str(module.__file__), line, problem or str(err)) from err

    def _function(self, plugin_id: str, hook: str) -> tuple[Callable[..., Any], tuple[str, ...]] | None:
        for implementation in getattr(self._hooks.hook, hook).get_hookimpls():
            if implementation.plugin_name == plugin_id:
                return implementation.function, implementation.argnames
        return None

    def _guarded(
        self, loaded: Loaded, where: str, fn: Callable[..., Any], args: Iterable[Any], named: dict[str, Any]
    ) -> Any:
        """Run plugin code under its name in the journal; what it raises becomes a fault of the plugin."""
        manifest = loaded.manifest
        before = self._journal.enter(manifest.id, where, manifest.version)
        try:
            return fn(*args, **named)
        except KeyboardInterrupt:
            raise
        except BaseException as err:  # noqa: BLE001 - the fence itself; a SystemExit must not end the station
            return Failed(self._blame(loaded, where, err))
        finally:
            self._journal.leave(before)

    def _blame(self, loaded: Loaded, where: str, err: BaseException) -> Fault:
        manifest, now, kind = loaded.manifest, time.monotonic(), type(err).__name__
        if isinstance(err, MemoryError):
            before = self._journal.enter(manifest.id, where, manifest.version)
            self._exhausted()
            self._journal.leave(before)
        clock = self._place.clock
        fault = Fault(
            at=clock.wall_ms(),
            up=clock.monotonic_ms(),
            plugin=manifest.id,
            version=manifest.version,
            where=where,
            kind=kind,
            trace=_trace(err),
        )
        # The exception's text may hold what a visitor has typed: only a debug log shows it.
        log.error(
            "plugin %s failed in %s: %s, %s", manifest.id, where, kind, " < ".join(fault.trace[::-1][:3])
        )
        log.debug("plugin %s failed in %s", manifest.id, where, exc_info=err)
        loaded.failed = fault
        loaded.faults.append(now)
        if len(loaded.faults) == GIVE_UP and now - loaded.faults[0] < WINDOW and loaded.running:
            log.error("plugin %s has failed %d times and is not called again", manifest.id, GIVE_UP)
            loaded.running = False
        if now - loaded.told.get((where, kind), -TELL_AGAIN) >= TELL_AGAIN:
            loaded.told[where, kind] = now
            self._on_fault(fault)
        return fault

    @staticmethod
    def _reach(folders: list[Path]) -> None:
        """Let `plugins.<id>` be found in folders other than the shipped one."""
        plugins = importlib.import_module("plugins")  # by name: the core may not import what it hosts

        for folder in reversed(folders):
            if str(folder) not in plugins.__path__:
                plugins.__path__.insert(0, str(folder))


def _parameters(hook: str) -> tuple[str, ...]:
    code = getattr(hookspecs, hook).__code__
    names: tuple[str, ...] = code.co_varnames[: code.co_argcount]
    return names


def _import(found: discovery.Found) -> ModuleType:
    package = sys.modules.get(found.module)
    if package is not None and found.folder not in [Path(each).resolve() for each in package.__path__]:
        # Another folder's plugin of this id was loaded before in this process.
        for each in [key for key in sys.modules if key == found.module or key.startswith(found.module + ".")]:
            del sys.modules[each]
    importlib.invalidate_caches()
    return importlib.import_module(f"{found.module}.plugin")


def _misfit(module: ModuleType) -> tuple[str, int]:
    """Which function of a module is no hook, in a sentence, and its line."""
    known = [name for name, value in vars(hookspecs).items() if hasattr(value, "yizhan_spec")]
    for name, value in vars(module).items():
        if not hasattr(value, "yizhan_impl"):
            continue
        line = value.__code__.co_firstlineno
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean '{close[0]}'?" if close else f"the hooks are {', '.join(known)}"
            return f"there is no hook '{name}'; {hint}", line
        takes_now = value.__code__.co_varnames[: value.__code__.co_argcount]
        if unknown := [each for each in takes_now if each not in _parameters(name)]:
            takes = ", ".join(_parameters(name))
            return f"hook '{name}' has no parameter '{unknown[0]}'; it may take {takes}", line
    return "", 1


def _not_called(manifest: Manifest, why: str) -> Fault:
    return Fault(plugin=manifest.id, version=manifest.version, where="load", kind=why)


def _trace(err: BaseException) -> list[str]:
    """File, line and function of each frame, outermost first; no values, no machine's paths."""
    frames = traceback.extract_tb(err.__traceback__)
    lines = [f"{'/'.join(Path(f.filename).parts[-2:])}:{f.lineno} {f.name}" for f in frames]
    return [line for line in lines if not line.startswith("kiosk/plugin_host.py")][-TRACE:]
