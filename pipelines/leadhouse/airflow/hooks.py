"""Hooks of the connection types Bitrix24 and Kommo: the connection as settings, and what its Test button does."""

from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret

from leadhouse.airflow.connections import PortalConnection, portal_connection
from leadhouse.errors import ConfigurationError, LeadhouseError
from leadhouse.redact import redact, share_secrets
from leadhouse.settings import configure_dlt

if TYPE_CHECKING:
    from airflow.sdk import Connection

# A JSON list of ids of connections of the types bitrix24 and kommo.
VARIABLE = "leadhouse_connections"


class LeadhouseHook(BaseHook):
    """A portal that an Airflow connection describes.

    Args:
        conn_id: the connection, of type bitrix24 or kommo.
    """

    conn_name_attr: ClassVar[str] = "conn_id"

    def __init__(self, conn_id: str) -> None:
        super().__init__()
        self.conn_id = conn_id

    def get_conn(self) -> PortalConnection:
        """Return the portal's source, dataset and settings; Airflow masks the secrets among them from now on.

        Raises:
            ConfigurationError: the connection is not there, or cannot be used.
        """
        return self._connection()

    def test_connection(self) -> tuple[bool, str]:
        """Ask the portal for its clock and for a lead; return whether it answered, and one line without secrets.

        An application's access is only looked at: a test would spend its refresh token.
        """
        try:
            # The button's page makes up a name for the connection, often one that cannot name a dataset.
            return True, _asked(self._connection(dataset="tested"))
        except LeadhouseError as error:
            return False, redact(str(error))

    def _connection(self, dataset: str | None = None) -> PortalConnection:
        share_secrets(mask_secret)
        return portal_connection(found(self.conn_id, f"the Variable {VARIABLE}, or of conn_id"), dataset)


class Bitrix24Hook(LeadhouseHook):
    """The hook of the connection type Bitrix24."""

    conn_type: ClassVar[str] = "bitrix24"
    hook_name: ClassVar[str] = "Bitrix24"
    default_conn_name: ClassVar[str] = "bitrix24_default"

    def __init__(self, conn_id: str = default_conn_name) -> None:
        super().__init__(conn_id)


class KommoHook(LeadhouseHook):
    """The hook of the connection type Kommo."""

    conn_type: ClassVar[str] = "kommo"
    hook_name: ClassVar[str] = "Kommo, amoCRM"
    default_conn_name: ClassVar[str] = "kommo_default"

    def __init__(self, conn_id: str = default_conn_name) -> None:
        super().__init__(conn_id)


def found(conn_id: str, named: str) -> "Connection":
    """Return a connection.

    Args:
        conn_id: its id.
        named: where the id may have been named.

    Raises:
        ConfigurationError: it is not there.
    """
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise ConfigurationError(f"connection {conn_id} is not there; add it, or take it out of {named}") from None


def _asked(told: PortalConnection) -> str:
    """Ask a portal, once and in haste: somebody looks at the button.

    Raises:
        LeadhouseError: it refused, or did not answer.
    """
    configure_dlt()
    from leadhouse.crm import crm  # noqa: PLC0415 - loads Arrow
    from leadhouse.settings import portal_settings  # noqa: PLC0415

    known = crm(told.source)
    settings: Any = portal_settings(told.source, None, told.settings)
    if not isinstance(settings.access, str):
        # Tokens lie where the rows go; one that is renewed here, the workers would never know of.
        return (
            "the settings are complete; the next run tries them, for a test would spend the application's refresh token"
        )
    portal = known.connect(settings)
    portal.pause.hasty = True
    try:
        leads = portal.entities(known.leads, {})
        leads.open()
        for _ in leads.some([1]):
            pass
        leads.close()
    finally:
        portal.close()
    return f"{portal.portal} answers and lets leads be read; its clock says {leads.upper:%Y-%m-%d %H:%M:%S} UTC"
