"""Every plugin says everything in both languages, with the same values."""

import re
import tomllib
from pathlib import Path

import pytest

PLUGINS = Path(__file__).parents[2] / "plugins"
FOLDERS = sorted(manifest.parent for manifest in PLUGINS.glob("*/manifest.toml"))

WITH_SCREEN = [folder for folder in FOLDERS if (folder / "screen.kv").exists()]


def strings(folder: Path, language: str) -> dict[str, str]:
    texts: dict[str, str] = tomllib.loads((folder / "strings" / f"{language}.toml").read_text("utf-8"))
    return texts


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_both_languages_have_the_same_sentences_with_the_same_values(folder: Path) -> None:
    zh, en = strings(folder, "zh"), strings(folder, "en")
    assert zh.keys() == en.keys()
    for key in zh:
        assert sorted(re.findall(r"{\w*}", zh[key])) == sorted(re.findall(r"{\w*}", en[key])), key


@pytest.mark.parametrize("folder", WITH_SCREEN, ids=lambda folder: folder.name)
def test_every_sentence_is_used(folder: Path) -> None:
    code = "".join(
        file.read_text("utf-8") for file in folder.iterdir() if file.suffix in (".py", ".kv", ".toml")
    )
    # Keys put together in code, such as f"rule_{number}", are found by how they begin or end.
    begins = tuple(re.findall(r"f[\"'](\w+_){", code) + re.findall(r"[\"'](\w+_)[\"'] \+", code))
    ends = tuple(re.findall(r"}(_\w+)[\"']", code))
    unused = [
        key
        for key in strings(folder, "zh")
        if not re.search(rf"\b{key}\b", code) and not key.startswith(begins) and not key.endswith(ends)
    ]
    assert unused == []
