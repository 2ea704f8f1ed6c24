"""A town, its application, and browsers of somebody logged in and of a stranger."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from server.store import sessions
from server.web.app import create_app
from tests.server.web.town import NAME, PASSWORD, Town, enter, open_town

ORIGIN = "http://testserver"


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of an empty town, built once: migrations and a password's hash take half a second."""
    folder = tmp_path_factory.mktemp("town")
    town = open_town(folder)
    town.store.checkpoint()
    town.store.close()
    return folder


@pytest.fixture
def town(ground: Path, tmp_path: Path) -> Iterator[Town]:
    shutil.copytree(ground, tmp_path / "town")
    town = enter(tmp_path / "town")
    yield town
    town.store.close()


@pytest.fixture
def app(town: Town) -> FastAPI:
    return create_app(town.store, town.manifests, town.live, now=town.now, hold=0)


@pytest.fixture
def stranger(app: FastAPI) -> TestClient:
    """A browser on our own pages without a session."""
    return TestClient(app, follow_redirects=False, headers={"Origin": ORIGIN})


@pytest.fixture
def browser(app: FastAPI, town: Town) -> TestClient:
    """A browser of somebody who is logged in."""
    with town.store.write() as conn:
        token = sessions.open(conn, NAME, town.now())
    return TestClient(app, follow_redirects=False, headers={"Origin": ORIGIN}, cookies={"session": token})


@pytest.fixture
def login() -> dict[str, str]:
    return {"name": NAME, "password": PASSWORD}
