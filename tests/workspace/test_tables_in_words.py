"""tables: records whose models are called in words."""

from fashion_rir.workspace import records, tables


def record(name: str, **model: str) -> records.Record:
    inputs = {"profile": "full", "data_hash": "x", "model": {"model": name, **model}}
    return records.make_record("retrieval", f"{name}-cosine", inputs)


def test_models_are_called_in_words_and_records_keep_their_names() -> None:
    given = [
        record("resnet50-224-pad", backbone="resnet50", image_size="224", preprocessing="pad"),
        record("chance", backbone="chance", image_size="0", preprocessing="none"),
    ]
    said = tables.in_words(given)
    assert [one["inputs"]["model"]["model"] for one in said] == ["ResNet50 224 px padded", "chance"]
    assert [one["name"] for one in said] == [one["name"] for one in given]
    assert given[0]["inputs"]["model"]["model"] == "resnet50-224-pad"  # left as it was
