"""The command `fashion-rir`. What takes long to import is imported by the command that needs it."""

import importlib.metadata
import logging
import os
from pathlib import Path
from typing import Annotated

import typer

from fashion_rir.errors import FashionRirError, ParameterError
from fashion_rir.system import standard_error_to

INTERRUPTED = 130  # the exit code that Typer gives to Ctrl-C, without a word

OWN_SEED = 20  # of what is drawn for a catalogue of one's own

BASELINES = "02-pretrained-baselines"  # the notebook whose parameters are those of `embed`

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

data_app = typer.Typer(no_args_is_help=True, help="Check or fetch the catalogue.")

app.add_typer(data_app, name="data")

Profile = Annotated[str, typer.Option(help="quick, sample or full: a file in profiles/.")]
AsPhoto = Annotated[
    bool | None,
    typer.Option(
        "--as-photo/--as-it-is",
        help="Tell what the picture shows and search by products' labels, or by its embedding "
        "alone. [default: as a photo, in the real products, unless a network is named]",
    ),
]
Words = Annotated[str | None, typer.Option(help="What to look for, alone or beside a picture.")]
NamedBackbone = Annotated[
    str | None, typer.Option(help="Network, such as resnet50. [default: mobilenetv2]")
]
NamedPreprocessing = Annotated[str | None, typer.Option(help="resize or pad. [default: resize]")]
Cut = Annotated[bool, typer.Option(help="Cut the garment out of a phone photo.")]
Catalogue = Annotated[
    str | None,
    typer.Option(help="Archive, folder or Parquet; 'phone' for the shipped photos, 'real' for the "
                      "one named by FASHION_RIR_ARCHIVE, 'drawn' for the drawn one. [default: the "
                      "profile's]"),
]  # fmt: skip
Backbone = Annotated[str, typer.Option(help="Network, such as mobilenetv2 or resnet50.")]
Weights = Annotated[
    str | None,
    typer.Option(
        help="imagenet, shipped, none (random), or a weights file. [default: the profile's]"
    ),
]
Preprocessing = Annotated[str, typer.Option(help="resize or pad.")]
Size = Annotated[
    int | None, typer.Option(help="Side of the square input in pixels. [default: the profile's]")
]
Engine = Annotated[
    str | None, typer.Option(help="keras, or onnx (faster on a CPU). [default: the profile's]")
]
Encoder = Annotated[
    Path | None, typer.Option(help="ONNX file of an encoder, in place of a backbone.")
]
EncoderSettings = Annotated[
    str | None,
    typer.Option(help="'size=224 mean=0.5,0.5,0.5 std=0.5,0.5,0.5 layout=NCHW'. "
                      "[default: the YAML beside the encoder]"),
]  # fmt: skip
Measure = Annotated[str, typer.Option(help="cosine, euclidean or manhattan.")]
Scheduler = Annotated[
    str | None,
    typer.Option(help="Address of a dask scheduler, or 'local' for worker processes on this "
                      "machine. [default: this process alone]"),
]  # fmt: skip
Workers = Annotated[
    int | None, typer.Option(help="Processes of a local cluster. [default: one a core]")
]
Seed = Annotated[int | None, typer.Option(help="Seed of random weights. [default: the profile's]")]


def main() -> None:
    """Run the command line; an error that the reader can mend is one sentence and exit code 1."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("papermill").setLevel(logging.ERROR)
    try:
        app()
    except FashionRirError as error:
        typer.secho(f"Error: {error}", fg="red", err=True)
        raise SystemExit(1) from error
    except OSError as error:  # a full or read-only disk, wherever it is met
        typer.secho(
            f"Error: {error.strerror or error} ({error.filename or 'no file named'}); check that "
            "the disk has space and the folder may be written, then run the same command again.",
            fg="red",
            err=True,
        )
        raise SystemExit(1) from error
    except SystemExit as end:
        if end.code == INTERRUPTED:
            typer.secho("Interrupted; run the same command again to go on.", fg="yellow", err=True)
        raise


def _print_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"fashion-rir {importlib.metadata.version('fashion-rir')}")
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version and end.", is_eager=True,
                     callback=_print_version),
    ] = False,
) -> None:  # fmt: skip
    """Reverse image search in a fashion catalogue: run the study, or its parts."""


@app.command()
def study(
    profile: Profile = "quick",
    start: Annotated[
        str | None, typer.Option("--from", help="Begin with this notebook, such as 03.")
    ] = None,
    only: Annotated[str | None, typer.Option(help="Run this notebook only, such as 02.")] = None,
) -> None:
    """Run the notebooks in order and write the report.

    Example: fashion-rir study --profile quick --from 02
    """
    from fashion_rir.reporting import run
    from fashion_rir.workspace.folders import open_workspace

    workspace = open_workspace(profile)
    index = run.run(workspace, run.choose(workspace, first=start, only=only), say=typer.echo)
    typer.echo(f"The report is at {index}")


@app.command()
def report(profile: Profile = "quick") -> None:
    """Write the HTML report again, from what was run.

    Example: fashion-rir report --profile full
    """
    from fashion_rir.reporting import report as pages

    typer.echo(f"The report is at {pages.write(_workspace(profile))}")


@app.command()
def ledger(profile: Profile = "quick") -> None:
    """Judge the thesis' claims by the profile's records (quick: the full run's): ledger.md, .json.

    Example: fashion-rir ledger --profile full
    """
    from fashion_rir.thesis import ledger as verdicts

    for path in verdicts.write(_workspace(profile)):
        typer.echo(path)


@app.command()
def thesis() -> None:
    """Write docs/thesis.md: the thesis' tables and figures, and the cells that show ours.

    Example: fashion-rir thesis
    """
    from fashion_rir.thesis import index as pages

    typer.echo(pages.write(_workspace("full")))


@app.command()
def cards(profile: Profile = "quick") -> None:
    """Write the data card and the model cards from the profile's records.

    Example: fashion-rir cards --profile full
    """
    from fashion_rir.reporting import cards as pages

    paths, missing = pages.write(_workspace(profile))
    for line in (*paths, *missing):
        typer.echo(line)


@app.command()
def readme() -> None:
    """Write the README's table and figure from the records of the full run.

    Example: fashion-rir readme
    """
    from fashion_rir.reporting import readme as page

    typer.echo(page.write(_workspace("full")))


@app.command()
def notebooks(
    files: Annotated[list[Path], typer.Argument(help="Such as notebooks/*.ipynb.")],
) -> None:
    """Execute notebooks as they stand, and tidy them for a commit.

    Example: fashion-rir notebooks notebooks/01-eda.ipynb
    """
    from fashion_rir.reporting import notebooks as committed

    for path in files:
        typer.echo(f"{path} ...")
        if messages := committed.execute_and_clean(path):
            typer.echo(f"{path} wrote to stderr (not kept):\n{''.join(messages)}", err=True)


@data_app.command("check")
def data_check(
    catalogue: Annotated[
        str | None,
        typer.Option(help="Archive, folder or Parquet; 'drawn' for the drawn one. "
                          "[default: the one named by FASHION_RIR_ARCHIVE]"),
    ] = None,
) -> None:  # fmt: skip
    """Read every row and photo; print what was found, repaired and left out.

    Example: fashion-rir data check --catalogue fashion-product-images-small.zip
    """
    from fashion_rir.data import catalog

    found = _load(_workspace(), catalogue or "real")
    table = catalog.report(found)
    width = max(map(len, table["what"]))
    for what, count in table.itertuples(index=False):
        typer.echo(f"{what:<{width}}  {count:>8,}")
    path = _workspace().data / "catalog" / "left-out.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    found.left_out.to_csv(path, index=False)
    typer.echo(f"Left out: {len(found.left_out):,}; each is listed, with the reason, in {path}")
    found.repaired.to_csv(path.with_name("repaired.csv"), index=False)
    if len(found.repaired):
        typer.echo(f"Repaired: {len(found.repaired):,}; listed in {path.with_name('repaired.csv')}")


@data_app.command("fetch")
def data_fetch(
    source: Annotated[str, typer.Option(help="kaggle, or mirror (the Hub's Parquet).")] = "mirror",
) -> None:
    """Download the real catalogue (goes on where an earlier download stopped).

    Example: fashion-rir data fetch --source kaggle
    """
    from fashion_rir.data import download

    path = download.fetch(source, _workspace().data / "raw")
    typer.echo(f"The catalogue is at {path}\nSet FASHION_RIR_ARCHIVE to this path to use it.")


@app.command()
def embed(
    catalogue: Catalogue = None,
    backbone: Backbone = "mobilenetv2",
    weights: Weights = None,
    preprocessing: Preprocessing = "resize",
    image_size: Size = None,
    engine: Engine = None,
    seed: Seed = None,
    profile: Profile = "quick",
    encoder: Encoder = None,
    encoder_settings: EncoderSettings = None,
    number_format: Annotated[
        str, typer.Option(help="float32, or float16 (half the space) for a new store.")
    ] = "float32",
    scheduler: Scheduler = None,
    workers: Workers = None,
) -> None:
    """Embed a catalogue into a feature store (goes on where an earlier run stopped).

    Example: fashion-rir embed --profile full --backbone resnet50 --preprocessing pad
    """
    from fashion_rir.workspace import stores

    if scheduler is not None and encoder is not None:
        raise ParameterError(
            "--encoder and --scheduler do not go together, as workers build a backbone by its "
            "name; leave out one of them."
        )
    workspace = _workspace(profile)
    network = _network(workspace, backbone, weights, image_size, seed)
    engine = engine or _said(workspace, "engine")
    found = _load(workspace, catalogue)
    if scheduler is not None:
        network.pop("seed")  # random weights are refused there
        plan = {**network, "preprocessing": preprocessing, "engine": engine}
        store = _embed_on_cluster(workspace, found, plan, (scheduler, workers), number_format)
        typer.echo(f"{len(store.image_names()):,} embeddings are in {store.path}")
        return
    matrix, metadata = stores.embed(
        workspace, found, _encoder_or_backbone(encoder, encoder_settings, network),
        preprocessing=preprocessing, engine=engine, number_format=number_format,
    )  # fmt: skip
    path = workspace.feature_store(metadata["model"])
    typer.echo(f"{len(matrix):,} embeddings of {matrix.shape[1]:,} numbers are in {path}")


@app.command()
def index(
    folder: Annotated[Path, typer.Argument(help="Holds the photos, in folders or not.")],
    table: Annotated[
        Path | None, typer.Option(help="CSV, Excel or Parquet; one row a product.")
    ] = None,
    columns: Annotated[
        Path | None,
        typer.Option(help="YAML that says what the columns are. [default: drafted]"),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the catalogue. [default: the folder's]")]
    = None,
    backbone: Annotated[
        str | None,
        typer.Option(help="A network, such as mobilenetv2, in place of the joined model."),
    ] = None,
    weights: Annotated[str, typer.Option(help="imagenet, none (random), or a file.")] = "imagenet",
    preprocessing: Preprocessing = "resize",
    image_size: Size = None,
    encoder: Encoder = None,
    encoder_settings: EncoderSettings = None,
) -> None:  # fmt: skip
    """Make a catalogue of your own photos, to be searched; run again, it takes in what is new.

    Example: fashion-rir index photos --table products.csv --name my-shop
    """
    from fashion_rir.workspace import indexing, joined_store
    from fashion_rir.workspace.folders import open_own

    workspace = open_own(name or indexing.name_of(folder))
    network = {"backbone": backbone, "weights": weights, "image_size": image_size, "seed": OWN_SEED}
    listing = indexing.list_products(folder, table, columns, typer.echo)
    if backbone is None and encoder is None and joined_store.is_here():
        embedder, about = None, joined_store.metadata(joined_store.open_model())
    else:
        network["backbone"] = backbone or "mobilenetv2"
        embedder = _encoder_or_backbone(encoder, encoder_settings, network)
        about = embedder.metadata(preprocessing)
    parameters = {"catalogue": workspace.profile, "sample_size": None, "seed": OWN_SEED,
                  "weights": weights, "backbone": about["backbone"], "engine": "onnx",
                  "image_size": about["image_size"],
                  "preprocessing": about["preprocessing"]}  # fmt: skip
    indexing.index(workspace, listing, embedder, parameters, typer.echo)
    typer.echo(f"See it by `fashion-rir storefront --catalogue {workspace.profile}`")


@app.command()
def sweep(
    model: Annotated[
        list[str],
        typer.Option(help="Stored embeddings, such as mobilenetv2-128-resize; repeat for several."),
    ],
    hidden: Annotated[list[int], typer.Option(help="Width of the hidden layer; 0 for none.")],
    seeds: Annotated[list[int], typer.Option("--seed", help="Seed of a training.")],
    catalogue: Catalogue = None,
    epochs: Annotated[int, typer.Option(help="Epochs of each training.")] = 12,
    label: Annotated[str, typer.Option(help="What the heads learn to tell.")] = "articleType",
    profile: Profile = "quick",
    scheduler: Scheduler = "local",
    workers: Workers = None,
) -> None:
    """Train heads over widths and seeds, on several processes or machines.

    Example: fashion-rir sweep --profile full --model resnet50-224-pad --hidden 0 --hidden 512
    --seed 20 --seed 21
    """
    from fashion_rir.embedding import cluster
    from fashion_rir.embedding.store import FeatureStore
    from fashion_rir.studies.study import Study
    from fashion_rir.studies.trained import head_sweep

    workspace = _workspace(profile)
    found = _load(workspace, catalogue)
    stores = [FeatureStore.open(workspace.feature_store(name)) for name in model]
    models = [(store.load(found.products["image_name"])[1], store.metadata) for store in stores]
    runs = list(head_sweep.grid(hidden, seeds, epochs=epochs))
    with cluster.connect(scheduler, n_workers=workers) as client:
        records = head_sweep.run(client, Study(workspace, found, seeds[0]), models, runs,
                                 label=label)  # fmt: skip
    table = head_sweep.accuracy_table(records)
    typer.echo(f"{profile}: accuracy on the test products, by {label}")
    typer.echo(table.to_string(index=False, float_format="{:.3f}".format))


@app.command()
def search(
    image: Annotated[Path | None, typer.Argument(help="The picture to search with.")] = None,
    words: Words = None,
    catalogue: Catalogue = None,
    backbone: NamedBackbone = None,
    weights: Weights = None,
    preprocessing: NamedPreprocessing = None,
    image_size: Size = None,
    measure: Measure = "cosine",
    k: Annotated[int, typer.Option("-k", help="How many products.")] = 10,
    seed: Seed = None,
    profile: Profile = "quick",
    as_photo: AsPhoto = None,
    cut: Cut = True,
) -> None:
    """Find the products that look like a picture.

    Example: fashion-rir search photo.jpg
    Example: fashion-rir search photo.jpg --profile full --backbone resnet50 --preprocessing pad
    Example: fashion-rir search --words "blue kurta" --profile full
    """
    from fashion_rir.data import images
    from fashion_rir.workspace import photo_search

    if image is None and words is None:
        raise ParameterError("Name a picture, or say by --words what to look for.")
    query = None if image is None else images.decode(image)
    workspace = _workspace(_profile_of(catalogue, profile))
    is_plain = (backbone, weights, preprocessing, image_size, words) == (None,) * 5
    if query is not None and (as_photo or is_plain and as_photo is None):
        products = _asked_by_photo(workspace, catalogue)
        if as_photo or _goes_as_photo(products):
            return _search_by_photo(workspace, products, query, (k, cut))
    products = _load(workspace, catalogue)
    if words is not None:
        found, n_products = photo_search.by_words(workspace, products, words, query, k)
        _show_products(found, f"{workspace.profile}: the {len(found)} of {n_products:,} products "
                       f"that go best with {words!r}")  # fmt: skip
        return
    embedder, preprocessing = _asked_by(
        workspace, (backbone, weights, image_size, seed), preprocessing
    )
    found, n_products = photo_search.nearest(workspace, products, query, (embedder, preprocessing),
                                             (measure, k))  # fmt: skip
    about = embedder.metadata(preprocessing)
    _show_products(found, f"{workspace.profile}: the {len(found)} nearest of {n_products:,} "
                   f"products by {about['model']} ({about['weights']}), {measure}")  # fmt: skip


def _asked_by(workspace, network: tuple, preprocessing: str | None) -> tuple:
    """What embeds a picture as the products were embedded, and how it becomes square."""
    from fashion_rir.data import own_catalogue
    from fashion_rir.workspace import photo_search

    if workspace.is_own:
        return photo_search.own_model(workspace, own_catalogue.parameters(workspace.own_home))
    backbone, *others = network
    built = _build(_network(workspace, backbone or "mobilenetv2", *others))
    return built, preprocessing or "resize"


def _asked_by_photo(workspace, catalogue: str | None):
    """The products that a photo is searched in by what it shows; photos of them are not needed."""
    if catalogue is None and not workspace.is_own:
        catalogue = str(_said(workspace, "catalogue"))
    return _load(workspace, catalogue)


def _goes_as_photo(products) -> bool:
    """Whether these are the real products, and what tells a photo has come with the project."""
    from fashion_rir.embedding import shipped_models
    from fashion_rir.workspace import joined_store

    return joined_store.is_here() and bool(shipped_models.open_model(
        joined_store.open_model().sources[0]).is_known(products).any())  # fmt: skip


def _search_by_photo(workspace, products, photo, how: tuple[int, bool]) -> None:
    """Ask products by what a shopper's photo shows, and say what that is."""
    from fashion_rir.workspace import joined_store, photo_search

    k, cut = how
    with standard_error_to(Path(os.devnull)):  # TensorFlow speaks where an export is made
        joined_store.export(workspace)
    pipeline = photo_search.open_pipeline(workspace)
    asked = pipeline.query(photo, is_cut=cut)
    typer.echo(pipeline.said(asked))
    for row in photo_search.by_photo(pipeline, products, asked, k).itertuples():
        typer.echo(f"{row.id:>6}  {row.articleType:<20.20}  {row.baseColour!s:<12.12}  "
                   f"{row.productDisplayName}")  # fmt: skip


def _show_products(found, head: str) -> None:
    """A table of products, closest first."""
    typer.echo(f"{head}\n{'id':>6}  {'distance':>9}  {'articleType':<20}  productDisplayName")
    texts = ["articleType", "productDisplayName"]
    for row in found.assign(**found[texts].fillna("")).itertuples():
        typer.echo(f"{row.shown_id:>6}  {row.distance:9.4f}  {row.articleType:<20.20}  "
                   f"{row.productDisplayName}")  # fmt: skip


@app.command()
def storefront(
    profile: Profile = "quick",
    catalogue: Annotated[
        str | None, typer.Option(help="The name of your own, from `fashion-rir index`.")
    ] = None,
    port: Annotated[int, typer.Option(help="The next free one is taken if it is in use.")] = 8866,
    ip: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
    serve: Annotated[bool, typer.Option(help="Only prepare it with --no-serve.")] = True,
) -> None:
    """Show the shop to search by photo as a web page, on this machine only.

    Example: fashion-rir storefront --profile full --port 8000
    """
    from fashion_rir.storefront import prepare, server
    from fashion_rir.studies.analysis import tsne
    from fashion_rir.workspace.parameters import profile_parameters

    workspace = _own_workspace(catalogue) if catalogue else _workspace(profile)
    parameters = profile_parameters(workspace, server.NOTEBOOK)
    if not server.is_loopback(ip):
        typer.secho(server.WARNING.format(ip=ip), fg="yellow", err=True)
    prepare.prepare(workspace, parameters, say=typer.echo, make_map=tsne.map_for_shop)
    if serve:
        server.serve(workspace, parameters, ip=ip, port=port, open_browser=browser)


@app.command()
def evaluate(
    profile: Profile = "quick",
    protocol: Annotated[str, typer.Option(help="held_out or thesis.")] = "held_out",
    label: Annotated[str, typer.Option(help="What makes a product relevant.")] = "articleType",
) -> None:
    """Print the tables of all models from the profile's records, one for each set of products.

    Example: fashion-rir evaluate --profile full --label baseColour
    """
    from fashion_rir.errors import RecordError
    from fashion_rir.reporting import headline
    from fashion_rir.workspace import records as result_records
    from fashion_rir.workspace import tables, words

    workspace = _workspace(profile)
    groups = result_records.read_by_products(workspace.results, "retrieval")
    chosen = [[one for one in group if one.has_scores(protocol, label)]
              for group in groups]  # fmt: skip
    n_without = sum(map(len, groups)) - sum(map(len, chosen))
    if not any(chosen):
        raise RecordError(
            f"None of the {n_without} retrieval records of the profile {profile} was scored by "
            f"{label!r} under {protocol!r}; take another label or protocol."
        )
    for records in filter(None, chosen):
        table = headline.scores(records, protocol=protocol, label=label)
        shown = table[["model", "measure", "queries", *headline.METRICS]]
        trained = tables.trained_weights(table["weights"])
        side_by_side = words.legend(record["inputs"]["model"] for record in records)
        of = f"{records[0]['inputs']['n_products']:,} products"
        typer.echo(f"{profile}: {protocol}, relevant by {label}, {of}")
        typer.echo(shown.to_string(index=False, float_format="{:.3f}".format))
        typer.echo("\n".join((*side_by_side, f"Weights: {', '.join(trained) or 'none'}\n")))
    if n_without:
        typer.echo(f"{n_without} records are left out: they were not scored so.")


def _profile_of(catalogue: str | None, profile: str) -> str:
    """The name of a catalogue of one's own, if one is named; else the profile."""
    from fashion_rir.workspace.folders import own_names

    return catalogue if catalogue in own_names() else profile


def _own_workspace(name: str):
    """The workspace of a catalogue that `index` has made."""
    from fashion_rir.errors import unknown_name
    from fashion_rir.workspace.folders import own_names

    if name not in own_names():
        if not own_names():
            raise ParameterError(
                f"There is no catalogue {name!r}; make it by `fashion-rir index FOLDER --name "
                f"{name}`, or name a profile by --profile."
            )
        raise unknown_name("catalogue", name, own_names())
    return _workspace(name)


def _workspace(profile: str = "quick"):
    from fashion_rir.workspace.folders import open_workspace

    return open_workspace(profile)


def _said(workspace, name: str) -> object:
    """What the profile says of the pretrained networks."""
    from fashion_rir.workspace.parameters import profile_parameters

    parameters = profile_parameters(workspace, BASELINES)
    if name not in parameters:
        raise ParameterError(
            f"profiles/{workspace.profile}.yaml gives {BASELINES} no {name}; add it there."
        )
    return parameters[name]


def _network(
    workspace, backbone: str, weights: str | None, image_size: int | None, seed: int | None
) -> dict:
    """What makes a backbone: what is said, else what the profile says, else its usual size."""
    from fashion_rir.workspace.parameters import profile_parameters

    said = profile_parameters(workspace, BASELINES)
    usual = said.get("second_image_size") if said.get("second_network") == backbone else None
    return {
        "backbone": backbone,
        "weights": weights or _said(workspace, "weights"),
        "image_size": usual if image_size is None else image_size,
        "seed": _said(workspace, "seed") if seed is None else seed,
    }


def _build(network: dict):
    """A backbone; what TensorFlow's C++ code says of missing GPUs when it wakes is not shown."""
    with standard_error_to(Path(os.devnull)):
        from fashion_rir.embedding import backbones

        return backbones.build(network.pop("backbone"), **network)


def _encoder_or_backbone(encoder: Path | None, said: str | None, network: dict):
    """The encoder that is named, else the backbone."""
    if encoder is None:
        if said is not None:
            raise ParameterError("--encoder-settings are of an encoder; name it by --encoder.")
        return _build(network)
    from fashion_rir.embedding.encoder import open_encoder

    return open_encoder(encoder, said)


def _embed_on_cluster(workspace, catalog, network: dict, cluster_of: tuple, number_format: str):
    """The feature store, made by the workers of a cluster; see `embed`."""
    from fashion_rir.embedding import cluster

    plan = cluster.Plan(**network)
    scheduler, n_workers = cluster_of
    with cluster.connect(scheduler, n_workers=n_workers) as client:
        model = cluster.check_workers(client, plan)["model"]
        return cluster.embed_catalog(client, catalog, plan,
                                     path=workspace.feature_store(model),
                                     number_format=number_format)  # fmt: skip


def _load(workspace, catalogue: str | None):
    """The catalogue named on the command line, or the profile's with photos, or its sample."""
    from fashion_rir.data import catalog
    from fashion_rir.data.named_paths import named_path
    from fashion_rir.workspace.folders import CATALOGUES
    from fashion_rir.workspace.parameters import profile_parameters

    if catalogue is None:
        said, seed = profile_parameters(workspace, BASELINES), _said(workspace, "seed")
        named = _said(workspace, "catalogue")
        if said.get("photo_catalogue", named) != named:
            return workspace.load_catalog(said["photo_catalogue"], seed=seed)
        size = _said(workspace, "sample_size")
        return workspace.load_catalog(named, sample_size=size, seed=seed)
    if catalogue in (*CATALOGUES, workspace.profile):
        return workspace.load_catalog(catalogue)
    return catalog.load(named_path(catalogue) or Path(), cache_dir=workspace.data / "catalog")
