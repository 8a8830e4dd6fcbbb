"""Switches between the ways in which real portals differ (reference: bitrix24 sections 2, 5 to 8 and 16)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ALL_SCOPES = ("crm", "user", "user_basic", "department")


@dataclass
class Quirks:
    """Ways of a portal; change them at any time, also while it serves.

    Access: ``scopes`` granted to the webhook, ``insufficient_scope_status`` 403 or 401, ``webhook_expired``,
    ``https_required`` (plain http is refused).
    ``lead_methods_removed``: ``crm.lead.*`` answer ERROR_METHOD_NOT_FOUND, ``crm.item.*`` stays.
    Encodings of ``crm.lead.*``: ``boolean_uf`` as JSON booleans or "1"/"0"; ``empty_multiple`` false or [];
    ``integers_as_numbers`` (ids as JSON numbers); ``short_offsets`` (+0300 instead of +03:00). Of ``crm.item.*``:
    ``item_boolean_uf`` "Y"/"N", 1/0 or JSON booleans.
    ``batch_lists``: members of a batch answer with keys 0..n-1 are lists (else objects).
    ``array_cast``: a batch reference without a target restarts crm.lead.list at >ID 1 (else no rows).
    ``total_cap``: rows that counting stops at (a constant of 5,000 was seen).
    ``original_uf_names_bug``: crm.item.list with a select and useOriginalUfNames=Y answers user fields only.
    ``item_filter_shift``: hours added to datetimes in filters of crm.item.list.
    ``integer_times``: ``time.start`` and the like as whole numbers. ``operating``: whether ``time`` tells it.
    """

    scopes: tuple[str, ...] = ALL_SCOPES
    insufficient_scope_status: Literal[401, 403] = 403
    webhook_expired: bool = False
    https_required: bool = False
    lead_methods_removed: bool = False
    boolean_uf: Literal["json", "digits"] = "json"
    item_boolean_uf: Literal["letters", "digits", "json"] = "letters"
    empty_multiple: Literal["false", "list"] = "false"
    integers_as_numbers: bool = False
    short_offsets: bool = False
    batch_lists: bool = True
    array_cast: bool = True
    total_cap: int | None = None
    original_uf_names_bug: bool = False
    item_filter_shift: float = 0.0
    integer_times: bool = False
    operating: bool = True

    def classic_style(self) -> tuple[str, str, bool, bool]:
        """Return the switches which the encoding of a classic lead depends on."""
        return (self.boolean_uf, self.empty_multiple, self.integers_as_numbers, self.short_offsets)


PLAIN_CLASSIC = Quirks().classic_style()
