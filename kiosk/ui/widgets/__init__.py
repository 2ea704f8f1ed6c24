"""The widgets: one noun a file, styled by `theme`, known to kv by name once `register` has run."""

from pathlib import Path
from typing import Final

HOMES: Final = {
    "text": ("WrapText", "TitleText", "BodyText", "CaptionText", "NumberText", "LabelText"),
    "icon": ("Icon", "IconSquare"),
    "surface": ("Card", "Surface"),
    "tappable": ("Tappable", "TapArea"),
    "button": ("PrimaryButton", "SecondaryButton"),
    "choice": ("ChoiceButton",),
    "chip": ("Chip",),
    "button_row": ("ButtonRow",),
    "step_bar": ("StepBar",),
    "keys": ("Key",),
    "number_pad": ("NumberPad",),
    "letter_pad": ("LetterPad",),
    "keyboard": ("Keyboard",),
    "pager": ("Pager",),
    "qr_image": ("QRImage",),
    "notice": ("Notice",),
}


def register() -> None:
    """Tell Kivy's factory where each widget lives; a module is imported when its widget is first used."""
    from kivy.factory import Factory

    if "Tappable" in Factory.classes and Factory.classes["Tappable"]["module"]:
        return
    for module, names in HOMES.items():
        for name in names:
            Factory.register(name, module=f"{__name__}.{module}")


def load_rules(file: str) -> None:
    """Load the kv rules beside a python file: `button.kv` beside `button.py`, once."""
    from kivy.lang import Builder

    register()
    path = str(Path(file).with_suffix(".kv"))
    if path not in Builder.files:
        Builder.load_file(path)
