"""What people and networks get wrong: one clear sentence each, nothing lost, nothing crashing.

| what | by the real commands | in depth |
|---|---|---|
| a broken manifest | test_a_broken_manifest | protocol/test_manifest, kiosk/test_plugin_host |
| a bad settings value | test_a_bad_setting, test_a_broken_manifest | kiosk/test_presets, kiosk/test_station |
| an unreadable CSV row | test_an_unreadable_row | server/services/test_import |
| a missing media file | test_a_missing_media_file | kiosk/test_library, plugins/broadcast/test_airing |
| a wrong claim code | test_a_wrong_claim_code | kiosk/test_claim, kiosk/ui/test_setup |
| a port in use | test_a_port_in_use | server/test_cli |
| no network | test_without_a_network, test_headquarters_away | kiosk/test_link, kiosk/test_content |
| an unknown station's frame | test_a_stranger | server/test_ingest, server/test_collector |
"""

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import func, select

from kiosk import claim, tables
from kiosk.database import Database
from kiosk.options import SHIPPED
from kiosk.testing_ui import Kiosk
from protocol import frame, topics
from protocol.frame import Frame
from server.broker import free_port
from server.store import content
from server.store.schema import message
from tests.journeys.site import ROOT, Headquarters, command, sentences, until
from tests.kiosk import plugin_folder

SAMPLE = ROOT / "assets" / "sample"


@pytest.fixture(scope="module")
def headquarters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Headquarters]:
    with Headquarters(tmp_path_factory.mktemp("site") / "hq") as running:
        yield running


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A folder of plugins whose only one has a mistake, in line 31."""
    folder = tmp_path / "plugins"
    plugin_folder.write(folder, "broken", more='\n[settings.shade]\ntype = "colour"\n')
    text = (folder / "broken" / "manifest.toml").read_text(encoding="utf-8")
    assert text.splitlines()[30] == 'type = "colour"'
    return folder


def test_the_table_above_names_tests_that_exist() -> None:
    table = re.findall(r"^\| [^|]+ \| (test_[^|]+) \| ([^|]+) \|$", __doc__ or "", re.MULTILINE)
    assert len(table) == 8
    for here, elsewhere in table:
        for name in here.strip().split(", "):
            assert any(each.startswith(name) for each in globals()), name
        for name in elsewhere.strip().split(", "):
            assert (ROOT / "tests" / f"{name}.py").is_file(), name


def rows(headquarters: Headquarters) -> dict[str, int]:
    with headquarters.store.read() as conn:
        return dict(content.counts(conn))


def imported(headquarters: Headquarters, *words: str) -> tuple[int, list[str]]:
    """Exit status and sentences of `yizhan server import`."""
    done = command("server", "import", "--data", str(headquarters.data), *words)
    return done.returncode, sentences(done.stderr)


def test_a_broken_manifest_is_named_at_headquarters_and_the_others_serve(
    headquarters: Headquarters, broken: Path
) -> None:
    file = str(SAMPLE / "jobs.csv")
    status, said = imported(headquarters, "--plugins", str(broken), "jobs", file)
    assert status == 0
    assert len(said) == 1
    place = re.escape(str(broken / "broken" / "manifest.toml"))
    assert re.fullmatch(
        rf"yizhan server: Left out: {place}, line 31: settings\.shade\.type: .*'colour'", said[0]
    )
    assert rows(headquarters)["jobs.posts"] > 0


@pytest.mark.window
def test_a_broken_manifest_and_a_bad_settings_value_cost_the_station_nothing_else(
    tmp_path: Path, broken: Path
) -> None:
    data = tmp_path / "station"
    data.mkdir()
    database = Database(data / "station.db", tables.prepare)
    setting = ["check_in", "reentry_minutes", "100000"]
    database.write(lambda db: db.execute("INSERT INTO _setting VALUES (?, ?, ?)", setting).rowcount).wait()
    database.close()
    with Kiosk(data, plugins=[SHIPPED, broken]) as kiosk:
        assert "home.broken" not in kiosk.names()
        kiosk.tap(name="home.check_in")
        kiosk.tap(name="check_in.courier")
        kiosk.wait(text="签好了")
        log = kiosk.errors()
    assert re.search(r"plugin refused: \S+/broken/manifest\.toml, line 31: settings\.shade\.type: ", log)
    assert "check_in: the stored value of reentry_minutes must be at most 720; the default is used" in log
    assert "Traceback" not in log


def test_a_bad_setting_on_the_command_line_is_one_sentence_and_nothing_starts(tmp_path: Path) -> None:
    data = tmp_path / "station"
    done = command("kiosk", "--data", str(data), "--set", "check_in.reentry_minutes=100000")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "--set check_in.reentry_minutes=100000: reentry_minutes must be a whole number (0–720). "
        "Change it and start again.\n"
    )
    assert not data.exists()


def test_an_unreadable_row_is_named_by_line_and_column_and_nothing_is_imported(
    headquarters: Headquarters, tmp_path: Path
) -> None:
    before = rows(headquarters)
    head, first, second, *_ = (SAMPLE / "jobs.csv").read_text(encoding="utf-8").splitlines()
    cells = first.split(",")
    cells[head.split(",").index("pay_min")] = "five thousand"
    file = tmp_path / "jobs.csv"
    file.write_text("\n".join([head, second, ",".join(cells)]), encoding="utf-8")
    status, said = imported(headquarters, "jobs", str(file))
    assert status == 2
    assert said == [
        'yizhan server: line 3: pay_min "five thousand" is not a whole number; write e.g. 6000',
        f"yizhan server: Nothing was imported: 1 problem in {file}. "
        "Mend the file, or use --skip-bad to import the good rows.",
    ]
    assert rows(headquarters) == before


def test_a_missing_media_file_is_named_with_the_place_where_it_should_be(
    headquarters: Headquarters, tmp_path: Path
) -> None:
    head, first, *_ = (SAMPLE / "programme.csv").read_text(encoding="utf-8").splitlines()
    file = tmp_path / "programme.csv"
    file.write_text(f"{head}\n{first}\n", encoding="utf-8")
    name = first.split(",")[head.split(",").index("media")]
    status, said = imported(headquarters, "programme", str(file))
    assert status == 2
    assert said[0].startswith(f'yizhan server: line 2: media "{name}" is not there; put the file at ')
    assert "broadcast.programme" not in rows(headquarters)


def test_a_wrong_claim_code_is_one_sentence_and_leaves_no_station(
    headquarters: Headquarters, tmp_path: Path
) -> None:
    words = ("kiosk", "--data", str(tmp_path), "--server", headquarters.address)
    done = command(*words, "--claim", "00000000")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "The claim code is wrong or too old. Ask headquarters for a new code of eight digits.\n"
    )
    done = command(*words, "--claim", "123")
    assert (done.returncode, done.stderr) == (2, "A claim code has eight digits. Please look again.\n")
    assert not (tmp_path / claim.FILE).exists()


def test_without_a_network_claiming_speaks_of_the_network(tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    done = command("kiosk", "--data", str(tmp_path), "--server", address, "--claim", "12345678")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"Headquarters at {address} cannot be reached. Check the network and the address, then try again.\n"
    )


@pytest.mark.parametrize("which", ["--http-port", "--mqtt-port"])
def test_a_port_in_use_is_one_sentence_and_nothing_is_made(tmp_path: Path, which: str) -> None:
    data = tmp_path / "hq"
    ports = {"--http-port": str(free_port()), "--mqtt-port": str(free_port())}
    with socket.create_server(("127.0.0.1", 0)) as other:
        ports[which] = str(other.getsockname()[1])
        done = command(
            "server", "run", "--data", str(data), *(word for pair in ports.items() for word in pair)
        )
    assert (done.returncode, done.stdout) == (2, "")
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith(f"yizhan server: Port {ports[which]} on 127.0.0.1 is not free for the ")
    assert sentence.endswith("Stop the program that uses it, or choose another port.")
    assert not data.exists()


@pytest.mark.window
def test_headquarters_away_and_then_a_power_cut_lose_nothing(
    headquarters: Headquarters, tmp_path: Path
) -> None:
    code = headquarters.add_station("zl-101")

    def visits() -> int:
        asked = {"station": "zl-101", "plugin": "check_in", "name": "checked_in"}
        return int(headquarters.api("events/count", **asked)["n"])

    def check_in(kiosk: Kiosk, trade: str) -> None:
        kiosk.tap(name="home.check_in")
        kiosk.tap(name=f"check_in.{trade}")
        kiosk.wait(text="签好了")
        kiosk.tap(name="check_in.message.next")
        kiosk.wait(name="home.check_in")

    with Kiosk(tmp_path, ("--server", headquarters.address, "--claim", code)) as kiosk:
        check_in(kiosk, "courier")
        until(lambda: visits() == 1)
        headquarters.stop()
        check_in(kiosk, "sanitation")
        check_in(kiosk, "trucker")
        assert "Traceback" not in kiosk.errors()
        kiosk.process.kill()
        kiosk.process.wait()
    headquarters.start()
    # A running station asks again after a random time of up to a minute; this one asks as it starts.
    with Kiosk(tmp_path) as kiosk:
        until(lambda: visits() == 3)
        kiosk.wait(text="今日人次")
        assert "3" in kiosk.texts()


def test_a_stranger_is_refused_by_the_broker_and_counted_nowhere(headquarters: Headquarters) -> None:
    with headquarters.store.read() as conn:
        before = conn.scalar(select(func.count()).select_from(message))
    answers: list[str] = []
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id="yz-zl-999", reconnect_on_failure=False)
    client.username_pw_set("zl-999", "a guess")
    client.on_connect = lambda *args: answers.append(str(args[3]))
    client.connect("127.0.0.1", headquarters.mqtt)
    body = json.dumps({"t": "heartbeat", "at": 1}).encode()
    said = Frame(v=1, stream="ffff", first=1, msgs=[msgspec.Raw(body)])
    client.publish(topics.build("zl-999", "up"), frame.encode(said))
    client.loop_start()
    until(lambda: answers)
    client.disconnect()
    client.loop_stop()
    assert answers[0] == "Not authorized"
    with headquarters.store.read() as conn:
        assert conn.scalar(select(func.count()).select_from(message)) == before
    assert "zl-999" not in headquarters.page("/stations")
