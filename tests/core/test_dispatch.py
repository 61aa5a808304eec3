"""Which handler answers: written before derived, and an error with a name for the rest."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sagewright.core.call import ANONYMOUS, Call
from sagewright.core.clock import FakeClock
from sagewright.core.config import Config
from sagewright.core.dispatch import Dispatch, Place
from sagewright.core.errors import AwsError
from sagewright.core.nouns import Noun
from sagewright.core.service import Service, handlers
from sagewright.core.store import Store
from sagewright.core.world import World


def describe_experiment(call: Call) -> dict[str, Any]:
    return {"written": call.params["ExperimentName"]}


def get_user(call: Call) -> None:
    return None


NOUN = Noun("Experiment", "experiment/{name}", admit=lambda call, body: body)
TABLE = Dispatch([Service("sagemaker", operations={"describe_experiment": describe_experiment}),
                  Service("sagemaker", nouns=(NOUN,)), Service("iam", operations={"get_user": get_user})],
                 {"iam": lambda name: AwsError("NotHere", name)})


def a_call(tmp_path: Path, service: str, operation: str, **params: Any) -> Call:
    world = World(Config(tmp_path), FakeClock(), Store(f"sqlite:///{tmp_path / 'x.db'}"))
    return Call(world, service, operation, "us-west-2", "1", ANONYMOUS, params)


def test_written_comes_before_derived_whatever_the_order_of_rooms(tmp_path: Path) -> None:
    call = a_call(tmp_path, "sagemaker", "DescribeExperiment", ExperimentName="e")
    assert TABLE.invoke(call) == {"written": "e"}
    assert TABLE.where("sagemaker", "DescribeExperiment") == Place("tests.core.test_dispatch".removeprefix(
        "sagewright."), "written")
    assert TABLE.where("sagemaker", "CreateExperiment") == Place("tests.core.test_dispatch", "derived")


def test_a_handler_that_answers_nothing_answers_an_empty_dict(tmp_path: Path) -> None:
    assert TABLE.invoke(a_call(tmp_path, "iam", "GetUser")) == {}


def test_what_is_served() -> None:
    assert TABLE.served == ("sagemaker", "iam")
    assert TABLE.where("sagemaker", "CreatePipeline") is None


@pytest.mark.parametrize("service, operation, code, status", [
    ("sagemaker", "CreatePipeline", "UnknownOperationException", 400), ("s3", "SelectObjectContent",
                                                                        "MethodNotAllowed", 405),
    ("iam", "CreateVirtualMFADevice", "NotHere", 400)])
def test_what_is_not_served_is_refused_by_name(service: str, operation: str, code: str, status: int) -> None:
    with pytest.raises(AwsError) as refused:
        TABLE.handler(service, operation)
    assert (refused.value.code, refused.value.status) == (code, status)
    assert operation in refused.value.message


def test_the_handlers_of_a_module_are_its_own_public_functions() -> None:
    module = ModuleType("operations")
    module.__dict__.update(describe_experiment=describe_experiment, Path=Path)
    source = "def create_it(call): return {}\ndef _inner(call): return {}\nclass Thing: pass\nLIMIT = 3\n"
    exec(source, module.__dict__)  # noqa: S102
    assert list(handlers(module)) == ["create_it"]
