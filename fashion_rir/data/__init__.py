"""Catalogue, sources, download, images, splits and labels."""
