"""Small tables with string task ids, and models that are trained on them in a moment.

What a model has learned does not matter to most tests, so that it is not trained for long.
"""

import numpy as np
import pandas as pd

from skmtl import MultiTaskHypernetRegressor

FEATURES = ["status", "age"]
METADATA = ["size", "sector"]


def make_schools(n_schools=12, n_rows=20, noise=0.1, random_state=0):
    """Pupils of schools, in no order.

    The intercept of a school follows from its two facts, and so does the slope of `status`.

    Returns
    -------
    X : DataFrame with the columns status, age, school, size, sector
    y : Series
    """
    generator = np.random.default_rng(random_state)
    school = np.repeat(np.arange(n_schools), n_rows)
    size = np.round(generator.uniform(1, 9, n_schools), 1)
    sector = np.arange(n_schools) % 2
    X = pd.DataFrame(
        {
            "status": generator.normal(size=len(school)),
            "age": generator.uniform(10, 16, len(school)),
            "school": [f"school {number:02d}" for number in school],
            "size": size[school],
            "sector": sector[school],
        }
    )
    y = size[school] + (2 * sector[school] - 1) * X["status"] + 0.1 * X["age"]
    y = (y + noise * generator.normal(size=len(school))).rename("score")
    order = generator.permutation(len(school))
    return X.iloc[order].reset_index(drop=True), y.iloc[order].reset_index(drop=True)


def metadata_table(X, task_id="school"):
    """The facts of every school as a table of their own, in no particular order."""
    columns = [task_id] if isinstance(task_id, str) else list(task_id)
    facts = X[columns + METADATA].drop_duplicates().set_index(task_id)
    return facts.sample(frac=1, random_state=0)


def quick_model(**changes):
    """A model of the schools that takes some hundredths of a second to train."""
    parameters = {
        "task_id": "school",
        "metadata": METADATA,
        "embedding_dim": 3,
        "hidden_layer_sizes": (8,),
        "max_iter": 4,
        "random_state": 0,
    }
    return MultiTaskHypernetRegressor(**{**parameters, **changes})
