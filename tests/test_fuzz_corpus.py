"""What coverage-guided fuzzing found worth keeping is read, or refused in one sentence."""

import warnings

import pytest
from torture import fuzz


@pytest.mark.parametrize("name", fuzz.READERS)
def test_every_kept_input_is_read_or_explained(name):
    inputs = fuzz.kept(name)
    assert len(inputs) >= 5
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for data in inputs:
            fuzz.READERS[name](data)


@pytest.mark.parametrize("name", fuzz.READERS)
def test_a_fault_that_nobody_explained_passes_through(name, monkeypatch):
    import fashion_rir.data.images
    import fashion_rir.data.sources

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("unexplained")

    monkeypatch.setattr(fashion_rir.data.images, "decode", fail)
    monkeypatch.setattr(fashion_rir.data.sources, "_csv_rows", fail)
    monkeypatch.setattr(fashion_rir.data.sources, "ArchiveSource", fail)
    with pytest.raises(RuntimeError, match="unexplained"):
        fuzz.READERS[name](b"")
