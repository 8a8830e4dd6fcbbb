"""Error answers of an account (reference: kommo sections 2 and 3)."""

from __future__ import annotations

from typing import Any

TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    415: "Unsupported Media Type",
    422: "Unprocessable Entity",
    429: "Too Many Requests",
}


class Problem(Exception):  # noqa: N818 - the account refuses a call; nothing is wrong with the sandbox
    """An error answer: HTTP status and body."""

    def __init__(self, status: int, detail: str, **extra: Any) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.body: dict[str, Any] = {
            "title": TITLES[status],
            "type": f"https://httpstatus.es/{status}",
            "status": status,
            "detail": detail,
            **extra,
        }


class Invalid(ValueError):  # noqa: N818 - of the caller, told in an answer
    """A value that an edit must not have; ``code`` and ``path`` as validation errors name them."""

    def __init__(self, code: str, path: str, detail: str) -> None:
        super().__init__(f"{path}: {detail}")
        self.error = {"code": code, "path": path, "detail": detail}


def unauthorized() -> Problem:
    """Return the answer to a token that is unknown, expired or revoked."""
    return Problem(401, "Invalid user name or password")


def forbidden() -> Problem:
    """Return the answer to a call that the token's user has no right to."""
    return Problem(403, "Client doesn't have the required scope")


def not_found(verb: str, url: str) -> Problem:
    """Return the answer to an unknown path."""
    return Problem(404, f"Cannot {verb} {url}")


def validation(errors: list[tuple[str, dict[str, str]]]) -> Problem:
    """Return the answer to written values, by request id, that do not pass."""
    found = [{"request_id": request_id, "errors": [error]} for request_id, error in errors]
    body = Problem(400, "Request validation failed")
    body.body = {"validation-errors": found, **body.body}
    return body


def not_a_choice(path: str) -> Invalid:
    """Return the error of a reference to something that does not exist."""
    return Invalid("NotSupportedChoice", path, "The value you selected is not a valid choice.")
