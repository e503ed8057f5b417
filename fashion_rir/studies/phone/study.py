"""Notebook 11's experiments, each kept as a record: from the raw networks to the trained heads."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from fashion_rir.data import shipped
from fashion_rir.embedding.photo_head import PhotoHead, alike_vectors, averaged, mean_of_views
from fashion_rir.errors import CatalogError
from fashion_rir.evaluation import rankings
from fashion_rir.studies.phone import heads, results, views
from fashion_rir.studies.phone.changes import AS_IT_IS
from fashion_rir.studies.phone.gallery import PhoneGallery, open_gallery
from fashion_rir.studies.phone.relevance import AGREEMENT, Relevance
from fashion_rir.studies.study import Study
from fashion_rir.training.one_of import Settings
from fashion_rir.workspace import joined_store
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.records import Record
from fashion_rir.workspace.short_names import short_name

KIND = "phone"

SEEDS = (20, 21, 22)

N_PRODUCTS = 16_000  # of the catalogue, that each head is trained on

WITHOUT_LABELS = heads.Trial("none", Settings(epochs=6))

WITH_LABELS = heads.Trial(
    "fine", Settings(hidden=384, dropout=0.4, epochs=14, learning_rate=4e-3), weight=2.0
)

CURVE = (100, 300, 1000, 2000)  # phone photos that are trained on; none and all stand beside them

N_FLOORS = 120  # pictures without a garment, that ask for 'no match'

N_INSIDE = 1000  # test products that ask inside the catalogue

REFUSED_SHARE = 0.05  # of photos of known garments: the false-alarm rate of 'no match'


@dataclass(frozen=True)
class PhoneStudy:
    """What the experiments share.

    Attributes:
        study: its catalogue, seed and folders.
        gallery: the products.
        setting: photos, products and classes.
    """

    study: Study
    gallery: PhoneGallery
    setting: heads.Setting

    @property
    def relevance(self) -> Relevance:
        """Of the catalogue to the labelled photos."""
        return self.gallery.relevance

    @property
    def inputs(self) -> dict[str, object]:
        """What all numbers depend on; each record adds its own."""
        return {
            "profile": self.study.workspace.profile,
            "data_hash": self.study.catalog.data_hash,
            "n_products": len(self.study.catalog),
            "n_queries": len(self.setting.asked.table),
            "n_photos": len(self.setting.more.table),
            "networks": dict(self.gallery.about),
            "seed": self.study.seed,
        }

    def record(
        self,
        about: Mapping[str, object],
        rows: Mapping[str, np.ndarray],
        before: Mapping[str, np.ndarray] | None = None,
        **more: object,
    ) -> Record:
        """Keep what one way to search finds.

        Args:
            about: the fields that say which way it is: `what` (its name), and what else its
                numbers depend on beside the data.
            rows: precision of each query, see `results.found_rows`.
            before: of what it is compared with, query by query.
            more: what else the record holds.
        """
        seed = self.study.seed
        return self.study.record(
            KIND, record_name(about["what"]), {**self.inputs, **about},
            lambda: {
                **results.measured(rows, self.relevance, seed=seed, before=before),
                "chance": self.relevance.chance(),
                "agreement": AGREEMENT,
                **more,
            },
        )  # fmt: skip


def open_phone(study: Study, archive: Path | str) -> PhoneStudy:
    """Photos and products as the shipped networks see them; embedded once and then read.

    Args:
        study: of the real catalogue, with its photos or without.
        archive: a ZIP of phone photos in one folder for each source class, the labelled ones
            among them.

    Raises:
        CatalogError: there is no such archive.
        FashionRirError: a shipped file is missing or changed, or a network cannot be exported.
    """
    if not Path(archive).is_file():
        raise CatalogError(f"There is no ZIP of phone photos {archive}; name one, or None.")
    gallery, folder = open_gallery(study), study.workspace.data / "phone"
    asked = views.labelled_photos(gallery.embed, folder / "labelled.npz")
    more = views.more_photos(Path(archive), asked, gallery.embed, folder / "more.npz")
    columns = gallery.networks["efficientnetlite0"]
    garments = heads.alike_groups(more.views["whole"][:, columns])
    more = replace(more, table=more.table.assign(garment=garments))
    classes = heads.with_kinds(gallery.relevance.classes, gallery.groups)
    sample, is_fit = gallery.sample(N_PRODUCTS), study.parts.is_fit
    setting = heads.Setting(classes, gallery.groups, sample, is_fit, more, asked)
    return PhoneStudy(study, gallery, setting)


def measure(study: Study, archive: Path | str) -> PhotoHead:
    """Make all records of notebook 11 anew: about twenty minutes on two cores, the first time.

    Args:
        study: of the real catalogue.
        archive: as for `open_phone`.

    Returns:
        The shop's head, trained on all photos; what `data/shipped/make.py` ships.
    """
    phone = open_phone(study, archive)
    score_networks(phone)
    score_changes(phone)
    blind = score_heads(phone, WITHOUT_LABELS)
    score_among_garments(phone, blind)
    fine = score_heads(phone, WITH_LABELS)
    score_heads(phone, replace(WITH_LABELS, knows="coarse"), seeds=SEEDS[:1])
    for n_photos in CURVE:
        score_heads(phone, replace(WITH_LABELS, n_photos=n_photos), seeds=SEEDS[:1])
    score_embeddings(phone, {"none": blind, "fine": fine})
    head = final_head(phone, WITH_LABELS, fine)
    measure_no_match(phone, head, fine)
    inside_catalogue(phone, head)
    return head


def record_name(what: str) -> str:
    """The name of the record of one way to search.

    Example:
        >>> record_name("raw both whole")
        'phone-raw-both-whole'
    """
    return short_name(KIND, what.replace(" ", "-"))


def read(folder: Path, what: str) -> Record:
    """The record of one way to search.

    Args:
        folder: a profile's results.
        what: the way, such as `raw both whole`.

    Raises:
        RecordError: no run has left one.
    """
    return result_records.read(folder, record_name(what))


def score_networks(phone: PhoneStudy) -> None:
    """The networks as they are, asked by whole photos, by cut-outs, and by both."""
    asked = phone.setting.asked
    for network in (*phone.gallery.networks, "both"):
        before = None
        for view, names in heads.RAW_VIEWS.items():
            vectors = np.mean([asked.views[name] for name in names], axis=0)
            rows = phone.gallery.found(vectors, network)
            about = {"what": f"raw {network} {view}", "network": network, "view": view,
                     "ranking": "embedding"}  # fmt: skip
            phone.record(about, rows, before)
            before = before or rows


def score_changes(phone: PhoneStudy) -> None:
    """Both networks as they are, asked by photos of which one thing was changed."""
    photos = shipped.phone_photos()
    embedded = phone.gallery.embed_changes(photos, range(len(photos)))
    rows = {name: phone.gallery.found(vectors) for name, vectors in embedded.items()}
    for name, found in rows.items():
        about = {"what": f"changed {name}", "change": name, "ranking": "embedding"}
        phone.record(about, found, None if name == AS_IT_IS else rows[AS_IT_IS])


def score_heads(
    phone: PhoneStudy, trial: heads.Trial, *, seeds: Sequence[int] = SEEDS
) -> dict[str, np.ndarray]:
    """Heads of several seeds, asked by photos that they never saw, ranked by products' labels.

    Each seed has its own folds. A record is kept of what the seeds say together (the geometric
    mean of their answers), with the mean of each seed's own precision beside it, and one for each
    other way to ask them, compared with the shipped one.

    Returns:
        The posteriors together, by label.
    """
    said = [heads.cross_validated(phone.setting, trial, seed=seed) for seed in seeds]
    name = trial.knows if trial.n_photos is None else f"{trial.knows} {trial.n_photos}"
    described = {**asdict(trial), "n_products_trained": phone.setting.catalogue.n_products}
    about = {"trial": described, "knows": trial.knows, "seeds": list(seeds),
             "n_folds": heads.N_FOLDS, "ranking": "labels"}  # fmt: skip
    each = [label_rows(phone, one["shipped"]) for one in said]
    of_each = {key: [results.rounded(one[key].mean()) for one in each] for key in each[0]}
    together = {way: mean_of_views([one[way] for one in said]) for way in heads.WAYS}
    shipped_rows = label_rows(phone, together["shipped"])
    phone.record({**about, "what": name, "way": "shipped"}, shipped_rows, of_each_seed=of_each)
    if len(seeds) > 1:
        for way in list(heads.WAYS)[1:]:
            rows = label_rows(phone, together[way])
            phone.record({**about, "what": f"{name} {way}", "way": way}, rows, shipped_rows)
    return together["shipped"]


def label_rows(phone: PhoneStudy, posteriors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Precision of each query, products ranked by their own labels."""
    return results.found_rows(phone.relevance, results.by_labels(posteriors, phone.relevance))


def score_among_garments(phone: PhoneStudy, said: Mapping[str, np.ndarray]) -> None:
    """The way without labels, told that a photo shows a garment of one of the ten kinds.

    Args:
        phone: the study.
        said: from `score_heads`.
    """
    names = np.concatenate([list(types) for types in phone.setting.groups.values()])
    is_garment = np.isin(phone.setting.classes["articleType"], names)
    types = said["articleType"] * is_garment
    types = (types / types.sum(axis=1, keepdims=True)).astype(np.float32)
    about = {"what": "none among garments", "knows": "none", "seeds": list(SEEDS),
             "ranking": "labels", "types": int(is_garment.sum())}  # fmt: skip
    phone.record(about, label_rows(phone, {**said, "articleType": types}), label_rows(phone, said))


def score_embeddings(phone: PhoneStudy, said: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """What is found without the products' own labels: a product is what a head says of it.

    That head has seen the catalogue only.

    Args:
        phone: the study.
        said: by what is known of the photos, the posteriors of the queries.
    """
    nobody = np.zeros(len(phone.setting.more.table), dtype=bool)
    head = heads.train(phone.setting, WITHOUT_LABELS, nobody, seed=SEEDS[0])
    products = np.asarray(phone.setting.catalogue.features, dtype=np.float32)
    known = alike_vectors(head.posteriors(products))
    for knows, posteriors in said.items():
        rows = results.found_rows(
            phone.relevance, results.by_cosine(alike_vectors(posteriors), known)
        )
        about = {"what": f"{knows} by embedding", "knows": knows, "seeds": list(SEEDS),
                 "ranking": "embedding"}  # fmt: skip
        phone.record(about, rows)


def final_head(phone: PhoneStudy, trial: heads.Trial, said: Mapping[str, np.ndarray]) -> PhotoHead:
    """The shop's head: trained on all photos, of several seeds as one.

    Args:
        phone: the study.
        trial: how it is trained.
        said: by such heads of photos that they never saw, from which the least confidence follows.
    """
    everybody = np.ones(len(phone.setting.more.table), dtype=bool)
    trained = [heads.train(phone.setting, trial, everybody, seed=seed) for seed in SEEDS]
    whole = averaged(trained)
    about = {
        "networks": list(phone.gallery.about),
        "views": list(heads.VIEWS),
        "least_confidence": results.rounded(_least_confidence(said)),
        "refused_share": REFUSED_SHARE,
        "n_labelled": int(phone.setting.more.table["articleType"].notna().sum()),
    }
    return replace(whole, about={**whole.about, **about})


def measure_no_match(phone: PhoneStudy, head: PhotoHead, known: Mapping[str, np.ndarray]) -> Record:
    """At which confidence a shop says 'no match', and what it then refuses, as a record.

    Args:
        phone: the study.
        head: from `final_head`; it is asked by floors and walls.
        known: posteriors of the labelled photos, each by a head that never saw it.
    """
    pipeline = phone.gallery.pipeline(head.rounded())
    floors = views.floors(phone.study, N_FLOORS)
    confidence = np.array([pipeline.query(floor).confidence for floor in floors])
    least = _least_confidence(known)
    refused = {"n_photos": len(floors), "share": results.rounded((confidence < least).mean())}
    content = {
        "least_confidence": results.rounded(least),
        "refused_share": REFUSED_SHARE,
        "refused": {"floors and walls beside the garments": refused},
    }
    inputs = {**phone.inputs, "what": "no match", "head": dict(head.about), "n_floors": N_FLOORS}
    return phone.study.record(KIND, record_name("no match"), inputs, lambda: content)


def inside_catalogue(phone: PhoneStudy, head: PhotoHead) -> Record:
    """How the catalogue is ranked asked by its own test products, as a record.

    Args:
        phone: the study.
        head: trained on none of the test products.

    Returns:
        A record with the mAP by articleType of the networks' `stored` embeddings, of the `head`'s
        answers, and of the `joined` embedding, by which the shop searches for its own products.
    """
    catalog, stored = phone.study.catalog, phone.setting.catalogue.features
    model = joined_store.open_model()
    sources = [joined_store.open_source(name).embedded(catalog).vectors for name in model.sources]
    ways = {"stored": stored, "head": alike_vectors(head.posteriors(stored)),
            "joined": model.vectors(sources)}  # fmt: skip
    asking = np.flatnonzero(phone.study.parts.is_test)
    queries = np.sort(np.random.default_rng(phone.study.seed).permutation(asking)[:N_INSIDE])
    codes, found = phone.relevance.product_codes["articleType"], {}
    for name, vectors in ways.items():
        scores = results.by_cosine(vectors[queries], vectors)
        order = ((queries[i : i + 1], np.argsort(-scores([i]), axis=1, kind="stable"))
                 for i in range(len(queries)))  # fmt: skip
        found[name] = results.rounded(rankings.mean_average_precision(order, codes))
    inputs = {**phone.inputs, "what": "inside the catalogue", "head": dict(head.about),
              "joined": model.sha256, "n_queries": len(queries)}  # fmt: skip
    name = record_name("inside the catalogue")
    return phone.study.record(KIND, name, inputs, lambda: {"mAP": found})


def _least_confidence(said: Mapping[str, np.ndarray]) -> float:
    """Under it are as many of the known garments as may be refused."""
    return float(np.quantile(said["articleType"].max(axis=1), REFUSED_SHARE))
