"""`python -m sagewright.images build NAME... | list | prune`: environments ahead of time, for `make setup`.

A name is an environment's or its beginning (`xgboost-1.7` means `xgboost-1.7-1`). The cache is SAGEWRIGHT_ENV_CACHE or
the directory given by --cache.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from rich.console import Console

from sagewright.core.errors import AwsError, Failed
from sagewright.images import shelf


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 1 if an environment could not be built."""
    parser = argparse.ArgumentParser(prog="python -m sagewright.images", description=__doc__)
    parser.add_argument("command", choices=("build", "list", "prune"))
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--cache", default=os.environ.get("SAGEWRIGHT_ENV_CACHE", ""))
    parser.add_argument("--policy", default="nearest", choices=("exact", "nearest"))
    asked = parser.parse_args(arguments)
    if not asked.cache:
        parser.error("say where: --cache DIRECTORY or SAGEWRIGHT_ENV_CACHE")
    shelf_here = shelf.Shelf(Path(asked.cache).absolute(), asked.policy)
    console = Console(soft_wrap=True, highlight=False)
    if asked.command == "list":
        return show(shelf_here, console)
    if asked.command == "prune":
        for name in shelf_here.prune():
            console.print(f"removed {name}")
        return 0
    return max([prepare(shelf_here, name, console) for name in asked.names], default=0)


def prepare(shelf_here: shelf.Shelf, asked: str, console: Console) -> int:
    """Build one environment, with a spinner on a terminal and plain lines elsewhere."""
    try:
        image = shelf_here.image_of(full_name(shelf_here, asked))
        if shelf_here.ready(image) is not None:
            console.print(f"{image.environment}: ready")
            return 0
        if console.is_terminal:
            with console.status(f"{image.environment}: downloading") as status:
                built = shelf_here.build(image, lambda line: status.update(f"{image.environment}: {line}"))
        else:
            built = shelf_here.build(image, lambda line: print(f"{image.environment}: {line}", flush=True))
    except (AwsError, Failed) as refused:
        print(f"{asked}: {getattr(refused, 'message', '') or refused}", file=sys.stderr)
        return 1
    console.print(f"{image.environment}: ready in {built.prefix}")
    return 0


def full_name(shelf_here: shelf.Shelf, asked: str) -> str:
    """The environment of that name, or the first whose name begins so."""
    names = [environment.name for environment in shelf_here.environments]
    return next((name for name in names if name == asked),
                next((name for name in names if name.startswith(asked)), asked))


def show(shelf_here: shelf.Shelf, console: Console) -> int:
    """Every environment: what it would be here, and whether it is built."""
    for environment in shelf_here.environments:
        try:
            image = shelf_here.image_of(environment.name)
        except AwsError as refused:
            console.print(f"{environment.name:22} not here: {refused.message}")
            continue
        state = "built" if shelf_here.ready(image) else "-"
        python = shelf_here.recipe(image.environment).python
        console.print(f"{environment.name:22} Python {python:5} {state:6} {image.note}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
