"""What the API calls an entity (leads, contacts, companies), and the tables that it becomes."""

from collections.abc import Mapping
from dataclasses import dataclass

from leadhouse.crm import Chain


@dataclass(frozen=True, slots=True)
class Entity:
    """One kind of rows of an account.

    Attributes:
        path: of its list, and its name in the answer.
        chain: the tables that it becomes.
        singular: what one of it is called in table names.
        drift: table of values that fit no column.
        extras: what to ask for beside its own fields (parameter `with`).
        codes: tables for the values of fields with these codes; other fields' values have a table of their own.
    """

    path: str
    chain: Chain
    singular: str
    drift: str
    extras: tuple[str, ...] = ()
    codes: Mapping[str, str] | None = None

    @property
    def custom_values(self) -> str:
        """The table of custom fields' values."""
        return f"{self.singular}_custom_values"

    @property
    def tags(self) -> str:
        """The table of tags."""
        return f"{self.singular}_tags"


LEADS = Entity(
    "leads",
    Chain(
        "leads",
        (
            "lead_custom_values",
            "lead_tags",
            "lead_contacts",
            "lead_companies",
            "lead_catalog_elements",
            "schema_drift",
        ),
        "lead_id",
        "updated_at",
    ),
    "lead",
    "schema_drift",
    ("contacts", "catalog_elements", "loss_reason", "is_price_modified_by_robot", "source_id", "source"),
)
CONTACTS = Entity(
    "contacts",
    Chain(
        "contacts",
        (
            "contact_phones",
            "contact_emails",
            "contact_ims",
            "contact_custom_values",
            "contact_tags",
            "contact_schema_drift",
        ),
        "contact_id",
        "updated_at",
    ),
    "contact",
    "contact_schema_drift",
    codes={"PHONE": "contact_phones", "EMAIL": "contact_emails", "IM": "contact_ims"},
)
COMPANIES = Entity(
    "companies",
    Chain("companies", ("company_custom_values", "company_tags", "company_schema_drift"), "company_id", "updated_at"),
    "company",
    "company_schema_drift",
)
ENTITIES = {entity.chain.root: entity for entity in (LEADS, CONTACTS, COMPANIES)}
