"""The dlt source of Kommo and amoCRM, for pipelines of people who know dlt."""

from datetime import timedelta

import dlt
from dlt.common.typing import TSecretStrValue
from dlt.extract import DltResource

from leadhouse.crm import WindowOptions
from leadhouse.cursor import Backfill, Cursor
from leadhouse.dlt_tables import ChainSource, stored_kinds
from leadhouse.flow import LeadFlow, resources
from leadhouse.kommo.crm import CRM, KommoPortal
from leadhouse.kommo.settings import ACCESS, REQUESTS_PER_SECOND, KommoSettings, account_access
from leadhouse.pii import configured
from leadhouse.times import parse_time


@dlt.source(name="kommo", section="kommo", _impl_cls=ChainSource)
def kommo(
    base_url: str = dlt.config.value,
    access_token: TSecretStrValue | None = None,
    *,
    client_id: str | None = None,
    client_secret: TSecretStrValue | None = None,
    refresh_token: TSecretStrValue | None = None,
    redirect_uri: str | None = None,
    overlap_minutes: float = 5.0,
    phone_region: str | None = None,
    since: str | None = None,
    until: str | None = None,
    full: bool = False,
    requests_per_second: float = REQUESTS_PER_SECOND,
) -> list[DltResource]:
    """Return a dlt source with the leads, contacts and companies of a Kommo account, and its dictionaries.

    `dlt.pipeline(...).run(leadhouse.kommo())` reads what changed since the last run; the cursor lies in dlt's state.

    Args:
        base_url: address of the account, `https://{subdomain}.kommo.com`; from SOURCES__KOMMO__BASE_URL or `.dlt/`
            where not given.
        access_token: long-lived token; from SOURCES__KOMMO__ACCESS_TOKEN or `.dlt/secrets.toml`.
        client_id: with the next three, an OAuth application's access instead.
        client_secret: the application's key.
        refresh_token: what the application's authorisation gave.
        redirect_uri: the application's redirect address.
        overlap_minutes: how far before the cursor a window begins.
        phone_region: default region of phone numbers without a country code (ISO 3166).
        since: read again what was modified from this time on (ISO 8601); the cursor stays.
        until: … and before this time.
        full: read everything again.
        requests_per_second: the vendor allows 7.

    Raises:
        LeadhouseError: when dlt extracts, not here; see `leadhouse.errors`.
    """

    def open_flow(cursor: Cursor) -> LeadFlow:
        told = (access_token, client_id, client_secret, refresh_token, redirect_uri)
        settings = KommoSettings(
            base_url=base_url,
            access=account_access(dict(zip(ACCESS, told, strict=True))),
            overlap=timedelta(minutes=overlap_minutes),
            phone_region=phone_region,
            requests_per_second=requests_per_second,
        )
        backfill = Backfill(parse_time(since), parse_time(until)) if since or until else None
        stored = {chain.root: stored_kinds(dlt.current.source_schema(), chain.root) for chain in CRM.chains}
        reader = KommoPortal(settings).window(cursor, WindowOptions(full=full, backfill=backfill, stored=stored))
        reader.open()
        return LeadFlow(CRM, reader, reader.pieces(), mask=configured(CRM, settings))

    return resources(CRM, open_flow)
