"""The directive ``results`` shows a table of a result file, the role ``value`` one number of it.

So no number of the documentation is typed by hand.
"""

from pathlib import Path

import pandas as pd
from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def path_of(name):
    """Return the path of a result file, named as ``study/file``."""
    study, file = name.split("/")
    return BENCHMARKS / study / "results" / f"{file}.csv"


def read(name):
    """Read a result file.

    Returns
    -------
    table : DataFrame
    head : dict of str to str
        Command, date, versions, machine.
    """
    lines = [line[2:] for line in path_of(name).read_text().splitlines() if line.startswith("# ")]
    head = dict(line.split(": ", 1) for line in lines if ": " in line)
    return pd.read_csv(path_of(name), comment="#"), head


def shown(value):
    """Return the text of a cell: three digits of a number, nothing where there is none."""
    if pd.isna(value):
        return ""
    if isinstance(value, float):
        return f"{int(value):,}" if value == int(value) else f"{value:.3g}"
    return str(value)


class Results(SphinxDirective):
    """Show columns of a result file, with how it was made.

    Its content names the columns in their order, each with what stands above it:
    ``column = heading``. The option ``rows`` is a query of pandas that chooses rows.
    """

    required_arguments = 1
    option_spec = {"rows": directives.unchanged}
    has_content = True

    def run(self):
        """Make the table and the line below it."""
        name = self.arguments[0]
        self.env.note_dependency(str(path_of(name)))
        table, head = read(name)
        if "rows" in self.options:
            table = table.query(self.options["rows"])
        if not len(table):
            raise self.error(f"no row of {name}.csv is left by {self.options.get('rows')!r}.")
        headings = dict(part.split(" = ", 1) for part in self.content)
        missing = [column for column in headings if column not in table]
        if missing:
            raise self.error(f"{name}.csv has no columns {missing}; it has {list(table)}.")
        lines = [".. list-table::", "   :header-rows: 1", "   :class: results", ""]
        rows = [list(headings.values())]
        rows += [[shown(value) for value in row] for row in table[list(headings)].to_numpy(object)]
        for row in rows:
            for position, cell in enumerate(row):
                lines.append(f"   {'* -' if position == 0 else '  -'} {cell}".rstrip())
        lines += ["", f"``{head['command']}``, {head['date']}, {head['machine']}.", ""]
        node = nodes.container()
        self.state.nested_parse(StringList(lines, source=name), self.content_offset, node)
        return node.children


def value(text):
    """Return a number of a result file: ``study/file | query | expression | format``."""
    name, rows, column, shape = (part.strip() for part in text.split("|"))
    values = read(name)[0].query(rows).eval(column)
    if len(values) != 1:
        raise ValueError(f"{len(values)} rows of {name} are left by {rows!r}.")
    return format(values.iloc[0], shape)


def value_role(name, rawtext, text, lineno, inliner, options=None, content=()):
    """Show a number of a result file within a sentence."""
    try:
        return [nodes.Text(value(text))], []
    except (KeyError, ValueError) as error:
        message = inliner.reporter.error(f"{rawtext}: {error}", line=lineno)
        return [inliner.problematic(rawtext, rawtext, message)], [message]


def setup(app):
    """Register the directive and the role."""
    app.add_directive("results", Results)
    app.add_role("value", value_role)
    return {"parallel_read_safe": True}
