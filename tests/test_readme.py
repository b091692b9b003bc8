"""Numbers of the README are those of result files."""

from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[1]
README = " ".join((ROOT / "README.md").read_text("utf-8").split())


def results(study, name):
    return pd.read_csv(ROOT / "benchmarks" / study / "results" / f"{name}.csv", comment="#")


def test_cubic():
    table = results("hypernet_paper", "table2_summary")
    table = table[(table["data"] == "Cubic") & (table["metadata"] == "with metadata")]
    errors = table.set_index("method")["mse"]
    tuned, defaults = errors["Hypernetwork"], errors["Hypernetwork, defaults"]
    assert f"{defaults:.4f} with defaults, {tuned:.4f} tuned" in README
    targets = results("hypernet_paper", "targets").set_index("target")
    assert f"{targets.loc['Cubic, MSE with metadata', 'bound']:.4f} in the paper" in README


def test_ranks():
    table = results("real_tables", "ranks")
    rows, tasks = (table[table["split"] == kind] for kind in ("rows", "tasks"))
    ranks = [dict(zip(part["method"], part["mean_rank"], strict=True)) for part in (rows, tasks)]
    single, four = "hypernetwork", "hypernetwork, 4 members"
    for ours in ranks:
        assert f"| {ours[single]:.1f}, four members {ours[four]:.1f} |" in README
    rivals = [
        f"GPBoost, tuned, {ranks[0]['GPBoost']:.1f}; mixed model {ranks[0]['mixed model']:.1f}; "
        f"ridge {ranks[0]['ridge']:.1f}; LightGBM, tuned, {ranks[0]['LightGBM']:.1f}",
        f"mixed model {ranks[1]['mixed model']:.1f}; ridge {ranks[1]['ridge']:.1f}; "
        f"LightGBM {ranks[1]['LightGBM']:.1f}; GPBoost {ranks[1]['GPBoost']:.1f}",
    ]
    assert all(text in README for text in rivals)
    p = rows.set_index("method").loc["GPBoost", "nemenyi_p"]
    assert f"Nemenyi p = {p:.2f}" in README
    assert f"among {len(rows)} methods on {rows['n_blocks'].iloc[0]} tables" in README


def test_speed():
    table = results("training_speed", "ratios")
    ratios = table[table["setting"] == "paper"].set_index("ratio")["median"]
    assert f"{ratios['ours / bare loop, our batches']:.2f} times a minimal" in README
    assert f"a loop over tasks {ratios['loop over tasks / ours']:.1f} times ours" in README
