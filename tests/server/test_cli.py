"""The commands as an operator types them; mistakes are one sentence and exit status 2."""

import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from nacl.public import PrivateKey, SealedBox
from nacl.utils import random as random_bytes

from server.app import now_ms
from server.broker import free_port
from server.cli import main
from server.store import Store, content, offices, sessions, stations, users

ROOT = Path(__file__).parents[2]


@pytest.fixture
def data(tmp_path: Path) -> list[str]:
    return ["--data", str(tmp_path / "hq")]


def said(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    captured = capsys.readouterr()
    return captured.out, captured.err


def test_a_station_is_added_with_its_claim_code(data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["add-station", *data, "zl-018", "--name", "织东路站", "--facilities", "热水,充电"]) == 0
    out, _ = said(capsys)
    code = "".join(letter for letter in out.partition(": ")[2][:9] if letter.isdigit())
    store = Store(Path(data[1]))
    with store.write() as conn:
        assert stations.claim(conn, code, time.time_ns() // 1_000_000).station == "zl-018"
        (each,) = stations.every(conn)
    assert each.facilities == ["热水", "充电"]
    store.close()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["add-station", "ZL/#", "--name", "x"], "is no station id"),
        (["claim-code", "st-1"], "There is no station 'st-1'."),
        (["revoke", "st-1"], "There is no station 'st-1'."),
        (["add-token", "nobody"], "There is no user 'nobody'."),
        (["import", "jobs", "no-such-file.csv"], "no-such-file.csv cannot be read"),
        (["import", "rota", "no-such-file.toml"], "no-such-file.toml: No such file or directory."),
        (["import", "nope", "x.csv"], "There is no collection 'nope'"),
    ],
)
def test_mistakes_are_one_sentence(
    data: list[str], capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    assert main([words[0], *data, *words[1:]]) == 2
    _, err = said(capsys)
    assert sentence in err
    assert len(err.strip().splitlines()) == 1


def test_a_user_is_added_with_a_password_from_standard_input(
    data: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def type_(text: str) -> None:
        reader, writer = os.pipe()
        os.write(writer, text.encode())
        os.close(writer)
        monkeypatch.setattr("sys.stdin", os.fdopen(reader))

    type_("a good password\n")
    assert main(["add-user", *data, "hq", "--password-stdin"]) == 0
    type_("short\n")
    assert main(["add-user", *data, "other", "--password-stdin"]) == 2
    assert "at least 8" in said(capsys)[1]
    store = Store(Path(data[1]))
    assert users.verify(store, "hq", "a good password", 1)
    store.close()


def test_an_api_token_is_shown_once_and_ends_on_its_day(
    data: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    store, day = Store(Path(data[1])), 24 * 3600 * 1000
    with store.write() as conn:
        users.add(conn, "hq", "a good password", 1)
    before = now_ms()
    assert main(["add-token", *data, "hq", "--days", "7"]) == 0
    token = said(capsys)[0].splitlines()[-1]
    with store.read() as conn:
        assert sessions.user_of(conn, token, before + 7 * day - 1, "api") == "hq"
        assert sessions.user_of(conn, token, now_ms() + 7 * day, "api") is None
        assert sessions.user_of(conn, token, before, "cookie") is None
    store.close()
    assert all(token.encode() not in file.read_bytes() for file in Path(data[1]).iterdir() if file.is_file())
    for days in ("0", "-1", "x", "99999"):
        with pytest.raises(SystemExit) as refused:
            main(["add-token", *data, "hq", f"--days={days}"])
        assert refused.value.code == 2
    assert "no number of days" in said(capsys)[1]


def test_an_office_keeps_its_private_key_and_we_the_public_one(data: list[str], tmp_path: Path) -> None:
    import base64

    file = tmp_path / "legal.key"
    assert main(["add-office", *data, "legal", "--key-file", str(file)]) == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    store = Store(Path(data[1]))
    with store.read() as conn:
        public = offices.public_keys(conn)["legal"]
    private = PrivateKey(base64.b64decode(file.read_text()))
    secret = random_bytes(20)
    box = SealedBox(PrivateKey(bytes(private)).public_key)
    assert base64.b64encode(bytes(private.public_key)).decode() == public
    assert SealedBox(private).decrypt(box.encrypt(secret)) == secret
    assert main(["add-office", *data, "legal", "--key-file", str(file)]) == 0
    assert base64.b64decode(file.read_text()) == bytes(private)
    store.close()


def test_an_import_names_every_bad_line(
    data: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "jobs.csv"
    sample = (ROOT / "assets" / "sample" / "jobs.csv").read_text(encoding="utf-8").splitlines()
    cells = sample[1].split(",")
    cells[5] = "abc"
    file.write_text("\n".join([sample[0], ",".join(cells), sample[2]]), encoding="utf-8")
    assert main(["import", *data, "jobs", str(file)]) == 2
    _, err = said(capsys)
    assert 'line 2: pay_min "abc" is not a whole number; write e.g. 6000' in err
    assert "Nothing was imported: 1 problem" in err
    assert main(["import", *data, "jobs", str(file), "--skip-bad"]) == 0
    assert "1 added" in said(capsys)[0]


def test_the_sample_files_import(data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    sample = ROOT / "assets" / "sample"
    for name, file in (("jobs", "jobs.csv"), ("programme", "programme.csv"), ("rota", "rota.toml")):
        assert main(["import", *data, name, str(sample / file)]) == 0, said(capsys)
    store = Store(Path(data[1]))
    with store.read() as conn:
        assert set(content.counts(conn)) == {"jobs.posts", "broadcast.programme", "legal_aid.slots"}
    store.close()
    assert main(["recount", *data]) == 0


@pytest.mark.parametrize("which", ["http", "mqtt"])
def test_a_port_in_use_is_one_sentence_and_nothing_is_started(
    data: list[str], capsys: pytest.CaptureFixture[str], which: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        ports = {"http": free_port(), "mqtt": free_port(), which: other.getsockname()[1]}
        words = ["--http-port", str(ports["http"]), "--mqtt-port", str(ports["mqtt"])]
        assert main(["run", *data, *words]) == 2
        _, err = said(capsys)
        assert f"Port {ports[which]} on 127.0.0.1 is not free" in err
        assert len(err.strip().splitlines()) == 1
    assert not Path(data[1]).exists()
    for port in ports.values():
        socket.create_server(("127.0.0.1", port)).close()


def test_no_mosquitto_at_the_address_is_one_sentence(
    data: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    assert main(["run", *data, "--http-port", "0", "--mqtt", f"127.0.0.1:{port}"]) == 2
    _, err = said(capsys)
    assert f"No MQTT broker answers at 127.0.0.1:{port}" in err
    assert (Path(data[1]) / "mosquitto" / "yizhan.conf").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_says_where_it_is_and_ends_all_it_started(data: list[str], number: signal.Signals) -> None:
    mqtt = free_port()
    running = subprocess.Popen(
        [sys.executable, "-m", "server", "run", *data, "--http-port", "0", "--mqtt-port", str(mqtt)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert running.stdout is not None
    lines = [running.stdout.readline().strip() for _ in range(2)]
    assert lines[0] == f"Broker: mqtt://127.0.0.1:{mqtt}"
    assert lines[1].startswith("Headquarters: http://127.0.0.1:")
    with urllib.request.urlopen(lines[1].partition(": ")[2] + "login", timeout=10) as answer:
        assert answer.status == 200
        assert "server" not in answer.headers
    running.send_signal(number)
    assert running.wait(20) == 0
    running.stdout.close()
    socket.create_server(("127.0.0.1", mqtt)).close()
