"""The light notebooks show the same where a processor adds in another order."""

import os
import subprocess
import sys

import pytest
import study_runs


@pytest.mark.long
def test_other_arithmetics_show_what_is_committed() -> None:
    root = study_runs.ROOT
    path = os.pathsep.join([str(root / "tests"), str(root)])
    answer = subprocess.run(
        [sys.executable, "-m", "arithmetics"], cwd=root, capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    assert answer.returncode == 0, answer.stdout[-4000:] + answer.stderr[-2000:]
