"""A portal of the third CRM over HTTP: three hundred leads, one deleted by DELETE, one edited by POST."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

_USERS = [{"id": 7, "name": "Ada Invented"}]


class Portal:
    """Leads by id; `now` is its clock, Unix seconds."""

    def __init__(self, leads: int) -> None:
        self.now = int(time.time()) - 7200
        self.leads = {number: self.lead(number, "Lead") for number in range(1, leads + 1)}
        self.now += 3600

    def lead(self, number: int, name: str) -> dict[str, Any]:
        """Return a lead as it is now."""
        phones = [f"+44 7700 900{number % 1000:03}"]
        return {"id": number, "name": f"{name} {number}", "worth": "19.90", "won": number % 2 == 0, "owner": 7,
                "modified": self.now, "phones": phones}  # fmt: skip


@contextmanager
def serve(portal: Portal) -> Iterator[str]:
    """Serve a portal from a thread for the length of the block; give its URL."""

    class Handler(BaseHTTPRequestHandler):
        """Answers GET."""

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            if url.path == "/leads":
                asked = {name: int(values[0]) for name, values in parse_qs(url.query).items()}
                wanted = (lead for number, lead in sorted(portal.leads.items()) if number > asked["after"])
                found = [lead for lead in wanted if lead["modified"] >= asked["since"]][: asked["limit"]]
                self._answer({"now": portal.now, "users": _USERS, "leads": found})
            else:
                self._answer(portal.leads.get(int(url.path.rpartition("/")[2])))

        def _answer(self, told: Any) -> None:
            body = json.dumps(told).encode()
            self.send_response(200 if told else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
