"""A Kommo (amoCRM) account over real HTTP, in this process or another.

In process::

    from leadhouse.sandbox.kommo import Account, Clock, Limits, Switches, serve

    account = Account(leads=5_000, seed=1, timezone="Europe/London", clock=Clock.frozen("2026-11-21T12:00:00+00:00"))
    with serve(account) as sandbox:              # a uvicorn server in a thread; port 0 takes a free port
        sandbox.url                              # http://127.0.0.1:43567, the base URL
        account.token                            # its long-lived access token
        account.update_lead(9_000_002, {"name": "New name", "status_id": 142})
        account.live(create=3, edit=5, phone_add=1, phone_remove=1, stage=2, delete=1, seed=7)
        account.faults.add("rate_limited", times=3, match="/api/v4/leads")
        account.switches.bounds = "exclusive"
        account.before_request.append(lambda path, params, account: ...)   # life between two pages
        account.leads()                          # the truth, as GET /leads/{id} answers it with every with

        account.oauth.authorise()                # client_id, client_secret, refresh_token, redirect_uri
        account.oauth.expire()                   # its access tokens end now instead of in a day of the account's time

``serve(account, tls=True)`` speaks https; ``sandbox.certificate`` is the PEM file to trust. ``sandbox.control`` is the
base URL of the control surface, for sandboxes in another process: POST JSON to ``life``, ``faults``, ``clock``,
``switches``, ``oauth``, GET ``stats`` and ``truth`` (see ``control``). ``run`` serves until SIGINT or SIGTERM and
prints base URL and token first.

The account is its own token endpoint, ``/oauth2/access_token``; faults strike it by that name. The ``Date`` header of
every answer is the account's clock.

A hook runs in the server's thread: it may change the account, it must not call it over HTTP.
"""

from leadhouse.sandbox.clock import Clock
from leadhouse.sandbox.faults import Fault, Faults

from .account import Account
from .custom_fields import CustomField
from .kinds import KINDS
from .life import Changes
from .oauth import OAuthServer
from .sandbox import Sandbox, run, serve
from .switches import Switches
from .throttle import Limits

__all__ = [
    "KINDS",
    "Account",
    "Changes",
    "Clock",
    "CustomField",
    "Fault",
    "Faults",
    "Limits",
    "OAuthServer",
    "Sandbox",
    "Switches",
    "run",
    "serve",
]
