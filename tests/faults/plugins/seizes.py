"""Never comes back and holds the interpreter's lock: no other thread runs either."""

import re


def harm() -> None:
    re.match("(a+)+$", "a" * 60 + "b")
