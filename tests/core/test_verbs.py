"""Derived verbs on nouns of the real model, over a real store: what no chapter has to write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sagewright.core import model, verbs
from sagewright.core.call import Call, Principal
from sagewright.core.client import Callers
from sagewright.core.clock import FakeClock
from sagewright.core.config import Config
from sagewright.core.dispatch import Dispatch
from sagewright.core.errors import AwsError, Conflict
from sagewright.core.migrate import migrate
from sagewright.core.nouns import Noun
from sagewright.core.service import Service
from sagewright.core.store import Row, Store
from sagewright.core.world import World

ACCOUNT, REGION = "123456789012", "us-west-2"


def _undeletable(call: Call, row: Row) -> None:
    if row.body.get("Description") == "keep":
        raise AwsError("ConflictException", f"{row.name} is in use.")


JOB = Noun("ProcessingJob", "processing-job/{name}", status="ProcessingJobStatus", first="InProgress",
           moving=frozenset({"InProgress", "Stopping"}), terminal=frozenset({"Completed", "Failed", "Stopped"}),
           admit=lambda call, body: {**body, "Environment": {"admitted": "yes"}},
           describe=lambda call, row: {"ExitMessage": f"version {row.version}", "FailureReason": None})
EXPERIMENT = Noun("Experiment", "experiment/{name}", deletable=_undeletable)
ENDPOINT = Noun("Endpoint", "endpoint/{name}", status="EndpointStatus", first="Creating", deleting="Deleting",
                holds_create=True, moving=frozenset({"Creating", "Deleting"}), terminal=frozenset({"Dead"}))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    store = Store(f"sqlite:///{tmp_path / 'verbs.db'}", clock := FakeClock())
    migrate(store.db)
    made = World(Config(tmp_path), clock, store)
    yield made
    store.close()


class Client:
    """Calls operations as handlers get them; `last` is the call, with what the gateway would see in it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.dispatch = Dispatch([Service("sagemaker", nouns=(JOB, EXPERIMENT, ENDPOINT))])
        self.last: Call | None = None

    def __call__(self, operation: str, region: str = REGION, **params: Any) -> dict[str, Any]:
        principal = Principal(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
        self.last = Call(self.world, "sagemaker", operation, region, ACCOUNT, principal, params)
        return self.dispatch.invoke(self.last)

    def refused(self, operation: str, **params: Any) -> AwsError:
        """The error that this call gets."""
        with pytest.raises(AwsError) as error:
            self(operation, **params)
        return error.value

    def names(self, **params: Any) -> list[str]:
        """Names of all jobs, page by page."""
        found: list[str] = []
        while True:
            page = self("ListProcessingJobs", **params)
            found += [job["ProcessingJobName"] for job in page["ProcessingJobSummaries"]]
            if not page["NextToken"]:
                return found
            params["NextToken"] = page["NextToken"]


@pytest.fixture
def client(world: World) -> Client:
    return Client(world)


@pytest.fixture
def jobs(client: Client) -> Client:
    """Seven jobs that a test may change."""
    return _with_jobs(client)


@pytest.fixture(scope="module")
def seven(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """The same seven jobs for tests that only look."""
    folder = tmp_path_factory.mktemp("seven")
    store = Store(f"sqlite:///{folder / 'verbs.db'}", clock := FakeClock())
    migrate(store.db)
    yield _with_jobs(Client(World(Config(folder), clock, store)))
    store.close()


def _with_jobs(client: Client) -> Client:
    """A minute apart: b0 a1 b2 a3 ...; the odd ones have ended, an hour later, the last one first."""
    for n in range(7):
        client("CreateProcessingJob", ProcessingJobName=f"{'ba'[n % 2]}{n}", RoleArn="r")
        client.world.clock.sleep(60)
    client.world.clock.sleep(3600)
    for n in (5, 3, 1):
        row = client.world.store.get("ProcessingJob", ACCOUNT, REGION, f"a{n}")
        assert row is not None
        client.world.store.update(row.with_(status="Completed", terminal=True))
        client.world.clock.sleep(60)
    return client


def test_verbs_are_those_that_the_model_has() -> None:
    assert sorted(verbs.derive(JOB)) == ["create_processing_job", "delete_processing_job", "describe_processing_job",
                                         "list_processing_jobs", "stop_processing_job"]
    assert "list_endpoints" in verbs.derive(ENDPOINT) and "stop_endpoint" not in verbs.derive(ENDPOINT)
    without = Noun("Experiment", "experiment/{name}", without=frozenset({"Update"}))
    assert "update_experiment" not in verbs.derive(without)


def test_create_answers_the_arn_and_describe_all_that_was_sent(client: Client) -> None:
    now = client.world.clock.now()
    made = client("CreateProcessingJob", ProcessingJobName="Mixed-Case", RoleArn="r", ExperimentConfig=None,
                  Tags=[{"Key": "k", "Value": "v"}])
    arn = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:processing-job/mixed-case"
    assert made == {"ProcessingJobArn": arn}
    assert client.world.store.tags(arn) == [{"Key": "k", "Value": "v"}]
    assert client("DescribeProcessingJob", ProcessingJobName="Mixed-Case") == {
        "ProcessingJobName": "Mixed-Case", "ProcessingJobArn": arn, "ProcessingJobStatus": "InProgress",
        "RoleArn": "r", "Environment": {"admitted": "yes"}, "ExitMessage": "version 1",
        "CreationTime": now, "LastModifiedTime": now}


@pytest.mark.parametrize("region, partition", [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")])
def test_arns_are_of_the_partition_of_their_region(client: Client, region: str, partition: str) -> None:
    made = client("CreateExperiment", region=region, ExperimentName="e")
    assert made["ExperimentArn"] == f"arn:{partition}:sagemaker:{region}:{ACCOUNT}:experiment/e"


def test_a_name_is_taken_once_in_a_region(client: Client) -> None:
    client("CreateExperiment", ExperimentName="one")
    error = client.refused("CreateExperiment", ExperimentName="one")
    assert error.code == "ResourceInUse"
    assert error.message == f"experiment already exists: arn:aws:sagemaker:{REGION}:{ACCOUNT}:experiment/one"
    assert client("CreateExperiment", region="eu-west-1", ExperimentName="one")["ExperimentArn"]


def test_names_that_differ_in_case_only_share_an_arn_and_so_one_is_refused(client: Client) -> None:
    client("CreateExperiment", ExperimentName="one")
    assert client.refused("CreateExperiment", ExperimentName="ONE").code == "ResourceInUse"


def test_what_is_not_there_is_not_found(client: Client) -> None:
    for operation in ("DescribeExperiment", "DeleteExperiment", "UpdateExperiment"):
        error = client.refused(operation, ExperimentName="nobody")
        assert (error.code, error.message) == ("ResourceNotFound", "Requested resource not found.")


def test_an_arn_does_for_a_name(client: Client) -> None:
    arn = client("CreateExperiment", ExperimentName="one")["ExperimentArn"]
    assert client("DescribeExperiment", ExperimentName=arn)["ExperimentName"] == "one"
    client("UpdateExperiment", ExperimentName=arn, Description="new")
    assert client("DescribeExperiment", ExperimentName="one")["Description"] == "new"
    client("DeleteExperiment", ExperimentName=arn)
    assert client.refused("DescribeExperiment", ExperimentName="one").code == "ResourceNotFound"


def test_update_keeps_what_it_does_not_name_and_answers_what_the_model_shows(client: Client) -> None:
    made = client("CreateExperiment", ExperimentName="one", DisplayName="shown", Description="old")
    assert client("UpdateExperiment", ExperimentName="one", Description="new") == made
    found = client("DescribeExperiment", ExperimentName="one")
    assert (found["DisplayName"], found["Description"]) == ("shown", "new")


def test_delete_asks_first_and_then_the_name_is_free(client: Client) -> None:
    client("CreateExperiment", ExperimentName="one", Description="keep")
    assert client.refused("DeleteExperiment", ExperimentName="one").message == "one is in use."
    client("UpdateExperiment", ExperimentName="one", Description="go")
    assert client("DeleteExperiment", ExperimentName="one") == {}
    client("CreateExperiment", ExperimentName="one")


def test_a_resource_that_must_be_taken_down_is_marked_and_left_to_its_controller(client: Client) -> None:
    client("CreateEndpoint", EndpointName="e", EndpointConfigName="c")
    client("DeleteEndpoint", EndpointName="e")
    assert client("DescribeEndpoint", EndpointName="e")["EndpointStatus"] == "Deleting"


def test_delete_of_an_ended_row_that_cannot_be_marked_is_refused(client: Client) -> None:
    arn = client("CreateEndpoint", EndpointName="e", EndpointConfigName="c")["EndpointArn"]
    row = client.world.store.by_arn(arn)
    assert row is not None
    client.world.store.update(row.with_(status="Dead", terminal=True))
    assert client.refused("DeleteEndpoint", EndpointName="e").code == "ValidationException"


def test_delete_says_so_when_others_are_always_quicker(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    client("CreateExperiment", ExperimentName="busy")
    store, delete = client.world.store, client.world.store.delete

    def overtaken(row: Row) -> None:
        store.update(row.with_(body={"Description": str(row.version)}))
        delete(row)

    monkeypatch.setattr(store, "delete", overtaken)
    assert client.refused("DeleteExperiment", ExperimentName="busy").code == "ConflictException"


def test_a_change_is_made_again_when_somebody_was_quicker(client: Client) -> None:
    client("CreateExperiment", ExperimentName="one", Description="0")
    assert client.last is not None
    tries: list[int] = []

    def step(row: Row) -> Row:
        tries.append(row.version)
        if len(tries) < 3:
            client.world.store.update(row.with_(body={"Description": f"other {len(tries)}"}))
        return row.with_(body={"DisplayName": "mine"})

    row = verbs.change(client.last, EXPERIMENT, "one", step)
    assert tries == [1, 2, 3]
    assert (row.body["DisplayName"], row.body["Description"]) == ("mine", "other 2")


def test_stop_is_for_what_runs(client: Client) -> None:
    client("CreateProcessingJob", ProcessingJobName="j", RoleArn="r")
    assert client("StopProcessingJob", ProcessingJobName="j") == {}
    assert client("DescribeProcessingJob", ProcessingJobName="j")["ProcessingJobStatus"] == "Stopping"
    error = client.refused("StopProcessingJob", ProcessingJobName="j")
    assert error.message == "The request was rejected because the processing job is in status Stopping."


@pytest.mark.parametrize("status, held", [("InProgress", True), ("Stopping", True), ("Completed", False)])
def test_a_describe_may_be_held_while_the_state_ends_by_itself(client: Client, status: str, held: bool) -> None:
    arn = client("CreateProcessingJob", ProcessingJobName="j", RoleArn="r")["ProcessingJobArn"]
    assert client.last is not None and client.last.hold is None, "Create is answered at once"
    row = client.world.store.by_arn(arn)
    assert row is not None
    client.world.store.update(row.with_(status=status, terminal=status == "Completed"))
    client("DescribeProcessingJob", ProcessingJobName="j")
    assert client.last.hold == ((arn, status, JOB.moving) if held else None)


def test_a_create_may_be_held_where_the_noun_says_so(client: Client) -> None:
    arn = client("CreateEndpoint", EndpointName="e", EndpointConfigName="c")["EndpointArn"]
    assert client.last is not None and client.last.hold == (arn, "Creating", ENDPOINT.moving)


def test_what_never_moves_is_never_held(client: Client) -> None:
    client("CreateExperiment", ExperimentName="e")
    client("DescribeExperiment", ExperimentName="e")
    assert client.last is not None and client.last.hold is None


# -- lists ------------------------------------------------------------------------------------------------------------
CREATED = ["b0", "a1", "b2", "a3", "b4", "a5", "b6"]
HOUR_ONE = FakeClock().now() + 1800


@pytest.mark.parametrize("asked, names", [
    ({}, CREATED),
    ({"SortOrder": "Descending"}, CREATED[::-1]),
    ({"SortBy": "CreationTime", "SortOrder": "Ascending"}, CREATED),
    ({"SortBy": "Name"}, sorted(CREATED)),
    ({"SortBy": "Status"}, ["a1", "a3", "a5", "b0", "b2", "b4", "b6"]),
    ({"SortBy": "Status", "SortOrder": "Descending"}, ["b6", "b4", "b2", "b0", "a5", "a3", "a1"]),
    ({"StatusEquals": "Completed"}, ["a1", "a3", "a5"]),
    ({"StatusEquals": "Failed"}, []),
    ({"NameContains": "A"}, ["a1", "a3", "a5"]),
    ({"NameContains": "%"}, []),
    ({"NameContains": "_"}, []),
    ({"CreationTimeAfter": FakeClock().now() + 150}, ["a3", "b4", "a5", "b6"]),
    ({"CreationTimeBefore": datetime.fromtimestamp(FakeClock().now() + 90, UTC)}, ["b0", "a1"]),
    ({"LastModifiedTimeAfter": HOUR_ONE}, ["a1", "a3", "a5"]),
    ({"LastModifiedTimeBefore": HOUR_ONE, "NameContains": "b", "SortOrder": "Descending"}, ["b6", "b4", "b2", "b0"]),
])
@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_lists_filter_and_sort_whatever_the_size_of_a_page(seven: Client, size: int, asked: dict[str, Any],
                                                           names: list[str]) -> None:
    assert seven.names(MaxResults=size, **asked) == names


def test_a_page_has_ten_unless_asked_and_summaries_have_the_members_of_the_model(client: Client) -> None:
    for n in range(11):
        client("CreateProcessingJob", ProcessingJobName=f"j{n}", RoleArn="r")
    first = client("ListProcessingJobs")
    assert len(first["ProcessingJobSummaries"]) == 10 and first["NextToken"]
    assert client("ListProcessingJobs", NextToken=first["NextToken"])["NextToken"] is None
    shape = model.operation("sagemaker", "ListProcessingJobs").output_shape
    known = set(model.members(model.members(shape)["ProcessingJobSummaries"].member))  # type: ignore[attr-defined]
    assert set(first["ProcessingJobSummaries"][0]) <= known
    assert "RoleArn" not in first["ProcessingJobSummaries"][0]


def test_what_is_made_or_deleted_between_two_pages_shifts_nothing(jobs: Client) -> None:
    first = jobs("ListProcessingJobs", MaxResults=3)
    jobs("CreateProcessingJob", ProcessingJobName="new", RoleArn="r")
    jobs("DeleteProcessingJob", ProcessingJobName="b0")
    jobs("DeleteProcessingJob", ProcessingJobName="b2")
    assert jobs.names(NextToken=first["NextToken"], MaxResults=3) == ["a3", "b4", "a5", "b6", "new"]


def test_a_token_of_one_order_is_no_token_of_another(jobs: Client) -> None:
    by_name = jobs("ListProcessingJobs", MaxResults=1, SortBy="Name")["NextToken"]
    by_time = jobs("ListProcessingJobs", MaxResults=1)["NextToken"]
    assert jobs.refused("ListProcessingJobs", NextToken=by_name).code == "ValidationException"
    assert jobs.refused("ListProcessingJobs", NextToken=by_time, SortBy="Name").code == "ValidationException"


@pytest.mark.parametrize("operation, descending", [
    ("ListProcessingJobs", False), ("ListTrainingJobs", False), ("ListModels", True), ("ListEndpoints", True),
    ("ListEndpointConfigs", True), ("ListTransformJobs", True), ("ListExperiments", True), ("ListTags", False)])
def test_the_default_order_is_the_documented_one(operation: str, descending: bool) -> None:
    assert verbs._default_descending(model.operation("sagemaker", operation)) is descending


def test_regions_do_not_see_each_other(jobs: Client) -> None:
    assert jobs.names(region="eu-west-1") == []
    error = jobs.refused("DescribeProcessingJob", region="eu-west-1", ProcessingJobName="b0")
    assert error.code == "ResourceNotFound"


def test_a_list_may_be_of_one_owner(client: Client) -> None:
    client("CreateProcessingJob", ProcessingJobName="alone", RoleArn="r")
    assert client.last is not None
    verbs.insert(client.last, JOB, "child", {}, owner="arn:pipeline")
    rows, token = verbs.listing(client.last, "ProcessingJob", owner="arn:pipeline")
    assert [row.name for row in rows] == ["child"] and token is None


def test_of_two_inserts_of_one_name_the_store_lets_one_through(client: Client) -> None:
    client("CreateProcessingJob", ProcessingJobName="j", RoleArn="r")
    assert client.last is not None
    with pytest.raises(AwsError, match="already exists"):
        verbs.insert(client.last, JOB, "j", {})
    with pytest.raises(Conflict):
        client.world.store.insert(Row("ProcessingJob", ACCOUNT, REGION, "j", "arn:other", {}))


def test_chapters_call_each_other_as_somebody(world: World, client: Client) -> None:
    seen: list[Principal] = []
    noun = Noun("Experiment", "experiment/{name}", admit=_noting(seen))
    callers = Callers(world, Dispatch([Service("sagemaker", nouns=(noun,))]))
    role = f"arn:aws:iam::{ACCOUNT}:role/deep/path/Work"
    callers.as_role(role, REGION, "job-1").call("sagemaker", "CreateExperiment", ExperimentName="a")
    callers.as_root(ACCOUNT, REGION).call("sagemaker", "CreateExperiment", ExperimentName="b")
    assert [(p.arn, p.policy_arn, p.is_root) for p in seen] == [
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/Work/job-1", role, False),
        (f"arn:aws:iam::{ACCOUNT}:root", "", True)]


def _noting(seen: list[Principal]) -> Callable[[Call, dict[str, Any]], dict[str, Any]]:
    def admit(call: Call, body: dict[str, Any]) -> dict[str, Any]:
        seen.append(call.principal)
        return body

    return admit
