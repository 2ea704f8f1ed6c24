"""Whose mistake an exception is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kiosk.ui.culprit import culprit, from_shell

CODE = """
def run(fn):
    return fn()

def fail():
    return 1 / 0
"""


def load(folder: Path) -> dict[str, Any]:
    """A plugin's screen, run from its file."""
    file = folder / "screen.py"
    folder.mkdir()
    file.write_text(CODE)
    names: dict[str, Any] = {}
    exec(compile(CODE, str(file), "exec"), names)
    return names


def raised(fn: Callable[[], object]) -> BaseException:
    with pytest.raises(ZeroDivisionError) as info:
        fn()
    return info.value


def test_the_innermost_plugin_of_the_traceback_is_named(tmp_path: Path) -> None:
    folders = {name: tmp_path / name for name in ("good", "bad")}
    good, bad = (load(folder) for folder in folders.values())
    assert culprit(raised(lambda: good["run"](bad["fail"])), folders) == ("bad", "fail")
    assert culprit(raised(lambda: 1 // 0), folders) == ("", "")


def test_a_broken_kv_file_is_its_plugins_mistake(tmp_path: Path) -> None:
    err = ValueError("kv")
    err.context = type("Context", (), {"filename": str(tmp_path / "bad" / "screen.kv")})()  # type: ignore[attr-defined]
    assert culprit(err, {"bad": tmp_path / "bad"}) == ("bad", "screen.kv")


def test_the_shells_own_files_make_it_the_shells_mistake(tmp_path: Path) -> None:
    from kiosk.ui import tokens

    assert from_shell(_bad_colour(tokens))
    assert not from_shell(raised(lambda: 1 // 0))


def _bad_colour(tokens: Any) -> BaseException:
    with pytest.raises(ValueError, match="invalid literal") as info:
        tokens.channels("#nocolour")
    return info.value
