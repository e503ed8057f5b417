"""words: models are told apart in words, whatever was done with them."""

import json
from itertools import groupby
from pathlib import Path

import pytest

from fashion_rir.workspace import words

FULL = Path(__file__).parents[2] / "reports" / "full" / "results"

ONE = {"backbone": "resnet50", "image_size": "224", "preprocessing": "pad"}
TWO = {"backbone": "mobilenetv2+resnet50", "image_size": "128+224", "preprocessing": "resize+pad"}
OTHER_TWO = TWO | {"preprocessing": "pad+pad"}
HEAD = {"family": "label-heads", "head": {"hidden": 512}, "searched": "posterior", "seed": "20"}


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (ONE, "ResNet50 224 px padded"),
        (ONE | {"transform": "whiten256"}, "ResNet50 224 px padded, whitened to 256"),
        (TWO, "2 embeddings side by side"),
        (TWO | {"transform": "weighted+whitening"},
         "2 embeddings side by side, weighted, whitened"),
        (TWO | HEAD, "dense head of 512 on 2 embeddings, posterior, seed 20"),
        (TWO | HEAD | {"seed": "20+21+22"},
         "dense head of 512 on 2 embeddings, posterior, 3 seeds averaged"),
        (TWO | HEAD | {"raw_share": "0.05"},
         "dense head of 512 on 2 embeddings, posterior + 5 % of the embeddings, seed 20"),
        (ONE | HEAD | {"head": '{"hidden": null}'},
         "linear probe on ResNet50 224 px padded, posterior, seed 20"),
        (ONE | {"family": "label-end-to-end", "run": "g", "seed": "20", "asked": "unit"},
         "ResNet50 224 px padded tuned on types, run g, asked in unit input mode, seed 20"),
        (ONE | {"family": "label-end-to-end", "run": "g-resnet50-224", "seed": "20"},
         "ResNet50 224 px padded tuned on types, run g, seed 20"),
        ({"backbone": "chance", "image_size": "0", "preprocessing": "none"}, "chance"),
    ],
)  # fmt: skip
def test_a_model_is_called_by_what_its_record_says(model: dict, expected: str) -> None:
    assert words.in_words(model) == expected


def test_lists_of_as_many_embeddings_are_named_where_they_differ() -> None:
    assert words.distinct([TWO | HEAD, ONE]) == [
        "dense head of 512 on 2 embeddings, posterior, seed 20", "ResNet50 224 px padded",
    ]  # fmt: skip
    assert words.legend([TWO | HEAD, ONE]) == [
        "2 embeddings: MobileNetV2 128 px resized + ResNet50 224 px padded"
    ]
    first, second = words.distinct([TWO | HEAD, OTHER_TWO | HEAD])
    assert "MobileNetV2 128 px resized + ResNet50" in first
    assert "MobileNetV2 128 px padded + ResNet50" in second
    assert words.legend([TWO, OTHER_TWO]) == []


def test_the_order_of_embeddings_does_not_matter() -> None:
    turned = {key: "+".join(reversed(value.split("+"))) for key, value in TWO.items()}
    assert len(words.legend([TWO, turned])) == 1


def test_what_words_do_not_tell_apart_keeps_its_name() -> None:
    models = [ONE | {"model": "first"}, ONE | {"model": "second"}]
    assert words.distinct(models) == [
        "ResNet50 224 px padded (first)", "ResNet50 224 px padded (second)",
    ]  # fmt: skip
    seeds = [ONE | HEAD | {"model": seed, "seed": seed} for seed in ("20", "21")]
    assert len({*words.distinct(seeds, with_seed=False)}) == 1


def test_every_committed_model_has_words_of_its_own() -> None:
    records = [json.loads(path.read_text(encoding="utf-8")) for path in FULL.glob("*.json")]
    found = [record["inputs"] for record in records if record["kind"] == "retrieval"]
    assert len(found) > 100
    found.sort(key=lambda inputs: inputs["data_hash"])
    for _, group in groupby(found, lambda inputs: inputs["data_hash"]):
        models = [inputs["model"] for inputs in group]
        named = words.distinct(models)
        pairs = {(name, model["model"]) for name, model in zip(named, models, strict=True)}
        assert len(pairs) == len({*named})
        assert not any(model["model"] in name for name, model in zip(named, models, strict=True)
                       if model["model"] != "chance")  # fmt: skip
