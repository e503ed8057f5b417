"""From photos to embeddings: backbones, engines, descriptors, floors, the feature store."""
