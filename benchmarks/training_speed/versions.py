"""Training speed and memory of this version beside an earlier one, which git still has.

Both train the same networks with the same settings, in turns, each time in a new process.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import pandas as pd
from common.cli import QUICK, parser
from common.saving import save
from common.summaries import spread, verdict

REPOSITORY = Path(__file__).parents[2]
# the last version before architectures became objects
EARLIER = "24f0914"
AT_MOST = 1.03

# Settings by name that both versions know, so that they do the same arithmetic; what is new since
# is switched off in this version.
WORK = """
import json, resource, sys, time
import torch
from skmtl import MultiTaskHypernetRegressor
from skmtl.datasets import load_high_school, make_cubic
from skmtl.model_selection import BatchedGridSearchCV, TaskKFold

what, epochs = sys.argv[1], int(sys.argv[2])
settings = dict(
    activation="relu", alpha=1e-4, learning_rate_init=1.5e-3, batch_size=64,
    early_stopping=False, max_iter=epochs, random_state=0,
)
new = dict(base=None, hold_out_tasks=False)
known = MultiTaskHypernetRegressor().get_params()
settings |= {name: value for name, value in new.items() if name in known}
if what.startswith("high school"):
    bunch = load_high_school()
    settings["batch_size"] = 256
else:
    bunch = make_cubic(n_tasks=20, n_rows=20, random_state=0)
metadata = bunch.metadata
model = MultiTaskHypernetRegressor(bunch.task_id, metadata, **settings)
if what.endswith("search"):
    grid = {"alpha": [1e-4, 1e-3, 1e-2, 1e-1], "embedding_alpha": [0.1, 0.3]}
    model = BatchedGridSearchCV(model, grid, cv=TaskKFold(3), max_members=8, refit=False)
elif what.endswith("members"):
    model.set_params(n_members=8)
torch.set_num_threads(1)
X, y = bunch.data, bunch.target.astype(float)
def fit():
    start = time.process_time()
    model.fit(X, y)
    return time.process_time() - start
# what the first fit of a process imports
warm = MultiTaskHypernetRegressor(bunch.task_id, metadata, **settings | {"max_iter": 1})
warm.fit(X, y)
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
seconds = fit()
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
print(json.dumps({"processor_seconds": seconds, "extra_megabytes": memory / 1024}))
"""
# with the number of epochs
CASES = {
    "cubic, one": 400,
    "cubic, eight members": 150,
    "cubic, search": 60,
    "high school, one": 15,
    "high school, eight members": 4,
}


def measure(package, case, epochs):
    """Train once in a process that imports `package`; return processor seconds and megabytes."""
    environment = os.environ | {"PYTHONPATH": str(package), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-c", WORK, case, str(epochs)]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=package)
    if answer.returncode:
        raise RuntimeError(answer.stderr)
    return json.loads(answer.stdout)


def main():
    """Measure, print and save."""
    parse = parser(__doc__)
    parse.add_argument("--revision", default=EARLIER)
    parse.add_argument("--repeats", type=int, default=7)
    arguments = parse.parse_args()
    cases = CASES
    if QUICK:
        arguments.repeats, cases = 1, {"cubic, one": 2}
    results = []
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(
            ["git", "archive", arguments.revision, "skmtl"],
            capture_output=True,
            check=True,
            cwd=REPOSITORY,
        ).stdout
        subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
        packages = {"earlier": Path(folder), "now": REPOSITORY}
        for case, epochs in cases.items():
            for repeat in range(arguments.repeats):
                for version in sorted(packages, reverse=bool(repeat % 2)):
                    measured = measure(packages[version], case, epochs)
                    line = {"case": case, "version": version, "repeat": repeat, "epochs": epochs}
                    results.append(line | measured)
    results = pd.DataFrame(results)
    summary = []
    for case in cases:
        of_case = results[results["case"] == case].set_index("repeat")
        now, earlier = (of_case[of_case["version"] == name] for name in ("now", "earlier"))
        for column in ("processor_seconds", "extra_megabytes"):
            ratios = spread(now[column] / earlier[column])
            holds = verdict(ratios["median"] <= AT_MOST)
            line = {"case": case, "what": f"{column}, now / earlier", **ratios}
            summary.append(line | {"target": f"at most {AT_MOST}", "result": holds})
    summary = pd.DataFrame(summary)
    print(summary.to_string(index=False, float_format="%.3f"), end="\n\n")
    save(results, "versions_runs")
    save(summary, "versions")


if __name__ == "__main__":
    main()
