"""Ends the process without a word to anybody."""

import os


def harm() -> None:
    os._exit(7)
