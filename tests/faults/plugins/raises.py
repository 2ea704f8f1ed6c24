"""Raises, with what a visitor might have typed in the error's text."""


def harm() -> None:
    raise RuntimeError("13900000000")
