"""What all pads share: rows of keys that make a value."""

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

from kivy.properties import BooleanProperty, NumericProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout

from kiosk.ui.theme import theme
from kiosk.ui.widgets import load_rules
from kiosk.ui.widgets.keys import Key
from kiosk.ui.widgets.surface import Surface
from kiosk.ui.widgets.text import WrapText

DELETE = "delete"
DONE = "done"
CLEAR = "clear"
ICONS = {DELETE: "backspace-outline", DONE: "check", CLEAR: "close"}


class Pad(BoxLayout):
    """`value` grows with each key; `on_done` tells of the last one. Keys are named `{name}.{key}`.

    `hint` is shown while nothing is typed; `can_done` lets the done key be pressed; `shows_value` draws the
    field above the keys.
    """

    name = StringProperty("pad")
    value = StringProperty("")
    hint = StringProperty("")
    done_text = StringProperty("")
    shown = StringProperty("")
    shows_value = BooleanProperty(True)
    shows_done = BooleanProperty(True)
    can_done = BooleanProperty(True)
    max_length = NumericProperty(64)
    key_height = NumericProperty(104)
    key_px = NumericProperty(48)

    #: What is typed is nobody else's business: it is not read aloud, and nor are fifty keys.
    personal: ClassVar = True
    #: Rows of keys: a character or one of ICONS, or (key, width in columns).
    rows: ClassVar[Sequence[Sequence[str | tuple[str, float]]]] = ()

    __events__ = ("on_done",)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._field = PadField()
        self._keys: dict[str, Key] = {}
        for name in ("value", "hint", "shows_value"):
            self.fbind(name, self._show)
        for name in ("shows_done", "can_done", "done_text", "value"):
            self.fbind(name, self._settle)
        self.fbind("name", self._rename)
        self._build()

    def on_done(self) -> None:
        """The done key was tapped."""

    def key(self, code: str) -> None:
        """Take one key: a character, or delete, clear, done."""
        match code:
            case "delete":
                self.value = self.value[:-1]
            case "clear":
                self.value = ""
            case "done":
                self.dispatch("on_done")
            case _ if len(self.value) + len(code) <= self.max_length:
                self.value += code

    def display(self) -> str:
        """How the value is written in the field."""
        return self.value

    def done_allowed(self) -> bool:
        """Whether what is typed can be taken."""
        return bool(self.value)

    def _build(self) -> None:
        self.add_widget(self._field)
        for row in self.rows:
            box = PadRow()
            for entry in row:
                code, columns = (entry, 1.0) if isinstance(entry, str) else entry
                key = Key(code=code, size_hint_x=columns, icon=ICONS.get(code, ""))
                key.text = "" if key.icon else code.upper() if len(code) == 1 else code
                key.strong = code == DONE
                key.fbind("on_release", partial(self._pressed, code))
                self._keys[code] = key
                box.add_widget(key)
            self.add_widget(box)
        self.bind(key_height=self._measure, key_px=self._measure)
        theme.follow("u", self, "_measure")
        self._measure()
        self._rename()
        self._show()
        self._settle()

    def _pressed(self, code: str, *_: object) -> None:
        self.key(code)

    def _measure(self, *_: object) -> None:
        for row in self.children:
            if isinstance(row, PadRow):
                row.height = round(self.key_height * theme.u)
        for key in self._keys.values():
            key.size_px = self.key_px

    def _rename(self, *_: object) -> None:
        for code, key in self._keys.items():
            key.name = f"{self.name}.{code}"

    def _show(self, *_: object) -> None:
        self.shown = self.display()
        self._field.text = self.shown or self.hint
        self._field.empty = not self.shown
        self._field.opacity = 1 if self.shows_value else 0
        self._field.present = self.shows_value

    def _settle(self, *_: object) -> None:
        done = self._keys.get(DONE)
        if done is not None:
            done.text, done.icon = self.done_text, "" if self.done_text else ICONS[DONE]
            done.disabled = not (self.shows_done and self.can_done and self.done_allowed())
            done.opacity = 1 if self.shows_done else 0


class PadRow(BoxLayout):
    pass


class PadField(Surface, BoxLayout):
    text = StringProperty("")
    empty = BooleanProperty(True)
    present = BooleanProperty(True)


class PadFieldText(WrapText):
    pass


load_rules(__file__)
