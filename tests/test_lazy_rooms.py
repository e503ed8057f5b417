"""Rooms and their modules are there as soon as the package is."""

import subprocess
import sys

import pytest

from fashion_rir import evaluation, studies


def test_a_rooms_module_is_loaded_when_it_is_asked_for():
    code = (
        "import sys\nfrom fashion_rir import evaluation\n"
        "assert 'fashion_rir.evaluation.metrics' not in sys.modules\n"
        "evaluation.metrics.hit_rate\nassert 'fashion_rir.evaluation.metrics' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_rooms_modules_and_shown_names_are_offered():
    assert {"metrics", "protocols", "rankings"} <= set(dir(evaluation))
    assert "open_study" in dir(studies)
    assert studies.open_study is studies.study.open_study
    assert studies.trained.heads.__name__ == "fashion_rir.studies.trained.heads"


def test_what_a_room_does_not_have_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"fashion_rir.evaluation.*no_such"):
        _ = evaluation.no_such
    assert not hasattr(studies, "__wrapped__")
