"""Options that all studies share."""

import argparse
import sys
from pathlib import Path

STUDY = Path(sys.argv[0]).resolve().parent

_shared = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
_shared.add_argument(
    "--quick", action="store_true", help="a short run that shows whether all works; saves nothing"
)
_shared.add_argument(
    "--results", type=Path, help="folder of the result files, instead of the study's"
)
# read at once: modules of a study choose their settings when they are imported
_options, _ = _shared.parse_known_args()
QUICK = _options.quick
# a quick run is not worth keeping, unless a folder is given
FEW_EPOCHS = {"max_iter": 5} if QUICK else {}
RESULTS = _options.results or (None if QUICK else STUDY / "results")


def parser(description):
    """Return a parser with the shared options.

    Parameters
    ----------
    description : str
        Docstring of the script; its first line is shown.
    """
    first = description.splitlines()[0]
    return argparse.ArgumentParser(description=first, parents=[_shared], allow_abbrev=False)


def check_names(options, known, parse):
    """Return the experiments to run: those named, by default all.

    Parameters
    ----------
    options : list of str
    known : sequence of str
    parse : ArgumentParser
        Reports a name that is not known.
    """
    unknown = sorted(set(options) - set(known))
    if unknown:
        parse.error(f"unknown: {', '.join(unknown)}; there are {', '.join(known)}")
    return options or list(known)
