"""Summary of a fitted estimator: a table, and HTML for notebooks."""

from html import escape

import numpy as np
import pandas as pd

_WIDTH, _HEIGHT = 320, 90
_STYLES = {"train_loss": "stroke-dasharray='4 3' stroke-opacity='0.6'", "valid_loss": ""}


def summary(estimator):
    """Return a table of the training of each member, see `BaseMultiTaskEstimator.summary`."""
    n_parameters = sum(p[0].numel() for p in estimator.module_.parameters())
    rows, new = _rows(estimator.history_, n_parameters), estimator._new_tasks
    if new is not None:
        rows = [{**row, "tasks": "known"} for row in rows]
        for row in _rows(new.history, n_parameters):
            rows.append({**row, "member": len(rows), "tasks": "new"})
    return pd.DataFrame(rows).set_index("member")


def _rows(history, n_parameters):
    rows = []
    for member, part in history.groupby("member"):
        has_validation = "valid_loss" in part and part["valid_loss"].notna().any()
        best = part.loc[part["valid_loss"].idxmin()] if has_validation else part.iloc[-1]
        row = {"member": member, "epochs": len(part), "best_epoch": int(best["epoch"])}
        row["train_loss"] = best["train_loss"]
        row["valid_loss"] = best.get("valid_loss", np.nan)
        rows.append({**row, "parameters": n_parameters})
    return rows


def fitted_html(estimator):
    """Return a table of the fit, shown below scikit-learn's diagram of parameters."""
    tasks = estimator.tasks_
    levels = tasks if isinstance(tasks, dict) else {"tasks": tasks}
    table = summary(estimator)
    entries = {
        **{escape(str(name)): _labels_html(labels) for name, labels in levels.items()},
        "members": estimator.module_.n_members,
        "parameters of a member": f"{table['parameters'].iloc[0]:,}",
        "epochs": f"{table['epochs'].min()} to {table['epochs'].max()}"
        if table["epochs"].nunique() > 1
        else table["epochs"].iloc[0],
        "device": escape(str(estimator.device_)),
    }
    rows = "".join(
        f"<tr><th style='text-align:left'>{name}</th><td style='text-align:left'>{value}</td></tr>"
        for name, value in entries.items()
    )
    # notebooks centre tables, and the curve has to stand under this one
    return (
        "<details open><summary>Fitted</summary>"
        "<table class='skmtl-fitted' style='margin-left:0;margin-right:auto'>"
        f"{rows}</table>{_curves_html(estimator)}</details>"
    )


def _labels_html(labels):
    """Return the number of labels, and the first ones."""
    shown = [escape(str(label)) for label in labels[:8]]
    if len(labels) > len(shown):
        shown.append("&hellip;")
    return f"{len(labels)} ({', '.join(shown)})"


def _curves_html(estimator):
    """Return curves of losses over epochs, means over the members that still train."""
    history = estimator.history_.groupby("epoch").mean(numeric_only=True)
    curves = {name: history[name] for name in _STYLES if name in history}
    curves = {name: values for name, values in curves.items() if values.notna().any()}
    every = np.concatenate([values.dropna() for values in curves.values()])
    if len(history) < 2 or not np.isfinite(every).all():
        return ""
    # logarithmic if losses are positive, since they change most at the beginning
    scale = np.log if (every > 0).all() else np.asarray
    low, high = scale(every).min(), scale(every).max()
    lines = []
    for name, values in curves.items():
        x = (values.index - 1) / (history.index.max() - 1) * (_WIDTH - 8) + 4
        y = (high - scale(values)) / ((high - low) or 1.0) * (_HEIGHT - 8) + 4
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
        style = f"fill='none' stroke='currentColor' stroke-width='1.5' {_STYLES[name]}"
        lines.append(f"<polyline points='{points}' {style}/>")
    names = " and ".join(
        {"train_loss": "training (dashed)", "valid_loss": "validation"}[name] for name in curves
    )
    what = "mean over members, " if estimator.module_.n_members > 1 else ""
    return (
        f"<svg role='img' aria-label='losses' viewBox='0 0 {_WIDTH} {_HEIGHT}' "
        f"width='{_WIDTH}' height='{_HEIGHT}' style='display:block'>{''.join(lines)}</svg>"
        f"<div><small>Loss of {names}, {what}{len(history)} epochs, "
        f"{every.max():.3g} to {every.min():.3g}</small></div>"
    )
