"""system: cores that may be used, a folder to oneself, standard error, whole files, hashes."""

import ast
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fashion_rir
from fashion_rir import system
from fashion_rir.errors import FashionRirError, RecordError, TrainingError
from fashion_rir.system import one_process, standard_error_to, whole_file, write_text

PACKAGE = Path(fashion_rir.__file__).parent

HOLD = """
import sys, time
from pathlib import Path
from fashion_rir.system import one_process
with one_process(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


# --- cores ---


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
            assert path.name == "system.py" or not is_asked, path


# --- a folder to oneself ---


def test_a_folder_can_be_taken_again_and_again(tmp_path: Path) -> None:
    for _ in range(2):
        with one_process(tmp_path):
            pass
    assert (tmp_path / "lock").stat().st_size == 0


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_second_process_is_refused_until_the_first_one_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(TrainingError, match=r"in use by another process.*wait for its end"),
            one_process(tmp_path, TrainingError),
        ):
            pass
        holder.send_signal(signal.SIGKILL)
    with one_process(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FashionRirError, match="cannot be written"), one_process(tmp_path / "file"):
        pass


# --- standard error ---


def test_lines_of_this_process_and_its_children_go_to_the_file(tmp_path, capfd):
    path = tmp_path / "log"
    try:
        with standard_error_to(path):
            os.write(2, b"one\n")
            subprocess.run([sys.executable, "-c", "import os; os.write(2, b'two')"], check=True)
            raise KeyError
    except KeyError:
        os.write(2, b"three")
    assert path.read_text(encoding="utf-8").split() == ["one", "two"]
    assert capfd.readouterr().err == "three"


# --- whole files ---


def test_a_text_is_written_with_its_folder_and_the_same_line_ends(tmp_path: Path) -> None:
    write_text(tmp_path / "new" / "a.md", "ä\nb\n")
    assert (tmp_path / "new" / "a.md").read_bytes() == b"\xc3\xa4\nb\n"
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["a.md"]


def test_what_is_broken_off_leaves_the_earlier_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), whole_file(path) as partial:
        partial.write_text("ne")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_a_file_that_is_being_written_is_not_found_by_its_ending(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a.json") as partial:
        partial.write_text("{")
        assert partial.parent == tmp_path
        assert not list(tmp_path.glob("*.json"))


def test_a_place_that_cannot_be_written_is_named_in_the_type_asked_for(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RecordError, match=r"Cannot write .*a\.txt \(.*\); what was there is as"):
        write_text(tmp_path / "file" / "a.txt", "new", RecordError)
    with pytest.raises(FashionRirError, match="Cannot write"):
        write_text(tmp_path / "file" / "a.txt", "new")


def test_a_library_may_insist_on_the_ending_of_the_name_it_writes_to(tmp_path: Path) -> None:
    with whole_file(tmp_path / "a.npz", ending=".npz") as partial:
        np.savez(partial, [1, 2])
    assert np.load(tmp_path / "a.npz")["arr_0"].tolist() == [1, 2]
    assert [file.name for file in tmp_path.iterdir()] == ["a.npz"]


# --- hashes ---


def test_a_hash_is_that_of_all_parts_one_behind_the_other(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes("ä\x01\x02".encode())
    expected = hashlib.sha256("ä\x01\x02".encode()).hexdigest()
    assert system.sha256_of("ä", b"\x01", np.array([2], dtype=np.uint8)) == expected
    assert system.sha256_of_file(tmp_path / "a") == expected
