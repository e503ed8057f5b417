"""Where things lie: the project's folders, a profile's parameters, and its catalogue."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from fashion_rir.data import catalog, own_catalogue, shipped
from fashion_rir.data.drawn import shop
from fashion_rir.data.named_paths import HOME_VARIABLE, named_path
from fashion_rir.data.sources import WHERE_TO_GET_IT
from fashion_rir.errors import (
    CatalogError,
    FashionRirError,
    ParameterError,
    check_seed,
    unknown_name,
)
from fashion_rir.workspace.short_names import short_name

ARCHIVE_VARIABLE = "FASHION_RIR_ARCHIVE"

CATALOGUES = ("drawn", "phone", "shipped", "real")

# What earlier versions called `demo`, and what took its place.
FORMER = {
    "catalogue": "The catalogue 'demo' is now called 'drawn'; the default is 'shipped', the real "
    "products without their photos.",
    "profile": "The profile 'demo' (drawn products, random weights) gave way to 'quick', which "
    "shows real products: run `fashion-rir study --profile quick`. What 'demo' left in data/ and "
    "reports/ can be deleted.",
}


@dataclass(frozen=True)
class Workspace:
    """The project's folders for one profile.

    Attributes:
        root: the folder that holds `notebooks/`, `profiles/`, `data/` and `reports/`.
        profile: `quick`, `sample`, `full`, or another file in `profiles/`; or the name of a
            catalogue of one's own, which `fashion-rir index` has made.
    """

    root: Path
    profile: str

    @property
    def data(self) -> Path:
        """What is read and built: photos, features, models. Never committed."""
        return self.root / "data"

    @property
    def results(self) -> Path:
        """The profile's result records."""
        return self.root / "reports" / self.profile / "results"

    @property
    def figures(self) -> Path:
        """The profile's figures."""
        return self.root / "reports" / self.profile / "figures"

    @property
    def scores(self) -> Path:
        """Per-query scores, for paired comparisons."""
        return self.data / "scores" / self.profile

    @property
    def own_home(self) -> Path:
        """Where a catalogue of one's own is kept, if the profile is the name of one."""
        return own_homes(self.root) / self.profile

    @property
    def is_own(self) -> bool:
        """Whether the profile is a catalogue of one's own."""
        return (self.own_home / "catalogue.json").is_file()

    def feature_store(self, model: str) -> Path:
        """The feature store's file of a model such as `mobilenetv2-128-resize`."""
        return self.data / "features" / self.profile / f"{short_name(model)}.sqlite"

    def onnx_model(self, name: str) -> Path:
        """Where the ONNX export of a model lies."""
        return self.data / "models" / "onnx" / f"{name}.onnx"

    @property
    def trained_models(self) -> Path:
        """The state of the profile's trainings, one folder each. Never committed."""
        return self.data / "models" / self.profile

    def load_catalog(
        self, catalogue: str, *, sample_size: int | None = None, seed: int = 0
    ) -> catalog.Catalog:
        """The catalogue of that name; never one for another.

        Args:
            catalogue: `drawn` (on first use; for tests), `phone` (the shipped photos), `real`
                (named by FASHION_RIR_ARCHIVE), or `shipped`: the real one without its photos, and
                the archive itself where FASHION_RIR_ARCHIVE names it; or the name of the
                workspace's own catalogue.
            sample_size: draw a stratified sample of this many products; all if None.
            seed: of the sample.

        Raises:
            ParameterError: another name, or a seed or sample size out of range.
            CatalogError: the real catalogue is not there or cannot be read.
            ShippedError: a shipped file is missing or changed.
        """
        if self.is_own and catalogue == self.profile:
            return own_catalogue.load(self.own_home)
        if catalogue == "demo":
            raise ParameterError(FORMER["catalogue"])
        if catalogue not in CATALOGUES:
            raise unknown_name("catalogue", catalogue, CATALOGUES)
        check_seed(seed)
        products = self._load(catalogue)
        if sample_size is None:
            return products
        return catalog.sample(products, sample_size, seed=seed)

    def _load(self, catalogue: str) -> catalog.Catalog:
        cache_dir = self.data / "catalog"
        if catalogue == "drawn":
            return catalog.load(shop.generate(self.data / "raw" / "drawn"), cache_dir=cache_dir)
        if catalogue == "phone":
            return shipped.phone_photos(cache_dir)
        if catalogue == "shipped":
            if not os.environ.get(ARCHIVE_VARIABLE):
                return shipped.table()
            return shipped.in_place_of_table(catalog.load(real_path(), cache_dir=cache_dir))
        return catalog.load(real_path(), cache_dir=cache_dir)


def open_workspace(profile: str, root: Path | None = None) -> Workspace:
    """The workspace around the current folder.

    Args:
        profile: a file's name in `profiles/`.
        root: the project's folder; looked for upwards from here if None, or named by
            FASHION_RIR_HOME.

    Raises:
        FashionRirError: no project folder around here.
        ParameterError: no such profile; names the nearest.
    """
    root = root or _find_root()
    known = sorted(file.stem for file in (root / "profiles").glob("*.yaml"))
    if profile not in known and not Workspace(root, profile).is_own:
        if profile == "demo":
            raise ParameterError(FORMER["profile"])
        raise unknown_name("profile", profile, [*known, *own_names(root)])
    return Workspace(root, profile)


def open_own(name: str, root: Path | None = None) -> Workspace:
    """The workspace of a catalogue of one's own, there already or not.

    Args:
        name: of the catalogue.
        root: as for `open_workspace`.

    Raises:
        FashionRirError: no project folder around here.
        ParameterError: a name that is none, or that of a profile.
    """
    root = root or _find_root()
    taken = [*CATALOGUES, *(file.stem for file in (root / "profiles").glob("*.yaml"))]
    if not re.fullmatch(r"\w[\w.-]{0,59}", name) or name.lower() in map(str.lower, taken):
        raise ParameterError(
            f"{name[:80]!r} is no name for a catalogue: use up to 60 letters, digits, '-' and '_', "
            f"and none of {', '.join(sorted(set(taken)))}."
        )
    return Workspace(root, name)


def own_homes(root: Path) -> Path:
    """The folder of all catalogues of one's own. Never committed."""
    return root / "data" / "catalogues"


def own_names(root: Path | None = None) -> list[str]:
    """The catalogues of one's own that are there, in alphabetical order."""
    homes = own_homes(root or _find_root())
    return sorted(file.parent.name for file in homes.glob("*/catalogue.json"))


def real_path() -> Path:
    """Where the real catalogue is, by FASHION_RIR_ARCHIVE.

    Raises:
        CatalogError: the variable is not set.
    """
    named = named_path(os.environ.get(ARCHIVE_VARIABLE))
    if named is None:
        raise CatalogError(f"{ARCHIVE_VARIABLE} is not set; {WHERE_TO_GET_IT}.")
    return named


def _find_root() -> Path:
    named = named_path(os.environ.get(HOME_VARIABLE))
    here = named.resolve() if named else Path.cwd()
    for folder in [here, *here.parents]:
        if (folder / "profiles").is_dir() and (folder / "notebooks").is_dir():
            return folder
    raise FashionRirError(
        f"{here} is not inside the project (no folder with notebooks/ and profiles/ above it); "
        f"go there, or name it in {HOME_VARIABLE}."
    )
