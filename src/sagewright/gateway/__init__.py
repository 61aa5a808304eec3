"""HTTP in, dict out; dict in, HTTP out: routing, SigV4, policy, parsing, validation, serialisation, audit.

`app.py` receives, `chain.py` shows the whole path of a request on one screen. Imports `core` only.
"""
