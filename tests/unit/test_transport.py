"""The HTTP client over real sockets: whole answers, and every way in which none comes."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from leadhouse import __version__
from leadhouse.errors import LeadhouseError, PortalUnreachableError
from leadhouse.transport import Transport

CODE = "q7w8e9r0t1y2u3i4"
Talk = Callable[[socket.socket, bytes], None]


@contextmanager
def server(talk: Talk) -> Iterator[str]:
    """Serve one connection; return the URL of a method on it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            request = b""
            while b"\r\n\r\n" not in request or not request.endswith(b"}"):
                request += connection.recv(65536)
            talk(connection, request)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/rest/1/{CODE}/batch.json"
    finally:
        thread.join(30)
        listener.close()


@pytest.fixture
def transport() -> Iterator[Transport]:
    made = Transport(connect_s=5.0, read_s=5.0)
    yield made
    made.close()


def post(transport: Transport, url: str) -> tuple[int, bytes]:
    answer = transport.post_json(url, b'{"halt":1}', portal="acme.bitrix24.com", method="batch")
    return answer.status, answer.body


def failure(transport: Transport, url: str) -> LeadhouseError:
    with pytest.raises(PortalUnreachableError) as caught:
        post(transport, url)
    error = caught.value
    assert (error.portal, error.method) == ("acme.bitrix24.com", "batch")
    assert CODE not in f"{error} {error!r}"
    assert error.__context__ is None
    return error


def test_json_is_sent_with_our_name_and_the_answer_comes_whole(transport: Transport) -> None:
    requests: list[bytes] = []

    def talk(connection: socket.socket, request: bytes) -> None:
        requests.append(request)
        connection.sendall(b"HTTP/1.1 503 Busy\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\nbusy")

    with server(talk) as url:
        assert post(transport, url) == (503, b"busy")
    head, _, body = requests[0].partition(b"\r\n\r\n")
    assert head.startswith(f"POST /rest/1/{CODE}/batch.json HTTP/1.1\r\n".encode())
    assert b"Content-Type: application/json" in head
    assert f"User-Agent: leadhouse/{__version__}".encode() in head
    assert body == b'{"halt":1}'


def test_a_redirect_is_returned_and_not_followed(transport: Transport) -> None:
    def talk(connection: socket.socket, _: bytes) -> None:
        connection.sendall(
            b"HTTP/1.1 302 Found\r\nLocation: https://elsewhere.example.com/\r\nContent-Length: 0\r\n\r\n"
        )

    with server(talk) as url:
        answer = transport.post_json(url, b"{}", portal="p", method="m")
    assert (answer.status, answer.headers["location"]) == (302, "https://elsewhere.example.com/")


def reset(connection: socket.socket, _: bytes) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")


def cut(connection: socket.socket, _: bytes) -> None:
    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n{"result":[')


def hang_up(_: socket.socket, __: bytes) -> None:
    return


def babble(connection: socket.socket, _: bytes) -> None:
    connection.sendall(b"this is not HTTP\r\n\r\n")


@pytest.mark.parametrize(
    ("talk", "words"),
    [(reset, "the connection was reset"), (cut, "the answer broke off"), (hang_up, "no answer"), (babble, "no answer")],
)
def test_an_answer_that_does_not_come_whole_is_told_in_words(transport: Transport, talk: Talk, words: str) -> None:
    with server(talk) as url:
        assert words in str(failure(transport, url))


def test_silence_is_a_time_out() -> None:
    transport, told = Transport(read_s=0.05), threading.Event()

    def talk(_: socket.socket, __: bytes) -> None:
        told.wait(30)

    with server(talk) as url:
        error = failure(transport, url)
        told.set()
    assert "the answer timed out" in str(error)
    transport.close()


def test_nobody_there_is_told_in_words(transport: Transport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert "connection refused" in str(failure(transport, f"http://127.0.0.1:{port}/rest/1/{CODE}/x.json"))


def test_a_host_that_cannot_be_a_name_is_told_in_words(transport: Transport) -> None:
    assert "no answer" in str(failure(transport, f"http://{'a' * 300}.invalid/rest/1/{CODE}/x.json"))
