"""One level of ids: one id column among several, with its ids and their metadata."""

import numpy as np
import pandas as pd

from skmtl._data.encoding import ColumnEncoder
from skmtl._data.frames import as_pandas
from skmtl._data.kinds import index_of
from skmtl._data.messages import label_text, labels_text
from skmtl._data.metadata import metadata_of_rows, permute_column, permute_table, table_by_task
from skmtl._data.reader import TableReader
from skmtl._data.task_ids import check_spelling, encode, spelling
from skmtl._persistence import saveable


@saveable
class Level:
    """The ids of one level, and their metadata from columns of X or from a table.

    An id is the label in the last of the columns of ids at `numbers`, with `names`; of an inner
    level of nested ones, where there are several, it is the tuple of their labels, from the
    outermost. `source` is the table of metadata or None; the columns of metadata of X that describe
    this level are those of the `span`, (start, stop). `values` (T, d_m) of the `ids` are as read.
    """

    def __init__(self, numbers, names, source, span, categorical_features):
        self.numbers, self.names, self.span = numbers, names, span
        self.reader = None
        if source is not None:
            task_id = names if len(names) > 1 else names[0]
            self.reader = TableReader(task_id, source, categorical_features)
            self.reader.metadata = []
        self.kinds = []
        self.ids = self.values = self.encoder = self._spellings = None

    @property
    def name(self):
        """The name of the level: that of its column."""
        return self.names[-1]

    @property
    def columns(self):
        """The columns of metadata of X that describe this level."""
        return slice(*self.span)

    @property
    def has_metadata(self):
        """Whether metadata describe the ids of this level."""
        return self.reader is not None or self.span[1] > self.span[0]

    @property
    def metadata_names(self):
        """Names of the columns of metadata."""
        return [column.name for column in self.kinds]

    @property
    def n_metadata(self):
        """Number of a network's inputs from the metadata of an id."""
        return 0 if self.encoder is None else self.encoder.n_outputs

    def labels(self, id_columns):
        """Return the ids of the rows that have one, and which rows those are, (n,) of bool."""
        columns = [id_columns[number] for number in self.numbers]
        present = np.logical_and.reduce([column.notna().to_numpy() for column in columns])
        indexes = [index_of(column[present]) for column in columns]
        return indexes[0] if len(indexes) == 1 else pd.MultiIndex.from_arrays(indexes), present

    def fit(self, id_columns, metadata, kinds, estimator, previous=None):
        """Learn the ids of rows and their metadata; return their numbers (n,), -1 if missing.

        `kinds` are of the columns of `metadata`, (n, d_m) or None. The ids keep the order of the
        `previous` fit, if they are the same.
        """
        labels, present = self.labels(id_columns)
        if not len(labels):
            raise ValueError(f"no row has an id in the column {label_text(self.name)}.")
        codes, self.ids = encode(labels)
        if previous is not None and len(previous.ids) == len(self.ids):
            order = previous.ids.get_indexer(self.ids)
            if (order >= 0).all():
                codes, self.ids = order[codes], previous.ids
        numbers = np.full(len(present), -1, dtype=np.int64)
        numbers[present] = codes
        if self.reader is not None:
            self.values = self._table_values(self.ids, estimator, learn=previous is None)
            self.kinds = self.reader.metadata
        elif self.has_metadata:
            self.kinds = kinds[self.columns]
            of_rows = metadata[present][:, self.columns]
            self.values = metadata_of_rows(codes, of_rows, self.kinds, self.ids)
        return numbers

    def fit_scale(self):
        """Learn the scale of metadata from those of the ids."""
        self.encoder = None
        if self.values is not None and self.values.shape[1]:
            self.encoder = ColumnEncoder(self.kinds, calendar=False).fit(self.values)

    def numbered(self, id_columns):
        """Return numbers (n,) of the ids of rows: of known ones, from T on of new ones, -1 missing.

        Also the new ids. Those that are another spelling of a known one raise an error.
        """
        labels, present = self.labels(id_columns)
        numbers = np.full(len(present), -1, dtype=np.int64)
        if not len(labels):
            return numbers, labels
        codes, ids = encode(labels)
        known = self.ids.get_indexer(ids)
        new = np.flatnonzero(known < 0)
        if len(new):
            if self._spellings is None:
                self._spellings = {spelling(label): label for label in self.ids}
            check_spelling(ids[new], self._spellings)
            known[new] = len(self.ids) + np.arange(len(new))
        numbers[present] = known[codes]
        return numbers, ids[new]

    def check_predictable(self, new, unseen, what="were not seen in fit"):
        """Raise an error for new ids without metadata unless `unseen` is "average"."""
        if len(new) and unseen != "average" and not self.has_metadata:
            name = label_text(self.name)
            raise ValueError(
                f"{len(new)} id(s) of the level {name} {what}: {labels_text(new)}. Use "
                f"unseen_tasks='average', or {{{name}: 'average'}} for this level alone, to "
                f"predict them by the average of the others, metadata={{{name}: ...}} to predict "
                "them from their metadata, or adapt() to learn them from a few rows."
            )

    def metadata_of(self, numbers, new, metadata, estimator):
        """Return the metadata (n, d_m) of rows with ids by number, the `new` ones from T on.

        Those of columns are the rows' own, `metadata`; those of a table are missing where the id
        is.
        """
        if not self.has_metadata:
            return np.empty((len(numbers), 0))
        if self.reader is None:
            return metadata[:, self.columns]
        used, at = np.unique(numbers, return_inverse=True)
        ids = self.ids.append(new) if len(new) else self.ids
        known = used[used >= 0]
        values = np.full((len(used), len(self.kinds)), np.nan)
        if len(known):
            values[used >= 0] = self._table_values(ids[known], estimator)
        return values[at]

    def encoded(self, values, training=False):
        """Encode and scale metadata (n, d_m)."""
        if self.encoder is None:
            return np.empty((len(values), 0))
        return self.encoder.transform(values, "metadata column", training=training)

    def with_ids(self, new):
        """Return this level with further ids, whose metadata are unknown here."""
        level = object.__new__(Level)
        vars(level).update(vars(self))
        level.ids, level._spellings = self.ids.append(new), None
        if self.values is not None:
            gap = np.full((len(new), self.values.shape[1]), np.nan)
            level.values = np.concatenate([self.values, gap])
        return level

    def _table_values(self, ids, estimator, learn=False):
        """Read the metadata of ids from the table of the estimator."""
        table = self.reader.source if learn else estimator.metadata[self.name]
        table = as_pandas(table)
        known = self.ids
        if isinstance(ids, pd.MultiIndex) and isinstance(table, pd.DataFrame):
            by_path = all(name in table.columns for name in self.names)
            if table.index.nlevels == 1 and not by_path:
                # a table of inner ids alone, which are then the same in all outer ones
                ids, known = ids.get_level_values(-1), known.get_level_values(-1).unique()
        unique = ids.unique()
        reader = self.reader
        values = reader.read_metadata(unique, known, estimator, learn, table)
        return values[unique.get_indexer(ids)]

    def permuted(self, table, metadata, positions, column, id_columns, generator):
        """Permute one column of metadata between ids, in a table of rows or in that of the level.

        `positions` are those of the columns of metadata in the table of rows. Returns the metadata
        of the estimator, changed if they come from a table.
        """
        labels, present = self.labels(id_columns)
        codes, ids = encode(labels)
        if self.reader is None:
            position = positions[self.columns][column]
            if not present.all():
                codes, full = codes + 1, np.zeros(len(present), dtype=np.int64)
                full[present] = codes
                codes = pd.factorize(full)[0]
            permute_column(table, codes, position, generator)
            return metadata
        of_ids = as_pandas(metadata[self.name])
        of_ids = table_by_task(of_ids, self.reader.task_id, self.ids)
        if isinstance(ids, pd.MultiIndex) and of_ids.index.nlevels == 1:
            ids = ids.get_level_values(-1).unique()
        changed = permute_table(of_ids, ids, self.metadata_names[column], generator)
        return {**metadata, self.name: changed}
