"""TOML text to a struct, or ManifestError with the file and the line of what is wrong."""

import re
import tomllib
from itertools import takewhile
from typing import Any, Final, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from protocol.errors import ManifestError

Model = TypeVar("Model", bound=msgspec.Struct)

_PART: Final = re.compile(r"""\s*(?:"([^"]*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*""")
_HEADER: Final = re.compile(r"\[\[?([^\[\]]+)\]\]?\s*(#.*)?")


def convert(text: str, file: str, kind: type[Model]) -> Model:
    """The struct that `text` describes; unknown keys and wrong types are ManifestErrors of `file`."""
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as err:  # ValueError: also numbers and dates beyond Python's limits
        found = re.search(r"line (\d+)", str(err))
        line = int(found[1]) if found else max(1, len(text.splitlines()))
        raise ManifestError(file, line, f"not TOML: {err}") from err
    if wrong := _deepest(data, kind, []):
        path, sentence = wrong
        raise ManifestError(file, line_of(text, path), f"{'.'.join(path) or 'the file'}: {sentence}")
    return msgspec.convert(data, kind)


def _deepest(value: object, kind: Any, path: list[str]) -> tuple[list[str], str] | None:
    """The deepest key path that does not fit its type, with msgspec's sentence; None if all fits.

    msgspec itself names keys of free choice only as `...`, which gives no line; hence one key at a time.
    """
    if get_origin(kind) is dict and isinstance(value, dict):
        of_key, of_value = get_args(kind)
        for key, inner in value.items():
            if not _fits(key, of_key):
                return [*path, key], "this key is not known here"
            if found := _deepest(inner, of_value, [*path, key]):
                return found
    elif isinstance(kind, type) and issubclass(kind, msgspec.Struct) and isinstance(value, dict):
        hints = get_type_hints(kind)
        for key, inner in value.items():
            if key not in hints:
                return [*path, key], "this key is not known here"
            if found := _deepest(inner, hints[key], [*path, key]):
                return found
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as err:
        return path, str(err).partition(" - at `")[0]
    return None


def _fits(value: object, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def line_of(text: str, path: list[str]) -> int:
    """The line, from 1, on which the deepest known part of a key path first stands."""
    best, depth = 1, 0
    table: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if header := _HEADER.fullmatch(bare):
            here = table = _keys(header[1] + "=")
        elif here := _keys(bare):
            here = table + here
            inside = path[len(here) :]
            # A key of an inline table stands on the same line; one step is enough to tell lines apart.
            if here == path[: len(here)] and inside and re.search(rf"\b{re.escape(inside[0])}\s*=", bare):
                here = [*here, inside[0]]
        shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(here, path, strict=False)))
        if shared > depth:
            best, depth = number, shared
    return best


def _keys(line: str) -> list[str]:
    """The dotted key before the `=` of a line, in its parts; empty if the line begins with no key."""
    keys: list[str] = []
    at = 0
    while part := _PART.match(line, at):
        keys.append(next(each for each in part.groups() if each is not None))
        at = part.end()
        if line[at : at + 1] != ".":
            return keys if line[at : at + 1] == "=" else []
        at += 1
    return []
