"""Messages come back as they were said; what cannot be read is kept as it came."""

import json
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import messages
from protocol.messages import Event, Fault, Heartbeat, Message, Poke, Reply, Request, Unknown, decode, encode

words = st.text(max_size=20)
whole = st.integers(-(2**53), 2**53)
plain = st.dictionaries(words, words | whole | st.booleans(), max_size=4)
deep = st.dictionaries(words, words | whole | st.lists(words, max_size=3) | plain, max_size=4)
times = {"at": whole, "up": whole}
said = st.one_of(
    st.builds(Event, plugin=words, name=words, d=plain, session=words, **times),
    st.builds(Request, id=words, plugin=words, name=words, service=words, d=deep, **times),
    st.builds(Heartbeat, version=words, health=plain, **times),
    st.builds(
        Fault,
        plugin=words,
        version=words,
        where=words,
        kind=words,
        trace=st.lists(words, max_size=3),
        **times,
    ),
    st.builds(Reply, id=words, plugin=words, name=words, status=words, d=deep, **times),
    st.builds(Poke, collections=st.lists(words, max_size=3), **times),
)


@given(said)
def test_a_message_comes_back_as_it_was_said(message: Message) -> None:
    assert decode(encode(message)) == message


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_unknown(data: bytes) -> None:
    found = decode(data)
    assert not isinstance(found, Unknown) or found.raw == data


@pytest.mark.parametrize(
    "data",
    [
        b'{"t":"weather","rain_mm":3}',
        b'{"plugin":"jobs","name":"opened"}',
        b'{"t":"event","plugin":"jobs","name":5}',
        b'{"t":"event","plugin":"jobs","name":"opened","d":{"x":1.5}}',
        b'{"t":"event","plugin":"jobs","name":"opened","d":{"x":[1]}}',
        b'{"t":"event","plugin":"jobs","name":"opened","d":{"x":null}}',
        b'{"t":"request","id":"a","plugin":"p","name":"n","service":"s","d":{"x":' + b"9" * 5000 + b"}}",
        b'{"t":"reply","id":"a","plugin":"p","name":"n","status":"s","d":' + b'{"x":' * 50_000,
        b'{"t":"event","plugin":"\xff","name":"opened"}',
        b'{"t":"event","plugin":"\\ud800","name":"opened"}',
        b'{"t":"heartbeat","at":%d}' % (2**53 + 1),
        b'{"t":"heartbeat","up":%d}' % -(2**53 + 1),
        b'{"t":"heartbeat","up":%d}' % -(2**70),
    ],
)
def test_what_breaks_its_type_is_kept_as_unknown(data: bytes) -> None:
    found = decode(data)
    assert isinstance(found, Unknown)
    assert found.raw == data
    assert found.problem


def test_a_field_of_a_newer_release_is_ignored() -> None:
    assert decode(b'{"t":"poke","collections":["a"],"urgent":true}') == Poke(collections=["a"])


@pytest.mark.parametrize("kind", [*get_args(messages.Up), *get_args(messages.Down)])
def test_every_message_names_its_type(kind: type[msgspec.Struct]) -> None:
    required = {field.name: "x" for field in msgspec.structs.fields(kind) if field.required}
    said = encode(kind(**required))  # type: ignore[arg-type]
    assert json.loads(said)["t"] == kind.__struct_config__.tag
