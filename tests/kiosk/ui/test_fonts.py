"""The fonts, and what happens without them."""

import subprocess
import sys
from pathlib import Path

import pytest

from kiosk.ui import fonts


def test_a_missing_package_is_named_in_one_sentence(tmp_path: Path) -> None:
    sentence = r"^\S+ is missing: install it with `apt-get install fonts-noto-cjk`\.$"
    with pytest.raises(fonts.FontsMissing, match=sentence):
        fonts.build(tmp_path / "fonts", noto=tmp_path)
    assert not (tmp_path / "fonts").exists()


def test_a_font_that_is_not_built_falls_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    other = tmp_path / "other.ttc"
    assert fonts._built("nothing.otf", other) == "Roboto"
    other.touch()
    assert fonts._built("nothing.otf", other) == str(other)
    assert "python -m kiosk.ui.fonts" in caplog.text


def test_icons_of_the_manifests_and_the_shell_exist() -> None:
    import tomllib

    from kiosk.options import SHIPPED

    icons = [tomllib.loads(each.read_text("utf-8"))["icon"] for each in SHIPPED.glob("*/manifest.toml")]
    assert set(icons) | {"translate", "phone", "backspace-outline"} <= set(fonts.icon_names())


def test_the_chinese_face_is_the_simplified_one() -> None:
    # Checked in a process of its own: fontTools is no dependency of what runs.
    code = (
        "from fontTools.ttLib import TTFont; from kiosk.ui import fonts\n"
        "for file in (fonts.text(), fonts.bold()):\n"
        "    font = TTFont(file, lazy=True)\n"
        "    print(font['name'].getDebugName(1), len(font.getBestCmap()) > 40000)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{fonts.FACE} True"] * 2
