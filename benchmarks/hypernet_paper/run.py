"""Section 3 of the hypernetwork paper, and the targets of the first release.

The experiments after `table2` use the settings that it chose, from its result file.
"""

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from common.cli import QUICK, check_names, parser
from hypernet_paper.data import FETCH
from hypernet_paper.embeddings import hidden_columns
from hypernet_paper.methods import METHODS
from hypernet_paper.sizes import WIDTHS, figure6, figures_4_and_5
from hypernet_paper.speed import cubic_row
from hypernet_paper.tables import DEFAULTS, ENSEMBLE, table2, table3
from hypernet_paper.targets import run as targets

EXPERIMENTS = "targets", "table2", "table3", "sizes", "embeddings", "widths", "speed"


def main():
    """Run, print and save."""
    parse = parser(__doc__)
    parse.add_argument("experiments", nargs="*", help=f"of {', '.join(EXPERIMENTS)}; all")
    parse.add_argument("--data-home", help="folder with the files of skmtl.datasets.fetch_*")
    parse.add_argument("--seeds", type=int, default=10, help="of every method but ours")
    parse.add_argument("--our-seeds", type=int, default=50)
    parse.add_argument("--target-seeds", type=int, default=20)
    parse.add_argument("--splits", type=int, default=5, help="of High School & Beyond")
    parse.add_argument("--jobs", type=int, default=2, help="processes, for targets and speed")
    parse.add_argument("--data", nargs="+", default=list(FETCH), choices=list(FETCH))
    parse.add_argument(
        "--methods", nargs="+", choices=[*METHODS, DEFAULTS, ENSEMBLE], help="of table2"
    )
    parse.add_argument(
        "--resume",
        action="store_true",
        help="tables 2 and 3 and sizes go on from their files, targets keep those of Cubic",
    )
    parse.add_argument("--widths", nargs="+", type=int, default=WIDTHS, help="of widths")
    options = parse.parse_args()
    names, widths = options.data, options.widths
    if QUICK:
        options.seeds = options.our_seeds = options.target_seeds = 2
        options.splits, options.jobs, names, widths = 1, 1, ["Cubic"], WIDTHS[:1]
    home, seeds = options.data_home, options.seeds
    calls = {
        "targets": lambda: targets(
            home, options.target_seeds, options.splits, options.jobs, options.resume
        ),
        "table2": lambda: table2(
            home, seeds, options.our_seeds, names, options.methods, options.resume
        ),
        "table3": lambda: table3(home, seeds, names, options.resume),
        "sizes": lambda: figures_4_and_5(home, seeds, names, options.resume),
        "embeddings": lambda: hidden_columns(home, seeds, names),
        "widths": lambda: figure6(widths),
        "speed": lambda: cubic_row(home, options.our_seeds, options.jobs),
    }
    for name in check_names(options.experiments, EXPERIMENTS, parse):
        start = time.perf_counter()
        calls[name]()
        print(f"{name} took {time.perf_counter() - start:.0f} s\n", flush=True)


if __name__ == "__main__":
    main()
