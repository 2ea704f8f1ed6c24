"""Asks Python to end, as a script would that was never meant for a station."""


def harm() -> None:
    raise SystemExit(3)
