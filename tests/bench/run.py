"""Measure leadhouse and print one table: `python tests/bench/run.py [names…] [--leads N] [--runs N]`."""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.figures import Figures
from bench.measures import Bench, Size


def main() -> None:
    """Run the measures named, all by default; a goal that is missed stands in the table and fails nothing."""
    size = Size()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="measures by name; default all")
    parser.add_argument("--leads", type=int, default=size.leads, help="leads of a full load")
    parser.add_argument("--generic-leads", type=int, default=size.generic_leads, help="leads for dlt's default loader")
    parser.add_argument("--runs", type=int, default=size.runs, help="repetitions of short measures")
    told = parser.parse_args()
    figures = Figures()
    with tempfile.TemporaryDirectory(prefix="leadhouse-bench-") as folder:
        bench = Bench(Path(folder), Size(told.leads, told.generic_leads, told.runs), figures)
        measures = bench.measures()
        unknown = sorted(set(told.names) - measures.keys())
        if unknown:
            parser.error(f"no measure {', '.join(unknown)}; there are {', '.join(measures)}")
        for name in told.names or measures:
            measures[name]()
    figures.show()


if __name__ == "__main__":
    main()
