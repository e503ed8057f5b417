"""system: what is written past Python, and that the terminal gets its lines back."""

import os
import subprocess
import sys

from fashion_rir.system import standard_error_to


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
