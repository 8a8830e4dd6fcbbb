"""A run speaks to the portal and to nobody else: no telemetry, no look for updates."""

import json
import subprocess
import sys
from pathlib import Path

from crash.processes import environment
from leadhouse.sandbox.bitrix24 import Portal, serve

# An audit hook sees every look-up and every connection of the interpreter, whoever makes it.
_RUN = """
import json, sys
hosts = set()
def note(event, arguments):
    if event == "socket.getaddrinfo":
        hosts.add(str(arguments[0]))
    elif event == "socket.connect" and isinstance(arguments[1], tuple):
        hosts.add(str(arguments[1][0]))
sys.addaudithook(note)
import leadhouse
leadhouse.sync("bitrix24", to="duckdb:leads.duckdb")
leadhouse.reconcile("bitrix24", to="duckdb:leads.duckdb")
print(json.dumps(sorted(hosts)))
"""


def test_a_run_speaks_to_the_portal_and_to_nobody_else(portal: Portal, tmp_path: Path) -> None:
    with serve(portal) as served:
        bare = {
            k: v for k, v in environment().items() if not k.startswith(("RUNTIME__", "LOAD__", "PROVIDERS__", "DLT_"))
        }
        env = {**bare, "SOURCES__BITRIX24__WEBHOOK_URL": served.url, "DLT_DATA_DIR": str(tmp_path / "data")}
        done = subprocess.run(
            [sys.executable, "-c", _RUN],
            env=env,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == ["127.0.0.1"]
