"""Bitrix24 as the shared parts of leadhouse see it."""

from collections.abc import Mapping

from leadhouse.bitrix24.client import Bitrix24Client, Limits
from leadhouse.bitrix24.custom_part import custom_part
from leadhouse.bitrix24.decode import CHILDREN
from leadhouse.bitrix24.families import FamilyName
from leadhouse.bitrix24.history import HISTORY
from leadhouse.bitrix24.leads import Leads
from leadhouse.bitrix24.opening import Opening
from leadhouse.bitrix24.reader import Options, WindowReader
from leadhouse.bitrix24.settings import Bitrix24Settings
from leadhouse.columns import Kind
from leadhouse.crm import Chain, Crm, WindowOptions
from leadhouse.cursor import Cursor
from leadhouse.pace import Pause
from leadhouse.retry import Traffic
from leadhouse.seen_times import Held, nothing_held

FIELDS = "lead_fields"


class Bitrix24Portal:
    """A portal as one run speaks to it.

    Args:
        settings: how to reach and read it.

    Raises:
        ConfigurationError: its address is unusable.
    """

    def __init__(self, settings: Bitrix24Settings) -> None:
        self._settings = settings
        limits = Limits(drain=settings.requests_per_second, burst=settings.burst)
        self._client = Bitrix24Client(settings.access, limits=limits)

    @property
    def pause(self) -> Pause:
        """Where waiting happens."""
        return self._client.pause

    @property
    def traffic(self) -> Traffic:
        """What was sent."""
        return self._client.traffic

    @property
    def portal(self) -> str:
        """The portal's host."""
        return self._client.portal

    def window(self, cursor: Cursor, options: WindowOptions) -> WindowReader:
        """Return what reads a window."""
        told = Options(
            family=self._family,
            overlap=self._settings.overlap,
            region=self._settings.phone_region,
            full=options.full,
            backfill=options.backfill,
            stored=options.stored.get(CRM.leads.root, {}),
            remembered=options.dictionary(FIELDS),
            language=self._settings.language,
        )
        return WindowReader(self._client, cursor, told)

    def entities(self, _chain: Chain, stored: Mapping[str, Kind], dictionary: Held = nothing_held) -> Leads:
        """Return the leads, to ask for."""
        opening = Opening(
            self._client,
            family=self._family,
            region=self._settings.phone_region,
            stored=stored,
            remembered=dictionary(FIELDS),
            language=self._settings.language,
        )
        return Leads(self._client, opening)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    @property
    def _family(self) -> FamilyName:
        return "item" if self._settings.api == "item" else "lead"


CRM = Crm(
    name="bitrix24",
    chains=(Chain("leads", CHILDREN, "lead_id", "date_modify"),),
    streams=(HISTORY,),
    dictionaries=(FIELDS, "lead_field_options", "statuses", "users", "currencies"),
    kept=frozenset({"lead_field_options"}),  # rows that the portal dropped stay: leads still point to them
    connect=Bitrix24Portal,
    customs=custom_part,
    fields=FIELDS,
    codes=frozenset({"crm", "crm_category", "crm_currency", "crm_status", "hlblock", "resourcebooking"}),
    figures=frozenset(
        {
            *("boolean", "char", "date", "datetime", "double", "integer", "money"),
            *("employee", "enumeration", "file", "iblock_element", "iblock_section", "user"),
            *("crm_company", "crm_contact", "crm_entity", "crm_lead"),
        }
    ),
)
