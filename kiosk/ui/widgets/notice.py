"""One sentence with a sign: what is worth knowing, what went well, what went wrong."""

from kivy.properties import AliasProperty, OptionProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout

from kiosk.ui.widgets import load_rules
from kiosk.ui.widgets.surface import Surface

SIGNS = {"info": "information", "good": "check-circle", "warning": "alert-circle"}


class Notice(Surface, BoxLayout):
    """`kind` gives sign and colour; `info` is plain, others have a tinted ground. No text, no space."""

    text = StringProperty("")
    kind = OptionProperty("info", options=("info", "good", "warning"))
    icon = StringProperty("")

    def _get_sign(self) -> str:
        return self.icon or SIGNS[self.kind]

    sign = AliasProperty(_get_sign, None, bind=("icon", "kind"), cache=True)


load_rules(__file__)
