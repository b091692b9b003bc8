"""Write the verdicts of the studies, as their result files have them, into their READMEs.

``python benchmarks/common/verdicts.py`` after a run; ``--check`` fails if a README is out of date.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd

BENCHMARKS = Path(__file__).parents[1]
BEGIN, END = "<!-- verdicts: written by common/verdicts.py -->\n", "<!-- end of verdicts -->\n"
HEAD = "Measured", "Target", "Result", "Verdict", "Date"


def read(study, name):
    """Return a result file as a table of text, and its date."""
    path = BENCHMARKS / study / "results" / f"{name}.csv"
    date = next(line for line in path.read_text().splitlines() if line.startswith("# date: "))
    table = pd.read_csv(path, comment="#", dtype=str, keep_default_na=False)
    return table, date.removeprefix("# date: ")


def short(text):
    """Return a number with four digits."""
    return f"{float(text):.4g}"


def with_note(value, note):
    """Return a value, with its note in brackets if there is one."""
    return f"{value} ({note})" if note else value


def spreads(study, name, what):
    """Yield lines of a file with median, minimum and maximum."""
    table, date = read(study, name)
    for row in table.itertuples():
        if row.target:
            got = f"{short(row.median)} ({short(row.min)} to {short(row.max)})"
            yield what(row), row.target, got, row.result, date


def hypernet_paper():
    """Yield the verdicts of the study."""
    table, date = read("hypernet_paper", "targets")
    for row in table.itertuples():
        if row.sense:
            bound = f"{row.sense} {short(row.bound)}"
            yield row.target, bound, with_note(short(row.got), row.note), row.result, date
    table, date = read("hypernet_paper", "table2_summary")
    for method in ("Hypernetwork", "Hypernetwork, 10 members"):
        rows = table[table["method"] == method]
        for column, what in (
            ("at_most_the_paper", "error at most the paper's"),
            ("ratio_at_most", "ratio to STL-naive at most the paper's"),
            ("first_or_near", "first, or within a standard error of it"),
        ):
            holds = rows[column] == "holds"
            missed = (rows["data"] + " " + rows["metadata"])[~holds]
            got = with_note(f"{holds.sum()} of {len(rows)}", "not " + ", ".join(missed))
            got = got if len(missed) else f"{len(rows)} of {len(rows)}"
            verdict = "holds" if holds.all() else "falls short"
            yield f"Table 2, {method}: {what}", "all data sets", got, verdict, date
    table, date = read("hypernet_paper", "table3_summary")
    for row in table[table["variant"] == "shuffled metadata"].itertuples():
        what = f"Table 3, {row.data}: error lost by shuffled metadata"
        yield what, "> 0", short(row.lost), row.result, date
    table, date = read("hypernet_paper", "table4")
    for row in table[table["result"] != ""].itertuples():
        got = f"{short(row.mean_r2)}, untrained {short(row.untrained)}"
        what = f"Table 4, {row.data}: R2 of hidden metadata"
        yield what, f">= {row.at_least}, untrained <= 0", got, row.result, date
    table, date = read("hypernet_paper", "figures_4_and_5_checks")
    for row in table.itertuples():
        yield row.check, "holds", f"{short(row.less)}, {short(row.more)}", row.result, date
    table, date = read("hypernet_paper", "speed_summary")
    for row in table.itertuples():
        what = f"Minutes for {row.runs} runs of Cubic in {row.processes} processes"
        yield what, f"<= {row.bound}", short(row.minutes), row.result, date


def gumbel_paper():
    """Yield the verdicts of the study."""
    table, date = read("gumbel_paper", "transfer_summary")
    for row in table.itertuples():
        related = "related" if float(row.relatedness) else "unrelated"
        sign = "< 0" if float(row.relatedness) else "> 0"
        got = f"{short(row.mean)} ± {short(row.half_width_90)}"
        what = f"transfer: squared error, {row.difference}, {related} tasks"
        yield what, f"{sign} (90%)", got, row.verdict, date
    for name, column, wanted in (
        ("pairs", "pairs_differ", "distinct subsets by pair"),
        ("pairs_with_budget", "pairs_disjoint", "disjoint subsets by pair"),
    ):
        table, date = read("gumbel_paper", f"{name}_summary")
        for row in table[table["verdict"] != ""].itertuples():
            got = f"{short(getattr(row, column))}, loss {short(row.loss_minus_separate)}"
            what = f"{name}, {row.method}: share of runs with {wanted}, loss minus 'separate'"
            yield what, ">= 0.9, < 0", got, row.verdict, date
    table, date = read("gumbel_paper", "digits_summary")
    for row in table[table["verdict"] != ""].itertuples():
        target = "< 0.5 points, 75% on" if "budget" in row.compared else "< 0 (90%)"
        got = f"{short(row.mean)} ± {short(row.half_width_90)}"
        yield f"digits: error in %, {row.compared}", target, got, row.verdict, date
    table, date = read("gumbel_paper", "clusters_summary")
    for row in table.itertuples():
        yield f"clusters, {row.method}: Rand index", ">= 0.9", short(row.rand), row.verdict, date
    table, date = read("gumbel_paper", "speed_summary")
    for row in table.itertuples():
        what = "speed: time of prediction with half of the connections off"
        yield what, f"<= {row.target}", short(row.ratio), row.verdict, date


def pareto_paper():
    """Yield the verdicts of the study; one line for all rivals of a front."""
    for name in ("front", "control", "latency", "enb", "digits", "multi_mnist", "star"):
        table, date = read("pareto_paper", f"{name}_targets")
        parts = table["what"].str.extract(r"^(.*?)(?: over that of |, above )(.*)$")
        for row in table[parts[1].isna() | (name in ("front", "control", "latency"))].itertuples():
            yield f"{name}, {row.what}", row.target, row.got, row.result, date
        if name in ("front", "control", "latency"):
            continue
        table = table.assign(what=parts[0], rival=parts[1])
        for (what, target), part in table.groupby(["what", "target"], sort=False):
            holds = part["result"] == "holds"
            short_of = ", ".join((part["rival"] + " " + part["got"])[~holds])
            got = f"{holds.sum()} of {len(part)} rivals"
            got = with_note(got, short_of and f"not {short_of}")
            verdict = "holds" if holds.all() else "falls short"
            yield f"{name}, {what}", target, got, verdict, date


def transference_paper():
    """Yield the verdicts of the study: does choosing steps win?"""
    wanted = (
        "IT - equal",
        "IT - IT, random candidate",
        "uncertainty + IT - uncertainty",
        "uncertainty + IT-pcgrad - uncertainty + pcgrad",
    )
    for name in ("small_sgd", "small_adam", "multi_mnist_sgd", "multi_mnist_adam"):
        table, date = read("transference_paper", f"{name}_differences")
        for row in table[table["difference"].isin(wanted)].itertuples():
            mean, half = float(row.both), float(row.both_half_width_95)
            verdict = "holds" if mean > half else "falls short"
            if name.endswith("_sgd"):
                # the optimiser was not the one that the name says, see the log
                verdict = "void"
            got = f"{mean:+.2f} ± {half:.2f}"
            yield f"{name}: accuracy, {row.difference}", "> 0 points (95%)", got, verdict, date


def grouping_paper():
    """Yield the verdicts of the study."""
    for name in ("published", "made", "planted", "planted_members"):
        table, date = read("grouping_paper", f"{name}_targets")
        for row in table.itertuples():
            yield f"{name}: {row.measure}", row.target, row.got, row.result, date


def grouping_noise():
    """Yield the verdicts of the study."""
    for name in ("tasks", "outputs", "linearised"):
        table, date = read("grouping_noise", f"{name}_targets")
        for row in table.itertuples():
            yield row.measure, row.target, row.got, row.result, date


def grouping_speed():
    """Yield the verdicts of the study."""
    table, date = read("grouping_speed", "speed")
    for row in table.itertuples():
        yield row.measure, row.target, row.got, row.result, date


def real_tables():
    """Yield the verdicts of the study."""
    table, date = read("real_tables", "targets")
    for row in table.itertuples():
        got = with_note(short(row.got), row.tables)
        bound = f"> {row.bound}" if row.target.startswith("p ") else row.bound
        yield f"{row.split}, {row.method}: {row.target}", bound, got, row.result, date


def raw_tables():
    """Yield the verdicts of the study."""
    table, date = read("raw_tables", "targets")
    for row in table.itertuples():
        target = f"<= {short(row.error_of_pipeline)} + one standard error ({row.pipeline})"
        got = f"{short(row.error)}: {float(row.difference):+.2g} ± {short(row.standard_error)}"
        yield f"{row.table}, {row.split} held out: RMSE", target, got, row.result, date


def search():
    """Yield the verdicts of the study."""
    yield from spreads("search", "ratios", lambda row: f"{row.data}, {row.training}: {row.ratio}")
    table, date = read("search", "memory")
    for row in table[table["target"] != ""].itertuples():
        yield row.what, row.target, short(row.got), row.result, date


def training_speed():
    """Yield the verdicts of the study."""
    yield from spreads("training_speed", "ratios", lambda row: f"{row.setting}: {row.ratio}")
    what = "{0.case}: {0.what}".format
    yield from spreads("training_speed", "versions", lambda row: what(row).replace("_", " "))


def prediction_speed():
    """Yield the verdicts of the study."""

    def what(row):
        name = row.what.replace("_", " ")
        return f"{name}, with metadata" if row.metadata == "True" else name

    yield from spreads("prediction_speed", "summary", what)
    table, date = read("prediction_speed", "one_row")
    for row in table.itertuples():
        base = "no base" if row.base == "None" else f"base {row.base}"
        named = f"milliseconds of one row, {row.tasks} tasks, {row.task}, {base}"
        yield named, row.target, short(row.milliseconds), row.result, date


def weighting_speed():
    """Yield the verdicts of the study."""
    table, date = read("weighting_speed", "steps")
    table = table[table["target"] != ""]
    for (architecture, form), part in table.groupby(["architecture", "form"], sort=False):
        for target, some in part.groupby("target", sort=False):
            ratios = some["ratio_to_sum"].map(short)
            holds = some["verdict"] == "holds"
            got = with_note(
                f"{holds.sum()} of {len(some)}", ", ".join(some["method"] + " " + ratios)
            )
            verdict = "holds" if holds.all() else "falls short"
            what = f"{architecture}, {form} form: step in units of the plain step"
            yield what, f"<= {target}", got, verdict, date
    table, date = read("weighting_speed", "pieces")
    for row in table[table["target"] != ""].itertuples():
        yield row.what, f"<= {row.target}", short(row.value), row.verdict, date


def intervals():
    """Yield the verdicts of the study."""
    for name in ("targets", "cost_targets"):
        table, date = read("intervals", name)
        for row in table.itertuples():
            yield row.measured, row.target, short(row.value), row.result, date


def ensembles():
    """Yield the verdicts of the study."""
    table, date = read("ensembles", "summary")
    for row in table[table["interval"] == "spread and noise"].itertuples():
        got = f"{short(row.coverage)} ± {short(row.standard_error)}"
        verdict = "holds" if float(row.coverage) >= 0.9 else "falls short"
        yield f"{row.data}, {row.rows} tasks: coverage", ">= 0.9", got, verdict, date


def mixed_report():
    """Yield the verdicts of the study."""
    for name in ("targets", "many_tasks_targets"):
        table, date = read("mixed_report", name)
        for row in table.itertuples():
            bound = f"{row.sense} {short(row.bound)}"
            yield f"{row.what}: {row.measure}", bound, short(row.value), row.result, date


def missing_labels():
    """Yield the verdicts of the study."""
    table, date = read("missing_labels", "summary")
    for row in table[table["method"] != "with missing labels"].itertuples():
        gain, error = float(row.gain_of_ours), float(row.standard_error)
        got = f"{gain:+.4f} ± {error:.4f}"
        verdict = "holds" if gain > 2 * error else "falls short"
        what = f"{row.data}, {row.settings or 'rival'}: gain over {row.method}"
        yield what, "> 2 standard errors", got, verdict, date


def small_classification():
    """Yield the verdicts of the study."""
    for name, column, sign in (("communities", "log_loss", 1), ("alphabets", "accuracy", -1)):
        table, date = read("small_classification", f"{name}_summary")
        values = table.set_index("method")[column].astype(float)
        rivals = values.drop("hypernetwork") * sign
        rival, bound = rivals.idxmin(), rivals.min() * sign
        verdict = "holds" if values["hypernetwork"] * sign <= rivals.min() else "falls short"
        target = f"{'<=' if sign > 0 else '>='} {bound:.4g} ({rival})"
        yield f"{name}: {column}", target, f"{values['hypernetwork']:.4g}", verdict, date


def levels():
    """Yield the verdicts of the study."""
    table, date = read("levels", "published_summary")
    for row in table.itertuples():
        members = "one member" if row.members == "1" else f"{row.members} members"
        for bound, verdict, what in (
            (row.must, row.result, "best mixed model"),
            (row.aim, row.best, "best of all"),
        ):
            what = f"{row.data}, {members}: squared error ({what})"
            got = with_note(short(row.mse), "" if row.folds == "5" else f"{row.folds} of 5 folds")
            yield what, f"<= {short(bound)}", got, verdict or "not yet measured", date
    table, date = read("levels", "cost")
    for row in table.iloc[:-1].itertuples():
        what = f"inst_eval, {row.method}: processor time over GPBoost's mixed model, memory in GB"
        got = f"{short(row.ratio)}, {short(row.gigabytes)}"
        yield what, "<= 3, < 1", got, row.result, date
    table, date = read("levels", "planted_summary")
    for row in table[table["result"] != ""].itertuples():
        what = f"planted, {row.structure}, {row.ids} ids: error over that of the truth"
        yield what, "<= 1.1", short(row.ratio), row.result, date
    table, date = read("levels", "variances_summary")
    for row in table.itertuples():
        what = f"planted, {row.structure}: error of the variance of the {row.level} level"
        got = with_note(short(row.apart), f"ratio {short(row.ratio)} in the mean")
        yield what, "<= 0.1", got, row.result, date
    table, date = read("levels", "panel_summary")
    for row in table.itertuples():
        got = f"{short(row.ratio)}, {short(row.time_ratio)}"
        what = f"panel, drift {row.drift}: error and time of adapt over those of a refit"
        yield what, "<= 1.02, <= 0.01", got, row.result, date


STUDIES = {
    function.__name__: function
    for function in (
        hypernet_paper,
        gumbel_paper,
        pareto_paper,
        transference_paper,
        grouping_paper,
        grouping_noise,
        grouping_speed,
        real_tables,
        raw_tables,
        search,
        training_speed,
        prediction_speed,
        weighting_speed,
        intervals,
        ensembles,
        mixed_report,
        missing_labels,
        small_classification,
        levels,
    )
}


def with_table(text, rows):
    """Return the text of a README with these lines between its markers."""
    lines = [HEAD, ("---",) * len(HEAD), *rows]
    table = "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def main():
    """Write or check all READMEs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    outdated = []
    for study, rows in STUDIES.items():
        path = BENCHMARKS / study / "README.md"
        text = path.read_text("utf-8")
        new = with_table(text, rows())
        if new != text:
            outdated.append(study)
            if not check:
                path.write_text(new, "utf-8")
    print("out of date" if check else "written", ":", ", ".join(outdated) or "none")
    sys.exit(bool(check and outdated))


if __name__ == "__main__":
    main()
