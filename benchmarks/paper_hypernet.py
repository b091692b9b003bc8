"""Section 3 of the hypernetwork paper, and the targets of our first release.

Run as a file, with names of experiments or for all of them; ``--quick`` takes one to three minutes.
The experiments after `table2` use the settings that it chose, from its result file.
"""

import argparse
import time

from _hypernet_targets import run as targets
from _paper_data import FETCH
from _paper_embeddings import hidden_facts
from _paper_methods import METHODS
from _paper_sizes import WIDTHS, figure6, figures_4_and_5
from _paper_speed import cubic_row
from _paper_tables import DEFAULTS, ENSEMBLE, table2, table3

EXPERIMENTS = "targets", "table2", "table3", "sizes", "embeddings", "widths", "speed"


def main():
    """Run, print and save."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiments", nargs="*", choices=[[], *EXPERIMENTS], default=[])
    parser.add_argument("--quick", action="store_true", help="two seeds, five epochs, Cubic alone")
    parser.add_argument("--data-home", help="folder with the files of skmtl.datasets.fetch_*")
    parser.add_argument("--seeds", type=int, default=10, help="of every method but ours")
    parser.add_argument("--our-seeds", type=int, default=50)
    parser.add_argument("--target-seeds", type=int, default=20)
    parser.add_argument("--splits", type=int, default=5, help="of High School & Beyond")
    parser.add_argument("--jobs", type=int, default=2, help="processes, for targets and speed")
    parser.add_argument("--data", nargs="+", default=list(FETCH), choices=list(FETCH))
    parser.add_argument(
        "--methods", nargs="+", choices=[*METHODS, DEFAULTS, ENSEMBLE], help="of table2"
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="tables 2 and 3 and sizes go on from their files, targets keep those of Cubic",
    )
    parser.add_argument("--widths", nargs="+", type=int, default=WIDTHS, help="of widths")
    options = parser.parse_args()
    names, widths = options.data, options.widths
    if options.quick:
        options.seeds = options.our_seeds = options.target_seeds = 2
        options.splits, names, widths = 1, ["Cubic"], WIDTHS[:1]
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
        "embeddings": lambda: hidden_facts(home, seeds, names),
        "widths": lambda: figure6(widths),
        "speed": lambda: cubic_row(home, options.our_seeds, options.jobs),
    }
    for name in options.experiments or EXPERIMENTS:
        start = time.perf_counter()
        calls[name]()
        print(f"{name} took {time.perf_counter() - start:.0f} s\n", flush=True)


if __name__ == "__main__":
    main()
