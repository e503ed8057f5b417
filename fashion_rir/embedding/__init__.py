"""From photos to embeddings: backbones, engines, descriptors, floors, the feature store."""

from fashion_rir.lazy_rooms import lazy_room

__getattr__, __dir__ = lazy_room(__name__)
