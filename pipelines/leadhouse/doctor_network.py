"""The way to a portal, step by step: its name, a connection, its certificate."""

import socket
import ssl
import time

from leadhouse.address import host_of, split_url
from leadhouse.errors import ConfigurationError, PortalUnreachableError
from leadhouse.findings import OPERATOR, Findings

_PATIENCE_S = 10.0
_LAST_DAYS = 7


def reach(found: Findings, address: str) -> bool:
    """Look whether a portal can be spoken to; return whether it can.

    Args:
        found: takes what is found.
        address: of the portal; only its scheme, host and port are used.
    """
    parts, portal = split_url(address.strip()), host_of(address.strip())
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    peer = found.check("reach", lambda: _connected(host, port, portal))
    if peer is None:
        found.unknown("certificate", why="there is no connection")
        return False
    found.ok("reach", f"{portal} resolves ({peer}) and takes connections")
    if parts.scheme != "https":
        found.ok("certificate", "none: plain http on this machine")
        return True
    days = found.check("certificate", lambda: _days_left(host, port, portal))
    if days is None:
        return False
    if days < _LAST_DAYS:
        found.add("certificate", OPERATOR, f"{portal}: it ends in {days} days; renew it on the portal's server")
    else:
        found.ok("certificate", f"trusted, good for {days} days")
    return True


def _connected(host: str, port: int, portal: str) -> str:
    """Return the address that a connection was made with."""
    problem = ""
    try:
        with socket.create_connection((host, port), timeout=_PATIENCE_S) as connection:
            return str(connection.getpeername()[0])
    except socket.gaierror:
        problem = "the name does not resolve; check the address in the settings, and this machine's DNS"
    except TimeoutError:
        problem = "connecting timed out; check this machine's firewall and route to the internet"
    except OSError as error:
        problem = f"{(error.strerror or type(error).__name__).lower()}; check the address and this machine's network"
    raise PortalUnreachableError(problem, portal=portal)


def _days_left(host: str, port: int, portal: str) -> int:
    problem = ""
    try:
        with (
            socket.create_connection((host, port), timeout=_PATIENCE_S) as plain,
            ssl.create_default_context().wrap_socket(plain, server_hostname=host) as secure,
        ):
            ends = ssl.cert_time_to_seconds(str((secure.getpeercert() or {})["notAfter"]))
            return int((ends - time.time()) // 86400)
    except ssl.SSLCertVerificationError as error:
        problem = error.verify_message
    except OSError as error:
        reason = type(error).__name__
    if problem:
        raise ConfigurationError(
            f"its certificate is not trusted ({problem}); check the address, or trust its authority through "
            "SSL_CERT_FILE",
            portal=portal,
        )
    raise PortalUnreachableError(f"the TLS handshake failed ({reason})", portal=portal)
