"""What kind of value each parameter of each notebook takes, checked before anything is computed.

Which of these values make sense (a sample no larger than the catalogue, say) is checked where they
are used.
"""

from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Strict, TypeAdapter, ValidationError, create_model

from fashion_rir.data import own_catalogue
from fashion_rir.errors import ParameterError, unknown_name
from fashion_rir.workspace.folders import Workspace

# Exact kinds: no text stands for a number, no truth value for 1.
Text = Annotated[str, Strict()]
Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict()]
Truth = Annotated[bool, Strict()]


def _group(**kinds: Any) -> type[BaseModel]:
    """Parameters that belong together; all of them are needed, and no others."""
    fields = {name: (kind, ...) for name, kind in kinds.items()}
    return create_model("Group", __config__=ConfigDict(extra="forbid"), **fields)


PROFILE: dict[str, Any] = {"profile": Text}

CATALOGUE = PROFILE | {"catalogue": Text, "sample_size": Whole | None, "seed": Whole}

# `photo_catalogue`: whose pixels are asked for, where those of `catalogue` are not there.
EMBEDDINGS = CATALOGUE | {"photo_catalogue": Text, "weights": Text, "engine": Text}

NETWORKS = EMBEDDINGS | {"second_network": Text, "second_image_size": Whole}

SOURCES = list[tuple[Text, Whole, Text]]  # backbone, pixels, preprocessing

END_TO_END = {
    "tuned_backbone": Text,
    "tuned_image_size": Whole,
    "tuned_sample": Whole | None,
    "tuned_epochs": Whole | None,
}

# `networks`: backbone, image size and preprocessing of each; `n_queries`: test products that ask.
EVALUATION = CATALOGUE | {
    "weights": Text,
    "engine": Text,
    "networks": list[tuple[Text, Whole, Text]],
    "n_queries": Whole,
}

KINDS: dict[str, dict[str, Any]] = {
    "01-eda": CATALOGUE,
    "02-pretrained-baselines": NETWORKS | {"n_queries": Whole | None},
    "03-similarity-and-thresholds": NETWORKS
    | {
        "second_preprocessing": Text,
        "n_queries": Whole,
        "n_outsiders": Whole,
        "index_measures": list[Text],
    },
    "04-label-fine-tuning": NETWORKS
    | END_TO_END
    | {
        "preprocessings": list[Text],
        "ablation_runs": list[Text],
        "head_names": list[Text],
        "head_epochs": Whole,
        "raw_shares": list[Number],
        "n_seeds": Whole,
        "n_asked": Whole | None,
    },
    "05-contrastive-training": EMBEDDINGS
    | END_TO_END
    | {
        "thesis_runs": list[Text],
        "view_image_size": Whole,
        "view_sample": Whole | None,
        "n_views": Whole,
        "view_epochs": Whole,
        "view_grid": list[tuple[Whole, Number]],
    },
    "06-evaluation": EVALUATION
    | {"head_epochs": Whole, "makes_records": Truth, "trained_models": list[Text]},
    "06b-protocol-audit": EVALUATION | {"table_models": dict[Text, Text]},
    "07-t-sne": NETWORKS
    | {
        "preprocessing": Text,
        "head_epochs": Whole,
        "n_mapped": Whole | None,
        "n_varied": Whole | None,
        "n_placed": Whole,
        "stored": dict[Text, Text],
        "perplexities": list[Number],
        "map_seeds": list[Whole],
        "n_asked": Whole,
    },
    "08-beyond-the-thesis": EMBEDDINGS
    | {
        "joined_sources": SOURCES,
        "head_sources": SOURCES,
        "n_queries": Whole | None,
        "n_validation": Whole,
        "joins": list[Text],
        "n_seeds": Whole,
        "head": _group(
            hidden=Whole, dropout=Number, learning_rate=Number, weight_decay=Number, epochs=Whole
        ),
        "contrastive": _group(
            batch_size=Whole, products_per_class=Whole, epochs=Whole, n_seeds=Whole
        ),
        "tuned": _group(
            backbone=Text,
            image_size=Whole,
            sample=Whole | None,
            epochs=Whole | None,
            runs=list[Text],
        ),
        "scratch": _group(networks=list[Text], image_size=Whole, sample=Whole | None, epochs=Whole),
    },
    "08b-better-searches": NETWORKS
    | {
        "preprocessing": Text,
        "n_queries": Whole | None,
        "classical": _group(
            descriptors=list[Text], n_words=Whole, n_pictures=Whole, n_clusters=list[Whole]
        ),
        "improved": _group(
            sample=Whole | None,
            n_validation=Whole,
            whitened_dims=list[Whole],
            n_candidates=Whole,
            gem_image_size=Whole,
            n_reranked=Whole | None,
        ),
        "directions": list[Whole],
        "image_plan": SOURCES,
        "n_photos": Whole,
        "my_photo": Text | None,
        "my_box": list | tuple | None,
        "n_cost_pictures": Whole,
    },
    "09-thesis-ledger": PROFILE | {"shown_verdict": Text},
    "10-storefront": CATALOGUE
    | {
        "photo_catalogue": Text,
        "weights": Text,
        "backbone": Text,
        "image_size": Whole,
        "preprocessing": Text,
    },
    "11-from-phone-to-shop": CATALOGUE
    | {"n_changed": Whole, "photos_trained": list[Whole], "more_photos": Text | None},
}

WORDS = {Whole: "a whole number", Number: "a number", Text: "text", Truth: "true or false",
         list: "a list", tuple: "a row", type(None): "None"}  # fmt: skip

UNIONS = (UnionType, Union)


def check(notebook: str, values: Mapping[str, object]) -> None:
    """Refuse a parameter of the wrong kind, such as text where a number is needed.

    Args:
        notebook: its name without ending, such as `02-pretrained-baselines`.
        values: some or all of the parameters by name; what else is there, as in a notebook's
            `globals()`, is not looked at.

    Raises:
        ParameterError: a parameter is of the wrong kind; names it, or the place in it, and what it
            takes. Or there is no such notebook.

    Example:
        >>> check("09-thesis-ledger", {"profile": "quick", "shown_verdict": "reproduced"})
        >>> check("09-thesis-ledger", {"profile": "quick", "shown_verdict": 7})
        Traceback (most recent call last):
        fashion_rir.errors.ParameterError: shown_verdict of 09-thesis-ledger must be text, not 7.
    """
    if notebook not in KINDS:
        raise unknown_name("notebook", notebook, KINDS)
    for name, kind in KINDS[notebook].items():
        if name in values:
            try:
                TypeAdapter(kind).validate_python(values[name])
            except ValidationError as error:
                raise _said(error, kind, name, notebook) from error


def profile_parameters(workspace: Workspace, notebook: str) -> dict[str, object]:
    """What papermill injects into a notebook.

    Args:
        workspace: of the profile.
        notebook: its name without ending, such as `02-pretrained-baselines`.

    Returns:
        The values by parameter name.

    Raises:
        ParameterError: the profile's file is no valid YAML of the expected form, or says nothing
            of this notebook (whose own parameters, those of `quick`, would then be run); or a
            value is of the wrong kind.
    """
    if workspace.is_own:
        return {"profile": workspace.profile, **own_catalogue.parameters(workspace.own_home)}
    path = workspace.root / "profiles" / f"{workspace.profile}.yaml"
    try:
        notebooks = yaml.safe_load(path.read_text(encoding="utf-8"))["notebooks"]
        if notebook not in notebooks:
            raise ParameterError(
                f"{path.name} says nothing of the notebook {notebook}; add its parameters there."
            )
        parameters = {"profile": workspace.profile, **(notebooks[notebook] or {})}
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise ParameterError(
            f"{path.name} is no profile: it needs a mapping 'notebooks' from a notebook's name "
            f"to its parameters ({type(error).__name__})."
        ) from error
    if notebook in KINDS:  # and not one that a reader has added
        try:
            check(notebook, parameters)
        except ParameterError as error:
            raise ParameterError(f"{path.name}: {error}") from error
    return parameters


def _said(error: ValidationError, kind: Any, place: str, notebook: str) -> ParameterError:
    """What is wrong, and where: of several mistakes a misspelled name, or else the first."""
    mistakes = error.errors()
    found = next((one for one in mistakes if one["type"] == "extra_forbidden"), mistakes[0])
    *way, last = (*found["loc"], None)
    if found["type"] in ("extra_forbidden", "missing"):
        *way, last = found["loc"]
    for step in way:
        if get_origin(kind) in UNIONS or step == "[key]":  # then the place says enough
            break
        place, kind = f"{place}[{step!r}]", _inner(kind, step)
    if found["type"] == "extra_forbidden":
        return unknown_name(f"part of {place} in {notebook}", last, kind.model_fields)
    if found["type"] == "missing" and isinstance(last, str):
        return ParameterError(f"{place} of {notebook} lacks {last!r}; it needs {_words(kind)}.")
    shown = repr(found["input"])
    shown = shown if len(shown) <= 60 else f"{shown[:60]}..."
    return ParameterError(f"{place} of {notebook} must be {_words(kind)}, not {shown}.")


def _inner(kind: Any, step: int | str) -> Any:
    """The kind of what stands at a place in a list, a row or a mapping."""
    if get_origin(kind) is None:
        field = kind.model_fields[step]
        return Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    inner = get_args(kind)
    return inner[step] if get_origin(kind) is tuple else inner[-1]


def _words(kind: Any) -> str:
    if kind in WORDS:
        return WORDS[kind]
    inner = get_args(kind)
    if get_origin(kind) in UNIONS:
        return " or ".join(map(_words, inner))
    if get_origin(kind) is list:
        return f"a list, each of it {_words(inner[0])}"
    if get_origin(kind) is tuple:
        return f"a row of {len(inner)}: {_listed(map(_words, inner))}"
    return f"a mapping of {_listed(['text'] if get_origin(kind) is dict else kind.model_fields)}"


def _listed(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
