"""AWS Identity and Access Management.

Differences from AWS: the account has one long-lived key pair for a session of its execution role besides the root key
(see accounts.py). Principals of trust policies need the right form, not existence.
"""
