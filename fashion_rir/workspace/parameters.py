"""What kind of value each parameter of each notebook takes, checked before anything is computed.

Which of these values make sense (a sample no larger than the catalogue, say) is checked where they
are used.
"""

from collections.abc import Iterable, Mapping
from types import UnionType

import yaml

from fashion_rir.data import own_catalogue
from fashion_rir.errors import ParameterError, unknown_name
from fashion_rir.workspace.folders import Workspace

# A type, or several; [kind]: a list of them; (kind, kind): a row of so many; {name: kind}: a
# mapping with these names, or with any names if the name is `str`.
Kind = type | UnionType | list | tuple | dict

PROFILE: dict[str, Kind] = {"profile": str}

CATALOGUE: dict[str, Kind] = PROFILE | {"catalogue": str, "sample_size": int | None, "seed": int}

EMBEDDINGS: dict[str, Kind] = CATALOGUE | {"weights": str, "engine": str}

RESNET50: dict[str, Kind] = EMBEDDINGS | {"resnet50_image_size": int}

END_TO_END: dict[str, Kind] = {
    "tuned_backbone": str,
    "tuned_image_size": int,
    "tuned_sample": int | None,
    "tuned_epochs": int | None,
}

KINDS: dict[str, dict[str, Kind]] = {
    "01-eda": CATALOGUE,
    "02-pretrained-baselines": RESNET50,
    "03-similarity-and-thresholds": RESNET50 | {"n_queries": int, "n_outsiders": int},
    "04-label-fine-tuning": RESNET50
    | END_TO_END
    | {"n_seeds": int, "ablation_runs": [str], "head_epochs": int},
    "05-contrastive-training": EMBEDDINGS
    | END_TO_END
    | {
        "thesis_runs": [str],
        "view_image_size": int,
        "view_sample": int | None,
        "n_views": int,
        "view_epochs": int,
        "view_grid": [(int, float)],
    },
    "06-evaluation": RESNET50 | {"head_epochs": int, "trained_models": [str]},
    "07-t-sne": RESNET50
    | {"stored": {str: str}, "perplexities": [float], "map_seeds": [int], "n_asked": int},
    "08-beyond-the-thesis": RESNET50
    | {
        "n_seeds": int,
        "head_epochs": int,
        "contrastive": {
            "batch_size": int,
            "products_per_class": int,
            "epochs": int,
            "n_seeds": int,
        },
        "tuned": {
            "backbone": str,
            "image_size": int,
            "sample": int | None,
            "epochs": int | None,
            "runs": [str],
        },
        "classical": {
            "descriptors": [str],
            "n_words": int,
            "n_pictures": int,
            "n_clusters": [int],
        },
        "improved": {
            "wide_image_size": int,
            "n_validation": int,
            "whitened_dims": [int],
            "n_candidates": int,
            "gem_image_size": int,
            "n_reranked": int | None,
        },
        "image_plan": [(str, int, str)],
        "scratch": {"networks": [str], "image_size": int, "sample": int | None, "epochs": int},
        "n_photos": int,
        "my_photo": str | None,
        "my_box": list | tuple | None,
        "n_cost_pictures": int,
    },
    "09-thesis-ledger": PROFILE | {"shown_verdict": str},
    "10-storefront": CATALOGUE
    | {"weights": str, "backbone": str, "image_size": int, "preprocessing": str},
}

WORDS = {int: "a whole number", float: "a number", str: "text", list: "a list", tuple: "a row",
         type(None): "None"}  # fmt: skip


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
        >>> check("09-thesis-ledger", {"profile": "demo", "shown_verdict": "reproduced"})
        >>> check("09-thesis-ledger", {"profile": "demo", "shown_verdict": 7})
        Traceback (most recent call last):
        fashion_rir.errors.ParameterError: shown_verdict of 09-thesis-ledger must be text, not 7.
    """
    if notebook not in KINDS:
        raise unknown_name("notebook", notebook, KINDS)
    for name, kind in KINDS[notebook].items():
        if name in values:
            _check(kind, values[name], name, notebook)


def profile_parameters(workspace: Workspace, notebook: str) -> dict[str, object]:
    """What papermill injects into a notebook.

    Args:
        workspace: of the profile.
        notebook: its name without ending, such as `02-pretrained-baselines`.

    Returns:
        The values by parameter name.

    Raises:
        ParameterError: the profile's file is no valid YAML of the expected form, or says nothing
            of this notebook (whose own parameters are the demo's, which would then be run); or a
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


def _check(kind: Kind, value: object, place: str, notebook: str) -> None:
    if isinstance(kind, dict):
        _check_mapping(kind, value, place, notebook)
    elif isinstance(kind, list | tuple):
        is_row = isinstance(kind, tuple)
        if not isinstance(value, list | tuple) or (is_row and len(value) != len(kind)):
            raise _wrong_kind(kind, value, place, notebook)
        for position, inner in enumerate(value):
            _check(kind[position if is_row else 0], inner, f"{place}[{position}]", notebook)
    elif isinstance(value, bool) or not isinstance(value, int | kind if kind is float else kind):
        raise _wrong_kind(kind, value, place, notebook)


def _check_mapping(kind: dict, value: object, place: str, notebook: str) -> None:
    if not isinstance(value, dict):
        raise _wrong_kind(kind, value, place, notebook)
    if str in kind:
        kind = dict.fromkeys(value, kind[str])
    for name in value:
        if name not in kind:
            raise unknown_name(f"part of {place} in {notebook}", name, kind)
    for name, inner in kind.items():
        if name not in value:
            raise ParameterError(f"{place} of {notebook} lacks {name!r}; it needs {_words(kind)}.")
        _check(inner, value[name], f"{place}[{name!r}]", notebook)


def _wrong_kind(kind: Kind, value: object, place: str, notebook: str) -> ParameterError:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else f"{shown[:60]}..."
    return ParameterError(f"{place} of {notebook} must be {_words(kind)}, not {shown}.")


def _words(kind: Kind) -> str:
    if isinstance(kind, dict):
        return f"a mapping of {_listed('text' if name is str else name for name in kind)}"
    if isinstance(kind, list):
        return f"a list, each of it {_words(kind[0])}"
    if isinstance(kind, tuple):
        return f"a row of {len(kind)}: {_listed(_words(one) for one in kind)}"
    if isinstance(kind, UnionType):
        return " or ".join(_words(one) for one in kind.__args__)
    return WORDS[kind]


def _listed(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
