"""Makes paho's next callback for a message end its thread, once."""

from typing import Any

import paho.mqtt.client as paho


def harm() -> None:
    whole = paho.Client._handle_on_message

    def broken(self: paho.Client, message: Any) -> None:
        paho.Client._handle_on_message = whole  # type: ignore[method-assign]
        raise SystemExit

    paho.Client._handle_on_message = broken  # type: ignore[method-assign]
