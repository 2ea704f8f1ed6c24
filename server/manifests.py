"""The manifests of all plugins: the only thing that headquarters ever reads of a plugin."""

import importlib.util
from collections.abc import Iterable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

from protocol.errors import ManifestError
from protocol.manifest import FILE, Content, Manifest, read

SHIPPED: Final = Path(__file__).parent.parent / "plugins"


def read_all(folders: Iterable[Path] = (SHIPPED,)) -> tuple[dict[str, Manifest], list[ManifestError]]:
    """Manifests by plugin id, from every subfolder that has one; and those that cannot be used."""
    found: dict[str, Manifest] = {}
    broken: list[ManifestError] = []
    for file in [file for folder in folders for file in sorted(folder.glob(f"*/{FILE}"))] + _installed():
        try:
            manifest = read(file)
        except ManifestError as err:
            broken.append(err)
            continue
        if manifest.id in found:
            broken.append(ManifestError(str(file), 1, f"there is another plugin '{manifest.id}' already"))
        else:
            found[manifest.id] = manifest
    return found, broken


def content_of(manifests: dict[str, Manifest], collection: str) -> Content | None:
    """The declaration of a collection such as `jobs.posts`, or None."""
    plugin, _, name = collection.partition(".")
    return manifests[plugin].content.get(name) if plugin in manifests else None


def _installed() -> list[Path]:
    """Manifests of plugins that other distributions bring; found without running their code."""
    files = []
    for point in entry_points(group="yizhan.plugins"):
        # A package's parents are imported by find_spec, the plugin itself is not.
        spec = importlib.util.find_spec(point.value.partition(":")[0])
        if spec is not None and spec.origin:
            files.append(Path(spec.origin).parent / FILE)
    return files
