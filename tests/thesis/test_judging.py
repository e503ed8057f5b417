"""judging: what stands between a number and a verdict, by hand-made records."""

from dataclasses import replace

import pytest

from fashion_rir.thesis import claims, judging
from fashion_rir.thesis.claims import Claim, Place

PATH = ["mAP"]


def record(value: float, half: float = 0.01, *, products: int = 100, **model: str) -> dict:
    inputs = {"data_hash": "x", "n_products": products, "model": model}
    return {
        "name": "one",
        "inputs": inputs,
        "mAP": {"value": value, "low": value - half, "high": value + half},
    }


def claim(**test: object) -> Claim:
    chosen = {"record": "ours", "path": PATH, "rule": "above", "than": 0.5} | test
    return Claim("by-hand", "Section 5.2", "sentence", "So it is.", 0.5, test=claims.Test(**chosen))


def judged(one: Claim, n_all: int = 100, collapsed: dict | None = None, **records: dict):
    return judging.verdict(one, judging.Evidence(records, n_all, collapsed))


STAND_IN = {"backbone": "resnet50", "image_size": "224", "weights": "resnet50-v1.5-pqf-imagenet"}


def test_what_is_not_found_elsewhere_is_not_refuted():
    here, there = record(0.4), record(0.4, **STAND_IN)
    assert judged(claim(), ours=here).verdict == "not reproduced"
    found = judged(claim(), ours=there)
    assert found.verdict == "different set-up"
    assert found.note == "Not the thesis' set-up: stand-in weights of ResNet50."


def test_what_is_found_elsewhere_stands():
    found = judged(claim(), ours=record(0.6, **STAND_IN))
    assert found.verdict == "reproduced" and "stand-in" in found.note


def test_a_reason_why_the_set_up_cannot_matter():
    one = claim(anywhere="Every model is far below.")
    assert judged(one, ours=record(0.4, **STAND_IN)).verdict == "not reproduced"


@pytest.mark.parametrize(
    ("model", "products", "said"),
    [
        ({}, 40, "40 of 100 products"),
        ({"backbone": "resnet50", "image_size": "80"}, 100, "80 of 224 pixels"),
        ({"backbone": "mobilenetv2", "image_size": "128"}, 100, ""),
        (
            {"backbone": "resnet50", "image_size": "224", "family": "label-end-to-end", "run": "g"},
            40,
            "40 of 100 products, batch statistics that had no time to settle",
        ),
        (
            {"backbone": "resnet50", "image_size": "224", "family": "label-end-to-end",
             "run": "g-frozen"},
            100,
            "",
        ),
        (
            {"backbone": "mobilenetv2", "image_size": "224", "family": "label-end-to-end",
             "run": "g-frozen"},
            100,
            "MobileNetV2 in place of ResNet50",
        ),
        (
            {"backbone": "mobilenetv2+resnet50", "family": "label-heads"},
            100,
            "a head on stored embeddings in place of a trained network",
        ),
    ],
)  # fmt: skip
def test_in_what_a_set_up_differs(model: dict, products: int, said: str):
    found = judged(claim(), ours=record(0.4, products=products, **model))
    seed = " One seed." if "family" in model and "heads" not in model["family"] else ""
    assert found.note == (f"Not the thesis' set-up: {said}.{seed}" if said else "")
    assert found.verdict == ("different set-up" if said else "not reproduced")


def test_noise_is_no_difference_of_set_up():
    found = judged(claim(), ours=record(0.495, **STAND_IN))
    assert found.verdict == "inconclusive" and found.note.startswith("Inside the noise.")


def test_a_run_that_came_to_nothing_says_nothing():
    signs = {"broken": ["99 % of random pairs have a similarity above 0.95"]}
    for value in (0.4, 0.6):
        found = judged(claim(), collapsed=signs, ours=record(value, model="broken"))
        assert found.verdict == "inconclusive" and "99 % of random pairs" in found.note


def test_what_the_thesis_leaves_open_may_decide():
    one = claim(rule="number", tolerance=0.05, choices=[Place("other", PATH)])
    assert judged(one, ours=record(0.5)).verdict == "reproduced"  # the other is not there
    assert judged(one, ours=record(0.5), other=record(0.51)).verdict == "reproduced"
    found = judged(one, ours=record(0.5), other=record(0.7))
    assert found.verdict == "inconclusive" and "0.500 to 0.700" in found.note
    assert judged(one, ours=record(0.6), other=record(0.7)).verdict == "not reproduced"
    assert (
        judged(one, ours=record(0.4), other=record(0.7)).verdict == "inconclusive"
    )  # to either side


def test_choices_are_for_one_number():
    with pytest.raises(ValueError, match="'choices' are for one number"):
        claim(record=["ours", "other"], rule="order", choices=[Place("other", PATH)])


def test_a_difference_is_as_sure_as_its_interval():
    """0.04 and 0.02 from the limit, with half an interval of 0.02: 4 and 2 standard errors."""
    chances = [judged(claim(), ours=record(value, 0.0196)).p for value in (0.54, 0.52)]
    assert chances == pytest.approx([6.3e-5, 0.0455], rel=0.01)


def test_a_count_is_sure():
    counted = {"ours": {"name": "one", "inputs": {"data_hash": "x"}, "mAP": 7}}
    assert judged(claim(than=6), **counted).p is None


def test_holm_by_hand():
    """Four tests: 0.01 x 4, 0.02 x 3, 0.03 x 2 (no less than before), 0.5 x 1."""
    found = judging.holm({"a": 0.02, "b": 0.01, "c": 0.03, "d": 0.5})
    assert found == pytest.approx({"b": 0.04, "a": 0.06, "c": 0.06, "d": 0.5})
    assert judging.holm({}) == {}


def test_a_finding_that_many_tests_may_give_is_inconclusive():
    found = judging.Finding("not reproduced", "0.4", p=0.01)
    assert judging.weighed(found) == found
    assert judging.weighed(found, p=0.06).verdict == "inconclusive"
    assert judging.weighed(replace(found, p=None)).verdict == "not reproduced"


def test_what_the_interval_over_types_does_not_bear_out_is_inconclusive():
    one = claim(also=Place("by types", PATH))
    sure = judged(one, ours=record(0.6), **{"by types": record(0.61, 0.05)})
    assert sure.verdict == "reproduced"
    assert sure.ours == "0.600 [0.590, 0.610]; over types 0.610 [0.560, 0.660]"
    wide = {"by types": record(0.61, 0.2, **STAND_IN)}
    found = judged(one, ours=record(0.6), **wide)
    assert found.verdict == "inconclusive" and "stand-in" not in found.note


def test_runs_that_differ_in_more_than_what_is_claimed_say_nothing():
    found = judged(claim(doubt="Steps differ, too."), ours=record(0.6))
    assert found.verdict == "inconclusive" and found.note == "Steps differ, too."


def test_one_seed_is_said():
    model = {"backbone": "resnet50", "image_size": "64", "family": "label-end-to-end", "run": "g"}
    assert judged(claim(), ours=record(0.6, **model)).note.endswith("One seed.")
