"""In a process whose environment asks for it: the next message after a file appears ends paho's thread."""

import os
from pathlib import Path
from typing import Any

WORD = os.environ.get("YIZHAN_TEST_END_THREAD", "")


def _prepare() -> None:
    import paho.mqtt.client as paho

    whole, word = paho.Client._handle_on_message, Path(WORD)

    def fragile(self: paho.Client, message: Any) -> None:
        if word.exists():
            word.unlink()
            raise SystemExit
        whole(self, message)

    paho.Client._handle_on_message = fragile  # type: ignore[method-assign]


if WORD:
    _prepare()
