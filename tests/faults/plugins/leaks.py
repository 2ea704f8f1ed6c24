"""Takes memory until there is none."""

hoard: list[bytes] = []


def harm() -> None:
    while True:
        # Zeros that nobody has written to: address space is taken, the machine's memory is not.
        hoard.append(bytes(64 * 1024 * 1024))
