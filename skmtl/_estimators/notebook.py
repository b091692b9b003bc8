"""Summary of a fitted estimator: a table, and HTML for notebooks."""

from html import escape

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

_WIDTH, _HEIGHT = 320, 90
_STYLES = {"train_loss": "stroke-dasharray='4 3' stroke-opacity='0.6'", "valid_loss": ""}


class ReportMixin:
    """Provide `summary` and the HTML of estimators."""

    def summary(self):
        """Summarise the training of each member.

        Returns
        -------
        DataFrame
            One row per member: the number of ``epochs``, the ``best_epoch``, whose weights are kept
            (the last epoch if there are no validation rows), ``train_loss`` and ``valid_loss``
            in that epoch, and the number of ``parameters`` of the network.
        """
        check_is_fitted(self, "module_")
        history = self.history_
        rows = []
        for member, part in history.groupby("member"):
            has_validation = "valid_loss" in part and part["valid_loss"].notna().any()
            best = part.loc[part["valid_loss"].idxmin()] if has_validation else part.iloc[-1]
            row = {"member": member, "epochs": len(part), "best_epoch": int(best["epoch"])}
            row["train_loss"] = best["train_loss"]
            row["valid_loss"] = best.get("valid_loss", np.nan)
            rows.append({**row, "parameters": self._n_parameters()})
        return pd.DataFrame(rows).set_index("member")

    def _n_parameters(self):
        """Return the number of parameters of one member."""
        return sum(p[0].numel() for p in self.module_.parameters())

    def _html_repr(self):
        html = super()._html_repr()
        return html + self._fitted_html() if hasattr(self, "module_") else html

    def _fitted_html(self):
        """Return a table of the fit, shown below scikit-learn's diagram of parameters."""
        tasks = [escape(str(task)) for task in self.tasks_[:8]]
        if len(self.tasks_) > len(tasks):
            tasks.append("&hellip;")
        table = self.summary()
        entries = {
            "tasks": f"{len(self.tasks_)} ({', '.join(tasks)})",
            "members": len(table),
            "parameters of a member": f"{table['parameters'].iloc[0]:,}",
            "epochs": f"{table['epochs'].min()} to {table['epochs'].max()}"
            if table["epochs"].nunique() > 1
            else table["epochs"].iloc[0],
            "device": escape(str(self.device_)),
        }
        rows = "".join(
            f"<tr><th style='text-align:left'>{name}</th>"
            f"<td style='text-align:left'>{value}</td></tr>"
            for name, value in entries.items()
        )
        return (
            "<details open><summary>Fitted</summary><table class='skmtl-fitted'>"
            f"{rows}</table>{self._curves_html()}</details>"
        )

    def _curves_html(self):
        """Return curves of losses over epochs, means over the members that still train."""
        history = self.history_.groupby("epoch").mean(numeric_only=True)
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
        what = "mean over members, " if self.module_.n_members > 1 else ""
        return (
            f"<svg role='img' aria-label='losses' viewBox='0 0 {_WIDTH} {_HEIGHT}' "
            f"width='{_WIDTH}' height='{_HEIGHT}'>{''.join(lines)}</svg>"
            f"<div><small>Loss of {names}, {what}{len(history)} epochs, "
            f"{every.max():.3g} to {every.min():.3g}</small></div>"
        )
