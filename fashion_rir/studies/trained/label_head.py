"""The head of notebook 04 that tells types, as notebooks score it: searched by what it tells."""

from collections.abc import Sequence

from fashion_rir.embedding.embedded import Embedded
from fashion_rir.search import reranking
from fashion_rir.studies.names import RAW_SHARES
from fashion_rir.studies.study import Study
from fashion_rir.studies.trained import heads
from fashion_rir.training import heads as networks
from fashion_rir.training.fit import TrainingSettings
from fashion_rir.workspace import stores


def train(
    study: Study, models: Sequence[Embedded], *, epochs: int, n_asking: int = 500
) -> list[Embedded]:
    """Train a dense head on stored embeddings, and make of it what is searched.

    Args:
        study: its products, split, seed and folders.
        models: embeddings and metadata of each, from `Study.embed`.
        epochs: of the training.
        n_asking: validation products that choose the temperature, at most.

    Returns:
        The posterior; and the posterior with a twentieth of the embeddings that the head saw put
        back beside it.

    Raises:
        ParameterError, TrainingError: see `heads.run_head`.
    """
    fitting = TrainingSettings(epochs=epochs, batch_size=512, learning_rate=1e-3,
                               schedule="cosine", weight_decay=0.01)  # fmt: skip
    plan = heads.HeadPlan("dense512", heads.LABEL_HEADS["dense512"], fitting, study.seed)
    run = heads.run_head(study, models, plan)
    logits, codes = run.logits["articleType"], run.codes["articleType"]
    temperature, _ = heads.choose_temperature(
        logits, codes, study.parts, n_queries=n_asking, seed=study.seed
    )
    told = networks.posterior_embedding(logits, temperature=temperature)
    posterior = run.embedding("posterior", told, temperature=temperature)
    share = RAW_SHARES[0]
    joint = reranking.concatenate(
        [posterior.vectors, stores.joint_model(models).vectors], weights=[1 - share, share]
    )
    return [posterior, run.embedding("posterior", joint, raw_share=share)]
