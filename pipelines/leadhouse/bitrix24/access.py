"""A way into a portal: the address that methods are called at, and what a request carries to be let in."""

from abc import ABC, abstractmethod
from typing import ClassVar
from urllib.parse import urlsplit, urlunsplit

from leadhouse import logs
from leadhouse.address import host_of, in_the_open, split_url
from leadhouse.errors import ConfigurationError, CredentialsError
from leadhouse.redact import register_secrets

log = logs.get_logger("leadhouse.bitrix24")


class Access(ABC):
    """What the client asks of a webhook and of an application alike.

    Attributes:
        base: the address that a method's name is put behind.
        application: access is an application's, not a webhook's.
        cure: what an operator does where the address turns out to be wrong.
        renamed: what an operator is told when the portal was renamed.
    """

    application: ClassVar[bool]
    cure: ClassVar[str]
    renamed: ClassVar[str]
    base: str

    @property
    def portal(self) -> str:
        """The portal's host."""
        return host_of(self.base)

    @abstractmethod
    def ticket(self) -> dict[str, str]:
        """Return the parameters that let a request in."""

    @abstractmethod
    def renew(self, refused: dict[str, str]) -> bool:
        """Get another ticket in place of one that has expired; return whether there is one."""

    @abstractmethod
    def checked(self, url: str) -> str:
        """Return `url` as it stands in `base`, or raise ConfigurationError."""

    def follow(self, location: str, method: str) -> None:
        """A renamed portal answers with a redirect to its new host: move `base` there, its path unchanged.

        Raises:
            CredentialsError: the redirect leads to a page of the portal itself.
            ConfigurationError: it leads to plain http.
        """
        to, old = split_url(location), urlsplit(self.base)
        if not to.netloc or to.netloc == old.netloc:
            raise CredentialsError(
                f"the portal redirects to a page of its own instead of answering; {self.cure}",
                portal=self.portal,
                method=method,
            )
        before = self.portal
        self.base = self.checked(urlunsplit((to.scheme, to.netloc, old.path, "", "")))
        log.warning(self.renamed, old_host=before, new_host=self.portal)


class Webhook(Access):
    """An inbound webhook: the secret stands in the address."""

    application = False
    cure = "check webhook_url"
    renamed = "the portal was renamed: update webhook_url"

    def __init__(self, url: str) -> None:
        self.base = checked_webhook(url)

    def ticket(self) -> dict[str, str]:
        """Return nothing: the address says it all."""
        return {}

    def renew(self, refused: dict[str, str]) -> bool:  # noqa: ARG002 - the other access looks at it
        """Return False: only a person makes another webhook."""
        return False

    def checked(self, url: str) -> str:
        """Return the webhook's address in its plain form."""
        return checked_webhook(url)


def checked_webhook(url: str) -> str:
    """Return `url` with one slash at its end, and register its code as a secret.

    Raises:
        ConfigurationError: not `https://{portal}/rest/{user}/{code}/`, or plain http off loopback.
    """
    parts = split_url(url.strip())
    path = [part for part in parts.path.split("/") if part]
    at = path.index("rest") if "rest" in path else len(path)
    if path[at + 1 : at + 2] == ["api"]:
        del path[at + 1]  # the address of REST v3, which knows no leads
    path = path[: at + 3]  # the portal's page shows the address with a method behind it
    user = path[at + 1 : at + 2]
    if parts.scheme not in ("http", "https") or not parts.hostname or len(path) < at + 3 or not user[0].isdigit():
        raise ConfigurationError(
            "webhook_url is not a webhook's address; it looks like https://your-portal.bitrix24.com/rest/1/code/ "
            "(set SOURCES__BITRIX24__WEBHOOK_URL or webhook_url under [sources.bitrix24] in .dlt/secrets.toml)"
        )
    register_secrets([path[-1]])
    if in_the_open(parts):
        raise ConfigurationError(
            "plain http would send the webhook's secret in the open; use https in webhook_url", portal=host_of(url)
        )
    return urlunsplit((parts.scheme, parts.netloc, "/" + "/".join(path) + "/", "", ""))
