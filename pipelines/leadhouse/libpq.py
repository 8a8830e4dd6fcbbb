"""dlt's Postgres destination, taught what it lacks: URLs as libpq reads them, and files of no rows."""

import dlt
import pyarrow.parquet as pq
from dlt.common.configuration import configspec
from dlt.common.destination.client import LoadJob
from dlt.common.destination.typing import PreparedTableSchema
from dlt.common.typing import TSecretStrValue
from dlt.destinations.impl.postgres.configuration import PostgresClientConfiguration, PostgresCredentials
from dlt.destinations.impl.postgres.postgres import PostgresClient
from dlt.destinations.job_impl import FinalizedLoadJobWithFollowupJobs


def readable(url: str) -> str:
    """Return a URL of dlt's making in libpq's spelling, which knows neither a bare space nor + for one."""
    address, mark, options = url.partition("?")
    return address.replace(" ", "%20") + mark + options.replace("+", "%20")


@configspec(init=False)
class LibpqCredentials(PostgresCredentials):
    """dlt's credentials of a Postgres server, in libpq's spelling; what the URL leaves out, libpq knows.

    A password may lie in `.pgpass`, or the server wants none; the user is the system's, the host a local socket.
    """

    # dlt refuses a URL that lacks one of them.
    username: str | None = None  # type: ignore[assignment]
    password: TSecretStrValue | None = None  # type: ignore[assignment]
    host: str | None = None  # type: ignore[assignment]

    def to_native_representation(self) -> str:
        """Return the URL that dlt hands to libpq."""
        return readable(super().to_native_representation())


@configspec
class LibpqConfiguration(PostgresClientConfiguration):
    """dlt's configuration of a Postgres server, with these credentials."""

    credentials: LibpqCredentials = None  # type: ignore[assignment]  # as dlt writes it

    def data_location(self) -> str:
        """Return what tells the database from others; dlt's own refuses a URL without a host."""
        credentials = self.credentials
        host = credentials.host or (credentials.query or {}).get("host", "localhost")
        return f"{host}:{credentials.port}/{credentials.database}"


class LibpqPostgres(dlt.destinations.postgres):
    """dlt's Postgres destination, made with a URL, whose password may hold spaces anywhere."""

    spec = LibpqConfiguration  # type: ignore[assignment]  # dlt takes a subclass, its annotation does not

    @property
    def destination_type(self) -> str:
        """The name under which warehouses know it."""
        return "dlt.destinations.postgres"

    @property
    def client_class(self) -> type[PostgresClient]:
        """The client that does the work."""
        return LibpqClient

    def configuration(
        self, initial_config: PostgresClientConfiguration, accept_partial: bool = False
    ) -> PostgresClientConfiguration:
        """Return dlt's configuration of the destination."""
        config = super().configuration(initial_config, accept_partial)
        config.credentials.password = LibpqCredentials(self.config_params["credentials"]).password  # type: ignore[assignment]  # dlt strips it
        return config


class LibpqClient(PostgresClient):
    """dlt's client of a Postgres server, which copies no file of no rows: the driver fails at it (dlt 1.31).

    The merge goes on without it: a dictionary that the portal emptied is empty here, too.
    """

    def create_load_job(
        self, table: PreparedTableSchema, file_path: str, load_id: str, restore: bool = False
    ) -> LoadJob:
        """Return the job that copies a file."""
        if file_path.endswith(".parquet") and pq.read_metadata(file_path).num_rows == 0:
            return FinalizedLoadJobWithFollowupJobs(file_path)
        return super().create_load_job(table, file_path, load_id, restore)
