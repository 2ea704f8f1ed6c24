"""Sealed boxes: what only an office at headquarters can open. The station itself cannot open it again."""

import base64
import binascii
import json
from typing import Any

from kiosk.errors import Unsealable


def seal(public_key: str, data: dict[str, Any]) -> str:
    """`data` as JSON in an anonymous sealed box to the base64 X25519 key; base64 text, or Unsealable."""
    from nacl.exceptions import CryptoError
    from nacl.public import PublicKey, SealedBox

    try:
        key = PublicKey(base64.b64decode(public_key, validate=True))
        box = SealedBox(key).encrypt(json.dumps(data, ensure_ascii=False).encode())
    except (binascii.Error, ValueError, TypeError, CryptoError) as err:
        raise Unsealable("the office's public key is none") from err
    return base64.b64encode(box).decode("ascii")
