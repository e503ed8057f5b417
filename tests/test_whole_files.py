"""system: the new file is there, or the old one as it was."""

from pathlib import Path

import pytest

from fashion_rir.errors import FashionRirError, RecordError
from fashion_rir.system import whole_file, write_text


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
