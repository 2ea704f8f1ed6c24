"""Run the benchmarks, or those named; print a table and write build/bench.json."""

import json
import sys
from pathlib import Path

from tests.bench import drain, fleet, ingest, memory, stall, start, touch
from tests.bench.measure import Figure

BENCHES = {
    "start": start.run,
    "touch": touch.run,
    "stall": stall.run,
    "ingest": ingest.run,
    "drain": drain.run,
    "fleet": fleet.run,
    "memory": memory.run,
}


def main(names: list[str]) -> int:
    figures: list[Figure] = []
    for name in names or list(BENCHES):
        print(f"{name} ...", flush=True)
        figures += BENCHES[name]()
    print(f"\n{'figure':<62}{'value':>12}  {'target':<10}{'met'}")
    for each in figures:
        bound = "" if each.target is None else f"{'≥' if each.least else '≤'} {each.target:g}"
        met = {None: "", True: "yes", False: "NO"}[each.met]
        print(f"{each.name:<62}{each.value:>8.4g} {each.unit:<5}{bound:<10}{met}")
        if each.detail:
            print(f"    {each.detail}")
    out = Path("build/bench.json")
    out.parent.mkdir(exist_ok=True)
    rows = [{**vars(each), "met": each.met} for each in figures]
    out.write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
