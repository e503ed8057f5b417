"""The experiments of the notebooks, and what they share."""
