"""Reads where nothing is, as a faulty C library does."""

import ctypes


def harm() -> None:
    ctypes.string_at(0)
