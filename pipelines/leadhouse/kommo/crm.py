"""Kommo and amoCRM as the shared parts of leadhouse see them."""

from collections.abc import Mapping
from datetime import UTC

from leadhouse.columns import Kind
from leadhouse.crm import Chain, Crm, WindowOptions
from leadhouse.cursor import Cursor
from leadhouse.kommo.account import zone_of
from leadhouse.kommo.client import KommoClient, Limits
from leadhouse.kommo.custom_part import custom_part
from leadhouse.kommo.entities import Entities
from leadhouse.kommo.entity import ENTITIES
from leadhouse.kommo.pages import Pages
from leadhouse.kommo.reader import Manner, WindowReader
from leadhouse.kommo.settings import KommoSettings
from leadhouse.pace import Pause
from leadhouse.retry import Traffic
from leadhouse.seen_times import Held, nothing_held


class KommoPortal:
    """An account as one run speaks to it.

    Args:
        settings: how to reach and read it.

    Raises:
        ConfigurationError: its address or its token is unusable.
    """

    def __init__(self, settings: KommoSettings) -> None:
        self._manner = Manner(settings.overlap, settings.phone_region)
        limits = Limits(requests_per_second=settings.requests_per_second)
        self._client = KommoClient(settings.base_url, settings.access, limits=limits)

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
        """The account's host."""
        return self._client.portal

    def window(self, cursor: Cursor, options: WindowOptions) -> WindowReader:
        """Return what reads a window."""
        return WindowReader(self._client, cursor, options, self._manner)

    def entities(self, chain: Chain, stored: Mapping[str, Kind], dictionary: Held = nothing_held) -> Entities:  # noqa: ARG002 - columns come from answers
        """Return rows of a chain, to ask for."""
        entity = ENTITIES[chain.root]

        def pages(zone: str) -> Pages:
            region = self._manner.region
            return Pages(entity, self._client.portal, zone=zone_of(zone) or UTC, region=region, stored=stored)

        return Entities(self._client, entity, pages)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


CRM = Crm(
    name="kommo",
    chains=tuple(entity.chain for entity in ENTITIES.values()),
    streams=(),
    dictionaries=("account", "pipelines", "statuses", "loss_reasons", "users", "custom_fields", "custom_field_options"),
    kept=frozenset({"custom_field_options"}),  # variants that the account dropped stay: rows still point to them
    connect=KommoPortal,
    customs=custom_part,
    codes=frozenset({"category", "multiselect", "radiobutton", "select"}),
    figures=frozenset({"chained_list", "checkbox", "date", "date_time", "monetary", "numeric", "price"}),
    campaigns=frozenset({"UTM_SOURCE", "UTM_MEDIUM", "UTM_CAMPAIGN", "UTM_CONTENT", "UTM_TERM"}),
)
