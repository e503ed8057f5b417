"""short_names: names that every file system takes, and two things never by one name."""

from pathlib import Path

from fashion_rir.workspace.short_names import LONGEST, joint_name, short_name

LONG = "dense512-mobilenetv2-128-resize-resnet50-224-pad-seed20-posterior-cosine"


def test_what_is_short_stays_as_it_is() -> None:
    assert short_name("audit", "resnet50-224-pad") == "audit-resnet50-224-pad"
    assert short_name("a" * LONGEST) == "a" * LONGEST


def test_what_is_long_keeps_its_beginning_and_is_told_apart() -> None:
    found = short_name(LONG)
    assert len(found) <= LONGEST
    assert found.startswith("dense512-mobilenetv2-128-resize-resnet50")
    assert short_name(f"{LONG}2") != found == short_name(found)


def test_parts_are_joined_before_they_are_shortened() -> None:
    assert short_name(*LONG.split("-")) == short_name(LONG)


def test_embeddings_side_by_side_are_counted_and_told_apart_by_their_order() -> None:
    assert joint_name(["resnet50-224-pad"]) == "resnet50-224-pad"
    one, turned = joint_name(["a", "b"]), joint_name(["b", "a"])
    assert one.startswith("2-sources-")
    assert one != turned


def test_no_committed_record_has_a_long_name() -> None:
    folder = Path(__file__).parents[2] / "reports" / "full" / "results"
    assert max(len(path.name) for path in folder.iterdir()) <= 60
