"""Writes `registries.json` from the image tables of AWS's SDKs: which repositories and versions, in whose account.

Run by hand when AWS publishes new images: `python -m sagewright.images.generate DIRECTORY...`, where each directory
is an unpacked `sagemaker` or `sagemaker-core` wheel. Nothing imports this at run time; `uris.py` reads what it wrote.
The tables are facts published by Amazon under Apache-2.0; `SOURCE` and `LICENSE` in the file say so.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OUTPUT = Path(__file__).with_name("registries.json")
SUFFIXES = {"cn-": "amazonaws.com.cn", "us-iso-": "c2s.ic.gov", "us-isob-": "sc2s.sgov.gov",
            "us-isof-": "csp.hci.ic.gov", "eusc-": "amazonaws.eu", "": "amazonaws.com"}

# The SDK appends the Python version to this repository's name (get_base_python_image_uri).
ENDINGS = {"sagemaker-base-python": ("-310", "-38")}


def main(directories: list[str]) -> None:
    """Read every table below the directories and write the merged file."""
    repositories: dict[str, dict[str, Any]] = {}
    for directory in directories:
        tables = sorted(Path(directory).rglob("image_uri_config/*.json"))
        if not tables:
            raise SystemExit(f"no image_uri_config/*.json below {directory}")
        for table in tables:
            for entry in entries(table.stem, json.loads(table.read_text())):
                merge(repositories, entry)
    OUTPUT.write_text(text(document(directories, repositories)))
    print(f"{OUTPUT}: {len(repositories)} repositories")


def entries(framework: str, config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every (repository, version) of one framework's table, with the accounts that hold it."""
    scopes = [config] if "versions" in config else [v for v in config.values() if isinstance(v, dict)]
    for scope in scopes:
        aliases = scope.get("version_aliases", {})
        for version, details in scope.get("versions", {}).items():
            names = [version, *(alias for alias, full in aliases.items() if full == version)]
            for found in leaves(details):
                entry = {"framework": framework, "names": names, "version": version, "accounts": found["registries"],
                         "pythons": found.get("py_versions", scope.get("py_versions", [])),
                         "processors": found.get("processors", scope.get("processors", config.get("processors", [])))}
                for end in ENDINGS.get(found["repository"], ("",)):
                    yield {**entry, "repository": found["repository"] + end}


def leaves(details: Any) -> Iterator[dict[str, Any]]:
    """The parts of a version's entry that name a repository (some frameworks nest once more)."""
    if not isinstance(details, dict):
        return
    if "repository" in details and "registries" in details:
        yield details
    for value in details.values():
        yield from leaves(value)


def merge(repositories: dict[str, dict[str, Any]], entry: dict[str, Any]) -> None:
    """Add one entry to what is known of its repository."""
    known = repositories.setdefault(entry["repository"], {"frameworks": set(), "accounts": {}, "versions": {}})
    known["frameworks"].add(entry["framework"])
    for region, account in entry["accounts"].items():
        known["accounts"].setdefault(region, set()).add(account)
    for name in entry["names"]:
        version = known["versions"].setdefault(name, {"is": entry["version"], "pythons": set(), "processors": set()})
        version["is"] = entry["version"]
        version["pythons"].update(python for python in entry["pythons"] if isinstance(python, str))
        version["processors"].update(entry["processors"])


def document(directories: list[str], repositories: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The file's content; account tables that repositories share are stored once."""
    tables: list[Any] = []
    for known in repositories.values():
        table = {region: sorted(accounts) for region, accounts in sorted(known["accounts"].items())}
        if table not in tables:
            tables.append(table)
        known["accounts"] = tables.index(table)
        known["frameworks"] = sorted(known["frameworks"])
        known["versions"] = {name: {key: sorted(value) if isinstance(value, set) else value
                                    for key, value in version.items()}
                             for name, version in sorted(known["versions"].items())}
    return {"SOURCE": "image_uri_config/*.json of " + ", ".join(sorted(map(_release, directories)))
            + " (Amazon.com, Inc. or its affiliates); written by sagewright.images.generate",
            "LICENSE": "Apache-2.0", "suffixes": SUFFIXES, "accounts": tables, "repositories": repositories}


def text(content: dict[str, Any]) -> str:
    """JSON with one line per account table and per repository, so that a change of one is a change of one line."""
    lines = {key: json.dumps(value) for key, value in content.items()}
    lines["accounts"] = "[\n" + ",\n".join(json.dumps(table) for table in content["accounts"]) + "\n]"
    lines["repositories"] = "{\n" + ",\n".join(f"{json.dumps(name)}: {json.dumps(known)}" for name, known
                                             in sorted(content["repositories"].items())) + "\n}"
    return "{\n" + ",\n".join(f"{json.dumps(key)}: {value}" for key, value in lines.items()) + "\n}\n"


def _release(directory: str) -> str:
    """`sagemaker 2.257.6`, from the wheel's dist-info directory."""
    found = next(Path(directory).glob("*.dist-info"), None)
    return found.stem.replace("-", " ").replace("_", "-") if found else Path(directory).name


if __name__ == "__main__":
    main(sys.argv[1:])
