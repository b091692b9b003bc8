"""Encoding and scaling of columns as inputs of a network.

They are learned from training rows only, by scikit-learn's transformers, of which only the learned
numbers are kept: these have the same meaning in every version of scikit-learn.
"""

import numpy as np
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skmtl._data.scales import moderate, refuse_extremes, refuse_extremes_to_predict
from skmtl._persistence import saveable

# Chosen on validation rows of 13 tables, see benchmarks/raw_tables/LOG.md.
# Largest number of categories of a column with separate indicators; others share one. Fewer
# indicators lose 1 to 28% on three of four tables; adding target statistics helps on one.
MOST_CATEGORIES = 128
# Divisor of the phases of dates: at full scale they lose 4 to 12% where there are no seasons; where
# there are seasons, omitting them loses 30%.
_PHASE_UNIT = 10.0
_DAY, _WEEK, _YEAR = 86_400.0, 7 * 86_400.0, 365.2425 * 86_400.0


@saveable
class ColumnEncoder:
    """Encode and scale the columns of a table as those of the training rows.

    Numbers, dates and durations are standardised; missing ones become the mean, with an indicator
    if values are missing in training rows. Categories become indicators; one that does not occur in
    training rows is encoded as their average. Dates also become phases of the year, the week and
    the day, if training rows differ in them, unless `calendar` is False.
    """

    def __init__(self, columns, calendar=True):
        self.columns, self.calendar = columns, calendar

    def fit(self, values, sample_weight=None):
        """Learn scales, indicators and categories from the values (n, n_columns) of columns."""
        kinds = np.array([column.kind for column in self.columns])
        self.numeric_ = np.flatnonzero(kinds != "category")
        self.categorical_ = np.flatnonzero(kinds == "category")
        numbers = values[:, self.numeric_]
        self.phases_ = self._learn_phases(values) if self.calendar else []
        self.gaps_ = np.flatnonzero(np.isnan(numbers).any(axis=0))
        self.indicators_ = [Indicators(values[:, k]) for k in self.categorical_]
        if sample_weight is not None:
            sample_weight = moderate(sample_weight)
        with np.errstate(all="ignore"):
            # a column may be all missing; `transform` raises errors for extremes by name
            scaler = StandardScaler().fit(self._inputs(values), sample_weight=sample_weight)
        self.center_, self.scale_ = scaler.mean_, scaler.scale_
        n_numbers, n_phases = len(self.numeric_), 2 * len(self.phases_)
        self.scale_[n_numbers : n_numbers + n_phases] *= _PHASE_UNIT
        # rare categories and missing values would be far from zero in units of their deviation
        self.scale_[n_numbers + n_phases :] = 1.0
        self.n_outputs = len(self.scale_)
        self._may_be_missing = bool(len(self.gaps_) or len(self.categorical_) or self.phases_)
        return self

    def _learn_phases(self, values):
        """List pairs of a column of dates and a period in which training rows differ."""
        phases = []
        for k, column in enumerate(self.columns):
            if column.kind != "date":
                continue
            seconds = values[:, k][~np.isnan(values[:, k])]
            if not len(seconds):
                continue
            days = np.floor(seconds / _DAY)
            if np.ptp(seconds) > _YEAR / 4:
                phases.append((k, _YEAR))
            if len(np.unique(days % 7)) > 1 and np.ptp(days) < 50 * 365:
                phases.append((k, _WEEK))
            if (seconds % _DAY).any():
                phases.append((k, _DAY))
        return phases

    def _inputs(self, values):
        """Arrange numbers, phases of dates, indicators of gaps and of categories."""
        if len(self.numeric_) == values.shape[1] and not self.phases_ and not len(self.gaps_):
            return values
        numbers = values[:, self.numeric_]
        blocks = [numbers]
        for k, period in self.phases_:
            angle = 2 * np.pi * values[:, k] / period
            blocks.append(np.column_stack([np.sin(angle), np.cos(angle)]))
        if len(self.gaps_):
            blocks.append(np.isnan(numbers[:, self.gaps_]).astype(np.float64))
        blocks += [
            indicators.of(values[:, k])
            for k, indicators in zip(self.categorical_, self.indicators_, strict=True)
        ]
        return np.concatenate(blocks, axis=1)

    def transform(self, values, what, training=False):
        """Return inputs of a network, (n, n_outputs); a missing value is the mean, which is zero.

        Extreme values raise an error that names the role `what`; in training rows, they would spoil
        the scale of all others.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = (self._inputs(values) - self.center_) / self.scale_
        n_numbers = len(self.numeric_)
        names = [self.columns[k].name for k in self.numeric_]
        if training and n_numbers:
            numbers, scales = values[:, self.numeric_], self.scale_[:n_numbers]
            refuse_extremes(numbers, scaled[:, :n_numbers], scales, names, what)
        if self._may_be_missing or np.isnan(scaled.sum()):
            scaled[np.isnan(scaled)] = 0.0
        if not training:
            refuse_extremes_to_predict(scaled[:, :n_numbers], names, what)
        return scaled


@saveable
class Indicators:
    """Indicators of the categories of one column, as scikit-learn's OneHotEncoder chooses them.

    Those of `categories` (C,), sorted with NaN at the end, are at `positions` (C,) of `n_outputs`;
    the position of the one of two categories that has no indicator is -1.
    """

    def __init__(self, codes):
        encoder = OneHotEncoder(
            max_categories=MOST_CATEGORIES, drop="if_binary", sparse_output=False
        ).set_output(transform="default")
        encoder.fit(codes[:, None])
        # a copy: it must not keep a column of the training rows alive
        self.categories = encoder.categories_[0].copy()
        indicators = encoder.transform(self.categories[:, None])
        self.n_outputs = indicators.shape[1]
        self.positions = np.where(indicators.any(axis=1), indicators.argmax(axis=1), -1)

    def of(self, codes):
        """Return indicators (n, n_outputs) of codes (n,), NaN for codes not in training rows."""
        at = np.searchsorted(self.categories, codes)
        at[at == len(self.categories)] = 0
        same = self.categories[at]
        known = (same == codes) | (np.isnan(same) & np.isnan(codes))
        indicators = np.zeros((len(codes), self.n_outputs))
        positions = self.positions[at]
        rows = np.flatnonzero(known & (positions >= 0))
        indicators[rows, positions[rows]] = 1.0
        indicators[~known] = np.nan
        return indicators
