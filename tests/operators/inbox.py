"""A web service that takes messages, or does not."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Inbox:
    """What came: paths and JSON bodies. `status` is answered; 0 answers nothing until `released`."""

    url: str = ""
    status: int = 200
    messages: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def texts(self) -> list[str]:
        """The messages' texts, whoever sent them."""
        return [" ".join(str(body.get(name, "")) for name in ("title", "message", "text")) for _, body in self.messages]


@contextmanager
def receiving() -> Iterator[Inbox]:
    """Serve an inbox on a free local port."""
    inbox = Inbox()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if not inbox.status:
                inbox.released.wait()
                return
            inbox.messages.append((self.path, body))
            self.send_response(inbox.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    inbox.url = f"127.0.0.1:{server.server_address[1]}"
    try:
        yield inbox
    finally:
        inbox.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
