"""Gallery, indexes, shards, re-ranking, transforms, boxes in a photo."""
