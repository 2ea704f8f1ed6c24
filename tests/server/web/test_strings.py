"""Both languages say everything, and nothing is said that no file has."""

import re
import string
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

import server.web
from server.web.words import words

WEB = Path(server.web.__file__).parent
#: Names of values in events and content, looked up by the value itself.
VALUES = ("trade.", "job.", "shift.", "kind.", "matter.")
ZH, EN = words("zh").texts, words("en").texts


def blanks(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_have_the_same_keys() -> None:
    assert set(ZH) == set(EN)


@pytest.mark.parametrize("key", sorted(ZH))
def test_both_languages_fill_the_same_blanks(key: str) -> None:
    assert blanks(ZH[key]) == blanks(EN[key])
    assert ZH[key].strip()
    assert EN[key].strip()


def test_every_key_in_code_and_templates_exists_and_every_text_is_used() -> None:
    source = "\n".join(
        path.read_text(encoding="utf-8")
        for path in [*WEB.glob("*.py"), *WEB.glob("templates/*.html"), *WEB.parent.glob("store/*.py")]
    )
    asked = set(re.findall(r"""\btr\(\s*["']([a-z_.]+[a-z])["']""", source))
    assert asked <= set(ZH)
    groups = set(re.findall(r"""["']([a-z_]+\.[a-z_.]*)\{""", source))
    groups |= set(re.findall(r"""["']([a-z_]+\.)["'] ~""", source))
    quoted = set(re.findall(r"""["']([a-z_]+(?:\.[a-z_0-9]+)+)["']""", source))
    used = asked | quoted | {key for key in ZH if key.startswith((*groups, *VALUES))}
    assert set(ZH) - used == set()


def test_english_by_address_is_remembered(browser: TestClient) -> None:
    assert 'lang="zh-CN"' in browser.get("/").text
    assert 'lang="en"' in browser.get("/?lang=en").text
    assert 'lang="en"' in browser.get("/stations").text
    assert 'lang="zh-CN"' in browser.get("/stations?lang=zh").text
    assert 'lang="zh-CN"' in browser.get("/?lang=xx").text
