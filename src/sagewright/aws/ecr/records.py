"""Rows of ECR: repositories and the images in them, with AWS's words.

Called by this room's operations. A repository's `body` is what Describe answers; its `work` holds `tags` (tag ->
digest), `policy` and `lifecycle`. An image is a row of its own, owned by its repository and named by digest.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sagewright.core.call import Call
from sagewright.core.errors import AwsError, Conflict
from sagewright.core.store import Row

REPOSITORY, IMAGE = "ecr:Repository", "ecr:Image"
_RETRIES = 20


def invalid(message: str) -> AwsError:
    """InvalidParameterException with this message."""
    return AwsError("InvalidParameterException", message)


def registry(call: Call) -> str:
    """The registry that is asked: an account id."""
    return call.params.get("registryId") or call.account


def find(call: Call, name: str = "") -> Row:
    """The repository that the request names, or RepositoryNotFoundException."""
    name = name or call.params["repositoryName"]
    row = call.store.get(REPOSITORY, call.account, call.region, name) if registry(call) == call.account else None
    if row is None:
        raise AwsError("RepositoryNotFoundException", f"The repository with name '{name}' does not exist in the "
                                                      f"registry with id '{registry(call)}'")
    return row


def by_arn(call: Call) -> Row:
    """The repository whose ARN the request gives."""
    arn = call.params["resourceArn"]
    row = call.store.by_arn(arn)
    if row is None or row.kind != REPOSITORY or row.account != call.account:
        parts = arn.split(":", 5)
        if len(parts) != 6 or parts[2] != "ecr" or not parts[5].startswith("repository/"):
            raise invalid("Invalid parameter at 'resourceArn' failed to satisfy constraint: 'Invalid ARN'")
        raise AwsError("RepositoryNotFoundException", f"The repository with name '{parts[5][11:]}' does not exist in "
                                                      f"the registry with id '{parts[4]}'")
    return row


def change(call: Call, row: Row, step: Callable[[Row], Row]) -> Row:
    """Change and store a repository, again if somebody else was quicker."""
    for _ in range(_RETRIES):
        try:
            return call.store.update(step(row))
        except Conflict:
            row = find(call, row.name)
    raise AwsError("ServerException", f"The repository {row.name} is being changed by others.", 500)


def remove(call: Call, row: Row) -> None:
    """Delete a row, whatever happened to it meanwhile."""
    found: Row | None = row
    while found is not None:
        try:
            return call.store.delete(found)
        except Conflict:
            found = call.store.get(row.kind, row.account, row.region, row.name)
    return None


# -- images --------------------------------------------------------------------------------------------------------
def image_name(repository: Row, digest: str) -> str:
    """The name of an image's row."""
    return f"{repository.name}@{digest}"


def image(call: Call, repository: Row, digest: str) -> Row | None:
    """The image of that digest, or None."""
    return call.store.get(IMAGE, call.account, call.region, image_name(repository, digest))


def images(call: Call, repository: Row) -> list[Row]:
    """Every image of a repository, in the order in which they were pushed."""
    return call.store.children(repository.arn, IMAGE)


def tags_of(repository: Row, digest: str) -> list[str]:
    """The tags that point to an image."""
    return [tag for tag, target in repository.work["tags"].items() if target == digest]


def resolve(call: Call, repository: Row, wanted: Mapping[str, str]) -> Row | None:
    """The image that an imageId means: by digest, by tag, or by both if they agree."""
    digest, tag = wanted.get("imageDigest"), wanted.get("imageTag")
    pointed = repository.work["tags"].get(tag) if tag is not None else None
    if tag is not None and (pointed is None or digest not in (None, pointed)):
        return None
    return image(call, repository, digest or pointed or "")


def missing(call: Call, repository: Row, wanted: Mapping[str, str]) -> AwsError:
    """ImageNotFoundException for an imageId."""
    shown = f"{{imageDigest:'{wanted.get('imageDigest', 'null')}', imageTag:'{wanted.get('imageTag', 'null')}'}}"
    return AwsError("ImageNotFoundException", f"The image with imageId {shown} does not exist within the repository "
                    f"with name '{repository.name}' in the registry with id '{call.account}'")


# -- lists ---------------------------------------------------------------------------------------------------------
def paged(call: Call, items: Sequence[Any], member: str) -> dict[str, Any]:
    """One page of `items` under `member`, by maxResults and nextToken."""
    try:
        token = call.params.get("nextToken")
        start = int(base64.urlsafe_b64decode(token).decode()) if token else 0
    except ValueError:
        start = -1
    if start < 0:
        raise invalid("Invalid parameter at 'nextToken' failed to satisfy constraint: 'Invalid token'")
    end = start + (call.params.get("maxResults") or 100)
    answer: dict[str, Any] = {member: list(items[start:end])}
    if end < len(items):
        answer["nextToken"] = base64.urlsafe_b64encode(str(end).encode()).decode()
    return answer
