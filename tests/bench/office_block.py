"""Many sandbox portals in one process: prints their webhooks as JSON, and lets life happen for each line on stdin."""

import json
import sys
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "pipelines"))

from leadhouse.sandbox.bitrix24 import Portal, serve


def main() -> None:
    """Serve the number of portals, with the number of leads each, that the arguments say, until stdin ends."""
    portals = [Portal(leads=int(sys.argv[2]), seed=seed) for seed in range(int(sys.argv[1]))]
    with ExitStack() as served:
        _say(json.dumps([served.enter_context(serve(portal)).url for portal in portals]))
        for _ in sys.stdin:
            for portal in portals:
                portal.live(create=3, edit=20)
            _say("done")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
