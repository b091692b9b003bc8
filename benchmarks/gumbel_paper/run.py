"""What the paper on learned parameter allocation shows, with the Gumbel-Matrix estimators."""

import sys
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from common.cli import check_names, parser
from common.saving import save
from gumbel_paper.images import digits, omniglot
from gumbel_paper.made import clusters, pairs, pairs_with_budget, speed, transfer
from gumbel_paper.metadata import metadata

EXPERIMENTS = {
    "transfer": transfer,
    "pairs": pairs,
    "pairs_with_budget": pairs_with_budget,
    "digits": digits,
    "clusters": clusters,
    "speed": speed,
    "metadata": metadata,
    "omniglot": omniglot,
}


def main():
    """Run, print and save."""
    parse = parser(__doc__)
    parse.add_argument("experiments", nargs="*", help=f"of {', '.join(EXPERIMENTS)}; all")
    parse.add_argument("--data-home", help="folder with omniglot_small/omniglot_small.npz")
    options = parse.parse_args()
    experiments = {**EXPERIMENTS, "omniglot": partial(omniglot, options.data_home)}
    for name in check_names(options.experiments, EXPERIMENTS, parse):
        if name == "omniglot" and options.data_home is None:
            print("omniglot needs --data-home; it is left out")
            continue
        start = time.perf_counter()
        table, summary = experiments[name]()
        print(f"\n{name}, {time.perf_counter() - start:.0f} s")
        print(summary.to_string(index=False), flush=True)
        save(table, name)
        save(summary, f"{name}_summary")


if __name__ == "__main__":
    main()
