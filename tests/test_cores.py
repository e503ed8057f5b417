"""cores: what the process may use, and not what the machine has."""

import ast
import os
from pathlib import Path

import pytest

import fashion_rir
from fashion_rir import system

PACKAGE = Path(fashion_rir.__file__).parent


@pytest.fixture
def sixteen(monkeypatch, tmp_path):
    """A machine of sixteen cores, all of them allowed, outside of any container."""
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)
    monkeypatch.setattr(system, "CGROUP", tmp_path)
    return tmp_path


def test_all_cores_where_nothing_bounds_them(sixteen):
    assert system.usable_cores() == 16


def test_of_sixteen_cores_one_may_be_used(sixteen, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5}, raising=False)
    assert system.usable_cores() == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [("200000 100000", 2), ("150000 100000", 2), ("5000 100000", 1), ("max 100000", 16),
     ("", 16), ("no number", 16), ("100000 0", 16), ("9900000 100000", 16)],
)  # fmt: skip
def test_a_container_allows_some_cores_time(sixteen, text, expected):
    (sixteen / "cpu.max").write_text(text, encoding="ascii")
    assert system.usable_cores() == expected


@pytest.mark.parametrize(("quota", "expected"), [("300000", 3), ("-1", 16)])
def test_an_older_container_says_it_in_two_files(sixteen, quota, expected):
    (sixteen / "cpu").mkdir()
    (sixteen / "cpu" / "cpu.cfs_quota_us").write_text(quota, encoding="ascii")
    (sixteen / "cpu" / "cpu.cfs_period_us").write_text("100000", encoding="ascii")
    assert system.usable_cores() == expected


def test_where_no_system_says_it_there_is_at_least_one(monkeypatch, sixteen):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.delattr(os, "process_cpu_count", raising=False)
    assert system.usable_cores() == 16
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert system.usable_cores() == 1


def test_no_pool_is_sized_by_the_machine():
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_asked = isinstance(node, ast.Attribute) and node.attr == "cpu_count"
            assert path.name in ("cores.py", "system.py") or not is_asked, path
