"""The plugins: what their manifests say, which were set aside, and whether their code can be imported."""

import queue
import re
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from kiosk import discovery, quarantine
from kiosk.doctor import child
from kiosk.doctor.visit import Visit
from protocol.finding import Finding

SECONDS: Final = 15.0
AT_ONCE: Final = 2
#: Run in a child. Kivy is refused: what a plugin needs of it belongs into its functions, or every start of
#: the station waits for it.
IMPORT: Final = """
import importlib, sys
sys.modules["kivy"] = None
import plugins
plugins.__path__[:0] = sys.argv[2:]
importlib.import_module(sys.argv[1])
"""
_KIVY: Final = re.compile(r"Error: .*\bkivy\b")


def plugins(visit: Visit) -> Iterator[Finding]:
    """One sentence for each plugin that has something wrong, and one for all others."""
    say = visit.say
    folders = [folder.resolve() for folder in visit.plugins]
    found, refused = discovery.find(folders)
    for err in refused:
        yield say.bad("plugins.refused", error=err)
    well = {each.manifest.id for each in found}
    versions = {each.manifest.id: each.manifest.version for each in found}
    for culprit in quarantine.read(visit.files.quarantine):
        if versions.get(culprit.plugin) == culprit.version:
            well.discard(culprit.plugin)
            values = {"plugin": culprit.plugin, "version": culprit.version, "hook": culprit.hook}
            yield say.bad("plugins.quarantined", **values, file=visit.files.quarantine)
    for each, ended in zip(found, _imported(found, folders), strict=True):
        if ended.status == 0:
            continue
        well.discard(each.manifest.id)
        if _KIVY.search(ended.last_line):
            yield say.warn("plugins.kivy", plugin=each.manifest.id)
        else:
            why = ended.last_line if ended.status == 1 else ended.how()
            yield say.bad("plugins.broken", plugin=each.manifest.id, error=why)
    if well:
        yield say.ok("plugins.ok", n=len(well), names=say.some(sorted(well), len(well)))
    elif not found and not refused:
        yield say.bad("plugins.none", folders=say.some(map(str, folders)))


def _imported(found: Sequence[discovery.Found], folders: Sequence[Path]) -> Iterator[child.Ended]:
    """How the import of each plugin ends, a few at a time."""
    ends: list[queue.SimpleQueue[child.Ended]] = [queue.SimpleQueue() for _ in found]
    few = threading.BoundedSemaphore(AT_ONCE)

    def run(module: str, end: queue.SimpleQueue[child.Ended]) -> None:
        with few:
            end.put(child.python(["-c", IMPORT, f"{module}.plugin", *map(str, folders)], SECONDS))

    for each, end in zip(found, ends, strict=True):
        # Daemons, unlike those of an executor: what hangs must not keep the doctor from ending.
        threading.Thread(target=run, args=(each.module, end), daemon=True).start()
    for end in ends:
        yield end.get()
