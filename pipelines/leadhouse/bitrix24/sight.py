"""Notices that leads went out of sight while a window was read: rights that are lost look like an early end.

The portal leaves unreadable leads out of lists without a word (vendor's page of crm.lead.list), so pages become shorter
or empty. Leads that were counted and did not come were deleted, or the user behind the access lost rights;
`crm.lead.get` tells which, where it is asked about leads that came before.
"""

from array import array
from collections.abc import Sequence
from datetime import datetime

from leadhouse import logs
from leadhouse.bitrix24.by_id import get
from leadhouse.bitrix24.client import Bitrix24Client
from leadhouse.bitrix24.opening import Opening
from leadhouse.errors import SightLostError, TransientError
from leadhouse.guard import believable

log = logs.get_logger("leadhouse.bitrix24")

# Leads that are asked about when some did not come.
_ASKED = 100
_COUNT = "remaining"


class Watch:
    """Watches over one window that takes more than its opening batch.

    Args:
        client: the portal.
        opening: what is known of its leads.
        lower: the window's lower bound, in the portal's offset.
        until: its upper bound, if it has one.
        newest: the newest ids of the window, as the opening batch saw them.
    """

    def __init__(
        self,
        client: Bitrix24Client,
        opening: Opening,
        lower: datetime | None,
        until: datetime | None,
        newest: Sequence[int],
    ) -> None:
        self._client = client
        self._opening = opening
        self._lower = lower
        self._until = until
        self._read = array("q")
        self._after = 0
        self._counted: int | None = None
        self._newest = newest

    def begin(self, after: int) -> None:
        """Count what is to come.

        Args:
            after: everything up to this id is read.
        """
        self._after = after
        self._counted = self._count()

    def note(self, ids: Sequence[int]) -> None:
        """These leads came, in ascending id."""
        self._read.extend(ids)

    def end(self) -> None:
        """The window is read to its end.

        Raises:
            SightLostError: leads went out of sight, or so many vanished that it cannot be believed.
        """
        if self._counted is None:
            return
        came = sum(1 for number in self._read if number > self._after)
        missing = self._counted - came
        if missing <= 0:
            return
        if self._out_of_sight():
            raise SightLostError(
                "leads went out of sight while they were read; give the user behind the access the right to read all "
                "leads (an administrator has it) and run again",
                portal=self._client.portal,
                method=self._opening.family.list_method,
            )
        if missing > believable(self._counted) and self._fell():
            raise SightLostError(
                f"{missing:,} of {self._counted:,} leads vanished while they were read; look at the rights of the user "
                "behind the access, and run again if they were deleted",
                portal=self._client.portal,
                method=self._opening.family.list_method,
            )

    def _out_of_sight(self) -> bool:
        read = self._read
        step = max(1, len(read) // _ASKED)
        unlisted = {number for number in self._newest if number > self._after} - set(read)
        for found in get(self._client, self._opening, sorted({*read[::step][:_ASKED], *unlisted})):
            # An edit takes a lead out of a window only where that has an end.
            kept_back = self._until is None and any(self._opening.pages.id_of(row) in unlisted for row in found.rows)
            if found.unseen or kept_back:
                return True
        return False

    def _fell(self) -> bool:
        now = self._count()
        return now is None or self._counted is None or now < self._counted

    def _count(self) -> int | None:
        """Return how many leads of the window are to come; None where the portal does not tell, or not in time."""
        command = self._opening.family.remaining(self._after, self._lower, self._until)
        try:
            return self._client.batch({_COUNT: command}, halt=False, once=True).totals.get(_COUNT)
        except TransientError as error:
            log.debug("the window could not be counted", why=str(error.args[0]))
            return None
