"""The fonts of the screen, built once from Debian's Noto CJK and the Material Design Icons package.

`python -m kiosk.ui.fonts` writes them to build/fonts. Kivy's own font has no Chinese, and in Debian's
collections the first face is Japanese; hence the Simplified Chinese face is taken out, whole: at 6 ms a
size to open it costs no more than a subset, and rare characters in names of people and places stay.
"""

import json
import logging
import os
import shutil
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

FACE: Final = "Noto Sans CJK SC"
NOTO: Final = Path("/usr/share/fonts/opentype/noto")
COLLECTIONS: Final = {"text.otf": "NotoSansCJK-Regular.ttc", "bold.otf": "NotoSansCJK-Bold.ttc"}
ICON_FONT: Final = "icons.ttf"
ICON_NAMES: Final = "icons.json"
PACKAGE: Final = "fonticon_mdi7"


class FontsMissing(Exception):
    """The machine lacks what the fonts are built from; the message names what to install."""


def folder() -> Path:
    """Where built fonts are: build/fonts of a checkout, else the user's data directory."""
    root = Path(__file__).resolve().parents[2]
    if (root / "pyproject.toml").is_file():
        return root / "build" / "fonts"
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "yizhan" / "fonts"


def build(target: Path, noto: Path = NOTO) -> None:
    """Write the text faces, the icon font and the names of its icons; FontsMissing names what lacks."""
    for name in COLLECTIONS.values():
        if not (noto / name).is_file():
            raise FontsMissing(f"{noto / name} is missing: install it with `apt-get install fonts-noto-cjk`.")
    icons = _icon_source()
    if icons is None:
        raise FontsMissing(
            "The icon font is missing: install it with `pip install fonticon-materialdesignicons7`."
        )
    target.mkdir(parents=True, exist_ok=True)
    for name, source in COLLECTIONS.items():
        _aside(target / name, lambda path, source=source: _take_face(noto / source, path))  # type: ignore[misc]
    _aside(target / ICON_FONT, lambda path: shutil.copyfile(icons, path))
    _aside(target / ICON_NAMES, _write_names)


@cache
def text() -> str:
    """File of the regular face."""
    return _built("text.otf", NOTO / COLLECTIONS["text.otf"])


@cache
def bold() -> str:
    """File of the bold face."""
    return _built("bold.otf", NOTO / COLLECTIONS["bold.otf"])


@cache
def icons() -> str:
    """File of the icon font."""
    return _built(ICON_FONT, _icon_source())


@cache
def icon_names() -> dict[str, str]:
    """Icon name ("qrcode-scan") to its character; empty if the fonts were not built."""
    try:
        names: dict[str, str] = json.loads((folder() / ICON_NAMES).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        log.warning("The icons have no names: run `python -m kiosk.ui.fonts` once.")
        return {}
    return names


def _built(name: str, instead: Path | None) -> str:
    path = folder() / name
    if path.is_file():
        return str(path)
    log.warning("%s is not built, letters may look odd: run `python -m kiosk.ui.fonts` once.", path)
    # The first face of the collection is Japanese, yet it reads; Kivy's own has no Chinese at all.
    return str(instead) if instead and instead.is_file() else "Roboto"


def _icon_source() -> Path | None:
    from importlib.util import find_spec

    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "fonts" / "materialdesignicons-webfont.ttf"
    return path if path.is_file() else None


def _take_face(collection: Path, path: Path) -> None:
    from fontTools.ttLib import TTCollection

    with TTCollection(str(collection), lazy=True) as faces:
        for face in faces.fonts:
            if face["name"].getDebugName(1) == FACE:
                face.save(str(path))
                return
    raise FontsMissing(f"{collection} has no {FACE}: run `apt-get install --reinstall fonts-noto-cjk`.")


def _write_names(path: Path) -> None:
    from fonticon_mdi7 import MDI7

    # The package's own constants, as the font's glyph names leave out what two names share.
    names = {
        name.strip("_").replace("_", "-"): sign[-1]
        for name, sign in vars(MDI7).items()
        if isinstance(sign, str) and not name.startswith("__")
    }
    path.write_text(json.dumps(names, ensure_ascii=False), encoding="utf-8")


def _aside(path: Path, write: Callable[[Path], object]) -> None:
    # A half-written font would be found by the next start and never be built again.
    draft = path.with_suffix(".part")
    write(draft)
    draft.replace(path)


def main() -> int:
    """Build into `folder()`; 1 with one sentence if something is not installed."""
    try:
        build(folder())
    except FontsMissing as err:
        sys.stderr.write(f"{err}\n")
        return 1
    sys.stdout.write(f"Fonts are in {folder()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
