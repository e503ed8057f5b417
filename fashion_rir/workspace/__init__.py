"""Folders, parameters of a profile, feature stores, records, and tables made of them."""
