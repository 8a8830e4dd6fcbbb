"""What a page is in a real browser: a probe asks it in there, over nothing but a file."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any


def probed(folder: Path, probe: str, page: str) -> list[dict[str, Any]]:
    """Return what a probe tells of a page, one for each window that it opens.

    Args:
        folder: for working files.
        probe: a page with a place, %s, for the JSON text of `page`; what it finds it writes into its #told.
        page: what is looked at.
    """
    browser = shutil.which("chromium")
    assert browser, "there is no Chromium; make chromium"
    file = folder / "probe.html"
    file.write_text(probe % json.dumps(page).replace("<", "\\u003c"), encoding="utf-8")
    done = subprocess.run(
        [
            browser, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}",
            "--virtual-time-budget=5000", "--dump-dom", file.as_uri(),
        ],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    found = re.search(r'<pre id="told">(.+?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stdout[-2000:] + done.stderr
    told: list[dict[str, Any]] = json.loads(html.unescape(found[1]))
    return told
