"""docs/operate.md: its commands run in their order, its unit parses, its sentences are the program's own."""

import ast
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import kiosk.__main__ as kiosk_main
from server import cli
from server.store import Store, content
from tests.faults.registry import MATRIX
from tests.journeys.site import ROOT

PAGE = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
UNITS = re.findall(r"^ExecStart=\S+/yizhan (.*)$", PAGE, re.MULTILINE)
#: These go on until they are ended, so only their arguments are checked here.
LASTING = ("yizhan server run", "yizhan kiosk")
FAULTS = re.findall(
    r"^\| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$",
    PAGE.partition("## What a fault looks like")[2].partition("\n## ")[0],
    re.M,
)[1:]
SENTENCES = re.findall(r"^\| ([^|]+) \| [^|]+ \|$", PAGE.partition("## What the sentences mean")[2], re.M)[2:]


def parsed(words: list[str]) -> None:
    """Parse the arguments of a group as the group itself does."""
    group, *rest = words
    parser = {"server": cli._parser, "kiosk": kiosk_main._parser}[group]()
    parser.parse_args(rest)


@pytest.mark.parametrize("command", [each for each in COMMANDS if each.startswith(LASTING)])
def test_what_runs_on_takes_these_arguments(command: str) -> None:
    parsed(shlex.split(command)[1:])


@pytest.mark.parametrize("line", UNITS)
def test_units_take_these_arguments(line: str) -> None:
    parsed(shlex.split(line))


def test_the_other_commands_run_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "assets").symlink_to(ROOT / "assets")
    (tmp_path / "bin").mkdir()
    door = tmp_path / "bin" / "yizhan"
    door.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m yizhan "$@"\n', encoding="utf-8")
    door.chmod(0o755)
    path = os.pathsep.join([str(door.parent), os.environ["PATH"]])
    said = ""
    for command in COMMANDS:
        if not command.startswith(LASTING):
            done = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", command],
                cwd=tmp_path,
                env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, (command, done.stderr)
            said += done.stdout
    assert "Claim code for zl-018: " in said
    assert (tmp_path / "legal.key").stat().st_mode & 0o777 == 0o600
    (tmp_path / "restored").mkdir()
    (tmp_path / "backup.sqlite").rename(tmp_path / "restored" / "headquarters.sqlite")
    for data in (tmp_path / "data" / "headquarters", tmp_path / "restored"):
        store = Store(data)
        with store.read() as conn:
            assert set(content.counts(conn)) >= {"jobs.posts", "broadcast.programme", "legal_aid.slots"}
        store.close()


@pytest.fixture(scope="module")
def texts() -> str:
    """Every text that the programs can say, one a line."""
    found = []
    for package in ("kiosk", "server"):
        for file in (ROOT / package).rglob("*.py"):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            found += [
                node.value
                for node in ast.walk(tree)
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
            ]
        for file in (ROOT / package).rglob("*.toml"):
            found += [str(value) for value in tomllib.loads(file.read_text(encoding="utf-8")).values()]
    return "\n".join(found)


def test_every_row_of_the_fault_matrix_is_described() -> None:
    # The storm is all of them together.
    assert len(FAULTS) == len(set(MATRIX) - {"storm", "server_disk_full"})


@pytest.mark.parametrize("sentence", re.findall(r"“(.+?)”", " ".join(map(" ".join, FAULTS))))
def test_what_is_seen_in_a_fault_is_what_the_program_says(sentence: str, texts: str) -> None:
    test_the_sentences_are_the_programs_own(sentence, texts)


@pytest.mark.parametrize("sentence", SENTENCES)
def test_the_sentences_are_the_programs_own(sentence: str, texts: str) -> None:
    """Each part between the values, though they need not stand in one place of the code."""
    parts = [part for part in sentence.split("…") if len(part.strip(" .:()")) > 2]
    assert parts
    for part in parts:
        pattern = re.escape(part.strip())
        assert re.search(pattern, texts), part


def test_the_page_has_what_it_needs() -> None:
    assert len(SENTENCES) >= 14
    assert len(COMMANDS) >= 12
    assert UNITS
    for name in ("8080", "1883"):
        assert name in PAGE
    given = cli._parser().parse_args(["run"])
    assert (given.http_port, given.mqtt_port, given.http_host) == (8080, 1883, "127.0.0.1")
    assert (given.mqtt_host, str(given.data)) == ("127.0.0.1", "data/headquarters")
