"""Table 2, figure 3 and table 3 of the hypernetwork paper: methods, ranks, ablations."""

from itertools import product

import numpy as np
import pandas as pd
from common.ranks import compare_ranks
from common.saving import save, saved
from common.summaries import standard_error, verdict
from hypernet_paper.data import FETCH, load
from hypernet_paper.methods import COMMON, FIXED, METADATA, METHODS, run, tune

from skmtl import MultiTaskHypernetRegressor

# what the paper calls RMSE are mean squared errors, in the order of FETCH
PAPER = {
    "without metadata": {
        "STL-naive": (0.624, 0.521, 1.950, 0.559),
        "STL": (0.132, 0.512, 1.465, 0.547),
        "Hard sharing": (0.040, 0.851, 1.553, 0.596),
        "MRN": (0.053, 0.911, 1.488, 0.565),
        "Cross-stitch": (0.057, 0.554, 1.387, 0.624),
        "Sluice": (0.064, 0.534, 1.447, 0.540),
        "DMTRL": (0.038, 0.535, 1.342, 0.625),
        "MR": (0.036, 0.783, 1.505, 0.585),
        "Hypernetwork": (0.122, 0.411, 1.397, 0.485),
    },
    "with metadata": {
        "STL": (0.030, 0.489, 1.607, 0.469),
        "Hard sharing": (0.034, 0.973, 1.520, 0.598),
        "MRN": (0.041, 0.938, 1.479, 0.575),
        "Cross-stitch": (0.032, 0.543, 1.325, 0.624),
        "Sluice": (0.038, 0.559, 1.403, 0.546),
        "DMTRL": (0.034, 0.560, 1.344, 0.630),
        "MR": (0.036, 0.781, 1.489, 0.589),
        "Hypernetwork": (0.023, 0.395, 1.307, 0.467),
    },
}
POSITIONS = {name: position for position, name in enumerate(FETCH)}
NAIVE = "STL-naive"
OURS = "Hypernetwork"
DEFAULTS = "Hypernetwork, defaults"
ENSEMBLE = "Hypernetwork, 10 members"
TUNING_SEEDS = 5
# a network for each of 88 lakes takes its time
SLOW, SLOW_TUNING_SEEDS = {("Chlorophyll", "Cross-stitch"), ("Chlorophyll", "Sluice")}, 2


def table2(data_home, n_seeds, n_ours, data_names, method_names=None, resume=False):
    """Run nine methods, with and without metadata.

    Parameters
    ----------
    data_home : str or None
    n_seeds : int
        Draws of the rows, for every method.
    n_ours : int
        More of them, for the hypernetwork.
    data_names : list of str
    method_names : list of str, optional
        By default all of them, our default settings and ten members included.
    resume : bool
        Whether to keep what the result files have, and go on from there.
    """
    rows, settings = pd.DataFrame(), pd.DataFrame()
    if resume:
        rows, settings = (saved(f"table2{end}") for end in ("", "_settings"))
    methods = method_names or [*METHODS, DEFAULTS, ENSEMBLE]
    for data_name, (kind, with_metadata), method in product(data_names, METADATA.items(), methods):
        wanted = {"data": data_name, "metadata": kind, "method": method}
        if (method == NAIVE and with_metadata) or len(where(rows, wanted)):
            continue
        ours = method in (OURS, DEFAULTS)
        data, seeds = load(data_name, data_home), range(n_ours if ours else n_seeds)
        known = where(settings, wanted)
        if method == DEFAULTS:
            # nothing chosen, not even the size of batches
            chosen = defaults()
        elif method == ENSEMBLE:
            # as the single network, of which there is one in it
            single = where(settings, {**wanted, "method": OURS}).iloc[0]
            chosen = {**settings_in(single, OURS), "n_members": 10}
        elif len(known):
            chosen = settings_in(known.iloc[0], method)
        else:
            n_tuning = SLOW_TUNING_SEEDS if (data_name, method) in SLOW else TUNING_SEEDS
            chosen = tune(data, method, with_metadata, range(min(n_tuning, n_seeds)))
        network = method if method in METHODS else OURS
        found = run(data, network, with_metadata, [chosen], seeds).drop(columns="choice")
        found = found.assign(method=method, metadata=kind)
        rows = pd.concat([rows, found], ignore_index=True)
        if method != DEFAULTS and not len(known):
            chosen = pd.DataFrame([{**wanted, **chosen}])
            settings = pd.concat([settings, chosen], ignore_index=True)
        print(f"{wanted}: {found['mse'].mean():.4f}", flush=True)
        save(rows, "table2")
        save(settings, "table2_settings")
    summary = summarise(rows)
    save(summary, "table2_summary")
    print(summary.to_string(index=False, float_format="%.4f", na_rep=""))
    # the paper's table has no STL-naive with metadata
    wanted = product(FETCH, METADATA, METHODS)
    wanted = {key for key in wanted if key[1:] != ("with metadata", NAIVE)}
    if wanted <= set(rows[["data", "metadata", "method"]].itertuples(index=False, name=None)):
        figure3(rows)


def defaults():
    """Return the default values of what this study sets."""
    values = MultiTaskHypernetRegressor().get_params()
    return {name: values[name] for name in (*METHODS[OURS].fixed, *FIXED)}


def summarise(rows):
    """Return a line for each data set and method, with the numbers of the paper."""
    lines = []
    order = {name: k for k, name in enumerate([*METHODS, DEFAULTS, ENSEMBLE])}
    # in whatever order they were run
    rows = rows.sort_values("method", key=lambda names: names.map(order), kind="stable")
    rows = rows.sort_values("data", key=lambda names: names.map(POSITIONS), kind="stable")
    for (name, kind), part in rows.groupby(["data", "metadata"], sort=False):
        here = rows[(rows["data"] == name) & (rows["method"] == NAIVE)]
        naive = here["mse"].mean()
        means = part.groupby("method")["mse"].mean()
        rivals = means.drop([OURS, DEFAULTS, ENSEMBLE], errors="ignore")
        for method, some in part.groupby("method", sort=False):
            line = {"data": name, "metadata": kind, "method": method, "seeds": len(some)}
            line |= {"mse": some["mse"].mean(), "standard_error": standard_error(some["mse"])}
            line |= {"rmse": some["rmse"].mean(), "mse_of_tasks": some["mse_of_tasks"].mean()}
            line |= {"ratio_to_naive": line["mse"] / naive, "epochs": some["epochs"].mean()}
            line["seconds_a_fit"] = some["seconds"].mean()
            if method in PAPER[kind]:
                paper = PAPER[kind][method][POSITIONS[name]]
                paper_ratio = paper / PAPER["without metadata"][NAIVE][POSITIONS[name]]
                line |= {"paper_mse": paper, "paper_ratio": paper_ratio}
            if method in (OURS, ENSEMBLE):
                paper = PAPER[kind][OURS][POSITIONS[name]]
                paper_ratio = paper / PAPER["without metadata"][NAIVE][POSITIONS[name]]
                line["at_most_the_paper"] = verdict(line["mse"] <= paper)
                if np.isfinite(naive):
                    line["ratio_at_most"] = verdict(line["ratio_to_naive"] <= paper_ratio)
                first = line["mse"] <= rivals.min() + line["standard_error"]
                line["first_or_near"] = verdict(first)
            lines.append(line)
    return pd.DataFrame(lines)


def figure3(rows):
    """Compare mean ranks over data sets, and over their seeds."""
    tests, rows = [], rows[~rows["method"].isin([DEFAULTS, ENSEMBLE])]
    for kind, part in rows.groupby("metadata"):
        n_seeds = part.groupby(["data", "method"])["seed"].nunique().min()
        part = part[part["seed"] < n_seeds]
        for blocks, keys in {"data sets": ["data"], "seeds": ["data", "seed"]}.items():
            errors = part.pivot_table(index=keys, columns="method", values="mse")
            found = compare_ranks(errors, OURS)
            tests.append(found.assign(metadata=kind, blocks=blocks))
    tests = pd.concat(tests, ignore_index=True)
    save(tests, "figure3")
    print(tests.to_string(index=False, float_format="%.3g"))


def chosen_settings(data_name, kind):
    """Return the settings that table 2 chose for the hypernetwork."""
    table = saved("table2_settings")
    wanted = {"data": data_name, "metadata": kind, "method": OURS}
    return settings_in(where(table, wanted).iloc[0], OURS)


def settings_in(line, method):
    """Return the settings of a method from a line of the table of settings."""
    own = METHODS[method].own
    names = [*COMMON[0], *(own[0] if own else ())]
    kinds = {"hypernet_layers": int, "rank": int, "roaming_interval": int}
    return {name: kinds.get(name, _value)(line[name]) for name in names}


def _value(text):
    """A number, a truth value or a word, as a CSV file has it."""
    truth = {"True": True, "False": False}
    if str(text) in truth:
        return truth[str(text)]
    try:
        return float(text)
    except ValueError:
        return text


def where(table, wanted):
    """Return the lines of a table with these values."""
    if not len(table):
        return table
    return table[(table[list(wanted)] == pd.Series(wanted)).all(axis=1)]


# the paper's table 3, in the order of FETCH; of Cubic with metadata we could not read the numbers
PAPER_ABLATION = {
    "without metadata": {
        "as chosen": (0.122, 0.411, 1.421, 0.485),
        "no compression": (0.103, 0.493, 1.555, 0.656),
        "no extractor": (0.122, 0.413, 1.421, 0.485),
    },
    "with metadata": {
        "as chosen": (np.nan, 0.395, 1.322, 0.467),
        "no compression": (np.nan, 0.619, 1.935, 0.528),
        "no extractor": (np.nan, 0.470, 1.342, 0.474),
        "no embeddings": (np.nan, 0.434, 1.460, 0.467),
        "shuffled metadata": (np.nan, 0.406, 1.506, 0.517),
    },
}


def table3(data_home, n_seeds, data_names, resume=False):
    """Run the hypernetwork with parts removed, and with metadata that are shuffled."""
    rows = saved("table3") if resume else pd.DataFrame()
    for data_name, (kind, with_metadata) in product(data_names, METADATA.items()):
        if len(where(rows, {"data": data_name, "metadata": with_metadata})):
            continue
        found = ablation(load(data_name, data_home), kind, n_seeds)
        rows = pd.concat([rows, found], ignore_index=True)
        save(rows, "table3")
        print(f"{data_name}, {kind}", flush=True)
    summary = summarise_ablation(rows)
    save(summary, "table3_summary")
    print(summary.to_string(index=False, float_format="%.4f", na_rep=""))


def ablation(data, kind, n_seeds):
    """Return a row per variant and draw, of one data set with or without metadata."""
    settings, with_metadata = chosen_settings(data.name, kind), METADATA[kind]
    variants = {
        "as chosen": {},
        "no compression": {"compression": False},
        "no extractor": {"hypernet_layers": 0},
    }
    if with_metadata:
        variants["no embeddings"] = {"embedding_dim": 0}
    rows = [
        run(data, OURS, with_metadata, [{**settings, **changes}], range(n_seeds)).assign(
            variant=variant
        )
        for variant, changes in variants.items()
    ]
    if with_metadata:
        found = [
            run(data.shuffled(seed), OURS, True, [settings], [seed]) for seed in range(n_seeds)
        ]
        rows.append(pd.concat(found).assign(variant="shuffled metadata"))
    return pd.concat(rows).drop(columns="choice")


def summarise_ablation(rows):
    """Return a line for each data set and variant, with the numbers of the paper."""
    lines = []
    for (name, on), part in rows.groupby(["data", "metadata"], sort=False):
        errors = part.pivot(index="seed", columns="variant", values="mse")
        paper = PAPER_ABLATION["with metadata" if on else "without metadata"]
        for variant in part["variant"].unique():
            loss = errors[variant] - errors["as chosen"]
            line = {"data": name, "metadata": on, "variant": variant, "seeds": len(loss)}
            line |= {"mse": errors[variant].mean()}
            line |= {"standard_error": standard_error(errors[variant])}
            line |= {"lost": loss.mean(), "standard_error_lost": standard_error(loss)}
            line["paper_mse"] = paper[variant][POSITIONS[name]]
            if variant == "shuffled metadata":
                line["result"] = verdict(loss.mean() > 0)
            lines.append(line)
    return pd.DataFrame(lines)
