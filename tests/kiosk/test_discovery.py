"""Plugins are found by their manifests, without running any of their code."""

import sys
from pathlib import Path

import pytest

from kiosk import discovery
from tests.kiosk import plugin_folder


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package that registers a plugin and fails when it is imported."""
    site = tmp_path / "site"
    home = plugin_folder.write(site / "shade_package", "shade_map")
    (site / "shade_package" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    about = site / "shade-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: shade\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[yizhan.plugins]\nshade = shade_package.shade_map\n")
    monkeypatch.syspath_prepend(str(site))
    return home


def test_an_installed_package_registers_a_plugin_by_its_manifest_alone(installed: Path) -> None:
    found, refused = discovery.find([])
    assert refused == []
    assert [(each.manifest.id, each.module, each.folder) for each in found] == [
        ("shade_map", "shade_package.shade_map", installed)
    ]
    assert "shade_package" not in sys.modules


def test_a_registered_package_that_is_not_there_is_refused_in_words(installed: Path) -> None:
    (installed / "manifest.toml").unlink()
    found, refused = discovery.find([])
    assert found == []
    assert "cannot be read" in refused[0].problem


def test_of_two_plugins_with_one_id_the_first_folder_wins(tmp_path: Path) -> None:
    first = plugin_folder.write(tmp_path / "a", "same")
    plugin_folder.write(tmp_path / "b", "same")
    found, refused = discovery.find([tmp_path / "a", tmp_path / "b"], installed=False)
    assert [each.folder for each in found] == [first]
    assert "taken by" in refused[0].problem


def test_folders_that_are_no_plugins_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "notes.txt").touch()
    assert discovery.find([tmp_path, tmp_path / "nowhere"], installed=False) == ([], [])


def test_code_without_a_manifest_is_refused(tmp_path: Path) -> None:
    (plugin_folder.write(tmp_path, "half") / "manifest.toml").unlink()
    found, refused = discovery.find([tmp_path], installed=False)
    assert found == []
    assert len(refused) == 1
