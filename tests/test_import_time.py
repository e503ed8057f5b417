"""Start-up: neither the package nor its command loads Keras before it is needed."""

import os
import subprocess
import sys

import pytest

HEAVY = ("keras", "tensorflow", "jax", "torch", "onnxruntime", "faiss", "sklearn", "pandas")
NETWORKS = ("keras", "tensorflow", "jax", "torch", "onnxruntime")
# What reads, embeds, searches and scores: all but the modules that define and train networks.
WITHOUT_KERAS = (
    "command_line", "data.catalog", "embedding.backbones", "embedding.cluster", "embedding.embed",
    "embedding.onnx_engine", "embedding.store", "evaluation.protocols", "evaluation.rankings",
    "evaluation.separation", "reporting.report", "search.gallery", "search.indexes",
    "search.shards", "studies.model_table", "studies.pretrained.index_speed", "studies.scoring",
    "workspace.folders", "workspace.stores",
)  # fmt: skip


def loaded_by(statement: str, packages: tuple[str, ...]) -> tuple[list[str], float]:
    """Which of the packages a new Python has loaded after a statement, and its CPU seconds."""
    code = (
        f"{statement}\nimport sys, time\nprint()\nprint(time.process_time())\n"
        f"print(*(p for p in {packages!r} if p in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    seconds, loaded = done.stdout.split("\n")[-3:-1]
    return loaded.split(), float(seconds)


def best_of_three(statement: str, packages: tuple[str, ...]) -> tuple[list[str], float]:
    """Chance makes a start slower, never quicker."""
    runs = [loaded_by(statement, packages) for _ in range(3)]
    return runs[0][0], min(seconds for _, seconds in runs)


# The goals are 0.3 and 0.5 seconds; the bounds leave room for a slow or busy machine.
def test_importing_the_package_is_quick_and_loads_nothing_large():
    loaded, seconds = best_of_three("import fashion_rir", HEAVY)
    assert loaded == []
    assert seconds < 1


def test_the_commands_help_is_quick_and_loads_nothing_large():
    statement = (
        "from typer.testing import CliRunner\nfrom fashion_rir.command_line import app\n"
        "assert 'embed' in CliRunner().invoke(app, ['--help']).output"
    )
    loaded, seconds = best_of_three(statement, HEAVY)
    assert loaded == []
    assert seconds < 2


def test_what_does_not_train_loads_no_network_library():
    statement = "\n".join(f"import fashion_rir.{name}" for name in WITHOUT_KERAS)
    assert loaded_by(statement, NETWORKS)[0] == []


@pytest.mark.parametrize(("chosen", "expected"), [(None, "1"), ("0", "0")])
def test_fast_kernels_are_on_unless_the_reader_turned_them_off(chosen, expected) -> None:
    variable = "TF_ENABLE_ONEDNN_OPTS"
    environment = {name: value for name, value in os.environ.items() if name != variable}
    environment |= {} if chosen is None else {variable: chosen}
    code = f"import fashion_rir, os; print(os.environ[{variable!r}])"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == expected
