"""The colours and sizes that everything is drawn with."""

import pytest

from kiosk.ui import tokens


@pytest.mark.parametrize(("ink", "ground", "least"), tokens.PAIRS)
def test_every_pair_of_colours_can_be_read(ink: str, ground: str, least: float) -> None:
    found = tokens.contrast(getattr(tokens.LIGHT, ink), getattr(tokens.LIGHT, ground))
    assert found >= least, f"{ink} on {ground} has {found:.2f}:1"


def test_contrast_is_that_of_wcag() -> None:
    assert tokens.contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert tokens.contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.01)


def test_targets_are_20_mm_and_no_type_is_smaller_than_28() -> None:
    assert pytest.approx(20, abs=0.2) == tokens.TOUCH / tokens.MM
    assert min(tokens.CAPTION, tokens.BODY, tokens.BUTTON, tokens.TITLE, tokens.NUMBER) >= 28
    assert tokens.PRIMARY_HEIGHT >= 112


def test_every_service_has_its_colour_and_tint() -> None:
    for service in tokens.SERVICES:
        assert getattr(tokens.LIGHT, service)
        assert getattr(tokens.LIGHT, f"{service}_tint")
