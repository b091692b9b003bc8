"""Rows of an estimator as `skmtl.training._embeddings` takes them, and the loss to minimise."""

import numpy as np
import torch

from skmtl._data.rows import PredictionRows
from skmtl.training._embeddings import EmbeddingRows


def loss_of(targets, module):
    """Return the training loss, on the device of a module."""
    return targets.criterion().to(module.origin.device)


def embedding_rows(targets, query, rows, module):
    """Return `TrainingRows` with the networks of a query, on the device of a module."""

    def tensor(values):
        return torch.as_tensor(values, device=module.origin.device)

    metadata = None if query.metadata is None else tensor(query.metadata[query.networks])
    return EmbeddingRows(
        features=tensor(query.features),
        numbers=tensor(query.tasks[query.networks].reshape(len(query.features), -1)),
        targets=tensor(targets.scale(rows.targets)),
        weights=tensor(rows.label_weights),
        metadata=metadata,
    )


def embedding_rows_of(module, plan, rows):
    """Return training rows of a plan as `EmbeddingRows`."""
    tables = plan.tables
    metadata, tasks = tables.scaled_metadata(), tables.ids_of(np.arange(tables.n_tasks))
    query = PredictionRows(tables.scale(rows.features), rows.tasks, tasks, metadata)
    return embedding_rows(plan.targets, query, rows, module)
