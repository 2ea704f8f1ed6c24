"""`python -m tests.faults.column`: rows one after the other, a report a line, as a child of the torture."""

import argparse
import json
import signal
import sys
from pathlib import Path

from tests.faults import registry
from tests.faults.registry import Shares
from tests.faults.torture import Torture


def main(argv: list[str] | None = None) -> int:
    """Run the rows; what they found is for the parent to judge."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("names", nargs="+")
    given = parser.parse_args(argv)
    # What runs in the towns is ended in order, also when the parent has lost patience.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    faults = registry.load()
    rows = [faults[name] for name in given.names]
    with Torture(given.seed, given.keep) as torture:
        for row in rows:
            report = torture.run(row, Shares(given.seconds, rows).of(row))
            print(json.dumps(report.entry()), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
