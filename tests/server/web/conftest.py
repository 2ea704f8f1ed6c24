"""A town, its application, and browsers of somebody logged in and of a stranger."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from server.store import sessions
from server.web.app import create_app
from tests.server.web.town import NAME, PASSWORD, Town, open_town

ORIGIN = "http://testserver"


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    town = open_town(tmp_path)
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
