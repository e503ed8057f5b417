"""What records said of a model in its name alone, before these were fields.

Only for records that were written so; once all are carried over, this goes.
"""

from collections.abc import Mapping


def completed(model: Mapping[str, object]) -> dict[str, object]:
    """A model's fields, with those that only its name holds; see `words`."""
    if "family" in model or "model" not in model:
        return dict(model)
    if "head" in model:
        return _of_head(model) | model
    if "training" in model:
        return _of_network(model) | model
    if "transform" in model:
        sources = str(model["backbone"]).count("+") + 1
        done = str(model["model"]).split("+")[sources:]
        return {**model, "transform": "+".join(done) or model["transform"]}
    return dict(model)


def _of_head(model: Mapping[str, object]) -> dict[str, object]:
    """`<run>-<features>-seed<seed>-<searched>[+raw<share>]`, or `-seeds<seed>+<seed>-`."""
    run, _, rest = str(model["model"]).partition(f"-{model['features']}-seed")
    searched, _, share = rest.partition("-")[2].partition("+raw")
    family = "attribute-heads" if run.startswith("attributes") else "label-heads"
    if '"projection"' in str(model["head"]):
        family = "contrastive-heads"
    return {"family": family, "run": run, "searched": searched} | (
        {"raw_share": share} if share else {}
    )


def _of_network(model: Mapping[str, object]) -> dict[str, object]:
    """`label-<run>-seed<seed>[-asked-<how>]`, `contrastive-<run>-<network>-<pixels>-seed<seed>`."""
    family, _, rest = str(model["model"]).partition("-")
    run, _, seed_and_more = rest.partition("-seed")
    seed, _, more = seed_and_more.partition("-")
    asked = more.partition("asked-")[2]
    if family == "contrastive":
        run = run.removesuffix(f"-{model['backbone']}-{model['image_size']}")
    kind = "from-scratch" if run.startswith("scratch") else f"{family}-end-to-end"
    found = {"family": kind, "run": run, "seed": seed}
    found |= {"statistics": "settled"} if "settled" in more.split("-") else {}
    return found | ({"asked": asked} if asked else {})
