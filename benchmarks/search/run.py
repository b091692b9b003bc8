"""Batched searches against scikit-learn's: seconds, scores, memory, distance from the floor.

16 candidates on 4 folds of Cubic and High School & Beyond, and 1,000 members on Cubic.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import pandas as pd
import torch
from common.cli import QUICK, parser
from common.saving import save
from search.contenders import N_FOLDS, cubic
from search.floor import GIGABYTES_PER_SECOND, GIGAFLOPS, measure_floor
from search.memory import measure_memory
from search.seconds import N_WORKERS, compare, measure

from skmtl.datasets import load_high_school


def show(table):
    """Print a table."""
    print(table.to_string(index=False, float_format="%.4g", na_rep=""), end="\n\n", flush=True)


def main():
    """Measure, print and save."""
    parse = parser(__doc__)
    parse.add_argument("--repeats", type=int, default=3)
    parse.add_argument("--candidates", type=int, default=16)
    parse.add_argument("--cubic-epochs", type=int, default=60)
    parse.add_argument("--high-school-epochs", type=int, default=30)
    parse.add_argument(
        "--parts",
        nargs="+",
        default=["speed", "memory", "floor"],
        choices=["speed", "memory", "floor"],
    )
    arguments = parse.parse_args()
    stopping = {
        "cubic": {"max_iter": 300, "n_iter_no_change": 20},
        "high school": {"max_iter": 40, "n_iter_no_change": 5},
    }
    members = {"n_few": 100, "n_many": 500, "n_candidates": 250, "n_epochs": 5}
    floor = {"n_epochs": 20, "n_repeats": 5}
    if QUICK:
        arguments.repeats, arguments.candidates = 1, 4
        arguments.cubic_epochs, arguments.high_school_epochs = 3, 1
        stopping = {name: {"max_iter": 2, "n_iter_no_change": 1} for name in stopping}
        members = {"n_few": 10, "n_many": 50, "n_candidates": 10, "n_epochs": 2}
        floor = {"n_epochs": 3, "n_repeats": 1}
    prefix = "gpu_" if torch.cuda.is_available() else ""
    if "floor" in arguments.parts:
        table = pd.DataFrame(measure_floor(**floor))
        show(table)
        save(
            table,
            f"{prefix}floor",
            counts=f"one member, one step of Cubic; {GIGAFLOPS:g} GFLOP/s in products, "
            f"{GIGABYTES_PER_SECOND:g} GB/s in all else",
            timing=f"processor time of {floor['n_epochs']} epochs on one thread, median of "
            f"{floor['n_repeats']} interleaved repeats",
        )
    if "memory" in arguments.parts:
        table = pd.DataFrame(measure_memory(**members))
        show(table)
        save(table, f"{prefix}memory")
    if "speed" not in arguments.parts:
        return
    torch.set_num_threads(N_WORKERS)
    bunches = {"cubic": cubic(), "high school": load_high_school()}
    n_epochs = {"cubic": arguments.cubic_epochs, "high school": arguments.high_school_epochs}
    rows = []
    for name, bunch in bunches.items():
        fixed = {"early_stopping": False, "max_iter": n_epochs[name]}
        for setting, settings in (("fixed epochs", fixed), ("early stopping", stopping[name])):
            rows += measure(name, bunch, setting, settings, arguments.candidates, arguments.repeats)
    runs = pd.DataFrame(rows)
    ratios = pd.DataFrame(compare(runs))
    show(ratios)
    notes = {
        "timing": f"seconds on the wall of {arguments.candidates} candidates on {N_FOLDS} folds, "
        f"without the fit of the best one; {arguments.repeats} interleaved repeats, ratios within "
        "a repeat",
        "epochs": ", ".join(f"{name} {n}" for name, n in n_epochs.items()),
        "early stopping": ", ".join(
            f"{name} at most {s['max_iter']} epochs, patience {s['n_iter_no_change']}"
            for name, s in stopping.items()
        ),
    }
    if torch.cuda.is_available():
        notes["gpu"] = torch.cuda.get_device_name()
    save(runs, f"{prefix}runs", **notes)
    save(ratios, f"{prefix}ratios", **notes)


if __name__ == "__main__":
    main()
