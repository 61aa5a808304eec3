"""A noun is a declaration: what one kind of resource is called, which states it has, how it refuses.

`verbs.derive` turns a noun and the botocore model into handlers; behaviour lives in the chapter's `admit` and
controller. Declared in `*/resources.py`, listed by the chapter's `Service`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sagewright.core.call import Call
from sagewright.core.errors import AwsError
from sagewright.core.store import Row

Admit = Callable[[Call, dict[str, Any]], dict[str, Any]]
Check = Callable[[Call, Row], None]
Extend = Callable[[Call, Row], dict[str, Any]]


@dataclass(frozen=True)
class Noun:
    """One kind of resource.

    name: as in the operation names ("TrainingJob"). arn: resource part of the ARN ("training-job/{name}"), whose name
    is lower-cased as AWS does. status: the member that holds the state; first: the state after Create; moving: states
    that end by themselves (a Describe may be held while in one, with holds_create a Create too); terminal: states that
    never change.
    admit(call, body): fills defaults and makes the cross-checks that the model cannot express; returns the body.
    deletable(call, row): raises where Delete must be refused. deleting: the state that asks the controller to take the
    resource down; empty deletes the row at once. describe(call, row): members computed at reading time.
    change(call, row): body changes of Update. stoppable: states in which Stop is accepted. stopping: state after Stop.
    missing, exists: (code, message) with {name}, {arn}, {account}, {region}. words: how messages call it.
    hidden: request members that are never stored.
    """

    name: str
    arn: str
    service: str = "sagemaker"
    key: str = ""
    status: str = ""
    first: str = ""
    moving: frozenset[str] = frozenset()
    holds_create: bool = False
    terminal: frozenset[str] = frozenset()
    admit: Admit | None = None
    describe: Extend | None = None
    change: Extend | None = None
    deletable: Check | None = None
    deleting: str = ""
    stoppable: frozenset[str] = frozenset({"InProgress"})
    stopping: str = "Stopping"
    missing: tuple[str, str] = ("ResourceNotFound", "Requested resource not found.")
    exists: tuple[str, str] = ("ResourceInUse", "{noun} already exists: {arn}")
    words: str = ""
    hidden: frozenset[str] = frozenset({"Tags", "ClientToken", "ClientRequestToken"})
    verbs: Mapping[str, str] = field(default_factory=dict)
    without: frozenset[str] = frozenset()

    @property
    def name_member(self) -> str:
        """The request member that names the resource."""
        return self.key or f"{self.name}Name"

    @property
    def arn_member(self) -> str:
        """The member under which the ARN is answered."""
        return f"{self.name}Arn"

    @property
    def plain(self) -> str:
        """The noun in words: "training job"."""
        return self.words or re.sub(r"(?<=[a-z])(?=[A-Z])", " ", self.name).lower()

    def not_found(self, call: Call, name: str) -> AwsError:
        """What is answered when there is no such resource."""
        return self._error(self.missing, call, name)

    def already_exists(self, call: Call, name: str) -> AwsError:
        """What is answered when the name is taken."""
        return self._error(self.exists, call, name)

    def arn_of(self, call: Call, name: str) -> str:
        """The ARN that a resource of that name has."""
        from sagewright.core import arns

        return arns.make(self.service, call.region, call.account, self.arn.format(name=name.lower()))

    def _error(self, template: tuple[str, str], call: Call, name: str) -> AwsError:
        code, words = template
        text = words.format(name=name, arn=self.arn_of(call, name), account=call.account, region=call.region,
                            noun=self.plain)
        return AwsError(code, text)
