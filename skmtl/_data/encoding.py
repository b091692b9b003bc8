"""Encoding and scaling of columns: what was read becomes inputs of a network.

Learned from training rows only, by scikit-learn's transformers, and held once for all members.
"""

import numpy as np
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skmtl._data.scales import refuse_extremes, refuse_extremes_to_predict

# Chosen on validation rows of 13 tables, see benchmarks/raw_tables/LOG.md.
# Categories of a column that have an indicator of their own; others share one. Fewer lose 1 to 28%
# on three of four tables; target statistics on top pay on one.
MOST_CATEGORIES = 128
# Phases of dates are so many times smaller than numbers: at full size they lose 4 to 12% where
# there are no seasons; where there are, none at all lose 30%.
_PHASE_UNIT = 10.0
_DAY, _WEEK, _YEAR = 86_400.0, 7 * 86_400.0, 365.2425 * 86_400.0


class ColumnEncoder:
    """Encodes and scales the columns of a table as those of the training rows.

    Numbers, dates and durations are standardised; missing ones become the mean, with an indicator
    where training rows have gaps. Categories become indicators; one that training rows do not have
    is coded as their average. Dates also become the phase of the year, the week and the day, as far
    as training rows differ in them, unless `calendar` is False.
    """

    def __init__(self, columns, calendar=True):
        self.columns, self.calendar = columns, calendar

    def fit(self, values, sample_weight=None):
        """Learn scales, indicators and categories from what the columns read, (n, n_columns)."""
        kinds = np.array([column.kind for column in self.columns])
        self.numeric_ = np.flatnonzero(kinds != "category")
        self.categorical_ = np.flatnonzero(kinds == "category")
        numbers = values[:, self.numeric_]
        self.phases_ = self._learn_phases(values) if self.calendar else []
        self.gaps_ = np.flatnonzero(np.isnan(numbers).any(axis=0))
        self.one_hot_ = None
        if len(self.categorical_):
            self.one_hot_ = OneHotEncoder(
                max_categories=MOST_CATEGORIES, drop="if_binary", sparse_output=False
            ).set_output(transform="default")
            self.one_hot_.fit(values[:, self.categorical_])
        # whatever scikit-learn is told to return elsewhere, this returns arrays
        scaler = StandardScaler().set_output(transform="default")
        with np.errstate(all="ignore"):
            # a column may be all missing; extremes are refused by name in `transform`
            self.scaler_ = scaler.fit(self._inputs(values), sample_weight=sample_weight)
        n_numbers, n_phases = len(self.numeric_), 2 * len(self.phases_)
        self.scaler_.scale_[n_numbers : n_numbers + n_phases] *= _PHASE_UNIT
        # rare categories and gaps would be far from zero in units of their deviation
        self.scaler_.scale_[n_numbers + n_phases :] = 1.0
        self.n_outputs = self.scaler_.n_features_in_
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
        if self.one_hot_ is not None:
            blocks.append(self._indicators(values[:, self.categorical_]))
        return np.concatenate(blocks, axis=1)

    def _indicators(self, codes):
        """Return indicators of categories; those of one that training rows lack are missing."""
        codes, unknown = codes.copy(), []
        for column, categories in zip(codes.T, self.one_hot_.categories_, strict=True):
            known = np.isin(column, categories)
            if np.isnan(categories[-1]):
                known |= np.isnan(column)
            column[~known] = categories[0]
            unknown.append(~known)
        indicators = self.one_hot_.transform(codes)
        start = 0
        for k, rows in enumerate(unknown):
            stop = start + _n_indicators(self.one_hot_, k)
            indicators[rows, start:stop] = np.nan
            start = stop
        return indicators

    def transform(self, values, what, training=False):
        """Return inputs of a network, (n, n_outputs); a missing value is the mean, which is zero.

        Extreme values are an error, which names the role `what`; those of training rows spoil the
        scale of all others.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = self.scaler_.transform(self._inputs(values))
        n_numbers = len(self.numeric_)
        names = [self.columns[k].name for k in self.numeric_]
        if training and n_numbers:
            numbers, scales = values[:, self.numeric_], self.scaler_.scale_[:n_numbers]
            refuse_extremes(numbers, scaled[:, :n_numbers], scales, names, what)
        if self._may_be_missing or np.isnan(scaled.sum()):
            scaled[np.isnan(scaled)] = 0.0
        if not training:
            refuse_extremes_to_predict(scaled[:, :n_numbers], names, what)
        return scaled


def _n_indicators(encoder, k):
    dropped = encoder.drop_idx_ is not None and encoder.drop_idx_[k] is not None
    infrequent = encoder.infrequent_categories_[k]
    n_infrequent = 0 if infrequent is None else len(infrequent)
    return len(encoder.categories_[k]) - n_infrequent + (n_infrequent > 0) - dropped
