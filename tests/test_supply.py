"""What comes from outside is pinned, checked, and never executed."""

import ast
import re
from pathlib import Path

import nbformat
import pytest
import yaml

from fashion_rir import errors
from fashion_rir.embedding import backbones
from fashion_rir.thesis import claims

ROOT = Path(__file__).parents[1]
EXECUTES = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal",
            "jsonpickle"}  # fmt: skip
CALLS = {"eval", "exec", "read_pickle", "to_pickle", "enable_unsafe_deserialization",
         "unsafe_load", "full_load", "system", "popen"}  # fmt: skip
# What reads safely only if it is told so.
NEEDED = {"load": ("allow_pickle", False), "load_model": ("safe_mode", True)}
SAVERS = {"save", "savez", "savez_compressed"}


def unsafe(code: str) -> list[str]:
    """What could execute a file's content, each with its line."""
    found = []
    for node in ast.walk(ast.parse(code)):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Import):
            names = {alias.name.partition(".")[0] for alias in node.names} & EXECUTES
            found += [f"{line}: import {name}" for name in sorted(names)]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in EXECUTES:
            found.append(f"{line}: from {node.module}")
        elif isinstance(node, ast.Call):
            found += [f"{line}: {what}" for what in _unsafe_call(node)]
    return found


def _unsafe_call(node: ast.Call) -> list[str]:
    owner = ""
    if isinstance(node.func, ast.Attribute):
        name = node.func.attr
        owner = node.func.value.id if isinstance(node.func.value, ast.Name) else "?"
    else:
        name = getattr(node.func, "id", "")
    given = {
        keyword.arg: keyword.value.value
        for keyword in node.keywords
        if isinstance(keyword.value, ast.Constant)
    }
    is_method = name in ("eval", "exec") and owner  # a network's .eval() reads nothing
    if name in CALLS and not is_method:
        return [name]
    if owner == "torch" and name == "load" and not given.get("weights_only"):
        return ["torch.load without weights_only=True"]
    if given.get("allow_pickle") or given.get("shell") or given.get("safe_mode") is False:
        return [f"{name} with {', '.join(sorted(given))}"]
    if owner == "yaml" and name == "load":
        loaders = [ast.unparse(k.value) for k in node.keywords if k.arg == "Loader"]
        return [] if loaders in (["yaml.CSafeLoader"], ["_LOADER"]) else ["yaml.load"]
    if name == "load_model" or (owner in ("np", "numpy") and name == "load"):
        key, value = NEEDED[name]
        return [] if given.get(key) is value else [f"{name} without {key}={value}"]
    return []


def package_code() -> list[tuple[str, str]]:
    """Every module and notebook, with its Python code."""
    found = [
        (path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8"))
        for folder in ("fashion_rir", "tests/torture", "benchmarks")
        for path in sorted((ROOT / folder).rglob("*.py"))
    ]
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
        found.append((path.name, code))
    return found


def test_nothing_executes_what_it_reads():
    code = package_code()
    assert len(code) > 80
    faults = [f"{name}:{fault}" for name, text in code for fault in unsafe(text)]
    assert faults == []


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("import pickle", "1: import pickle"),
        ("import numpy, joblib.memory", "1: import joblib"),
        ("from pickle import loads", "1: from pickle"),
        ("torch.load(path)", "1: torch.load without weights_only=True"),
        ("np.load(path)", "1: load without allow_pickle=False"),
        ("np.load(path, allow_pickle=True)", "1: load with allow_pickle"),
        ("\nnp.save(path, array, allow_pickle=True)", "2: save with allow_pickle"),
        ("keras.saving.load_model(path)", "1: load_model without safe_mode=True"),
        ("load_model(path, safe_mode=False)", "1: load_model with safe_mode"),
        ("yaml.load(text)", "1: yaml.load"),
        ("eval(text)", "1: eval"),
        ("pd.read_pickle(path)", "1: read_pickle"),
        ("subprocess.run(text, shell=True)", "1: run with shell"),
        ("os.system(text)", "1: system"),
    ],
)
def test_what_could_execute_a_file_is_found(code, fault):
    assert unsafe(code) == [fault]


def test_what_reads_safely_is_no_fault():
    code = "np.load(path, allow_pickle=False)\nyaml.safe_load(text)\nimport json\nmodel.eval()\n"
    code += "yaml.load(text, Loader=yaml.CSafeLoader)\njson.load(file)"
    assert unsafe(code) == []


def test_the_claims_are_read_by_a_safe_loader():
    assert issubclass(claims._LOADER, yaml.SafeLoader | yaml.CSafeLoader)


def test_every_documented_installation_checks_hashes_or_fetches_nothing():
    texts = {
        name: (ROOT / name).read_text(encoding="utf-8")
        for name in ("Makefile", "README.md", "CONTRIBUTING.md")
    }
    for name, text in texts.items():
        lines = re.findall(r"^.*pip install .*$", text, re.M)
        for line in lines:
            is_extra = re.search(r"pip install '?(-e )?'?\.?(fashion-rir)?\[|`pip install -e", line)
            # pip-audit lives in an environment of its own, and nothing imports it.
            is_safe = "--require-hashes" in line or "--no-deps" in line or ".venv/audit" in line
            assert is_safe or is_extra, f"{name}: {line}"
    assert "--require-hashes" in texts["Makefile"]


def test_listed_weights_need_a_sha256(tmp_path):
    listing = '{"schema": 1, "weights": [{"name": "w", "file": "w.h5", "architecture": "VGG16"}]}'
    (tmp_path / "weights.json").write_text(listing, encoding="utf-8")
    with pytest.raises(errors.WeightsError, match=r"no list of weights \(KeyError: 'sha256'\)"):
        backbones._weights_list(tmp_path)
