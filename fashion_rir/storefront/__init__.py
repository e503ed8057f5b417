"""The shop to search by photo; needs no study."""
