"""Numbers."""

from collections.abc import Mapping

import pandas as pd

# Tables 5.2.1 and 5.2.2 of the thesis, in their order.
THESIS_TABLES = pd.DataFrame(
    {
        "mAP": [0.378605, 0.459474, 0.541431, 0.708221],
        "silhouette": [-0.453485, -0.270317, -0.515556, -0.078462],
        "intra_class_distance": [0.767261, 0.709757, 0.054785, 0.168644],
        "inter_class_distance": [0.990459, 0.996486, 0.203822, 0.359602],
        "separation_ratio": [1.290903, 1.403981, 3.720384, 2.132321],
    },
    index=pd.Index(["scratch", "contrastive", "label-tuned", "pretrained, padded"], name="thesis"),
)

THESIS_MAP = 0.708221  # Table 5.2.1, ResNet50 pretrained with padding

# The thesis' pretrained models by backbone, preprocessing and measure.
THESIS_MODELS = {
    ("mobilenetv2", "resize", "euclidean"): "a",
    ("mobilenetv2", "resize", "cosine"): "b",
    ("mobilenetv2", "resize", "manhattan"): "c",
    ("resnet50", "resize", "manhattan"): "e",
    ("resnet50", "pad", "manhattan"): "f",
}

# In the order in which the thesis tried them (sections 4.3 a, b, c, e, f). Cosine thresholds are
# similarities there; here they are distances, 1 - similarity.
THESIS_THRESHOLDS = {
    ("mobilenetv2", "resize", "euclidean"): (18, 22, 20, 19),
    ("mobilenetv2", "resize", "cosine"): tuple(round(1 - s, 2) for s in (0.85, 0.75, 0.80, 0.78)),
    ("mobilenetv2", "resize", "manhattan"): (300, 350, 360),
    ("resnet50", "resize", "manhattan"): (650, 625),
    ("resnet50", "pad", "manhattan"): (325, 425, 450, 434),
}


def thesis_letter(model: Mapping[str, str], measure: str) -> str:
    """What the thesis calls this experiment; nothing for embeddings that were transformed."""
    if "transform" in model:
        return ""
    return THESIS_MODELS.get((model["backbone"], model["preprocessing"], measure), "")
