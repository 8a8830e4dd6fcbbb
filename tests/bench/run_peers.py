"""Kommo beside what people use today: `python tests/bench/run_peers.py --sdk PYTHON [names…] [--leads N]`."""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.figures import Figures
from bench.kommo_measures import KommoBench, Size
from bench.kommo_peers import peers


def main() -> None:
    """Run the measures named, all by default; a goal that is missed stands in the table and fails nothing."""
    size = Size()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="measures by name; default all")
    parser.add_argument("--sdk", default="", help="a Python that has kommo_sdk_data_engineer; without it is left out")
    parser.add_argument("--leads", type=int, default=size.leads, help="leads of a full load")
    parser.add_argument("--refused", type=int, default=size.refused, help="leads of the load that is refused once")
    parser.add_argument("--raced", type=int, default=size.raced, help="leads of a race")
    parser.add_argument("--peer", action="append", help="one peer by name; default all")
    told = parser.parse_args()
    figures = Figures()
    chosen = [peer for peer in peers(told.sdk) if peer.python and peer.name in (told.peer or [peer.name])]
    with tempfile.TemporaryDirectory(prefix="leadhouse-peers-") as folder:
        bench = KommoBench(Path(folder), Size(told.leads, told.refused, told.raced), chosen, figures)
        measures = bench.measures()
        unknown = sorted(set(told.names) - measures.keys())
        if unknown:
            parser.error(f"no measure {', '.join(unknown)}; there are {', '.join(measures)}")
        for name in told.names or measures:
            measures[name]()
    figures.show()


if __name__ == "__main__":
    main()
