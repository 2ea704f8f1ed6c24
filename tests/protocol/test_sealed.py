"""Sealed fields made empty: nothing else of a message changes."""

import json

from protocol import messages
from protocol.manifest import parse
from protocol.messages import Event, Request
from protocol.sealed import BLANK, blank

ASKED = Request(id="r", plugin="p", name="ask", service="booking", d={"slot": "甲", "contact": "A" * 80})


def test_only_the_named_fields_become_empty() -> None:
    kept = messages.decode(blank(messages.encode(ASKED), ["contact", "absent"]))
    assert kept == Request(
        id="r", plugin="p", name="ask", service="booking", d={"slot": "甲", "contact": BLANK}
    )


def test_what_a_later_release_wrote_stays() -> None:
    body = b'{"t":"request","id":"r","later":{"n":12345678901234567890},"d":{"contact":"x","flag":true}}'
    assert json.loads(blank(body, ["contact"])) == {**json.loads(body), "d": {"contact": "", "flag": True}}


def test_what_has_nothing_sealed_comes_back_as_it_was() -> None:
    bodies = [messages.encode(Event(plugin="p", name="seen", d={"n": 1})), b"[1]", b"{", b'{"d":[]}', b"\xff"]
    bodies.append(blank(messages.encode(ASKED), ["contact"]))
    for body in bodies:
        assert blank(body, ["contact"]) is body


def test_an_emptied_field_still_fits_its_manifest() -> None:
    text = """
id = "desk"
version = "1.0.0"
api = ">=1,<2"
title = { zh = "甲", en = "A" }
icon = "star"
[requests.ask]
service = "booking"
office = "legal"
fields.contact = { type = "sealed" }
fields.slot = { type = "content_id" }
"""
    manifest = parse(text)
    assert manifest.sealed_fields("ask") == ["contact"]
    assert manifest.sealed_fields("other") == []
    assert manifest.check_request("ask", {"contact": BLANK, "slot": "S1"}).office == "legal"
