"""What the study found, in plain words: its questions, each answered from committed records.

No number is typed in: a sentence whose record is not there is left out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from fashion_rir.errors import RecordError
from fashion_rir.reporting import readme
from fashion_rir.thesis import claims, ledger
from fashion_rir.workspace import records as result_records
from fashion_rir.workspace.folders import Workspace
from fashion_rir.workspace.records import Record


@dataclass(frozen=True)
class Answer:
    """A question and what was found.

    Attributes:
        question: as a reader would ask it.
        answer: some sentences, with numbers.
        notebook: where it is looked into, by the name of its file.
    """

    question: str
    answer: str
    notebook: str


def answers(workspace: Workspace) -> list[Answer]:
    """The answers of a full run.

    Args:
        workspace: of the full profile.

    Returns:
        Those whose records are there.
    """
    found = []
    for question, (say, notebook) in QUESTIONS.items():
        try:
            found.append(Answer(question, say(workspace), notebook))
        except RecordError:  # the list of what is not there yet names the record
            continue
    return found


def _record(workspace: Workspace, name: str) -> Record:
    return result_records.read(workspace.results, name)


def _map(record: Record) -> float:
    return record.estimate("held_out", "articleType", "mAP").value


def _score(record: Record, metric: str, label: str = "articleType") -> str:
    return f"{record.estimate('held_out', label, metric).value:.3f}"


def _of_hundred(record: Record, metric: str, label: str = "articleType") -> int:
    return round(100 * record.estimate("held_out", label, metric).value)


def _pretrained(workspace: Workspace) -> str:
    best = _record(workspace, "resnet50-224-resize-cosine")
    pixels = _record(workspace, "raw-pixels-16-resize-cosine")
    return (
        f"With a pretrained network as it is, the first product found "
        f"is of the query's type {_of_hundred(best, 'hit_rate@1')} times of 100, and "
        f"{_of_hundred(best, 'precision@10')} of 100 among the first ten are (16 by 16 raw pixels: "
        f"{_of_hundred(pixels, 'precision@10')}). Down the whole ranking it is weak: an mAP of "
        f"{_score(best, 'mAP')}."
    )


def _padding(workspace: Workspace) -> str:
    padded, resized = (
        _record(workspace, f"resnet50-224-{way}-cosine") for way in ("pad", "resize")
    )
    holds = _map(padded) > _map(resized)
    return (
        f"{'Yes' if holds else 'No'}: ResNet50 reaches an mAP of {_score(padded, 'mAP')} with "
        f"padded photos and {_score(resized, 'mAP')} with resized ones. The thesis, which counted "
        f"the matches of one photo, has padded ones ahead."
    )


def _measure(workspace: Workspace) -> str:
    scores = {
        measure: _score(_record(workspace, f"resnet50-224-pad-{measure}"), "mAP")
        for measure in ("cosine", "euclidean", "manhattan")
    }
    best = max(scores, key=scores.get)
    said = ", ".join(f"{name} {value}" for name, value in scores.items())
    return f"{best.capitalize()}, for the whole ranking: mAP by {said} (padded ResNet50)."


def _labels(workspace: Workspace) -> str:
    best = _record(workspace, readme.TYPE_FIRST)
    raw = _record(workspace, "resnet50-224-resize-cosine")
    is_better = _map(best) > _map(raw)
    return (
        f"{'Yes' if is_better else 'No'}: heads trained on stored embeddings with labels of type, "
        f"colour, gender and use take the mAP from {_score(raw, 'mAP')} to {_score(best, 'mAP')}; "
        f"the first ten are of the query's type {_of_hundred(best, 'precision@10')} times of 100, "
        f"of its colour {_of_hundred(best, 'precision@10', 'baseColour')}."
    )


def _name(workspace: Workspace) -> str:
    name = _record(workspace, readme.NAME_FLOOR)
    best = _record(workspace, readme.JOINED)
    first = [one.estimate("held_out", "articleType", "hit_rate@1").value for one in (name, best)]
    return (
        f"{'Yes' if first[1] > first[0] else 'No'}, by the first match: whoever has the product's "
        f"name finds its type first {_of_hundred(name, 'hit_rate@1')} times of 100, the best model "
        f"of photos {_of_hundred(best, 'hit_rate@1')}. But a shopper with a photo has no name."
    )


def _contrastive(workspace: Workspace) -> str:
    pairs, labels = _record(workspace, readme.PAIR_HEAD), _record(workspace, readme.LABEL_HEAD)
    is_better = _map(pairs) > _map(labels)
    return (
        f"{'More' if is_better else 'Less'} than labels do. On the same three embeddings, a head "
        f"trained on pairs of one type reaches an mAP of {_score(pairs, 'mAP')}, one trained on "
        f"the labels {_score(labels, 'mAP')} (the latter of three seeds)."
    )


def _phone(workspace: Workspace) -> str:
    ways = {
        "the networks as they are": "phone-raw-both-whole",
        "a head that knows the catalogue only": "phone-none",
        "a head that has also learned from 3,409 phone photos": "phone-fine",
    }
    said = []
    for how, name in ways.items():
        found = _record(workspace, name)["precision@10"]["micro"]
        group, kind, colour = (
            round(100 * found[what]["value"]) for what in ("group", "articleType", "baseColour")
        )
        said.append(f"with {how} {group} ({kind}, {colour})")
    return (
        "Of the first ten products of the shop, so many of 100 are of the photo's kind (and of its "
        f"exact type, and of its colour): {'; '.join(said)}. Five folds: no photo was asked that "
        "was trained on."
    )


def _ledger(workspace: Workspace) -> str:
    table = ledger.verdicts(claims.load(), workspace.results)
    counts = ledger.summary(table)
    said = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    return f"Of {counts.sum()} claims: {said}. Each stands in the ledger with what was measured."


# What is asked, what answers it, and the notebook that looks into it.
QUESTIONS: Mapping[str, tuple[Callable[[Workspace], str], str]] = {
    "Does a photo find products of its kind?": (_pretrained, "02-pretrained-baselines"),
    "Are padded photos found better than resized ones?": (_padding, "02-pretrained-baselines"),
    "Which similarity measure?": (_measure, "03-similarity-and-thresholds"),
    "Does training on labels help?": (_labels, "08-beyond-the-thesis"),
    "Does training on pairs help?": (_contrastive, "05-contrastive-training"),
    "Is that better than the product's name?": (_name, "06-evaluation"),
    "Does a phone photo find it in the shop?": (_phone, "11-from-phone-to-shop"),
    "Do the thesis' numbers hold?": (_ledger, "09-thesis-ledger"),
}
