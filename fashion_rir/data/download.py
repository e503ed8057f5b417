"""Get the real catalogue over the network; only when the reader asks.

Both ways use the provider's own client, which goes on where an earlier download stopped. The
mirror's files are then checked against the SHA-256 that the Hub states for each.
"""

from pathlib import Path

from fashion_rir.errors import CatalogError, FashionRirError, network_fault, unknown_name
from fashion_rir.system import sha256_of_file

MIRROR = "ashraq/fashion-product-images-small"

KAGGLE = "paramaggarwal/fashion-product-images-small"

SOURCES = ("mirror", "kaggle")


def fetch(source: str, folder: Path) -> Path:
    """Download the catalogue and check it.

    Args:
        source: `mirror` (Parquet from the Hugging Face hub) or `kaggle` (the archive's folder).
        folder: where to put it; `<folder>/<source>` is made.

    Returns:
        A path that `catalog.load` reads.

    Raises:
        ParameterError: another source.
        FashionRirError: the provider's client is not installed.
        CatalogError: no network, a refusal, or a file whose SHA-256 is not the stated one.
    """
    if source not in SOURCES:
        raise unknown_name("source", source, SOURCES)
    target = folder / source
    try:
        return _from_mirror(target) if source == "mirror" else _from_kaggle(target)
    except FashionRirError:
        raise
    except ImportError as error:
        raise FashionRirError(
            f"Downloading from {source} needs the extra: pip install -e '.[download]'."
        ) from error
    except Exception as error:  # each client raises its own types without a network
        what = network_fault(error) or " ".join(str(error).split())
        raise CatalogError(
            f"The download from {source} failed ({type(error).__name__}: {what}); run the same "
            "command again to go on, or download the archive by hand and name it in "
            "FASHION_RIR_ARCHIVE."
        ) from error


def _from_mirror(target: Path) -> Path:
    import huggingface_hub

    listing = huggingface_hub.HfApi().dataset_info(MIRROR, files_metadata=True)
    wanted = [file for file in listing.siblings if file.rfilename.endswith(".parquet")]
    if not wanted:
        raise CatalogError(f"The mirror {MIRROR} lists no Parquet file; use --source kaggle.")
    for file in wanted:
        path = Path(
            huggingface_hub.hf_hub_download(
                MIRROR, file.rfilename, repo_type="dataset", revision=listing.sha, local_dir=target
            )
        )
        found = sha256_of_file(path)
        if found != file.lfs.sha256:
            path.unlink()
            raise CatalogError(
                f"{path.name} arrived with SHA-256 {found[:12]}…, the mirror states "
                f"{file.lfs.sha256[:12]}…; it was deleted. Run the same command again."
            )
    return target


def _from_kaggle(target: Path) -> Path:
    import kagglehub

    return Path(kagglehub.dataset_download(KAGGLE, output_dir=str(target)))
