"""Copy the targets and what was got from the result files into the tables of the README.

Run as a file after a benchmark; it measures nothing.
"""

from pathlib import Path

import pandas as pd
from _common import RESULTS

README = Path(__file__).parent / "README.md"
BEGIN, END = "<!-- {}: made by update_readme.py -->\n", "<!-- end of {} -->\n"


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
    table, date = read("paper_hypernet_speed_summary")
    for row in table.itertuples():
        got = f"{row.minutes} (mean of {row.mean_epochs} epochs)"
        what = f"Cubic, {row.runs} runs of {row.processes} processes, all settings: minutes"
        yield what, f"<= {row.bound}", got, row.result, date
    yield from spreads("training_speed_ratios", lambda row: f"Training, {row.setting}: {row.ratio}")
    yield from spreads("prediction_speed_summary", prediction)
    yield from spreads(
        "batched_search_ratios", lambda row: f"Search, {row.data}, {row.training}: {row.ratio}"
    )
    for name in ("published", "made", "planted", "planted_members"):
        if (RESULTS / f"grouping_{name}_targets.csv").exists():
            table, date = read(f"grouping_{name}_targets")
            for row in table.itertuples():
                what = f"Grouping, {name.partition('_')[0]}: {row.measure}"
                yield what, row.target, row.got, row.result, date
    if (RESULTS / "grouping_speed.csv").exists():
        table, date = read("grouping_speed")
        for row in table.itertuples():
            yield f"Grouping: {row.measure}", row.target, row.got, row.result, date
    table, date = read("batched_search_memory")
    for row in table.itertuples():
        yield f"Search, {row.what}", row.target, row.got, row.result, date
    for path in sorted(RESULTS.glob("paper_pareto_*_targets.csv")):
        table, date = read(path.stem)
        for row in table.itertuples():
            got = f"{row.got} ({row.note})" if row.note else row.got
            yield f"Trade-offs, {row.experiment}, {row.what}", row.target, got, row.result, date


# of the paper on transference: results of a data set and an optimiser
TRANSFERENCE = {
    "small_sgd": "small, momentum",
    "small_adam": "small, Adam",
    "multi_mnist_sgd": "MultiMNIST, momentum",
    "multi_mnist_adam": "MultiMNIST, Adam",
}


def accuracies():
    """Accuracy of every method on overlaid digits, both tasks of each setting."""
    columns = {}
    for name, title in TRANSFERENCE.items():
        if (RESULTS / f"paper_transference_{name}_summary.csv").exists():
            table, _ = read(f"paper_transference_{name}_summary")
            for task in ("left", "right"):
                means, errors = table[task].astype(float), table[f"{task}_se"].astype(float)
                cells = [f"{m:.2f} ± {e:.2f}" for m, e in zip(means, errors, strict=True)]
                columns[f"{title}: {task}"] = dict(zip(table["method"], cells, strict=True))
    methods = list(dict.fromkeys(method for column in columns.values() for method in column))
    yield "Method", *columns
    for method in methods:
        yield method, *(column.get(method, "") for column in columns.values())


def differences():
    """Paired differences of both accuracies, in points, with half the width of their interval."""
    columns = {}
    for name, title in TRANSFERENCE.items():
        if (RESULTS / f"paper_transference_{name}_differences.csv").exists():
            table, _ = read(f"paper_transference_{name}_differences")
            mean, half = table["both"].astype(float), table["both_half_width_95"].astype(float)
            cells = [f"{m:+.2f} ± {h:.2f}" for m, h in zip(mean, half, strict=True)]
            columns[title] = dict(zip(table["difference"], cells, strict=True))
    names = list(dict.fromkeys(name for column in columns.values() for name in column))
    yield "Difference", *columns
    for name in names:
        yield name, *(column.get(name, "") for column in columns.values())


def orders():
    """Agreement of approximate affinity with the exact one."""
    yield "Learning rate", "Order", "Spearman", "Relative error"
    table, _ = read("paper_transference_affinity")
    for row in table.itertuples():
        rank, half = float(row.spearman), float(row.half_width_95)
        yield row.learning_rate, row.order, f"{rank:.3f} ± {half:.3f}", row.relative_error


def put(text, name, rows):
    """The text with a table in the place of that name."""
    head, *body = rows
    rows = [head, ("---",) * len(head), *body]
    table = "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)
    begin, end = BEGIN.format(name), END.format(name)
    before, rest = text.split(begin)
    after = rest.split(end)[1]
    return f"{before}{begin}\n{table}\n\n{end}{after}"


def main():
    """Write the tables."""
    text = README.read_text()
    text = put(text, "table", [("Measured", "Target", "Got", "Result", "Date"), *lines()])
    text = put(text, "accuracies", accuracies())
    text = put(text, "differences", differences())
    text = put(text, "orders", orders())
    README.write_text(text)


if __name__ == "__main__":
    main()
