"""Claiming: credentials of the station's own, or one sentence that says what to do."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk import claim
from kiosk.__main__ import main
from kiosk.errors import ClaimError
from kiosk.strings import own
from tests.kiosk.conftest import free_port
from tests.kiosk.web import Web

ANSWER: dict[str, Any] = {
    "station": "zl-018",
    "token": "t0ken",
    "server_name": "织里",
    "mqtt": {"host": "", "port": 1883, "user": "zl-018", "password": "pass", "prefix": "yz/1"},
    "offices": {"legal": "a2V5"},
}


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as web:
        web.give("/station/v1/claim", ANSWER)
        yield web


def refused(server: str, data: Path, code: str = "12345678", allow_plain: bool = False) -> str:
    with pytest.raises(ClaimError) as caught:
        claim.claim(server, code, data, allow_plain)
    for language in ("zh", "en"):
        sentence = own().text(language, caught.value.key, **caught.value.values)
        assert sentence != caught.value.key
        assert "{" not in sentence
    assert not (data / claim.FILE).exists()
    return caught.value.key


def test_the_credentials_are_stored_for_this_user_alone(web: Web, tmp_path: Path) -> None:
    made = claim.claim(web.url + "/", "1234 5678", tmp_path / "data")
    file = tmp_path / "data" / claim.FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert claim.load(tmp_path / "data") == made
    assert (made.station, made.broker, made.server) == ("zl-018", "127.0.0.1", web.url)
    assert made.authorization == "Bearer zl-018:t0ken"
    assert "t0ken" not in repr(made)
    assert "pass" not in repr(made)


def test_an_unclaimed_station_has_none(tmp_path: Path) -> None:
    assert claim.load(tmp_path) is None


def test_a_damaged_file_is_no_credentials(tmp_path: Path) -> None:
    (tmp_path / claim.FILE).write_text('{"station": "../../x"}')
    with pytest.raises(ValueError, match="damaged"):
        claim.load(tmp_path)


def test_a_wrong_code_gets_one_clear_sentence(web: Web, tmp_path: Path) -> None:
    web.give("/station/v1/claim", {"error": "claim.unknown", "sentence": {"zh": "", "en": ""}}, 404)
    assert refused(web.url, tmp_path) == "core.claim.code"


def test_too_many_wrong_codes_get_another(web: Web, tmp_path: Path) -> None:
    web.give("/station/v1/claim", {"error": "claim.limited", "sentence": {}}, 429)
    assert refused(web.url, tmp_path) == "core.claim.limited"


@pytest.mark.parametrize("code", ["", "1234567", "123456789", "1234567a", "../12345"])
def test_what_is_no_code_is_not_even_sent(web: Web, tmp_path: Path, code: str) -> None:
    assert refused(web.url, tmp_path, code) == "core.claim.form"
    assert web.asked == []


def test_without_a_network_the_sentence_speaks_of_the_network(tmp_path: Path) -> None:
    assert refused(f"http://127.0.0.1:{free_port()}", tmp_path) == "core.claim.network"


@pytest.mark.parametrize(
    "server",
    ["", "yizhan.example.org", "ftp://a", "http://", "http://a:b@127.0.0.1", "http://127.0.0.1:99999"],
)
def test_what_is_no_address_is_refused(tmp_path: Path, server: str) -> None:
    assert refused(server, tmp_path) == "core.claim.address"


def test_another_machine_without_encryption_is_refused_unless_said_in_words(tmp_path: Path) -> None:
    assert refused("http://192.0.2.1", tmp_path) == "core.plain_refused"


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>",
        {},
        {**ANSWER, "station": "a/b"},
        {**ANSWER, "station": "+"},
        {**ANSWER, "mqtt": {**ANSWER["mqtt"], "prefix": "yz/#"}},
        {**ANSWER, "mqtt": {**ANSWER["mqtt"], "port": 0}},
        {**ANSWER, "token": ""},
    ],
)
def test_an_answer_that_makes_no_sense_is_not_stored(web: Web, tmp_path: Path, answer: Any) -> None:
    web.give("/station/v1/claim", answer)
    assert refused(web.url, tmp_path) == "core.claim.server"


def test_any_other_web_server_is_recognised_as_such(web: Web, tmp_path: Path) -> None:
    web.answers.clear()
    assert refused(web.url, tmp_path) == "core.claim.server"


def test_a_redirect_is_not_followed(web: Web, tmp_path: Path) -> None:
    web.give("/station/v1/claim", b"", 307, Location=web.url + "/elsewhere")
    assert refused(web.url, tmp_path) == "core.claim.server"
    assert [path for path, _ in web.asked] == ["/station/v1/claim"]


def test_the_command_line_says_it_in_one_sentence_and_ends_with_2(
    web: Web, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    web.give("/station/v1/claim", {"error": "claim.unknown"}, 404)
    status = main(["--data", str(tmp_path), "--server", web.url, "--claim", "12345678", "--no-supervise"])
    assert status == 2
    assert capsys.readouterr().err == own().text("en", "core.claim.code") + "\n"


def test_a_claimed_station_starts_although_its_code_is_used_up(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("kiosk.__main__._screen", lambda options: 0)
    line = ["--data", str(tmp_path), "--server", web.url, "--claim", "12345678", "--no-supervise"]
    assert main(line) == 0
    web.give("/station/v1/claim", {"error": "claim.unknown"}, 404)
    assert main(line) == 0
    assert "Going on as zl-018" in capsys.readouterr().err
    assert json.loads((tmp_path / claim.FILE).read_text())["token"] == "t0ken"
