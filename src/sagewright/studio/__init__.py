"""The web UI: pages over the public API. Empty for now."""
