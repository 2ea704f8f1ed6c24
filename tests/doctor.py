"""What tests of both doctors share: ask one check, find a finding, compare the texts of two languages."""

import ast
import string
from collections.abc import Iterable
from pathlib import Path

from protocol.finding import LEVELS, Finding, Sayings


def keys(findings: Iterable[Finding]) -> dict[str, str]:
    """Key to level of what was found."""
    return {each.key: each.level for each in findings}


def blanks(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def check_texts(zh: Sayings, en: Sayings, *sources: Path) -> None:
    """Both languages say everything with the same blanks; every key is used, and every used key is said."""
    assert set(zh.texts) == set(en.texts)
    for key, text in zh.texts.items():
        assert text.strip(), key
        other = blanks(en.texts[key])
        assert blanks(text) == other, key
    said, begun = _said(sources)
    for key in said:
        assert key in en.texts, key
    sentences = {key for key in en.texts if key in said or key.startswith(tuple(begun))}
    used = sentences | {f"{key}.do" for key in sentences} | {key.partition(".")[0] for key in sentences}
    assert set(en.texts) - used <= {"language"}


def _said(sources: Iterable[Path]) -> tuple[set[str], set[str]]:
    """Keys in the code, and beginnings of keys that are put together when the program runs."""
    said: set[str] = set()
    begun: set[str] = set()
    for file in [
        each for source in sources for each in ([source] if source.is_file() else source.rglob("*.py"))
    ]:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                begun.add(str(node.values[0].value))
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                first = node.args[0]
                if node.func.attr in (*LEVELS, "text") and isinstance(first, ast.Constant):
                    said.add(str(first.value))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "." in node.value:
                begun.add(node.value)
    return said, {each for each in begun if "." in each and len(each) > 3}
