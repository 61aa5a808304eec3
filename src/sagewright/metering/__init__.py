"""The usage ledger and the functions that price it. Empty for now."""
