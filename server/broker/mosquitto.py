"""An existing Mosquitto: we write its password and access files; its operator points it at them."""

import logging
import os
import signal
import socket
from pathlib import Path
from typing import Final

from protocol.topics import PREFIX
from server.broker import COLLECTOR, Credentials, own_password
from server.errors import BrokerError
from server.store.stations import pbkdf2_hash

log = logging.getLogger(__name__)

REACH_S: Final = 5.0


class MosquittoBroker:
    """Files for a Mosquitto at `host`:`port`. With its pid file we also tell it to read them again."""

    def __init__(
        self, folder: Path, host: str, port: int, prefix: str = PREFIX, pid_file: Path | None = None
    ) -> None:
        self.host, self.port = host, port
        self.passwords, self.access = folder / "passwords", folder / "access"
        self.snippet = folder / "yizhan.conf"
        self._folder, self._prefix, self._pid_file = folder, prefix, pid_file
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        self.user, self.password = COLLECTOR, own_password(folder)
        self._hash = pbkdf2_hash(self.password)

    def start(self, stations: Credentials) -> None:
        """Write the files and see that somebody answers at the address."""
        self._put(self.snippet, self._conf())
        self._put(self.access, self._acl())
        self.update(stations)
        try:
            socket.create_connection((self.host, self.port), timeout=REACH_S).close()
        except OSError as err:
            raise BrokerError(
                f"No MQTT broker answers at {self.host}:{self.port} ({err.strerror or err}). "
                f"Start Mosquitto with the lines of {self.snippet}, then try again."
            ) from err

    def update(self, stations: Credentials) -> None:
        """Write who may connect, and have Mosquitto read it."""
        lines = [f"{COLLECTOR}:{self._hash}"]
        lines += [f"{station}:{pbkdf2}" for station, (_, pbkdf2) in sorted(stations.items())]
        if self._put(self.passwords, "\n".join(lines) + "\n"):
            self._reload()

    def stop(self) -> None:
        """Nothing here is ours to end."""

    def _reload(self) -> None:
        try:
            pid = int(self._pid_file.read_text()) if self._pid_file else None
            if pid:
                os.kill(pid, signal.SIGHUP)
                return
        except (OSError, ValueError) as err:
            log.warning("Mosquitto cannot be told to read its files again: %s", err)
        log.warning("Stations changed: have Mosquitto read its files again (systemctl reload mosquitto).")

    def _acl(self) -> str:
        # %u is the user name, which is the station id; ids hold no + # or /, so it can stand in a pattern.
        prefix = self._prefix
        return (
            f"pattern write {prefix}/%u/up\n"
            f"pattern write {prefix}/%u/state\n"
            f"pattern read {prefix}/%u/down\n"
            f"user {COLLECTOR}\n"
            f"topic read {prefix}/+/up\n"
            f"topic read {prefix}/+/state\n"
            f"topic write {prefix}/+/down\n"
        )

    def _conf(self) -> str:
        return (
            "# Include this from mosquitto.conf, or copy it to /etc/mosquitto/conf.d/.\n"
            "# Mosquitto's user must be able to read both files.\n"
            "allow_anonymous false\n"
            f"password_file {self.passwords.resolve()}\n"
            f"acl_file {self.access.resolve()}\n"
            "# Stations repeat what gets lost: Mosquitto needs to keep nothing.\n"
            "persistence false\n"
            "message_size_limit 524288\n"
            f"listener {self.port} {self.host}\n"
        )

    def _put(self, file: Path, text: str) -> bool:
        """Write a file in one step; whether it differs from the last one."""
        if file.exists() and file.read_text() == text:
            return False
        aside = file.with_suffix(".new")
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640), "w") as out:
            out.write(text)
        if file.exists():  # the operator may have given it to Mosquitto's group
            try:
                os.chown(aside, -1, file.stat().st_gid)
            except PermissionError as err:
                log.warning("%s changes its group: %s", file, err)
        aside.replace(file)
        return True
