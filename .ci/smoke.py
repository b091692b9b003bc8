"""Install the wheel and the sdist of a folder into empty environments, and use skmtl there.

``python .ci/smoke.py DIST CONSTRAINTS``
"""

import subprocess
import sys
import tempfile
from pathlib import Path

CODE = """
import numpy as np, skmtl
from skmtl.datasets import make_clinic_visits
visits = make_clinic_visits(n_tasks=8, n_rows=12, random_state=0)
model = skmtl.MultiTaskHypernetRegressor(visits.task_id, visits.metadata, max_iter=3)
model.fit(visits.data, visits.target).save("model")
assert np.isfinite(skmtl.load("model").predict(visits.data)).all()
print("skmtl", skmtl.__version__, "from", skmtl.__file__)
"""


def main(folder, constraints):
    """Test every file of a folder of distributions."""
    files = sorted(Path(folder).glob("skmtl-*"))
    assert {path.suffix for path in files} == {".whl", ".gz"}, files
    for path in files:
        with tempfile.TemporaryDirectory() as home:
            subprocess.run([sys.executable, "-m", "venv", home], check=True)
            python = Path(home, "Scripts" if sys.platform == "win32" else "bin", "python")
            command = [python, "-m", "pip", "install", "-q", "-c", constraints, path]
            subprocess.run(command, check=True)
            subprocess.run([python, "-c", CODE], check=True, cwd=home)


if __name__ == "__main__":
    main(*sys.argv[1:])
