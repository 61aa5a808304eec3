"""Amazon Elastic Container Registry: the API over records of repositories and image manifests.

Covered: repositories (create, describe, delete, tags, tag mutability with exclusions, scanning and encryption settings
as records), repository policies, lifecycle policies and the registry policy as records, authorization tokens that a
registry can check (tokens.py), images (put, list, describe, batch get, batch delete) as manifests by digest and tag.

Not covered: layers and the /v2 registry protocol, image scanning, replication, pull-through caches, creation templates,
signing, archiving. Each is refused by name.

Differences from AWS: PutImage does not ask whether the layers are there; nothing expires by lifecycle policy;
repository policies are recorded and not yet enforced.
"""
