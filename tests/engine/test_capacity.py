"""Instance types, and which jobs may start."""

from __future__ import annotations

import pytest

from sagewright.core import model
from sagewright.engine import capacity, instances
from sagewright.engine.capacity import GIB, Claim, Grant, Machine

LAPTOP = Machine(cores=4, memory=16 * GIB)
STATION = Machine(cores=32, memory=256 * GIB, gpus=(0, 1))
FREE = 12 * GIB


def test_every_instance_type_of_the_api_is_known():
    service = model.model("sagemaker")
    names = {value for name in service.shape_names if (shape := service.shape_for(name)).type_name == "string"
             for value in getattr(shape, "enum", ()) if value.startswith("ml.")}
    unknown = {name for name in names if instances.find(name) is None}
    assert unknown == {"ml.geospatial.interactive", *(name for name in names if name.startswith("ml.eia"))}


@pytest.mark.parametrize(("name", "vcpus", "memory", "gpus"), [
    ("ml.t3.medium", 2, 4, 0), ("ml.m5.large", 2, 8, 0), ("ml.m5.24xlarge", 96, 384, 0), ("ml.c5.xlarge", 4, 8, 0),
    ("ml.c4.8xlarge", 36, 60, 0), ("ml.r5.2xlarge", 8, 64, 0), ("ml.c5n.9xlarge", 36, 94.5, 0),
    ("ml.c6g.medium", 1, 2, 0), ("ml.m7i-flex.large", 2, 8, 0), ("ml.p3.2xlarge", 8, 61, 1),
    ("ml.p4d.24xlarge", 96, 1152, 8), ("ml.g5.12xlarge", 48, 192, 4), ("ml.p6-b200.48xlarge", 192, 2048, 8),
])
def test_an_instance_type_has_its_published_size(name, vcpus, memory, gpus):
    found = instances.find(name)
    assert (found.vcpus, found.memory, found.gpus) == (vcpus, memory, gpus)


@pytest.mark.parametrize("name", ["", "m5.large", "ml.m5", "ml.m5.huge", "ml.x9.large", "ml.m5.0xlarge",
                                  "ml.p4d.large"])
def test_what_is_no_instance_type_is_unknown(name):
    assert instances.find(name) is None


def test_a_small_instance_is_granted_as_it_is():
    assert capacity.grant(instances.find("ml.m5.large"), LAPTOP) == Grant(2, 8 * GIB)


def test_a_large_instance_is_mapped_down_and_that_is_said():
    granted = capacity.grant(instances.find("ml.p4d.24xlarge"), LAPTOP)
    assert (granted.cpus, granted.gpus) == (4, 0) and granted.memory < LAPTOP.memory
    assert granted.note == ("ml.p4d.24xlarge is mapped to this machine: 4 of 96 vCPUs, 15.2 of 1152 GiB memory, "
                            "0 of 8 GPUs.")


def claims(*sizes, server=False, gpus=0):
    return [Claim(f"j{n}", Grant(size, 8 * GIB, gpus), server) for n, size in enumerate(sizes)]


def test_batch_jobs_start_in_order_until_the_overcommitted_cores_are_taken():
    assert capacity.admit(claims(4, 4, 1), [], LAPTOP, FREE) == ["j0", "j1"]


def test_nobody_overtakes():
    assert capacity.admit(claims(4, 1), claims(4, 2), LAPTOP, FREE) == []


def test_the_largest_job_always_starts_on_an_idle_machine():
    assert capacity.admit(claims(400), [], LAPTOP, FREE) == ["j0"]


def test_servers_do_not_wait_for_cores():
    assert capacity.admit(claims(4, server=True), claims(4, 4), LAPTOP, FREE) == ["j0"]


def test_nothing_starts_without_free_memory_unless_nothing_runs():
    assert capacity.admit(claims(1, 1), claims(1), LAPTOP, GIB // 4) == []
    assert capacity.admit(claims(1, 1), [], LAPTOP, GIB // 4) == ["j0"]


def test_gpus_are_exclusive():
    assert capacity.admit(claims(4, 4, 4, gpus=1), [], STATION, FREE) == ["j0", "j1"]
    assert capacity.admit(claims(4, gpus=2), claims(4, gpus=1), STATION, FREE) == []


def test_a_processor_job_passes_a_server_that_waits_for_a_gpu():
    waiting = [Claim("gpu", Grant(4, GIB, 1), server=True), Claim("cpu", Grant(4, GIB))]
    assert capacity.admit(waiting, claims(4, gpus=2), STATION, FREE) == ["cpu"]
