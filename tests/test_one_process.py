"""system: the second process is refused, and a kill leaves no lock behind."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fashion_rir.errors import FashionRirError, TrainingError
from fashion_rir.system import one_process

HOLD = """
import sys, time
from pathlib import Path
from fashion_rir.system import one_process
with one_process(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


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


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FashionRirError, match="cannot be written"), one_process(tmp_path / "none"):
        pass
