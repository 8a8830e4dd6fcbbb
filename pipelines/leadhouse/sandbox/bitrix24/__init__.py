"""A Bitrix24 portal over real HTTP, in this process or another.

In process::

    from leadhouse.sandbox.bitrix24 import Clock, Limits, Portal, Quirks, serve

    portal = Portal(leads=5_000, seed=1, timezone="Europe/Moscow", clock=Clock.frozen("2026-11-21T12:00:00+03:00"))
    with serve(portal) as sandbox:               # a uvicorn server in a thread; port 0 takes a free port
        sandbox.url                              # http://127.0.0.1:43567/rest/1/sandbox-secret-code/
        portal.update_lead(17, {"TITLE": "New name", "PHONE": [{"VALUE": "+44 7700 900123"}]})
        portal.live(create=3, edit=5, phone_add=1, phone_remove=1, stage=2, delete=1, seed=7)
        portal.faults.add("rate_limited", times=3)
        portal.before_command.append(lambda method, params, portal: ...)   # life between two pages
        portal.leads()                           # the truth, as crm.lead.get answers it

        leadhouse.sync(..., **portal.oauth.authorise(), oauth_server=sandbox.oauth_server)   # an application's access
        portal.oauth.expire()                    # its access tokens end now instead of in an hour of the portal's time

``serve(portal, tls=True)`` speaks https; ``sandbox.certificate`` is the PEM file to trust. ``sandbox.control`` is the
base URL of the control surface, for sandboxes in another process: POST JSON to ``life``, ``faults``, ``clock``,
``quirks``, ``oauth``, GET ``stats`` and ``truth`` (see ``control``). ``run`` serves until SIGINT or SIGTERM and prints
the webhook URL first.

The portal is its own OAuth server: ``/oauth/token/`` renews tokens, and faults strike it by the name ``oauth.token``.

A hook runs in the server's thread: it may change the portal, it must not call it over HTTP.
"""

from leadhouse.sandbox.clock import Clock
from leadhouse.sandbox.faults import KINDS, Fault, Faults
from leadhouse.sandbox.throttle import Limits

from .life import Changes
from .oauth import OAuthServer
from .portal import Portal
from .quirks import Quirks
from .sandbox import Sandbox, run, serve
from .userfields import UserField

__all__ = [
    "KINDS",
    "Changes",
    "Clock",
    "Fault",
    "Faults",
    "Limits",
    "OAuthServer",
    "Portal",
    "Quirks",
    "Sandbox",
    "UserField",
    "run",
    "serve",
]
