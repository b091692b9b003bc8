"""What happens to embeddings after training: nested ones are settled, and random effects estimated.

With `embedding_alpha="estimated"` the pull on them is the remaining noise over the variance between
tasks, as in a mixed model.
"""

import torch

from skmtl._estimators.embedding_rows import embedding_rows_of, loss_of
from skmtl.training._updates import estimated_embeddings


def is_estimated(plan):
    """Return whether the pull on the embeddings of a plan is estimated."""
    alpha = plan.setting("embedding_alpha")
    return isinstance(alpha, str) and alpha == "estimated"


def finish_embeddings(plans, result):
    """Finish the embeddings of the module of a `TrainingResult`, in place, where plans want it."""
    first = 0
    for plan in plans:
        members = list(range(first, first + len(plan.seeds)))
        first += len(members)
        nested = plan.estimator.task_levels == "nested"
        if not nested and not is_estimated(plan):
            continue
        groups = [members] if len(plan.splits) == 1 else [[member] for member in members]
        for group, (train, _) in zip(groups, plan.splits, strict=True):
            if any(member in result.diverged for member in group):
                continue
            module = result.part(group, *plan.sizes).module
            if nested:
                parents = [torch.as_tensor(numbers) for numbers in plan.tables.parents()]
                module.settle([numbers.to(module.origin.device) for numbers in parents])
            values = module.tables()
            if is_estimated(plan):
                rows = embedding_rows_of(module, plan, train)
                noise = plan.targets.parts[0].noise
                values = estimated_embeddings(module, rows, loss_of(plan.targets, module), noise)
            with torch.no_grad():
                for table, of_group in zip(result.module.tables(), values, strict=True):
                    table[group, : of_group.shape[1]] = of_group.to(table)
