"""answers: the study's questions, answered from the committed records."""

from fashion_rir.reporting import answers, readme
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace, open_workspace


def test_every_question_is_answered_by_the_committed_records() -> None:
    found = answers.answers(open_workspace("full"))
    assert [one.question for one in found] == list(answers.QUESTIONS)


def test_an_answer_says_what_its_record_says() -> None:
    workspace = open_workspace("full")
    record = result_records.read(workspace.results, readme.TYPE_FIRST)
    value = record.estimate("held_out", "articleType", "mAP").value
    (found,) = [one.answer for one in answers.answers(workspace) if "labels help" in one.question]
    assert f"to {value:.3f}" in found and found.startswith("Yes")


def test_a_question_whose_record_is_not_there_is_left_out(tmp_path) -> None:
    found = answers.answers(Workspace(tmp_path, "full"))
    assert {one.notebook for one in found} <= {"09-thesis-ledger"}  # all of it not yet measured
