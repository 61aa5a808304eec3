"""Operations on images: manifests under digests and tags. Called by dispatch; calls records."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import re
from typing import Any

from sagewright.aws.ecr import records
from sagewright.aws.ecr.records import IMAGE
from sagewright.core.call import Call
from sagewright.core.errors import AwsError, Conflict
from sagewright.core.store import Row

_DIGEST = re.compile(r"[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+")
_LISTS = ("application/vnd.docker.distribution.manifest.list.v2+json", "application/vnd.oci.image.index.v1+json")


def put_image(call: Call) -> dict[str, Any]:
    """Store a manifest under its digest, and point a tag to it."""
    ask, text = call.params, call.params["imageManifest"]
    manifest = _manifest(text)
    media = manifest.get("mediaType") or ask.get("imageManifestMediaType")
    if not media:
        raise records.invalid("image manifest mediatype not provided in manifest or parameter")
    digest, tag = "sha256:" + hashlib.sha256(text.encode()).hexdigest(), ask.get("imageTag")
    if ask.get("imageDigest") not in (None, digest):
        raise AwsError("ImageDigestDoesNotMatchException", f"Image digest '{ask['imageDigest']}' does not match the "
                                                           f"digest of the manifest '{digest}'")
    repository = records.find(call)
    new = _store(call, repository, digest, text, media, manifest)
    if not new and (tag is None or repository.work["tags"].get(tag) == digest):
        named = f" and tag '{tag}'" if tag else ""
        raise AwsError("ImageAlreadyExistsException", f"Image with digest '{digest}'{named} already exists in the "
                       f"repository with name '{repository.name}' in registry with id '{call.account}'")
    if tag is not None:
        records.change(call, repository, lambda row: _point(row, tag, digest))
    image_id = {"imageDigest": digest, **({"imageTag": tag} if tag else {})}
    return {"image": {"registryId": call.account, "repositoryName": repository.name, "imageId": image_id,
                      "imageManifest": text, "imageManifestMediaType": media}}


def list_images(call: Call) -> dict[str, Any]:
    """Every digest with each of its tags."""
    repository, found = records.find(call), []
    for image in _wanted(call, repository):
        tags = records.tags_of(repository, image.body["digest"])
        found += [{"imageDigest": image.body["digest"], "imageTag": tag} for tag in tags] or \
            [{"imageDigest": image.body["digest"]}]
    return records.paged(call, found, "imageIds")


def describe_images(call: Call) -> dict[str, Any]:
    """Images with size and time of push."""
    repository = records.find(call)
    if ids := call.params.get("imageIds"):
        chosen = {}
        for wanted in ids:
            image = records.resolve(call, repository, wanted)
            if image is None:
                raise records.missing(call, repository, wanted)
            chosen[image.name] = image
        return {"imageDetails": [_detail(call, repository, image) for image in chosen.values()]}
    found = [_detail(call, repository, image) for image in _wanted(call, repository)]
    return records.paged(call, found, "imageDetails")


def batch_get_image(call: Call) -> dict[str, Any]:
    """Manifests of several images; what is not there is a failure beside the others."""
    repository, found, failures = records.find(call), [], []
    accepted = call.params.get("acceptedMediaTypes")
    for wanted in call.params["imageIds"]:
        problem = _problem(wanted)
        image = records.resolve(call, repository, wanted) if problem is None else None
        if image is None:
            code, reason = problem or ("ImageNotFound", "Requested image not found")
            failures.append({"imageId": wanted, "failureCode": code, "failureReason": reason})
        elif not accepted or image.body["mediaType"] in accepted or image.body["mediaType"] not in _LISTS:
            image_id = {"imageDigest": image.body["digest"]}
            if "imageTag" in wanted:
                image_id["imageTag"] = wanted["imageTag"]
            found.append({"registryId": call.account, "repositoryName": repository.name, "imageId": image_id,
                          "imageManifest": image.body["manifest"], "imageManifestMediaType": image.body["mediaType"]})
    return {"images": found, "failures": failures}


def batch_delete_image(call: Call) -> dict[str, Any]:
    """Untag by tag, delete by digest; an image whose last tag goes, goes too."""
    repository = records.find(call)
    deleted: list[dict[str, str]] = []
    failures: list[dict[str, Any]] = []
    for wanted in call.params["imageIds"]:
        problem = _problem(wanted)
        image = records.resolve(call, repository, wanted) if problem is None else None
        if image is None:
            code, reason = problem or ("ImageNotFound", "Requested image not found")
            failures.append({"imageId": wanted, "failureCode": code, "failureReason": reason})
            continue
        repository = _delete(call, repository, image, wanted.get("imageTag"), deleted)
    return {"imageIds": deleted, "failures": failures}


# -- shared --------------------------------------------------------------------------------------------------------
def _manifest(text: str) -> dict[str, Any]:
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError):
        manifest = None
    if not isinstance(manifest, dict):
        raise records.invalid("Invalid parameter at 'ImageManifest' failed to satisfy constraint: 'Invalid JSON "
                              "syntax'")
    return manifest


def _store(call: Call, repository: Row, digest: str, text: str, media: str, manifest: dict[str, Any]) -> bool:
    """Add the image's row; False if it was there."""
    body = {"digest": digest, "manifest": text, "mediaType": media, "pushedAt": call.now, "size": _size(manifest)}
    artifact = manifest.get("artifactType") or (manifest.get("config") or {}).get("mediaType") \
        if isinstance(manifest.get("config", {}), dict) else None
    if isinstance(artifact, str):
        body["artifactMediaType"] = artifact
    arn = f"{repository.arn}/image/{digest}"
    try:
        call.store.insert(Row(IMAGE, call.account, call.region, records.image_name(repository, digest), arn, body,
                              owner=repository.arn))
    except Conflict:
        return False
    return True


def _size(manifest: dict[str, Any]) -> int:
    """Bytes of configuration and layers, as the manifest claims."""
    layers = manifest.get("layers")
    parts = [manifest.get("config"), *(layers if isinstance(layers, list) else [])]
    sizes = [part.get("size") for part in parts if isinstance(part, dict)]
    return sum(size for size in sizes if isinstance(size, int) and size > 0)


def _point(row: Row, tag: str, digest: str) -> Row:
    """The repository with the tag on that image, unless the tag is there and may not move."""
    if tag in row.work["tags"] and row.work["tags"][tag] != digest and _immutable(row, tag):
        raise AwsError("ImageTagAlreadyExistsException", f"The image tag '{tag}' already exists in the '{row.name}' "
                       "repository and cannot be overwritten because the tag is immutable.")
    return row.with_(work={"tags": {**row.work["tags"], tag: digest}})


def _immutable(row: Row, tag: str) -> bool:
    setting = row.body["imageTagMutability"]
    filters = row.body.get("imageTagMutabilityExclusionFilters") or []
    excluded = any(fnmatch.fnmatchcase(tag, each["filter"]) for each in filters)
    return setting.startswith("IMMUTABLE") != (excluded and setting.endswith("_WITH_EXCLUSION"))


def _wanted(call: Call, repository: Row) -> list[Row]:
    status = (call.params.get("filter") or {}).get("tagStatus", "ANY")
    tagged = set(repository.work["tags"].values())
    return [image for image in records.images(call, repository)
            if status == "ANY" or (image.body["digest"] in tagged) == (status == "TAGGED")]


def _detail(call: Call, repository: Row, image: Row) -> dict[str, Any]:
    body = image.body
    found = {"registryId": call.account, "repositoryName": repository.name, "imageDigest": body["digest"],
             "imagePushedAt": body["pushedAt"], "imageManifestMediaType": body["mediaType"]}
    if body["mediaType"] not in _LISTS:
        found["imageSizeInBytes"] = body["size"]
    if tags := records.tags_of(repository, body["digest"]):
        found["imageTags"] = tags
    if "artifactMediaType" in body:
        found["artifactMediaType"] = body["artifactMediaType"]
    return found


def _problem(wanted: dict[str, str]) -> tuple[str, str] | None:
    """What is wrong with an imageId itself."""
    if not wanted.get("imageDigest") and not wanted.get("imageTag"):
        return "MissingDigestAndTag", "Invalid request parameters: both tag and digest cannot be null"
    if "imageDigest" in wanted and not _DIGEST.fullmatch(wanted["imageDigest"]):
        return "InvalidImageDigest", ("Invalid request parameters: image digest should satisfy the regex "
                                      "'[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'")
    return None


def _delete(call: Call, repository: Row, image: Row, tag: str | None, deleted: list[dict[str, str]]) -> Row:
    digest = image.body["digest"]
    gone = [tag] if tag is not None else records.tags_of(repository, digest)
    repository = records.change(call, repository, lambda row: row.with_(
        work={"tags": {name: target for name, target in row.work["tags"].items() if name not in gone}}))
    deleted += [{"imageDigest": digest, "imageTag": name} for name in gone] or [{"imageDigest": digest}]
    if not records.tags_of(repository, digest):
        records.remove(call, image)
    return repository
