"""download: what arrives is checked, and every failure is one sentence. No network is used."""

import hashlib
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from fashion_rir.data import download
from fashion_rir.errors import CatalogError, FashionRirError, ParameterError

CONTENT = b"a Parquet file"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def fake_hub(*, sha256: str = SHA256, names: tuple[str, ...] = ("data/train.parquet", "README.md")):
    """A module like huggingface_hub whose downloads hold `CONTENT`."""
    hub = ModuleType("huggingface_hub")
    hub.asked = []

    class HfApi:
        def dataset_info(self, name: str, *, files_metadata: bool) -> SimpleNamespace:
            assert (name, files_metadata) == (download.MIRROR, True)
            lfs = SimpleNamespace(sha256=sha256)
            files = [SimpleNamespace(rfilename=file, lfs=lfs) for file in names]
            return SimpleNamespace(siblings=files, sha="revision 1")

    def hf_hub_download(name, file, *, repo_type, revision, local_dir) -> str:
        hub.asked.append((name, file, repo_type, revision))
        path = Path(local_dir) / file
        path.parent.mkdir(parents=True)
        path.write_bytes(CONTENT)
        return str(path)

    hub.HfApi, hub.hf_hub_download = HfApi, hf_hub_download
    return hub


def test_the_mirror_s_files_are_fetched_and_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = fake_hub()
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    assert download.fetch("mirror", tmp_path) == tmp_path / "mirror"
    assert (tmp_path / "mirror" / "data" / "train.parquet").read_bytes() == CONTENT
    # Only the Parquet file, and of the revision whose hashes were read.
    assert hub.asked == [(download.MIRROR, "data/train.parquet", "dataset", "revision 1")]


def test_another_sha256_deletes_the_file_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake_hub(sha256="0" * 64))
    with pytest.raises(CatalogError) as caught:
        download.fetch("mirror", tmp_path)
    assert str(caught.value) == (
        f"train.parquet arrived with SHA-256 {SHA256[:12]}…, the mirror states 000000000000…; it "
        "was deleted. Run the same command again."
    )
    assert not (tmp_path / "mirror" / "data" / "train.parquet").exists()


def test_a_mirror_without_a_parquet_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake_hub(names=("README.md",)))
    with pytest.raises(CatalogError, match="lists no Parquet file; use --source kaggle"):
        download.fetch("mirror", tmp_path)


def test_kaggle_s_folder_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def dataset_download(name: str, *, output_dir: str) -> str:
        assert (name, output_dir) == (download.KAGGLE, str(tmp_path / "kaggle"))
        return output_dir

    kagglehub = SimpleNamespace(dataset_download=dataset_download)
    monkeypatch.setitem(sys.modules, "kagglehub", kagglehub)
    assert download.fetch("kaggle", tmp_path) == tmp_path / "kaggle"


@pytest.mark.parametrize(
    ("source", "client"), [("mirror", "huggingface_hub"), ("kaggle", "kagglehub")]
)
def test_a_missing_client_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, client: str
) -> None:
    monkeypatch.setitem(sys.modules, client, None)  # as if it were not installed
    with pytest.raises(FashionRirError, match=rf"{source} needs .*'\.\[download\]'"):
        download.fetch(source, tmp_path)


def test_without_a_network_one_sentence_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dataset_download(*_: object, **__: object) -> str:
        raise ConnectionError("no route to host")

    kagglehub = SimpleNamespace(dataset_download=dataset_download)
    monkeypatch.setitem(sys.modules, "kagglehub", kagglehub)
    with pytest.raises(CatalogError) as caught:
        download.fetch("kaggle", tmp_path)
    assert str(caught.value) == (
        "The download from kaggle failed (ConnectionError: no route to host); run the same command "
        "again to go on, or download the archive by hand and name it in FASHION_RIR_ARCHIVE."
    )


def test_an_unknown_source_offers_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="did you mean 'kaggle'"):
        download.fetch("kagle", tmp_path)
