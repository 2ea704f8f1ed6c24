"""Writes small plugins into a folder, as their authors might."""

from pathlib import Path
from textwrap import dedent

MANIFEST = """\
id = "{id}"
version = "1.0.0"
api = ">=1,<2"
title = {{ zh = "甲", en = "A" }}
icon = "star"
order = {order}
essential = {essential}

[settings.minutes]
type = "integer"
default = 30
min = 0
max = 720
title = {{ zh = "分钟", en = "Minutes" }}

[events.seen]
count = {{ type = "count" }}

[content.posts]
key = "post_id"
title = {{ zh = "帖", en = "Posts" }}
fields.post_id = {{ type = "text", required = true, title = {{ zh = "号", en = "Id" }} }}
fields.pay = {{ type = "integer", title = {{ zh = "薪", en = "Pay" }} }}
fields.clip = {{ type = "media", title = {{ zh = "音", en = "Clip" }} }}

[requests.ask]
service = "booking"
fields.slot = {{ type = "content_id" }}
"""


def write(
    folder: Path, name: str, code: str = "", order: int = 10, essential: bool = False, more: str = ""
) -> Path:
    """A plugin `name` in `folder`; `code` comes after the usual imports, `more` after the manifest."""
    home = folder / name
    (home / "strings").mkdir(parents=True)
    (home / "__init__.py").touch()
    text = MANIFEST.format(id=name, order=order, essential=str(essential).lower())
    (home / "manifest.toml").write_text(text + more, encoding="utf-8")
    (home / "strings" / "zh.toml").write_text('hello = "你好 {name}"\n', encoding="utf-8")
    (home / "strings" / "en.toml").write_text('hello = "Hello {name}"\n', encoding="utf-8")
    head = "from kiosk import Stage, Tile, hookimpl\n\n"
    (home / "plugin.py").write_text(head + dedent(code), encoding="utf-8")
    return home
