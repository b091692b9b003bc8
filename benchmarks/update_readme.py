"""Copy the targets and what was got from the result files into the table of the README.

Run as a file after a benchmark; it measures nothing.
"""

from pathlib import Path

import pandas as pd
from _common import RESULTS

README = Path(__file__).parent / "README.md"
BEGIN, END = "<!-- table: made by update_readme.py -->\n", "<!-- end of table -->\n"


def read(name):
    """Read a result file.

    Returns
    -------
    table : DataFrame
    date : str
        When it was made.
    """
    path = RESULTS / f"{name}.csv"
    head = path.read_text().splitlines()
    date = next(line for line in head if line.startswith("# date: "))
    table = pd.read_csv(path, comment="#", dtype=str, keep_default_na=False)
    return table, date.removeprefix("# date: ")


def spreads(name, describe):
    """Lines of a file that has the median, the least and the largest of everything."""
    table, date = read(name)
    for row in table.itertuples():
        got = f"{row.median} ({row.min} to {row.max})"
        yield describe(row), row.target, got, row.result, date


def prediction(row):
    """What a line about predictions says."""
    name = f"Prediction, {row.what.replace('_', ' ')}"
    return name + (", with metadata" if row.metadata == "True" else "")


def lines():
    """What was measured, the target, what was got, the verdict, the date."""
    table, date = read("paper_hypernet_targets")
    for row in table.itertuples():
        bound = f"{row.sense} {row.bound}".strip()
        got = f"{row.got} ({row.note})" if row.note else row.got
        yield row.target, bound, got, row.result, date
    yield from spreads("training_speed_ratios", lambda row: f"Training, {row.setting}: {row.ratio}")
    yield from spreads("prediction_speed_summary", prediction)
    yield from spreads(
        "batched_search_ratios", lambda row: f"Search, {row.data}, {row.training}: {row.ratio}"
    )
    for name in ("published", "made", "planted"):
        if (RESULTS / f"grouping_{name}_targets.csv").exists():
            table, date = read(f"grouping_{name}_targets")
            for row in table.itertuples():
                yield f"Grouping, {name}: {row.measure}", row.target, row.got, row.result, date
    if (RESULTS / "grouping_speed.csv").exists():
        table, date = read("grouping_speed")
        for row in table.itertuples():
            yield f"Grouping: {row.measure}", row.target, row.got, row.result, date
    table, date = read("batched_search_memory")
    for row in table.itertuples():
        yield f"Search, {row.what}", row.target, row.got, row.result, date


def main():
    """Write the table."""
    head = "Measured", "Target", "Got", "Result", "Date"
    rows = [head, ("---",) * len(head), *lines()]
    table = "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)
    before, rest = README.read_text().split(BEGIN)
    after = rest.split(END)[1]
    README.write_text(f"{before}{BEGIN}\n{table}\n\n{END}{after}")


if __name__ == "__main__":
    main()
