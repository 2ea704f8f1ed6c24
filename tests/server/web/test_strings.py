"""Both languages say everything, and nothing is said that no file has."""

import ast
import re
import string
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

import protocol.frame
import server.web
from server.store import gaps
from server.web.words import words

WEB = Path(server.web.__file__).parent
#: Names of values in events and content, looked up by the value itself.
VALUES = ("trade.", "job.", "shift.", "kind.", "matter.")
PREFIXES = ("refusal.", "gap.why.", "gap_line.")
ZH, EN = words("zh").texts, words("en").texts


def refused() -> set[str]:
    """Every reason for which the code turns something away: of the reader of frames, and of the collector."""
    reasons: set[str] = set()
    for path in [Path(protocol.frame.__file__), *WEB.parent.glob("*.py"), *WEB.parent.glob("store/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            match ast.unparse(node.func), node.args[0]:
                case "FrameError" | "tally.add" | "batch.tally.add", ast.Constant(str(reason)):
                    reasons.add(reason)
                case (("FrameError" | "tally.add" | "batch.tally.add"), other):
                    assert ast.unparse(other) == "err.reason", path  # a FrameError's
    return reasons


def lacking() -> set[str]:
    """Every reason that a gap may have."""
    return {
        value for name, value in vars(gaps).items() if name.isupper() and isinstance(value, str)
    } | gaps.SAID


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


@pytest.mark.parametrize("texts", [ZH, EN], ids=["zh", "en"])
def test_every_reason_to_refuse_and_every_kind_of_gap_has_its_sentence(texts: dict[str, str]) -> None:
    of = {prefix: {key[len(prefix) :] for key in texts if key.startswith(prefix)} for prefix in PREFIXES}
    assert refused() >= {"json", "forked", "store", "clone", "undeclared_request"}
    assert of["refusal."] == refused() | {"other", "line"}
    assert lacking() >= {"lost", "new_stream", "disk", "other"}
    assert of["gap.why."] == of["gap_line."] == lacking()


def test_english_by_address_is_remembered(browser: TestClient) -> None:
    assert 'lang="zh-CN"' in browser.get("/").text
    assert 'lang="en"' in browser.get("/?lang=en").text
    assert 'lang="en"' in browser.get("/stations").text
    assert 'lang="zh-CN"' in browser.get("/stations?lang=zh").text
    assert 'lang="zh-CN"' in browser.get("/?lang=xx").text
