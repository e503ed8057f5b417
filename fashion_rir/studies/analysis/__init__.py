"""What is looked at rather than trained: counts, protocols, maps."""
