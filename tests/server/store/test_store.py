"""The tables and what is kept in them."""

import io
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from argon2 import PasswordHasher
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, event, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import StaticPool
from sqlalchemy.schema import CreateIndex, CreateTable

from server.errors import ClaimError, Locked, NotFound, Refused
from server.manifests import read_all
from server.services import booking
from server.store import Store, audit, content, media, offices, schema, sessions, stations, users
from server.store.engine import MIGRATIONS
from server.store.schema import metadata
from tests.server import ground

NOW = 1_800_000_000_000
DAY = 24 * 3600 * 1000
STEPS = st.sampled_from(["put", "remove", "look"])
NUMBERS = count()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    ground.lay(tmp_path / "hq")
    store = Store(tmp_path / "hq")
    yield store
    store.close()


class TestTables:
    def test_schema_and_migrations_agree(self, store: Store) -> None:
        with store.read() as conn:
            assert compare_metadata(MigrationContext.configure(conn), metadata) == []

    def test_an_error_does_not_say_the_values_that_it_was_about(self, store: Store) -> None:
        with pytest.raises(IntegrityError) as told, store.write() as conn:
            conn.execute(schema.gap.insert().values(station="13800001234", since=0, why="lost", n=0, at=0))
        assert "13800001234" not in str(told.value)

    def test_opening_again_changes_nothing(self, store: Store) -> None:
        with store.write() as conn:
            stations.add(conn, "st-1", name="x", now=NOW)
        again = Store(store.data_dir)
        with again.read() as conn:
            assert [each.id for each in stations.every(conn)] == ["st-1"]
        again.close()

    def test_every_table_and_index_can_be_written_for_postgresql(self) -> None:
        dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
        for table in metadata.sorted_tables:
            assert str(CreateTable(table).compile(dialect=dialect))
            for index in table.indexes:
                assert str(CreateIndex(index).compile(dialect=dialect))

    def test_what_an_earlier_release_kept_is_brought_up_to_this_one(self, tmp_path: Path) -> None:
        with sqlite3.connect(tmp_path / "headquarters.sqlite", isolation_level=None) as db:
            engine = create_engine("sqlite://", creator=lambda: db, poolclass=StaticPool)
            with engine.connect() as conn:
                config = Config()
                config.set_main_option("script_location", str(MIGRATIONS))
                config.attributes["connection"] = conn
                command.upgrade(config, "0001")
            station = "'st-1', '', '', '', '', '[]', 0" + ", NULL" * 7
            db.execute(f"INSERT INTO station VALUES ({station})")
            asked = "'st-1', ?, 'legal_aid', 'place_booking', 'booking', 0, 0, ?, 'confirmed', '{}'"
            booked = "'legal_aid.slots', ?, 0, '1', 'st-1', ?, '', 'sealed', 'legal', ?, 0, '{}'"
            for id_, state in (("r1", "done"), ("r2", "open")):
                db.execute(f"INSERT INTO request VALUES ({asked})", [id_, '{"contact": "sealed"}'])
                db.execute(f"INSERT INTO booking VALUES (NULL, {booked})", [id_, id_, state])
            db.execute("INSERT INTO collection VALUES ('x.y', 3, 3)")
        store = Store(tmp_path)
        manifests, _ = read_all()
        with store.write() as conn:
            booking.forget_contacts(conn, manifests)
            kept = conn.execute(select(schema.request.c.id, schema.request.c.d)).all()
            contacts = conn.execute(select(schema.booking.c.request, schema.booking.c.contact)).all()
            page = content.since(conn, "x.y", 3, "st-1")
        assert sorted(map(tuple, kept)) == [("r1", '{"contact": ""}'), ("r2", '{"contact": "sealed"}')]
        assert sorted(map(tuple, contacts)) == [("r1", ""), ("r2", "sealed")]
        assert page.generation
        store.close()

    def test_an_error_rolls_everything_back(self, store: Store) -> None:
        def half() -> None:
            with store.write() as conn:
                stations.add(conn, "st-1", name="x", now=NOW)
                raise RuntimeError

        with pytest.raises(RuntimeError):
            half()
        with store.read() as conn:
            assert stations.every(conn) == []

    def test_sqlite_is_safe_against_power_loss_and_folds_its_log_in_one_place(self, store: Store) -> None:
        with store.read() as conn:
            asked = ("journal_mode", "synchronous", "wal_autocheckpoint", "foreign_keys")
            found = [conn.exec_driver_sql(f"PRAGMA {name}").scalar() for name in asked]
        assert found == ["wal", 2, 0, 1]
        store.checkpoint()


class TestStations:
    def test_a_code_claims_once(self, store: Store) -> None:
        with store.write() as conn:
            code = stations.add(conn, "st-1", name="x", now=NOW)
            assert len(code) == 8
            claimed = stations.claim(conn, f"{code[:4]} {code[4:]}", NOW + 1)
            assert claimed.station == "st-1"
            assert stations.verify(conn, "st-1", claimed.token)
            assert not stations.verify(conn, "st-1", claimed.token + "x")
            with pytest.raises(ClaimError) as caught:
                stations.claim(conn, code, NOW + 2)
        assert caught.value.key == "claim.wrong"

    def test_a_code_expires_after_a_day(self, store: Store) -> None:
        with store.write() as conn:
            code = stations.add(conn, "st-1", name="x", now=NOW)
            with pytest.raises(ClaimError) as caught:
                stations.claim(conn, code, NOW + DAY + 1)
            assert caught.value.key == "claim.expired"
            fresh = stations.new_code(conn, "st-1", NOW + DAY)
            assert stations.claim(conn, fresh, NOW + DAY).station == "st-1"

    def test_a_new_claim_ends_the_old_credentials(self, store: Store) -> None:
        with store.write() as conn:
            first = stations.claim(conn, stations.add(conn, "st-1", name="x", now=NOW), NOW)
            second = stations.claim(conn, stations.new_code(conn, "st-1", NOW), NOW)
            assert not stations.verify(conn, "st-1", first.token)
            assert stations.verify(conn, "st-1", second.token)

    def test_a_revoked_station_is_out(self, store: Store) -> None:
        with store.write() as conn:
            claimed = stations.claim(conn, stations.add(conn, "st-1", name="x", now=NOW), NOW)
            stations.revoke(conn, "st-1", NOW)
            assert not stations.verify(conn, "st-1", claimed.token)
            assert stations.active(conn) == {}

    def test_no_credential_stands_in_the_database(self, store: Store) -> None:
        with store.write() as conn:
            code = stations.add(conn, "st-1", name="x", now=NOW)
        with store.write() as conn:
            claimed = stations.claim(conn, code, NOW)
        store.checkpoint()
        whole = b"".join(path.read_bytes() for path in store.data_dir.iterdir() if path.is_file())
        for secret in (code, claimed.token, claimed.mqtt_password):
            assert secret.encode() not in whole

    def test_an_id_that_breaks_the_rule_is_refused(self, store: Store) -> None:
        with store.write() as conn:
            stations.add(conn, "st-1", name="x", now=NOW)
            with pytest.raises(Refused):
                stations.add(conn, "st-1", name="x", now=NOW)
            with pytest.raises(NotFound):
                stations.new_code(conn, "st-9", NOW)

    def test_a_station_sees_its_own_profile_with_the_offices_alone(self, store: Store) -> None:
        with store.write() as conn:
            stations.add(conn, "st-1", name="一号站", now=NOW, facilities=["热水"])
            stations.add(conn, "st-2", name="二号站", now=NOW)
            offices.add(conn, "legal", "a2V5", NOW)
            page = content.since(conn, stations.PROFILE, 0, "st-1")
        (row,) = page.upserts
        assert row["station"] == "st-1"
        assert row["offices"] == {"legal": "a2V5"}
        assert row["facilities"] == ["热水"]


class TestContent:
    def test_unchanged_rows_keep_their_revision(self, store: Store) -> None:
        rows = [{"id": "a", "n": 1}, {"id": "b", "n": 2}]
        with store.write() as conn:
            assert content.put(conn, "x.y", "id", rows) == content.Changed(added=2)
            before = content.revision_of(conn, "x.y")
            assert content.put(conn, "x.y", "id", rows) == content.Changed(same=2)
            assert content.revision_of(conn, "x.y") == before

    def test_a_later_revision_than_ours_is_answered_with_everything(self, store: Store) -> None:
        with store.write() as conn:
            content.put(conn, "x.y", "id", [{"id": "a"}])
            page = content.since(conn, "x.y", 99, "st-1")
        assert page.reset
        assert page.upserts == [{"id": "a"}]
        assert page.revision == 1

    def test_after_a_restore_a_revision_that_was_overtaken_is_answered_with_everything(
        self, store: Store, tmp_path: Path
    ) -> None:
        def put(into: Store, *keys: str) -> None:
            for key in keys:
                with into.write() as conn:
                    content.put(conn, "x.y", "id", [{"id": key}])

        put(store, "a", "b")
        with store.read() as conn:
            early = content.since(conn, "x.y", 0, "st-1")
        store.checkpoint(empty=True)
        shutil.copytree(store.data_dir, tmp_path / "backup")
        put(store, "lost", "lost too")
        with store.read() as conn:
            late = content.since(conn, "x.y", early.revision, "st-1", generation=early.generation)
        assert [row["id"] for row in late.upserts] == ["lost", "lost too"]

        restored = Store(tmp_path / "backup")
        put(restored, "c", "d", "e")
        with restored.read() as conn:
            again = content.since(conn, "x.y", late.revision, "st-1", generation=late.generation)
            # Who had seen nothing that is lost goes on as if nothing had been.
            on = content.since(conn, "x.y", early.revision, "st-1", generation=early.generation)
            old = content.since(conn, "x.y", late.revision, "st-1")
            then = content.since(conn, "x.y", again.revision, "st-1", generation=again.generation)
        assert (again.reset, [row["id"] for row in again.upserts]) == (True, ["a", "b", "c", "d", "e"])
        assert (on.reset, [row["id"] for row in on.upserts]) == (False, ["c", "d", "e"])
        assert not old.reset  # a station of an earlier release names no generation
        assert (then.reset, then.upserts, then.generation) == (False, [], again.generation)
        restored.close()

    def test_every_page_has_the_generation_of_the_change_it_ends_in(self, store: Store) -> None:
        with store.write() as conn:
            content.put(conn, "x.y", "id", [{"id": key} for key in "abc"])
            content.put(conn, "x.y", "id", [{"id": "d"}])
            first = content.since(conn, "x.y", 0, "st-1", limit=2)
            second = content.since(conn, "x.y", 2, "st-1", limit=2, generation=first.generation)
            assert not first.reset
            assert not second.reset
            assert [row["id"] for row in second.upserts] == ["c", "d"]
            assert first.generation != second.generation

    def test_generations_are_kept_as_far_back_as_stations_may_stay_away(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(content, "KEPT", 2)
        with store.write() as conn:
            pages = []
            for key in "abcdef":
                content.put(conn, "x.y", "id", [{"id": key}])
                pages.append(content.since(conn, "x.y", 0, "st-1"))
            content.prune_generations(conn)
            asked = [
                content.since(conn, "x.y", page.revision, "st-1", generation=page.generation)
                for page in pages
            ]
        assert [page.reset for page in asked] == [True, True, True, False, False, False]

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(steps=st.lists(st.tuples(STEPS, st.sampled_from("abcdef"), st.integers(0, 3)), max_size=25))
    def test_a_replica_that_follows_revisions_is_always_the_same(
        self, store: Store, steps: list[tuple[str, str, int]]
    ) -> None:
        replica: dict[str, dict[str, object]] = {}
        name, revision, generation = f"x.{next(NUMBERS)}", 0, ""
        with store.write() as conn:
            for what, key, n in [*steps, ("look", "a", 0)]:
                if what == "put":
                    content.put(conn, name, "id", [{"id": key, "n": n}])
                elif what == "remove":
                    content.remove(conn, name, [key])
                else:
                    more = True
                    while more:
                        page = content.since(conn, name, revision, "st-1", 2, generation)
                        assert not page.reset
                        replica.update({row["id"]: row for row in page.upserts})
                        for gone in page.deletes:
                            replica.pop(gone, None)
                        revision, generation, more = page.revision, page.generation, page.more
            assert replica == content.keyed(conn, name)

    def test_a_put_reads_no_more_than_its_own_rows(self, store: Store) -> None:
        read = []
        with store.write() as conn:
            content.put(conn, "x.y", "id", [{"id": str(n)} for n in range(1200)])
            event.listen(conn, "before_cursor_execute", lambda *about: read.append((about[2], about[3])))
            assert content.put(conn, "x.y", "id", [{"id": "7", "n": 1}]) == content.Changed(changed=1)
        looked = [values for statement, values in read if "content.body" in statement]
        assert [each[-1] for each in looked] == ["7"]

    def test_many_rows_are_put_and_removed_at_once(self, store: Store) -> None:
        rows = [{"id": str(n)} for n in range(1200)]
        with store.write() as conn:
            assert content.put(conn, "x.y", "id", rows).added == 1200
            assert content.put(conn, "x.y", "id", rows).same == 1200
            assert content.remove(conn, "x.y", [row["id"] for row in rows] + ["no such"]) == 1200

    def test_a_tombstone_lasts_for_thirty_days_and_who_comes_later_begins_anew(self, store: Store) -> None:
        with store.write() as conn:
            content.put(conn, "x.y", "id", [{"id": "a"}, {"id": "b"}, {"id": "c"}])
            before = content.since(conn, "x.y", 0, "st-1")
            content.remove(conn, "x.y", ["a"], now=NOW)
            after = content.since(conn, "x.y", 0, "st-1")
            assert content.prune(conn, NOW + content.TOMBSTONE_MS) == 0
            assert content.since(conn, "x.y", before.revision, "st-1").deletes == ["a"]
            assert content.prune(conn, NOW + content.TOMBSTONE_MS + 1) == 1
            late = content.since(conn, "x.y", before.revision, "st-1", generation=before.generation)
            nameless = content.since(conn, "x.y", before.revision, "st-1", limit=1)
            there = content.since(conn, "x.y", after.revision, "st-1", generation=after.generation)
        for page in (late, nameless):
            assert (page.reset, page.more, page.revision) == (True, False, after.revision)
            assert page.upserts == [{"id": "b"}, {"id": "c"}]
        assert (there.reset, there.upserts, there.deletes) == (False, [], [])

    def test_a_row_that_is_there_again_is_no_tombstone(self, store: Store) -> None:
        with store.write() as conn:
            content.put(conn, "x.y", "id", [{"id": "a"}])
            content.remove(conn, "x.y", ["a"], now=NOW)
            content.put(conn, "x.y", "id", [{"id": "a"}])
            assert content.prune(conn, NOW + 2 * content.TOMBSTONE_MS) == 0
            assert content.rows(conn, "x.y") == [{"id": "a"}]

    def test_who_begins_from_nothing_below_a_pruned_revision_comes_to_the_end(self, store: Store) -> None:
        with store.write() as conn:
            content.put(conn, "x.y", "id", [{"id": key} for key in "abcdef"])
            content.remove(conn, "x.y", ["a"], now=NOW)
            content.prune(conn, 2 * NOW)
            found, page = [], content.since(conn, "x.y", 0, "st-1", limit=2)
            found += page.upserts
            content.remove(conn, "x.y", ["b"], now=2 * NOW)
            while page.more:
                page = content.since(conn, "x.y", page.revision, "st-1", 2, page.generation)
                assert not page.reset
                found += page.upserts
            assert [row["id"] for row in found] == ["b", "c", "d", "e", "f"]
            assert page.deletes == ["b"]
            assert page.generation == content.generation_of(conn, "x.y", page.revision)


class TestMedia:
    def test_a_file_lies_under_its_hash(self, store: Store) -> None:
        found = media.keep(store.media_dir, io.BytesIO(b"sound"), "a.ogg", "audio/ogg")
        with store.write() as conn:
            assert media.get(conn, found.sha256) is None
            media.record(conn, found, NOW)
            assert media.get(conn, found.sha256) == found
        assert media.path(store.media_dir, found.sha256).read_bytes() == b"sound"
        assert not list(store.media_dir.glob(".aside*"))

    def test_only_a_hash_names_a_file(self, store: Store) -> None:
        with pytest.raises(ValueError, match="SHA-256"):
            media.path(store.media_dir, "../../etc/passwd")


class TestPeople:
    @pytest.fixture(autouse=True)
    def quick_hashes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        weak = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        monkeypatch.setattr(users, "_hasher", lambda: weak)

    def test_wrong_passwords_must_wait_longer_and_longer(self, store: Store) -> None:
        with store.write() as conn:
            users.add(conn, "hq", "a good password", NOW)
        for _ in range(users.FREE_TRIES):
            assert not users.verify(store, "hq", "wrong", NOW)
        with pytest.raises(Locked) as first:
            users.verify(store, "hq", "a good password", NOW)
        later = NOW + users.WAIT_MS
        assert not users.verify(store, "hq", "wrong", later)
        with pytest.raises(Locked) as second:
            users.verify(store, "hq", "a good password", later)
        assert first.value.values["seconds"] == users.WAIT_MS // 1000
        assert second.value.values["seconds"] == 2 * users.WAIT_MS // 1000
        # A clock that jumps back does not lock for longer than the longest wait.
        with pytest.raises(Locked) as jumped:
            users.verify(store, "hq", "a good password", 0)
        assert jumped.value.values["seconds"] == users.WAIT_MAX_MS // 1000
        assert users.verify(store, "hq", "a good password", NOW + DAY)
        assert users.verify(store, "hq", "a good password", NOW + DAY)

    def test_many_guesses_at_once_are_as_few_as_one_after_another(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with store.write() as conn:
            users.add(conn, "hq", "a good password", NOW)
        all_in, judged = threading.Event(), threading.Semaphore(0)
        judge = users._matches

        def slow(kept: str, password: str) -> bool:
            judged.release()
            assert all_in.wait(10)
            return judge(kept, password)

        def guess(n: int) -> str:
            try:
                return str(users.verify(store, "hq", f"guess {n}", NOW))
            except Locked:
                return "locked"

        monkeypatch.setattr(users, "_matches", slow)
        with ThreadPoolExecutor(12) as pool:
            guesses = [pool.submit(guess, n) for n in range(12)]
            for _ in range(users.FREE_TRIES):
                assert judged.acquire(timeout=10)
            # While they are judged nothing holds the database.
            with store.write() as conn:
                audit.record(conn, "hq", "test", "", NOW)
            all_in.set()
            found = sorted(each.result() for each in guesses)
        assert found == ["False"] * users.FREE_TRIES + ["locked"] * (12 - users.FREE_TRIES)

    def test_a_password_changed_while_the_old_one_is_judged_wins(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with store.write() as conn:
            users.add(conn, "hq", "a good password", NOW)
        judge = users._matches

        def change(kept: str, password: str) -> bool:
            with store.write() as conn:
                users.set_password(conn, "hq", "another password")
            return judge(kept, password)

        monkeypatch.setattr(users, "_matches", change)
        assert not users.verify(store, "hq", "a good password", NOW)
        monkeypatch.setattr(users, "_matches", judge)
        assert users.verify(store, "hq", "another password", NOW)

    def test_a_stranger_is_simply_wrong(self, store: Store) -> None:
        assert not users.verify(store, "nobody", "x", NOW)
        with store.write() as conn, pytest.raises(Refused):
            users.add(conn, "hq", "short", NOW)

    def test_a_session_ends(self, store: Store) -> None:
        with store.write() as conn:
            users.add(conn, "hq", "a good password", NOW)
            token = sessions.open(conn, "hq", NOW)
            assert sessions.user_of(conn, token, NOW) == "hq"
            assert sessions.user_of(conn, token, NOW, "api") is None
            assert sessions.user_of(conn, token, NOW + sessions.COOKIE_MS) is None
            sessions.close(conn, token)
            assert sessions.user_of(conn, token, NOW) is None

    def test_changes_are_audited_with_before_and_after(self, store: Store) -> None:
        with store.write() as conn:
            audit.record(conn, "hq", "station.rename", "st-1", NOW, before={"name": "a"}, after={"name": "b"})
            (line,) = audit.latest(conn)
        assert (line["who"], line["before"], line["after"]) == ("hq", {"name": "a"}, {"name": "b"})


def test_importing_the_server_loads_no_kivy() -> None:
    names = "server.app server.cli server.collector server.ingest server.queries server.services.content"
    code = f"import sys\nfor name in {names.split()!r}: __import__(name)\nassert 'kivy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
