"""A Kommo account that answers from a script, over real sockets: one script for its API, one for its token endpoint."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from leadhouse.kommo.access import Application

HAL = "application/hal+json"
PROBLEM = "application/problem+json"
HTML = "text/html; charset=UTF-8"
DATE = "Sat, 21 Nov 2026 09:00:00 GMT"
TOKEN_PATH = "/oauth2/access_token"


@dataclass(frozen=True)
class Told:
    """An answer; `cut`: its length promises more than comes; `reset`: the connection is torn instead."""

    status: int
    body: bytes = b""
    kind: str = HAL
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    reset: bool = False


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    verb: str
    target: str
    headers: dict[str, str]
    body: Any


Scene = Told | Callable[[Asked], Told]


def page(told: Any = None, **headers: str) -> Told:
    """Return an answer of the API with a JSON body and the account's clock."""
    return Told(200, json.dumps({"_page": 1} if told is None else told).encode(), HAL, {"Date": DATE, **headers})


def problem(status: int, detail: str = "", *, reply: dict[str, str] | None = None, **more: Any) -> Told:
    """Return a refusal as the API makes it, with the headers `reply`."""
    body = {"title": "A title", "type": f"https://httpstatus.es/{status}", "status": status, "detail": detail, **more}
    return Told(status, json.dumps(body).encode(), PROBLEM, reply or {})


def html(status: int, words: str = "403 Forbidden", **headers: str) -> Told:
    """Return an answer as a gateway makes it."""
    return Told(status, f"<html><h1>{words}</h1></html>".encode(), HTML, headers)


RESET = Told(0, reset=True)
CUT = Told(200, b'{"_embedded":{"leads":[{"id":1', cut=True)
UNAUTHORISED = problem(401, "Invalid user name or password")


class PlayedAccount(ThreadingHTTPServer):
    """Plays `api` for what is fetched and `tokens` for what is posted; the last scene of each goes on for ever."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.host = self.url.removeprefix("http://")
        self.api: list[Scene] = [page()]
        self.tokens: list[Scene] = [problem(400, "no script")]
        self.asked: list[Asked] = []
        self._script = threading.Lock()

    @property
    def fetched(self) -> list[Asked]:
        """The requests of the API."""
        return [asked for asked in self.asked if asked.verb == "GET"]

    @property
    def forms(self) -> list[Any]:
        """The bodies that the token endpoint got."""
        return [asked.body for asked in self.asked if asked.verb == "POST"]

    def play(self, asked: Asked) -> Told:
        """Return the next scene's answer."""
        with self._script:
            self.asked.append(asked)
            scenes = self.api if asked.verb == "GET" else self.tokens
            scene = scenes.pop(0) if len(scenes) > 1 else scenes[0]
        return scene if isinstance(scene, Told) else scene(asked)


APPLICATION = Application(
    "5f0c-the-integration", "key-of-the-integration", "def50200-of-the-person", "https://etl.example.org/cb"
)
DAY_S = 86400


class Issuer:
    """Gives tokens as the vendor does: an old refresh token is good until the one that replaced it was used.

    Args:
        strict: it is dead as soon as it was used.
    """

    def __init__(self, *, strict: bool = False) -> None:
        self.strict = strict
        self.number = 0
        self.good = ["def50200-of-the-person"]
        self.access = ""
        self.expires_in: Any = DAY_S

    def tokens(self, asked: Asked) -> Told:
        """Answer at the token endpoint."""
        if asked.body["refresh_token"] not in self.good:
            return revoked()
        self.number += 1
        new = f"def5020{self.number}-of-the-person"
        self.good = [new] if self.strict else [asked.body["refresh_token"], new]
        self.access = f"eyJ0.access-{self.number}.of-a-day"
        pair = {"access_token": self.access, "refresh_token": new}
        return page({"token_type": "Bearer", "expires_in": self.expires_in, "server_time": 1795219200, **pair})

    def api(self, asked: Asked) -> Told:
        """Answer at the API."""
        return page() if asked.headers.get("Authorization") == f"Bearer {self.access}" else UNAUTHORISED

    def expire(self) -> None:
        """End the access token."""
        self.access = "ended"


def revoked() -> Told:
    """Return what the token endpoint says to a refresh token that was spent."""
    return problem(
        400,
        "The refresh token is invalid.",
        hint="Token has been revoked",
        type="https://developers.amocrm.ru/v3/errors/OAuthProblemJson",
    )


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: PlayedAccount

    def do_GET(self) -> None:
        self._tell(None)

    def do_POST(self) -> None:
        self._tell(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def log_message(self, *_: Any) -> None:
        pass

    def _tell(self, body: Any) -> None:
        told = self.server.play(Asked(self.command, self.path, dict(self.headers.items()), body))
        if told.reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            self.close_connection = True
            return
        self.send_response_only(told.status)
        for name, value in told.headers.items():
            self.send_header(name, value)
        if told.status != 204:
            self.send_header("Content-Type", told.kind)
            self.send_header("Content-Length", str(len(told.body) + 100 * told.cut))
        self.end_headers()
        self.wfile.write(told.body)
        self.close_connection = self.close_connection or told.cut


@contextmanager
def played() -> Iterator[PlayedAccount]:
    """Serve an account until the block ends."""
    with PlayedAccount() as account:
        thread = threading.Thread(target=account.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield account
        finally:
            account.shutdown()
            thread.join(30)
