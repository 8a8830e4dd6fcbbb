"""Switches between the ways in which real accounts differ, or may differ (reference: kommo section 14)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass
class Switches:
    """Ways of an account; change them at any time, also while it serves.

    Lists: ``bounds`` of ranges in filters; ``filter_enabled`` (else filters are ignored in silence); ``default_order``
    (ascending) of lists without an order; ``next_on_exact_multiple`` (the last page, when full, has a next link that
    leads to a 204); ``short_pages`` (pages hold fewer rows than the limit though a next one exists);
    ``early_204_at_page`` answers 204 for that page though it has rows, ``early_204`` once (the switch then goes back
    to None) or always; ``limit_over_250`` clamped, replaced by 50 or refused; ``only_deleted_filtered``
    (filters and orders apply to deleted leads too).
    Refusals: ``body_429`` and where it tells ``retry_after``; ``non_admin`` (users are refused, leads of other groups
    hidden); ``events_forbidden`` (403), ``account_unpaid`` (402), ``blocked_403``; ``token_expired`` for the
    long-lived token; ``oauth_error_status`` of the token endpoint; ``old_refresh``: how long a spent refresh token is
    good.
    Encodings: ``loss_reason``, ``cfv_empty`` (custom_fields_values without any), ``enum_key``,
    ``price_with_minor_units``, ``dates`` of custom fields (Unix seconds, YYYY-MM-DD for dates without time, RFC 3339),
    ``query_in_self_links`` of entities in lists, ``field_group`` (group_id of custom fields).
    Events: ``events_order``, ``events_limit`` (rows a page at most), ``merge_event_on`` winner or loser,
    ``merge_emits_deleted`` (lead_deleted of the loser as well).
    Modification times: ``restore_touches``, ``links_touch`` (linking a contact to a lead moves the lead's updated_at).
    """

    bounds: Literal["inclusive", "exclusive"] = "inclusive"
    filter_enabled: bool = True
    default_order: Literal["updated_at", "created_at", "id"] = "updated_at"
    next_on_exact_multiple: bool = False
    short_pages: bool = False
    early_204_at_page: int | None = None
    early_204: Literal["once", "always"] = "once"
    limit_over_250: Literal["clamp", "reset50", "422"] = "clamp"
    only_deleted_filtered: bool = True
    body_429: Literal["json", "html"] = "json"
    retry_after: Literal["body", "header", "none"] = "body"
    non_admin: bool = False
    events_forbidden: bool = False
    account_unpaid: bool = False
    blocked_403: bool = False
    token_expired: bool = False
    oauth_error_status: Literal[400, 401] = 400
    old_refresh: Literal["until_new_used", "dead"] = "until_new_used"
    loss_reason: Literal["array", "object"] = "array"
    cfv_empty: Literal["null", "list"] = "null"
    enum_key: Literal["enum_code", "enum"] = "enum_code"
    price_with_minor_units: Literal["absent", "decimal"] = "absent"
    dates: Literal["unix", "day", "rfc3339"] = "unix"
    query_in_self_links: bool = True
    field_group: Literal["text", "number"] = "text"
    events_order: Literal["desc", "asc", "mixed"] = "desc"
    events_limit: Literal[250, 100] = 250
    merge_event_on: Literal["winner", "loser"] = "winner"
    merge_emits_deleted: bool = False
    restore_touches: bool = True
    links_touch: bool = True
