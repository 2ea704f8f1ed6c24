"""A small web server in a test's own process that answers as headquarters' station API, or as it is told."""

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Answer = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Looks the path up in the server's `answers`; a path without query first, then its longest beginning."""

    protocol_version = "HTTP/1.1"
    server: "Web"

    def do_GET(self) -> None:
        self.server.asked.append((self.path, dict(self.headers.items())))
        path = self.path.partition("?")[0]
        answer = self.server.answers.get(self.path) or self.server.answers.get(path)
        if answer is None:
            self.reply(404, {"detail": "Not Found"})
        else:
            answer(self)

    def do_POST(self) -> None:
        self.body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.do_GET()

    def reply(self, status: int, body: Any, **headers: str) -> None:
        """Send JSON, or bytes as they are."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None:
        pass


class Web(ThreadingHTTPServer):
    """`answers` by path; `asked` is every (path, headers) in order."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        threading.Thread(target=lambda: self.serve_forever(0.02), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def give(self, path: str, body: Any, status: int = 200, **headers: str) -> None:
        """Answer this path with this body from now on."""
        self.answers[path] = lambda handler: handler.reply(status, body, **headers)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that hangs up is part of the tests

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: Any) -> None:
        self.shutdown()
        self.server_close()
