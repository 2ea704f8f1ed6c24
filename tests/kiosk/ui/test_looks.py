"""Every screen of the shell as somebody at arm's length needs it: sizes, languages, nothing cut."""

from pathlib import Path
from typing import Any

import pytest

from kiosk.testing_ui import Kiosk
from kiosk.ui.tokens import TOUCH
from tests.kiosk.ui.station import claimed

pytestmark = pytest.mark.window

PORTRAIT, LANDSCAPE = (1080, 1920), (1920, 1080)
SMALLEST_TYPE = 28
#: Lines have room above and below their letters: so much may two lie over each other.
LEADING = 24


def faults(kiosk: Kiosk, size: tuple[int, int]) -> list[str]:
    """What a stranger would stumble over on the screen that is shown."""
    widgets = kiosk.widgets()
    found = []
    for each in widgets:
        left, bottom, right, top = each["box"]
        if each["kind"] == "tappable":
            if min(right - left, top - bottom) < TOUCH:
                found.append(f"{each['name']} is only {right - left:.0f} x {top - bottom:.0f}")
            continue
        text, (width, height) = each["text"], each["drawn"]
        if each["cut"] or width > right - left + 1 or height > top - bottom + 1:
            found.append(f"'{text}' is cut: {width}x{height} in {right - left}x{top - bottom}")
        if left < -1 or bottom < -1 or right > size[0] + 1 or top > size[1] + 1:
            found.append(f"'{text}' leaves the window")
        if each["font_size"] < SMALLEST_TYPE:
            found.append(f"'{text}' is set in {each['font_size']}")
    texts = [each for each in widgets if each["kind"] == "text"]
    found += [
        f"'{one['text']}' lies over '{other['text']}'"
        for index, one in enumerate(texts)
        for other in texts[index + 1 :]
        if _overlap(one, other)
    ]
    return found


def _overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    (left, bottom, right, top), (left2, bottom2, right2, top2) = one["box"], other["box"]
    across = min(right, right2) - max(left, left2)
    return bool(across > 1 and min(top, top2) - max(bottom, bottom2) > LEADING)


@pytest.mark.parametrize("size", [PORTRAIT, LANDSCAPE], ids=["portrait", "landscape"])
def test_the_shell_is_readable_in_both_languages_and_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    with Kiosk(claimed(tmp_path / "data"), size=size) as kiosk:
        said: dict[str, set[str]] = {}
        for language in ("zh", "en"):
            for large in (False, True):
                assert faults(kiosk, size) == [], f"home, {language}, large: {large}"
                said[language] = set(kiosk.texts())
                kiosk.tap(name="shell.manager")
                assert faults(kiosk, size) == [], f"manager, {language}, large: {large}"
                kiosk.tap(name="shell.close")
                kiosk.tap(name="shell.large")
            kiosk.tap(name="shell.language")
        # The station's own name, and the way back to Chinese.
        han = {each for each in said["en"] if any("\u4e00" <= sign <= "\u9fff" for sign in each)}
        assert han == {"织东路暖心驿站", "Welcome to 织东路暖心驿站", "中文"}


@pytest.mark.parametrize("size", [PORTRAIT, LANDSCAPE], ids=["portrait", "landscape"])
def test_set_up_is_readable_in_both_languages_and_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    with Kiosk(tmp_path / "data", size=size, home=False) as kiosk:
        kiosk.wait(name="setup.address.done", seconds=20)
        for step in ("address", "code"):
            for _ in ("zh", "en"):
                for _ in ("normal", "large"):
                    assert faults(kiosk, size) == []
                    kiosk.tap(name="shell.large")
                kiosk.tap(name="shell.language")
            if step == "address":
                kiosk.tap(name="setup.address.done")
