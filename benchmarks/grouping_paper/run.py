"""Task grouping: tables of known gains, 27 planted tasks, new tasks, and from rows to predictions.

``gain_tables`` trains every group of tasks of three data sets for ``made`` and ``new_tasks``; it
runs only if it is named.
"""

import sys
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from common.cli import check_names, parser
from grouping_paper.compare import METHODS, compare_all
from grouping_paper.end_to_end import WAYS, end_to_end
from grouping_paper.gain_tables import TABLES, make_gain_tables
from grouping_paper.new_tasks import new_tasks
from grouping_paper.planted import planted

EXPERIMENTS = {
    "published": partial(compare_all, "published"),
    "made": partial(compare_all, "made"),
    "planted": partial(planted, False),
    "planted_members": partial(planted, True),
    "new_tasks": new_tasks,
    "end_to_end": end_to_end,
    "gain_tables": make_gain_tables,
}


def main():
    """Run experiments, print and save."""
    parse = parser(__doc__)
    parse.add_argument("experiments", nargs="*", help=f"of {', '.join(EXPERIMENTS)}")
    parse.add_argument(
        "--data-home", help="folder of taskgrouping_results and tag_tables, for published"
    )
    parse.add_argument("--seeds", type=int, default=20, help="of published and made")
    parse.add_argument(
        "--methods", nargs="+", choices=list(METHODS), default=list(METHODS), help="of the same"
    )
    parse.add_argument("--resume", action="store_true", help="keep the runs that the files have")
    parse.add_argument("--groups", type=int, default=3000, help="of planted")
    parse.add_argument("--gains", nargs="+", default=WAYS, help="ways to estimate, of end_to_end")
    parse.add_argument("--tables", nargs="+", choices=list(TABLES), default=list(TABLES))
    parse.add_argument("--repeats", type=int, default=3, help="of gain_tables")
    parse.add_argument("--cache-dir", help="of gain_tables")
    parse.add_argument("--affinity-only", action="store_true", help="keep the gains there are")
    options = parse.parse_args()
    default = [name for name in EXPERIMENTS if name != "gain_tables"]
    for name in check_names(options.experiments or default, EXPERIMENTS, parse):
        EXPERIMENTS[name](options)


if __name__ == "__main__":
    main()
