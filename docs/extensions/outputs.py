"""Show under each Python block of a page what it printed, and the figures that it drew.

``python docs/extensions/outputs.py [page ...]`` runs pages and writes this into them.
"""

import contextlib
import io
import math
import os
import re
import sys
import tempfile
import textwrap
import warnings
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
WIDTH = 88  # characters in a line of the theme's column
FIGURES = ROOT / "docs" / "_static" / "pages"
# the directive, its options, an empty line, and all that is indented
_INDENTED = r"\n((?:(?: +.*)?\n)+)"
_BLOCK = {
    ".rst": re.compile(r"^\.\. code-block:: python\n(?: +:.*\n)*" + _INDENTED, re.MULTILINE),
    ".md": re.compile(r"^```python\n(.*?)^```\n", re.MULTILINE | re.DOTALL),
}
_OUTPUT = {
    ".rst": re.compile(r"\n\.\. code-block:: none\n   :class: output\n" + _INDENTED),
    ".md": re.compile(r"\n```text\n(.*?)^```\n", re.MULTILINE | re.DOTALL),
}
_IMAGE = re.compile(r"^\.\. (?:image|figure):: _static/pages/(\S+)$", re.MULTILINE)
# digits that nobody reads
_LONG = re.compile(r"\d+\.\d{7,}")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?", re.IGNORECASE)


@dataclass
class Block:
    """A Python block of a page: where it is, its code, and what is shown below it."""

    line: int
    source: str
    end: int
    shown: str = ""
    shown_end: int = 0
    images: list = field(default_factory=list)


def _end(match):
    """Return where a block ends: in reST, before the empty lines below it."""
    if match[0].endswith("```\n"):
        return match.end()
    return match.start(1) + len(match[1].rstrip("\n")) + 1


def _code(match):
    """Return the text of a block."""
    return textwrap.dedent(match[1]).rstrip("\n") + "\n"


def blocks_of(text, suffix):
    """Return the Python blocks of the text of a page; other languages are left out."""
    matches = list(_BLOCK[suffix].finditer(text))
    blocks = []
    for number, match in enumerate(matches):
        line = text.count("\n", 0, match.start(1)) + 1
        block = Block(line, _code(match), end := _end(match), shown_end=end)
        output = _OUTPUT[suffix].match(text, block.end)
        if output:
            block.shown, block.shown_end = _code(output), _end(output)
        following = matches[number + 1].start() if number + 1 < len(matches) else len(text)
        block.images = _IMAGE.findall(text[block.shown_end : following])
        blocks.append(block)
    return blocks


def run(blocks, path):
    """Run blocks one after the other; yield each with what it printed and the figures it left."""
    import pandas as pd
    from matplotlib import pyplot as plt

    # figures that others have left open
    plt.close("all")
    namespace = {"__name__": "__main__"}
    with pd.option_context("display.width", WIDTH, "display.max_columns", 20):
        for block in blocks:
            printed = io.StringIO()
            # a traceback shows the line of the page
            code = compile("\n" * (block.line - 1) + block.source, str(path), "exec")
            with contextlib.redirect_stdout(printed):
                exec(code, namespace)
            yield block, printed.getvalue(), [plt.figure(n) for n in plt.get_fignums()]
            plt.close("all")


def agree(shown, printed):
    """Whether two texts are equal, apart from spaces and small differences of numbers."""
    numbers = [[float(n) for n in _NUMBER.findall(text)] for text in (shown, printed)]
    words = ["".join(_NUMBER.sub("0", text).split()) for text in (shown, printed)]
    close = (math.isclose(a, b, rel_tol=0.15, abs_tol=0.06) for a, b in zip(*numbers, strict=False))
    return words[0] == words[1] and all(close)


def as_shown(printed, suffix):
    """Return the lines of a page that show what a block printed, in numbers of four decimals."""
    lines = []
    printed = _LONG.sub(lambda match: f"{float(match[0]):.4f}", printed)
    for line in printed.rstrip().splitlines():
        # sentences are wrapped, tables are not
        lines += textwrap.wrap(line, WIDTH) if len(line) > 1.2 * WIDTH else [line.rstrip()]
    if suffix == ".md":
        return "\n".join(["", "```text", *lines, "```", ""])
    lines = [f"   {line}".rstrip() for line in lines]
    return "\n".join(["", ".. code-block:: none", "   :class: output", "", *lines, ""])


def write(path):
    """Run a page, write what it printed into it, and save its figures."""
    text = path.read_text("utf-8")
    pieces, position = [], 0
    for block, printed, figures in run(blocks_of(text, path.suffix), path):
        pieces.append(text[position : block.end])
        position = block.shown_end
        if agree(block.shown, printed):
            # what is shown is still right
            pieces.append(text[block.end : block.shown_end])
        elif printed.strip():
            pieces.append(as_shown(printed, path.suffix))
        for figure, name in zip(figures, block.images, strict=False):
            FIGURES.mkdir(exist_ok=True)
            figure.savefig(FIGURES / name, dpi=90, bbox_inches="tight")
    path.write_text("".join([*pieces, text[position:]]), "utf-8")


if __name__ == "__main__":
    os.environ["MPLBACKEND"] = "agg"
    warnings.simplefilter("ignore")
    pages = [Path(name).resolve() for name in sys.argv[1:]]
    for page in pages or [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.rst"))]:
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            write(page)
