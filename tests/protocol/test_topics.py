"""Topics are built and parsed; no id may ever reach into another station's topics."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import TopicError
from protocol.topics import PREFIX, Leaf, Topic, build, check_prefix, check_station, every, parse

stations = st.from_regex(r"[a-z0-9][a-z0-9-]{1,30}", fullmatch=True)
prefixes = st.from_regex(r"[a-zA-Z0-9_-]{1,8}(/[a-zA-Z0-9_-]{1,8}){0,2}", fullmatch=True)
leaves: st.SearchStrategy[Leaf] = st.sampled_from(["up", "down", "state"])


def covers(subscription: str, topic: str) -> bool:
    """Whether an MQTT subscription with `+` covers a topic."""
    return bool(
        re.fullmatch("/".join("[^/]*" if p == "+" else re.escape(p) for p in subscription.split("/")), topic)
    )


@given(stations, leaves, prefixes)
def test_a_built_topic_is_parsed_back(station: str, leaf: Leaf, prefix: str) -> None:
    topic = build(station, leaf, prefix)
    assert parse(topic, prefix) == Topic(station, leaf)
    assert covers(every(leaf, prefix), topic)


@given(st.text(max_size=40) | st.text("az09-+#/$ \n", max_size=34))
def test_any_text_is_a_station_id_by_the_rule_or_an_error(text: str) -> None:
    try:
        accepted = check_station(text)
    except TopicError:
        assert not re.fullmatch(r"[a-z0-9][a-z0-9-]{1,30}", text)
    else:
        assert accepted == text
        assert not set(text) & set("+#/$\n\x00 ")
        assert parse(build(text, "up")).station == text


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from(["yz", "1", "a1", "+", "#", "up", "state", ""])).map("/".join)
)
def test_any_text_is_a_topic_that_builds_the_same_or_an_error(text: str) -> None:
    try:
        station, leaf = parse(text)
    except TopicError:
        return
    assert build(station, leaf) == text


@given(stations, prefixes, prefixes)
def test_another_prefix_is_not_ours(station: str, ours: str, theirs: str) -> None:
    topic = build(station, "up", theirs)
    if ours != theirs:
        with pytest.raises(TopicError):
            parse(topic, ours)


@pytest.mark.parametrize(
    "bad", ["", "a", "-a", "A1", "a" * 32, "a+", "a#", "a/b", "$sys", "a b", "a1\n", "站"]
)
def test_these_are_no_station_ids(bad: str) -> None:
    with pytest.raises(TopicError):
        build(bad, "up")
    with pytest.raises(TopicError):
        parse(f"{PREFIX}/{bad}/up")


@pytest.mark.parametrize("bad", ["", "/", "a/", "/a", "a//b", "a/+", "#", "a b", "a\n"])
def test_these_are_no_prefixes(bad: str) -> None:
    with pytest.raises(TopicError):
        check_prefix(bad)
    assert check_prefix(PREFIX) == PREFIX
