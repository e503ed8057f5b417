"""The thesis' numbers, its claims, and the ledger of what holds."""
