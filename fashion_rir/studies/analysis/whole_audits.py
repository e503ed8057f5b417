"""The audits of notebook 06b that take hours of all photos: only the full run makes them.

Everyone else reads the records that it left.
"""

from collections.abc import Mapping

from fashion_rir.embedding import descriptors
from fashion_rir.embedding.embedded import Embedded
from fashion_rir.errors import ParameterError, StoreError
from fashion_rir.studies.analysis import label_noise, near_copies, table_fit
from fashion_rir.studies.study import Study
from fashion_rir.workspace import stores

N_TABLE_FIT = 2000  # products that the small galleries of `table_fit` are drawn from, at most


def run(study: Study, network: Embedded, table: Mapping[str, str]) -> list[str]:
    """Near copies, labels that are doubted, and Table 5.2.1 read in small galleries.

    Args:
        study: its products, with photos; split, seed and folders.
        network: embeddings of a pretrained network, which heads learn from.
        table: by rows of Table 5.2.1 the models that stand for them, as they are stored.

    Returns:
        What is missing, a sentence each; the records are written.

    Raises:
        StoreError: the photos cannot be embedded.
    """
    hashes = study.embed(descriptors.PerceptualHash(), "resize").vectors
    near_copies.audit(study, network, hashes)
    label_noise.measure(study, network)
    drawn = table_fit.drawn(study, min(N_TABLE_FIT, len(study.catalog)))
    models, said = {}, []
    for row, name in table.items():
        try:
            part, model = stores.stored_model(study.workspace, study.catalog, name)
            vectors = stores.sampled(model, part, drawn.catalog).vectors
            models[row] = Embedded(vectors, model.metadata)
        except (StoreError, ParameterError) as error:  # not there, or of other products
            said.append(f"{row}: {error}")
    if not said:
        table_fit.measure(drawn, models)
    return said
