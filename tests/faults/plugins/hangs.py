"""Never comes back, while other threads may run."""

import time


def harm() -> None:
    while True:
        time.sleep(1)
