"""A manifest is read, or refused with file, line and what to do."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import EventError, ManifestError
from protocol.manifest import API, Manifest, api_fits, parse, read
from protocol.manifest_reader import line_of

SAMPLE = """\
id = "tea"
version = "1.0.0"
api = ">=1,<2"
title = { zh = "喝茶", en = "Tea" }
icon = "tea"
colour = "brand"
order = 10
essential = true

[settings.cups]
type = "integer"
default = 3
min = 0
max = 9
title = { zh = "几杯", en = "Cups" }
scope = "station"

[settings.closes]
type = "time"
default = "18:30"
title = { zh = "几点收", en = "Closes at" }

[events.poured]
kind = { type = "choice", values = ["green", "black"] }
hot = { type = "flag", optional = true }
sips = { type = "count" }

[metrics.cups]
counts = "poured"
by = ["kind", "hot"]
title = { zh = "杯数", en = "Cups" }

[content.leaves]
key = "leaf"
title = { zh = "茶叶", en = "Leaves" }
fields.leaf = { type = "text", required = true, title = { zh = "编号", en = "Id" } }
fields.kind = { type = "choice", values = ["green", "black"], title = { zh = "种类", en = "Kind" } }

[requests.order]
service = "tea_house"
office = "kitchen"
fields.kind = { type = "choice", values = ["green", "black"] }
fields.contact = { type = "sealed" }
"""


def refused(text: str) -> ManifestError:
    with pytest.raises(ManifestError) as caught:
        parse(text, "tea/manifest.toml")
    return caught.value


def test_the_sample_is_read() -> None:
    tea = parse(SAMPLE)
    assert tea.defaults() == {"cups": 3, "closes": "18:30"}
    assert tea.content["leaves"].fields["leaf"].required
    assert tea.requests["order"].office == "kitchen"


def test_every_shipped_manifest_is_read() -> None:
    files = sorted(Path(__file__).parents[2].glob("plugins/*/manifest.toml"))
    assert files
    assert [read(file).id for file in files] == [file.parent.name for file in files]


#: (what stands there, what somebody wrote instead, the line that must be named, a word of the sentence)
BROKEN = [
    ('id = "tea"', 'id = "Tea!"', 1, "small letters"),
    ('id = "tea"', "id = 5", 1, "Expected `str`"),
    ('version = "1.0.0"', 'version = "1.0"', 2, "1.0.0"),
    ('version = "1.0.0"', 'version = "١.٠.٠"', 2, "1.0.0"),
    ('api = ">=1,<2"', 'api = ">=2"', 3, ">=1,<2"),
    ('api = ">=1,<2"', 'api = "new"', 3, ">=1,<2"),
    ('api = ">=1,<2"', f'api = ">={"9" * 5000}"', 3, ">=1,<2"),
    ('zh = "喝茶", en = "Tea"', 'zh = "喝茶"', 4, "the en text is missing"),
    ('zh = "喝茶", en = "Tea"', 'zh = "喝茶", de = "Tee"', 4, "not known"),
    ('icon = "tea"', "icon = true", 5, "Expected `str`"),
    ('colour = "brand"', 'colour = "purple"', 6, "purple"),
    ("order = 10", 'order = "first"', 7, "Expected `int`"),
    ("essential = true", "essential = 1", 8, "Expected `bool`"),
    ("essential = true", "essentail = true", 8, "essentail: this key is not known"),
    ("[settings.cups]", "[setings.cups]", 10, "setings: this key is not known"),
    ("[settings.cups]", "[settings.Cups]", 10, "for a name"),
    ('type = "integer"', 'type = "float"', 11, "float"),
    ("default = 3", "default = 12", 12, "at most 9"),
    ("default = 3", "default = true", 12, "whole number"),
    ("default = 3", "default = 3.5", 12, "Expected"),
    ("min = 0", 'min = "none"', 13, "Expected"),
    ("max = 9", "maximum = 9", 14, "not known"),
    ('title = { zh = "几杯", en = "Cups" }', 'title = "几杯"', 15, "Expected `object`"),
    ('scope = "station"', 'scope = "world"', 16, "world"),
    ('default = "18:30"', 'default = "24:00"', 20, "08:30"),
    ("[events.poured]", "[events.opened]", 23, "the shell reports"),
    (', values = ["green", "black"] }', "}", 24, "a choice needs values"),
    ('type = "choice", values', 'type = "text", values', 24, "text"),
    ('type = "flag", optional', 'type = "flag", maybe', 25, "maybe: this key is not known"),
    ('sips = { type = "count" }', 'sips = { type = "count", values = ["1"] }', 26, "only a choice has them"),
    ('sips = { type = "count" }', 'sips = "count"', 26, "Expected `object`"),
    ('counts = "poured"', 'counts = "spilled"', 29, "no event 'spilled'"),
    ('by = ["kind", "hot"]', 'by = ["sips"]', 30, "no choice or flag"),
    ('by = ["kind", "hot"]', 'by = "kind"', 30, "Expected `array`"),
    ('key = "leaf"', 'key = "name"', 34, "no field 'name'"),
    ('zh = "编号", en = "Id"', 'zh = "编号"', 36, "the en text is missing"),
    ("required = true", "necessary = true", 36, "necessary"),
    ('"black"], title', '"black"], titel', 37, "titel: this key is not known"),
    ('service = "tea_house"', "service = []", 40, "Expected `str`"),
    ('office = "kitchen"', "", 39, "office = ..."),
    ('values = ["green", "black"] }\nfields.contact', "values = [] }\nfields.contact", 42, "needs"),
    ('fields.contact = { type = "sealed" }', 'fields.contact = { type = "words" }', 43, "words"),
    ("order = 10", "order = ", 7, "not TOML"),
    ("order = 10", f"order = {'9' * 5000}", 43, "not TOML"),
    ("order = 10", 'id = "again"', 7, "not TOML"),
]  # fmt: skip


@pytest.mark.parametrize(("whole", "broken", "line", "word"), BROKEN)
def test_a_broken_field_is_named_with_its_file_and_line(
    whole: str, broken: str, line: int, word: str
) -> None:
    assert whole in SAMPLE
    error = refused(SAMPLE.replace(whole, broken, 1))
    assert (error.file, error.line) == ("tea/manifest.toml", line), str(error)
    assert word in error.problem
    assert str(error).startswith(f"tea/manifest.toml, line {line}: ")


@pytest.mark.parametrize("key", ["id", "version", "api", "title", "icon"])
def test_what_is_missing_is_named(key: str) -> None:
    text = "\n".join(line for line in SAMPLE.splitlines() if not line.startswith(f"{key} = "))
    lines = text.splitlines()
    lines = lines if key != "title" else [*lines[:3], *SAMPLE.splitlines()[4:]]
    error = refused("\n".join(lines))
    assert f"`{key}`" in error.problem
    assert error.line == 1


@pytest.mark.parametrize(
    "text",
    ["a = " + "[" * 5000, "a = 1979-13-45", "\x00", "a = \ud800", "[" * 500, 'a = """', "a.b = 1\na = 2"],
)
def test_what_is_no_toml_is_a_manifest_error(text: str) -> None:
    assert refused(text).line >= 1


def test_a_file_that_cannot_be_read_is_a_manifest_error(tmp_path: Path) -> None:
    for make in (lambda file: None, lambda file: file.mkdir(), lambda file: file.write_bytes(b"id = '\xff'")):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        make(folder / "manifest.toml")
        with pytest.raises(ManifestError) as caught:
            read(folder)
        assert caught.value.file.endswith("manifest.toml")


keys = st.sampled_from([*Manifest.__struct_fields__, "zh", "en", "fields", "type", "key", "a", '"q.r"', "''"])
words = ["x", "choice", "integer", "text", "time", "tea", "1.0.0", ">=1,<2", "08:30"]
bare = ["1", "-1", "true", "1.5", "nan", "inf", "1979-05-27", "07:32:00", "1979-05-27T07:32:00Z", "9" * 30]
scalars = st.sampled_from([f'"{word}"' for word in words] + bare)
literals = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda each: f"[{', '.join(each)}]")
        | st.dictionaries(keys, inner, max_size=3).map(
            lambda each: "{" + ", ".join(f"{key} = {value}" for key, value in each.items()) + "}"
        )
    ),
    max_leaves=6,
)
lines = st.one_of(
    st.builds("{} = {}".format, st.lists(keys, min_size=1, max_size=3).map(".".join), literals),
    st.lists(keys, min_size=1, max_size=3).map(lambda each: f"[{'.'.join(each)}]"),
    st.just("[[content]]"),
    st.sampled_from(SAMPLE.splitlines()),
)


def read_or_refuse(text: str) -> None:
    try:
        assert isinstance(parse(text), Manifest)
    except ManifestError as err:
        found = err
    else:
        return
    assert 1 <= found.line <= max(1, len(text.splitlines()))
    assert found.problem


@given(st.lists(lines, max_size=12).map("\n".join))
def test_arbitrary_toml_is_a_manifest_or_a_manifest_error(text: str) -> None:
    read_or_refuse(text)


@given(st.lists(lines, max_size=3), st.integers(0, 43))
def test_a_manifest_with_lines_put_in_is_a_manifest_or_a_manifest_error(more: list[str], at: int) -> None:
    sample = SAMPLE.splitlines()
    read_or_refuse("\n".join(sample[:at] + more + sample[at:]))


@given(st.text(max_size=200))
def test_arbitrary_text_is_a_manifest_error(text: str) -> None:
    with pytest.raises(ManifestError):
        parse(text)


@given(st.text(max_size=30) | st.from_regex(r"(>=|<=|<|>|==)\d+(,(<|>=)\d+)?", fullmatch=True))
def test_any_api_range_is_judged(bounds: str) -> None:
    assert api_fits(bounds) in (True, False)


@pytest.mark.parametrize(
    ("bounds", "fits"),
    [
        (">=1,<2", True),
        ("==1", True),
        (">=1 , <2", True),
        (">1", False),
        ("<1", False),
        ("", False),
        ("1", False),
    ],
)
def test_api_ranges(bounds: str, fits: bool) -> None:
    assert api_fits(bounds, API) is fits


def test_lines_of_quoted_keys_and_of_keys_after_a_comment() -> None:
    text = '# a = 1\n[x."y.z"]  # here\n"k" = 1 # a = 2\n[x]\nb . c = { d = 1 }\n'
    assert line_of(text, ["x", "y.z"]) == 2
    assert line_of(text, ["x", "y.z", "k"]) == 3
    assert line_of(text, ["x", "b", "c", "d"]) == 5
    assert line_of(text, ["a"]) == 1


TEA = parse(SAMPLE)


@pytest.mark.parametrize(
    ("name", "fields", "word"),
    [
        ("spilled", {}, "declares no event"),
        ("poured", {"kind": "green"}, "'sips' is missing"),
        ("poured", {"kind": "red", "sips": 1}, "green, black"),
        ("poured", {"kind": "green", "sips": -1}, "whole number"),
        ("poured", {"kind": "green", "sips": True}, "whole number"),
        ("poured", {"kind": "green", "sips": 2**60}, "whole number"),
        ("poured", {"kind": "green", "sips": 1, "hot": 1}, "true or false"),
        ("poured", {"kind": "green", "sips": 1, "who": "Mr Tea"}, "not declared"),
        ("opened", {"who": "Mr Tea"}, "not declared"),
        ("closed", {"how": "idle"}, "'after' is missing"),
    ],
)
def test_an_event_that_is_not_declared_so_is_refused(
    name: str, fields: dict[str, str | int], word: str
) -> None:
    with pytest.raises(EventError, match=word):
        TEA.check_event(name, fields)


def test_a_declared_event_request_and_setting_pass() -> None:
    TEA.check_event("poured", {"kind": "green", "sips": 0})
    TEA.check_event("closed", {"how": "idle", "after": 5})
    assert TEA.check_request("order", {"kind": "green", "contact": "A" * 64}).service == "tea_house"
    TEA.check_setting("cups", 9)
    with pytest.raises(EventError):
        TEA.check_setting("cups", 10)
    with pytest.raises(EventError):
        TEA.check_setting("spoons", 1)


@given(st.text(min_size=1, max_size=63) | st.from_regex(r"1[3-9]\d{9}", fullmatch=True) | st.integers())
def test_a_contact_that_is_not_sealed_is_refused(contact: object) -> None:
    with pytest.raises(EventError):
        TEA.check_request("order", {"kind": "green", "contact": contact})
    with pytest.raises(EventError):
        TEA.check_request("call", {})
