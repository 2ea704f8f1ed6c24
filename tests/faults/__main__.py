"""`make torture`: every row of the fault matrix, injected for real; exit status 1 on any difference."""

import argparse
import json
import os
import platform
import random
import sys
import time
from pathlib import Path

from tests.faults import registry
from tests.faults.report import Report
from tests.faults.torture import side_by_side

ROOT = Path(__file__).resolve().parent.parent.parent


def main(argv: list[str] | None = None) -> int:
    """Run the rows; 0 if every fault was injected and nothing differs."""
    given = _parser().parse_args(argv)
    faults = registry.load()
    wanted = [each for each in given.only.split(",") if each] or list(faults)
    if unknown := [each for each in wanted if each not in faults]:
        print(f"There is no fault {', '.join(unknown)}. There are: {', '.join(faults)}.", file=sys.stderr)
        return 2
    rows = [faults[name] for name in faults if name in wanted]
    seed = given.seed if given.seed is not None else random.randrange(2**32)
    print(
        f"{len(rows)} faults in about {given.seconds:.0f} s; SEED={seed} chooses the same again.", flush=True
    )
    began, reports = time.monotonic(), []
    for report in side_by_side(rows, given.seconds, seed, given.keep):
        reports.append(report)
        print(report.line(), flush=True)
    took = time.monotonic() - began
    _write(given.out, seed, given.seconds, took, reports)
    failed = [each.name for each in reports if not (each.ok or each.skipped)]
    kills = sum(each.injected for each in reports if each.what == "kills")
    print(_sum(reports, kills, took, failed))
    return 1 if failed else 0


def _sum(reports: list[Report], kills: int, took: float, failed: list[str]) -> str:
    lost, doubled = sum(each.lost for each in reports), sum(each.doubled for each in reports)
    actions, skipped = sum(each.actions for each in reports), [each.name for each in reports if each.skipped]
    words = f"{kills} kills, {actions} actions, {lost} lost, {doubled} doubled in {took:.0f} s."
    words += f" Skipped here: {', '.join(skipped)}." if skipped else ""
    return words + (f" FAILED: {', '.join(failed)}." if failed else " All accounts agree exactly.")


def _write(out: Path, seed: int, seconds: float, took: float, reports: list[Report]) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    whole = {
        "seed": seed,
        "seconds": seconds,
        "took_s": round(took, 1),
        "machine": {
            "processors": os.cpu_count(),
            "machine": platform.machine(),
            "python": platform.python_version(),
        },
        "kills": sum(each.injected for each in reports if each.what == "kills"),
        "faults": [each.entry() for each in reports],
    }
    out.write_text(json.dumps(whole, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("make torture", description=__doc__)
    parser.add_argument(
        "--seconds",
        type=float,
        default=300.0,
        help="for all rows (%(default)s); 0: each once, as short as can be",
    )
    parser.add_argument("--only", default="", metavar="NAME[,NAME]", help="these rows")
    parser.add_argument("--seed", type=int, help="of an earlier run")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave the towns there, to be looked at")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "torture.json")
    return parser


if __name__ == "__main__":
    sys.exit(main())
