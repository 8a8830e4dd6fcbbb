"""The dlt source of Bitrix24, for pipelines of people who know dlt."""

from datetime import timedelta

import dlt
from dlt.common.typing import TSecretStrValue
from dlt.extract import DltResource

from leadhouse.bitrix24.crm import CRM, Bitrix24Portal
from leadhouse.bitrix24.families import FAMILIES
from leadhouse.bitrix24.settings import ACCESS, Bitrix24Settings, portal_access
from leadhouse.crm import WindowOptions
from leadhouse.cursor import Backfill, Cursor
from leadhouse.dlt_tables import ChainSource, stored_kinds
from leadhouse.errors import ConfigurationError
from leadhouse.flow import LeadFlow, resources
from leadhouse.pii import configured
from leadhouse.times import parse_time

SECTION = "bitrix24"


@dlt.source(name=SECTION, section=SECTION, _impl_cls=ChainSource)
def bitrix24(
    webhook_url: TSecretStrValue | None = None,
    *,
    client_id: str | None = None,
    client_secret: TSecretStrValue | None = None,
    refresh_token: TSecretStrValue | None = None,
    oauth_server: str | None = None,
    api: str = "lead",
    overlap_minutes: float = 5.0,
    phone_region: str | None = None,
    since: str | None = None,
    until: str | None = None,
    full: bool = False,
    requests_per_second: float = 2.0,
    burst: float = 50.0,
) -> list[DltResource]:
    """Return a dlt source with the leads of a Bitrix24 portal, their child tables, dictionaries and stage history.

    `dlt.pipeline(...).run(leadhouse.bitrix24())` reads what changed since the last run; the cursor lies in dlt's state.

    Args:
        webhook_url: inbound webhook, `https://{portal}/rest/{user}/{code}/`; from SOURCES__BITRIX24__WEBHOOK_URL or
            `.dlt/secrets.toml` where not given.
        client_id: with the next two, an application's access instead of a webhook.
        client_secret: the application's key.
        refresh_token: what the application's authorisation gave.
        oauth_server: address of the OAuth server, where it is not the vendor's.
        api: "lead" (crm.lead.*) or "item" (crm.item.*).
        overlap_minutes: how far before the cursor a window begins.
        phone_region: default region of phone numbers without a country code (ISO 3166).
        since: read again what was modified from this time on (ISO 8601); the cursor stays.
        until: … and before this time.
        full: read everything again.
        requests_per_second: the vendor's limit (Enterprise: 5).
        burst: requests that may go at once (Enterprise: 250).

    Raises:
        LeadhouseError: when dlt extracts, not here; see `leadhouse.errors`.
    """

    def open_flow(cursor: Cursor) -> LeadFlow:
        if api not in FAMILIES:
            raise ConfigurationError(f"api is {api!r}; it is lead or item")
        told = dict(zip(ACCESS, (webhook_url, client_id, client_secret, refresh_token, oauth_server), strict=True))
        portal_access(told)
        settings = Bitrix24Settings(
            **told,
            overlap=timedelta(minutes=overlap_minutes),
            phone_region=phone_region,
            requests_per_second=requests_per_second,
            api=api,
            burst=burst,
        )
        backfill = Backfill(parse_time(since), parse_time(until)) if since or until else None
        stored = {CRM.leads.root: stored_kinds(dlt.current.source_schema())}
        reader = Bitrix24Portal(settings).window(cursor, WindowOptions(full=full, backfill=backfill, stored=stored))
        reader.open()
        return LeadFlow(CRM, reader, reader.pieces(), mask=configured(CRM, settings))

    return resources(CRM, open_flow)
