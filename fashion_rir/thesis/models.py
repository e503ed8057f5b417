"""The thesis' nine models, a to i of its section 4.3, and what they are called in this study."""

import pandas as pd

# Letter, what the thesis does (section 4.3), our model in words, its measure, and the notebooks
# that make and score it. Models a to f are networks as they were trained on ImageNet.
_MODELS = (
    ("a", "MobileNetV2 as it is", "MobileNetV2 128 px resized", "Euclidean", "–", "02, 03"),
    ("b", "the same", "MobileNetV2 128 px resized", "cosine", "–", "02, 03"),
    ("c", "the same", "MobileNetV2 128 px resized", "Manhattan", "–", "02, 03"),
    ("d", "MobileNetV2 asks, features of ResNet50 are searched",
     "MobileNetV2 resized in the gallery of ResNet50 resized", "Manhattan", "–", "03"),
    ("e", "ResNet50 as it is", "ResNet50 224 px resized", "Manhattan", "–", "02, 03"),
    ("f", "ResNet50 on padded photos", "ResNet50 224 px padded", "Manhattan", "–", "02, 03, 06"),
    ("g", "ResNet50 tuned to name articleTypes", "ResNet50 tuned on types, run g", "cosine",
     "04", "04, 06"),
    ("h", "ResNet50 tuned by contrast, without labels", "ResNet50 trained on pairs, run h-32",
     "cosine", "05", "05, 06"),
    ("i", "ResNet50 from random weights, by contrast", "ResNet50 trained on pairs, run i",
     "cosine", "05", "05, 06"),
)  # fmt: skip

COLUMNS = ("letter", "in the thesis", "our name", "measure", "trained in", "scored in")


def table() -> pd.DataFrame:
    """The thesis' models beside ours.

    Returns:
        Nine rows in the thesis' order; index `letter`; columns `in the thesis` (what it is),
        `our name` (in words, as tables and figures have it, without its seed), `measure`,
        `trained in` (the notebook; – where nothing is trained) and `scored in`.
    """
    return pd.DataFrame(_MODELS, columns=COLUMNS).set_index("letter")
