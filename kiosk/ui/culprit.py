"""Whose mistake an exception is, by the files of its traceback. No Kivy here."""

import traceback
from collections.abc import Mapping
from pathlib import Path


def culprit(err: BaseException, folders: Mapping[str, Path]) -> tuple[str, str]:
    """The plugin whose file is innermost in the traceback and the function there; empty texts if none is."""
    for frame in reversed(traceback.extract_tb(err.__traceback__)):
        path = Path(frame.filename)
        for plugin, folder in folders.items():
            if path.is_relative_to(folder):
                return plugin, frame.name
    # A mistake in a .kv file has no frame of its own: Kivy names the file in the exception.
    file = str(getattr(getattr(err, "context", None), "filename", "") or "")
    for plugin, folder in folders.items():
        if file and Path(file).is_relative_to(folder):
            return plugin, Path(file).name
    return "", ""


def from_shell(err: BaseException) -> bool:
    """Whether code of the shell was at work; its loop and its widgets, which plugins use, do not count."""
    own = Path(__file__).resolve().parent
    frames = [Path(each.filename) for each in traceback.extract_tb(err.__traceback__)]
    outer = {own / "app.py", own / "loop.py", own / "touch.py"}
    return any(
        each.is_relative_to(own) and each not in outer and "widgets" not in each.parts for each in frames
    )
