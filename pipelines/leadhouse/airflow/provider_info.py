"""What Airflow learns of leadhouse from its entry point: shown by `airflow providers list`, and the connection forms.

The API server builds the forms from this alone; it imports neither a hook nor the rest of leadhouse for them.
"""

from typing import Any

_TEXT = {"type": ["string", "null"]}
_SECRET = {"type": ["string", "null"], "format": "password"}


def _field(label: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"label": label, "description": description, "schema": schema}


def _number(default: float) -> dict[str, Any]:
    return {"type": ["number", "null"], "default": default, "minimum": 0}


def _shared(requests_per_second: float, pace: str) -> dict[str, Any]:
    """Return the fields of every source."""
    return {
        "dataset": _field(
            "Dataset",
            "Schema of the tables; the connection's id where empty",
            {**_TEXT, "pattern": "^[A-Za-z]\\w*$|^$"},
        ),
        "phone_region": _field(
            "Phone region",
            "Country of numbers without a country code, like KZ",
            {**_TEXT, "pattern": "^[A-Za-z]{2}$|^$"},
        ),
        "requests_per_second": _field("Requests per second", pace, _number(requests_per_second)),
        "overlap_minutes": _field("Overlap in minutes", "How far before the cursor a run reads again", _number(5)),
    }


_BITRIX24_FIELDS = {
    **_shared(2, "2 on ordinary plans, 5 on Enterprise"),
    "burst": _field("Requests at once", "50 on ordinary plans, 250 on Enterprise", _number(50)),
    "language": _field(
        "Language of titles",
        "Of custom fields, like ru; the portal's where empty",
        {**_TEXT, "pattern": "^[A-Za-z]{2}$|^$"},
    ),
    "api": _field(
        "API", "crm.lead.* or its successor crm.item.*", {**_TEXT, "default": "lead", "enum": ["lead", "item", None]}
    ),
    "client_id": _field("Application: client id", "An application's access instead of a webhook", _TEXT),
    "client_secret": _field("Application: client secret", "", _SECRET),
    "refresh_token": _field("Application: refresh token", "", _SECRET),
    "oauth_server": _field("Application: OAuth server", "The vendor's where empty", _TEXT),
}
_KOMMO_FIELDS = {
    **_shared(6, "The vendor blocks an address that sends more than 7"),
    "client_id": _field("Integration: id", "An integration's access instead of a long-lived token", _TEXT),
    "client_secret": _field("Integration: secret key", "", _SECRET),
    "refresh_token": _field("Integration: refresh token", "", _SECRET),
    "redirect_uri": _field("Integration: redirect address", "As it is registered", _TEXT),
}
_CONNECTION_TYPES = [
    {
        "connection-type": "bitrix24",
        "hook-class-name": "leadhouse.airflow.hooks.Bitrix24Hook",
        "hook-name": "Bitrix24",
        "conn-fields": _BITRIX24_FIELDS,
        "ui-field-behaviour": {
            "hidden-fields": ["schema", "port", "extra"],
            "relabeling": {
                "host": "Portal",
                "login": "Webhook user id",
                "password": "Webhook code or URL",
            },
            "placeholders": {"host": "example.bitrix24.com", "login": "1"},
        },
    },
    {
        "connection-type": "kommo",
        "hook-class-name": "leadhouse.airflow.hooks.KommoHook",
        "hook-name": "Kommo, amoCRM",
        "conn-fields": _KOMMO_FIELDS,
        "ui-field-behaviour": {
            "hidden-fields": ["schema", "port", "login", "extra"],
            "relabeling": {"host": "Account", "password": "Long-lived token"},
            "placeholders": {"host": "example.kommo.com"},
        },
    },
]


def get_provider_info() -> dict[str, Any]:
    """Return what Airflow wants to know of a provider; `package-name` is the distribution's name."""
    return {
        "package-name": "leadhouse",
        "name": "leadhouse",
        "description": "Keeps a company's CRM leads (Bitrix24, Kommo) in its own warehouse, complete and current.",
        "integrations": [
            {
                "integration-name": "Bitrix24",
                "external-doc-url": "https://apidocs.bitrix24.com/",
                "tags": ["service"],
            },
            {
                "integration-name": "Kommo",
                "external-doc-url": "https://developers.kommo.com/",
                "tags": ["service"],
            },
        ],
        "hooks": [
            {"integration-name": name, "python-modules": ["leadhouse.airflow.hooks"]} for name in ("Bitrix24", "Kommo")
        ],
        "operators": [
            {"integration-name": name, "python-modules": ["leadhouse.airflow.operators"]}
            for name in ("Bitrix24", "Kommo")
        ],
        "connection-types": _CONNECTION_TYPES,
        "asset-uris": [{"schemes": ["leadhouse"], "handler": "leadhouse.airflow.asset_uris.sanitize_uri"}],
        "extra-links": ["leadhouse.airflow.links.PortalLink"],
        "notifications": ["leadhouse.airflow.notifiers.FailureNotifier"],
    }
