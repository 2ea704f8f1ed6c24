"""Where plugins come from: folders with a manifest, and installed packages that register one.

Nothing here imports a plugin: a manifest is read as data.
"""

import importlib.util
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from protocol import manifest as manifests
from protocol.errors import ManifestError
from protocol.manifest import Manifest

GROUP: Final = "yizhan.plugins"


@dataclass(frozen=True)
class Found:
    """A plugin that may be loaded: `module` is the package that holds its plugin.py."""

    manifest: Manifest
    folder: Path
    module: str


def find(folders: Iterable[Path], installed: bool = True) -> tuple[list[Found], list[ManifestError]]:
    """All plugins in their order on the home screen, and why others cannot be used."""
    found: dict[str, Found] = {}
    refused: list[ManifestError] = []
    for folder, module in _candidates(folders, installed):
        file = folder / manifests.FILE
        try:
            manifest = manifests.read(folder)
            if module == "" and manifest.id != folder.name:
                raise ManifestError(
                    str(file), 1, f"id: a plugin in folder '{folder.name}' must have the id '{folder.name}'"
                )
            if earlier := found.get(manifest.id):
                raise ManifestError(
                    str(file), 1, f"id: '{manifest.id}' is taken by {earlier.folder}; choose another"
                )
        except ManifestError as err:
            refused.append(err)
            continue
        found[manifest.id] = Found(manifest, folder, module or f"plugins.{manifest.id}")
    return sorted(found.values(), key=lambda each: (each.manifest.order, each.manifest.id)), refused


def _candidates(folders: Iterable[Path], installed: bool) -> Iterator[tuple[Path, str]]:
    for parent in folders:
        for folder in sorted(parent.iterdir()) if parent.is_dir() else []:
            if (folder / manifests.FILE).is_file() or (folder / "plugin.py").is_file():
                yield folder, ""
    if installed:
        yield from _installed()


def _installed() -> Iterator[tuple[Path, str]]:
    from importlib.metadata import entry_points

    for entry in entry_points(group=GROUP):
        package = entry.value.partition(":")[0]
        yield _folder_of(package), package


def _folder_of(package: str) -> Path:
    """Where a package lies, without running it; dotted names are looked up below their first part."""
    first, *rest = package.split(".")
    try:
        spec = importlib.util.find_spec(first)
    except (ImportError, ValueError):
        spec = None
    places = list(spec.submodule_search_locations or []) if spec else []
    return Path(places[0], *rest) if places else Path(package)
