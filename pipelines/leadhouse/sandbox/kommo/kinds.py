"""The faults that a Kommo sandbox shows on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from leadhouse.sandbox.faults import Stage

KINDS: Mapping[str, Stage] = {
    "rate_limited": "request",
    "error_500": "request",
    "error_504": "request",
    "html_502": "request",
    "bare_403": "request",
    "forbidden": "request",
    "redirect": "request",
    "stall": "request",
    "html_200": "body",
    "truncated_json": "body",
    "empty_body": "body",
    "wrong_content_type": "body",
    "reset": "body",
    "filter_ignored": "command",
    "repeated_page": "command",
    "wrong_order": "command",
    "foreign_next": "command",
}
"""Kind to stage. Request faults strike before the request is executed, body faults spoil the answer of an executed
one, command faults strike lists. All are matched by path, with ``{id}`` for ids: ``/api/v4/leads``,
``/oauth2/access_token``.

Details: ``rate_limited`` retry_after=1; ``redirect`` to=<base URL>; ``stall`` seconds=90; ``truncated_json`` and
``reset`` keep=0.5 (share of the body); ``foreign_next`` to=<base URL of another host>. ``repeated_page`` answers the
rows of the page before, ``wrong_order`` the reverse of the order asked for."""
