"""headline: a run that came to nothing cannot stand in the table without a word."""

from fashion_rir.reporting import headline
from fashion_rir.workspace.records import Record


def retrieval(name: str, mean_ap: float, pixels: int) -> Record:
    estimate = {"value": mean_ap, "low": mean_ap - 0.01, "high": mean_ap + 0.01}
    metrics = dict.fromkeys(headline.METRICS, estimate)
    model = {"model": name, "backbone": "resnet50", "image_size": str(pixels),
             "preprocessing": "resize", "weights": "none"}  # fmt: skip
    inputs = {"profile": "quick", "data_hash": "x", "model": model, "measure": "cosine",
              "n_queries": 9}  # fmt: skip
    labels = {"articleType": {"micro": metrics}}
    return Record(name=f"{name}-cosine", inputs=inputs, protocols={"held_out": {"labels": labels}})


def test_a_collapsed_run_is_marked_and_no_other() -> None:
    records = [retrieval("broken", 0.1, 64), retrieval("sound", 0.5, 80)]
    rows = headline.scores(records, collapsed={"broken"}).set_index("mAP")["model"]
    assert "collapsed" in rows[0.1]
    assert "collapsed" not in rows[0.5]
    assert "collapsed" in headline.shown(records, collapsed={"broken"})["first"]
