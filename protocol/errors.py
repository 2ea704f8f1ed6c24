"""Errors of the wire and of manifests. Each carries a translation key and the values of its sentence."""


class ProtocolError(Exception):
    """Something that came over the wire, or a manifest, breaks the rules.

    `key` names the sentence in `strings/`; `values` fill it. `str()` is the English sentence for logs.
    """

    key = "protocol.error"

    def __init__(self, sentence: str, **values: object) -> None:
        super().__init__(sentence)
        self.values = values


class FrameError(ProtocolError):
    """Bytes that are not a frame; `reason` is one of the counted reasons of refusal."""

    key = "protocol.frame"

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence, reason=reason)
        self.reason = reason


class TopicError(ProtocolError):
    """A topic or a station id that breaks the rule."""

    key = "protocol.topic"


class ManifestError(ProtocolError):
    """A manifest that cannot be used; says file, line and what to do."""

    key = "protocol.manifest"

    def __init__(self, file: str, line: int, problem: str) -> None:
        super().__init__(f"{file}, line {line}: {problem}", file=file, line=line, problem=problem)
        self.file, self.line, self.problem = file, line, problem


class EventError(ProtocolError):
    """An event or request whose name or fields are not declared in the plugin's manifest."""

    key = "protocol.event"
