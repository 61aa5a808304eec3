"""What a room hands to the composition root: one `Service` literal per AWS service or SageMaker chapter.

`cli/assembly.py` lists them; nothing registers itself by being imported.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import TYPE_CHECKING, Any

from sagewright.core.call import Call

if TYPE_CHECKING:
    from sagewright.core.nouns import Noun
    from sagewright.core.store import Row
    from sagewright.core.world import World

Handler = Callable[[Call], "dict[str, Any] | None"]
Reconcile = Callable[["Row", "World"], "float | None"]


@dataclass(frozen=True)
class Service:
    """One room's tables.

    aws: the botocore service name ("sagemaker", "s3", "iam"). A botocore service may be made of several rooms.
    nouns: resources whose verbs are derived from the model.
    operations: boto3 method name -> handler, for what derivation cannot express.
    controllers: noun name -> reconcile(row, world), which returns seconds until it wants to look again, or None.
    boot: called once when the server starts, for defaults that must exist (an execution role, a bucket).
    reset: called by the test hook that empties an account; must also stop what runs.
    """

    aws: str
    nouns: tuple[Noun, ...] = ()
    operations: Mapping[str, Handler] = field(default_factory=dict)
    controllers: Mapping[str, Reconcile] = field(default_factory=dict)
    boot: Callable[[World], None] | None = None
    reset: Callable[[World], None] | None = None


def handlers(*modules: ModuleType) -> dict[str, Handler]:
    """The public functions that these `operations` modules define, by name (= boto3 method name)."""
    table: dict[str, Handler] = {}
    for module in modules:
        for name, value in vars(module).items():
            if callable(value) and not name.startswith("_") and getattr(value, "__module__", "") == module.__name__ \
                    and not isinstance(value, type):
                table[name] = value
    return table
