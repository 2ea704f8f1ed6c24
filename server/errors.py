"""What can go wrong at headquarters. Each error carries a translation key and the values of its sentence."""


class ServerError(Exception):
    """Something that a person can mend; `str()` is the English sentence, `key` names the translated one."""

    key = "server.error"

    def __init__(self, sentence: str, **values: object) -> None:
        super().__init__(sentence)
        self.values = values


class ClaimError(ServerError):
    """A claim code that opens nothing. `key`: claim.wrong or claim.expired."""

    def __init__(self, key: str, sentence: str) -> None:
        super().__init__(sentence)
        self.key = key


class Locked(ServerError):
    """Too many wrong passwords; `values["seconds"]` says how long to wait."""

    key = "login.locked"


class NotFound(ServerError):
    """A station, user, collection or office that does not exist."""

    key = "server.not_found"


class Refused(ServerError):
    """An order that breaks a rule; the sentence says which and what to write instead."""

    key = "server.refused"


class PortTaken(ServerError):
    """A port that this program needs belongs to another one."""

    key = "server.port_taken"


class BrokerError(ServerError):
    """The broker did not start, or did not answer."""

    key = "server.broker"
