"""Refusals of the sandbox portal, with the vendor's codes and texts (reference: bitrix24 section 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leadhouse.sandbox.faults import Fault


class Refusal(Exception):  # noqa: N818 - the portal refuses a call; nothing is wrong with the sandbox
    """An error answer: HTTP status, ``error`` (a text, a number or empty) and ``error_description``."""

    def __init__(self, status: int, code: str | int, description: str, **extra: Any) -> None:
        super().__init__(f"{status} {code!r}: {description}")
        self.status = status
        self.body: dict[str, Any] = {"error": code, "error_description": description, **extra}


def domain(description: str) -> Refusal:
    """Return an error of the classic ``crm.*`` methods: HTTP 400 and an empty code."""
    return Refusal(400, "", description)


def invalid_argument(description: str) -> Refusal:
    """Return an error of ``crm.item.*`` about an argument."""
    return Refusal(400, "INVALID_ARG_VALUE", description)


def method_not_found() -> Refusal:
    """Return the answer to an unknown method."""
    return Refusal(404, "ERROR_METHOD_NOT_FOUND", "Method not found!")


def operating_blocked() -> Refusal:
    """Return the answer of a method whose processing time is used up."""
    return Refusal(429, "OPERATION_TIME_LIMIT", "Method is blocked due to operation time limit")


def rate_limited() -> Refusal:
    """Return the answer when the bucket of requests is full."""
    return Refusal(503, "QUERY_LIMIT_EXCEEDED", "Too many requests")


def told_by(fault: Fault) -> Refusal:
    """Return the error that a fault asks for."""
    details = fault.details
    return Refusal(details.get("status", 400), details.get("code", ""), details.get("description", "Not found"))
