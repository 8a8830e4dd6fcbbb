"""Postgres URLs as libpq reads them, which dlt writes with bare spaces."""

import dlt
from dlt.common.configuration import configspec
from dlt.destinations.impl.postgres.configuration import PostgresClientConfiguration, PostgresCredentials


def readable(url: str) -> str:
    """Return a URL of dlt's making in libpq's spelling, which knows neither a bare space nor + for one."""
    address, mark, options = url.partition("?")
    return address.replace(" ", "%20") + mark + options.replace("+", "%20")


@configspec(init=False)
class LibpqCredentials(PostgresCredentials):
    """dlt's credentials of a Postgres server, in libpq's spelling."""

    def to_native_representation(self) -> str:
        """Return the URL that dlt hands to libpq."""
        return readable(super().to_native_representation())


class LibpqPostgres(dlt.destinations.postgres):
    """dlt's Postgres destination, made with a URL, whose password may hold spaces anywhere."""

    @property
    def destination_type(self) -> str:
        """The name under which warehouses know it."""
        return "dlt.destinations.postgres"

    def configuration(
        self, initial_config: PostgresClientConfiguration, accept_partial: bool = False
    ) -> PostgresClientConfiguration:
        """Return dlt's configuration of the destination."""
        config = super().configuration(initial_config, accept_partial)
        config.credentials = LibpqCredentials(dict(config.credentials))
        config.credentials.resolve()
        config.credentials.password = LibpqCredentials(self.config_params["credentials"]).password  # dlt strips it
        return config
