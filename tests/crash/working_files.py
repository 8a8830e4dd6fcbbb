"""What dlt's working directory tells about a run, seen from outside: the step at work, the packages committed."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Step:
    """Where a run stands.

    Attributes:
        name: "start", "extract", "normalize", "load" or "committed".
        jobs_done, jobs_left: of the package that is being loaded.
        committed: packages of this run that are in the warehouse.
    """

    name: str
    jobs_done: int = 0
    jobs_left: int = 0
    committed: int = 0


def step_of(data: Path) -> Step:
    """Return where the run with this DLT_DATA_DIR stands; one pipeline works there."""
    while True:
        try:
            return _look(data)
        except FileNotFoundError:  # a folder moved on while it was looked at
            continue


def _look(data: Path) -> Step:
    folders = list(data.glob("pipelines/*/*/"))
    if not folders:
        return Step("start")
    folder = folders[0]
    committed = len(list(folder.glob("load/loaded/*")))
    loading = list(folder.glob("load/normalized/*"))
    if loading:
        new, begun, done = (len(list(loading[0].glob(f"{name}_jobs/*"))) for name in ("new", "started", "completed"))
        return Step("load" if begun or done else "normalize", done, new + begun, committed)
    if any(folder.glob("load/new/*")) or any(folder.glob("normalize/extracted/*")):
        return Step("normalize", committed=committed)
    if any(path.parent.name != "extracted" for path in folder.glob("normalize/*/*")):
        return Step("extract", committed=committed)
    return Step("committed" if committed else "start", committed=committed)


def leftovers(data: Path) -> list[Path]:
    """Return the files that lie in a DLT_DATA_DIR, without locks and the moment of the next request."""
    return [
        path for path in data.rglob("*") if path.is_file() and path.suffix != ".lock" and path.parent.name != "pace"
    ]
