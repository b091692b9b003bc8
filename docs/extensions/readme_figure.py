"""Draw the figure of the README: the one of an example of the gallery.

``python docs/extensions/readme_figure.py``
"""

import runpy
from pathlib import Path

import matplotlib

matplotlib.use("agg")
from matplotlib import pyplot

ROOT = Path(__file__).parents[2]

if __name__ == "__main__":
    runpy.run_path(str(ROOT / "examples" / "plot_14_is_it_worth_it.py"))
    pyplot.gcf().savefig(ROOT / "docs" / "_static" / "comparison.png", dpi=100)
