"""What a request may end with instead of an answer: one clear sentence, and where to go from there."""


class Refusal(Exception):
    """The request is not answered; `key` names the sentence in strings/, `values` fill it."""

    def __init__(
        self, status: int, key: str, headers: dict[str, str] | None = None, **values: object
    ) -> None:
        super().__init__(f"{status} {key}")
        self.status, self.key, self.values = status, key, values
        self.headers = headers or {}


class LoginNeeded(Exception):
    """A page that only somebody logged in may see was asked for without a session."""
