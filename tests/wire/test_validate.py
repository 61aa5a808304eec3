"""The model's constraints, in AWS's words. Sentences marked (AWS) were seen in answers of the real services."""

from __future__ import annotations

import itertools
import random
import re
from typing import Any

import pytest
from botocore.model import OperationModel, ServiceModel

from sagewright.core import model
from sagewright.core.errors import AwsError
from sagewright.gateway import patterns, validate

ROLE = "arn:aws:iam::123456789012:role/r"
JOB: dict[str, Any] = {
    "TrainingJobName": "job", "RoleArn": ROLE, "AlgorithmSpecification": {"TrainingInputMode": "File"},
    "OutputDataConfig": {"S3OutputPath": "s3://b/o"}, "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}}


def _refusal(service: str, operation: str, params: dict[str, Any]) -> AwsError:
    with pytest.raises(AwsError) as raised:
        validate.check(model.operation(service, operation), params)
    return raised.value


def test_a_good_request_passes() -> None:
    validate.check(model.operation("sagemaker", "CreateTrainingJob"), JOB)


@pytest.mark.parametrize(("change", "message"), [
    ({"RoleArn": None}, "1 validation error detected: Value null at 'roleArn' failed to satisfy constraint: "
                        "Member must not be null"),
    ({"ResourceConfig": {"InstanceCount": -1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}},
     "1 validation error detected: Value '-1' at 'resourceConfig.instanceCount' failed to satisfy constraint: "
     "Member must have value greater than or equal to 0"),
    ({"Tags": [{"Key": "k", "Value": "v"}, {"Key": "", "Value": "v"}]},
     "1 validation error detected: Value '' at 'tags.2.member.key' failed to satisfy constraint: "
     "Member must have length greater than or equal to 1"),
    ({"Tags": [{"Key": "k"}]}, "1 validation error detected: Value null at 'tags.1.member.value' failed to satisfy "
                               "constraint: Member must not be null"),
    # (AWS)
    ({"HyperParameters": {"a": "b" * 2501}},
     f"1 validation error detected: Value '{{a={'b' * 2501}}}' at 'hyperParameters' failed to satisfy constraint: "
     "Map value must satisfy constraint: [Member must have length less than or equal to 2500, Member must have length "
     "greater than or equal to 0, Member must satisfy regular expression pattern: .*]"),
])
def test_one_problem_is_told_in_aws_words(change: dict[str, Any], message: str) -> None:
    error = _refusal("sagemaker", "CreateTrainingJob", JOB | change)
    assert (error.code, error.message, error.status) == ("ValidationException", message, 400)


def test_all_problems_are_told_and_counted() -> None:
    """(AWS) length first, then the pattern, as CreateModel answers."""
    name = "under_scores" * 6
    error = _refusal("sagemaker", "CreateTrainingJob", JOB | {"TrainingJobName": name})
    assert error.message == (
        f"2 validation errors detected: Value '{name}' at 'trainingJobName' failed to satisfy constraint: Member must "
        f"have length less than or equal to 63; Value '{name}' at 'trainingJobName' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: "
        + model.model("sagemaker").shape_for("TrainingJobName").metadata["pattern"])


def test_an_unknown_enum_value_is_told_the_known_ones() -> None:
    change = {"AlgorithmSpecification": {"TrainingInputMode": "Telepathy"}}
    error = _refusal("sagemaker", "CreateTrainingJob", JOB | change)
    assert error.message == (
        "1 validation error detected: Value 'Telepathy' at 'algorithmSpecification.trainingInputMode' failed to "
        "satisfy constraint: Member must satisfy enum value set: [Pipe, File, FastFile]")


def test_scalars_of_a_list_are_reported_at_the_list() -> None:
    params = JOB | {"VpcConfig": {"SecurityGroupIds": ["sg-1", "no good"], "Subnets": ["s"]}}
    error = _refusal("sagemaker", "CreateTrainingJob", params)
    assert error.message == (
        "1 validation error detected: Value '[sg-1, no good]' at 'vpcConfig.securityGroupIds' failed to satisfy "
        "constraint: Member must satisfy constraint: [Member must have length less than or equal to 32, Member must "
        "have length greater than or equal to 0, Member must satisfy regular expression pattern: [-0-9a-zA-Z]+, "
        "Member must not be null]")


def test_nulls_in_lists_and_maps_are_refused() -> None:
    assert "Member must not be null" in _refusal("sagemaker", "CreateTrainingJob", JOB | {"Tags": [None]}).message
    error = _refusal("sagemaker", "CreateTrainingJob", JOB | {"HyperParameters": {"a": None}})
    assert "Map value must satisfy constraint: [Member must not be null]" in error.message


@pytest.mark.parametrize(("service", "operation", "params", "code", "message"), [
    ("logs", "CreateLogGroup", {"logGroupName": "a b"}, "InvalidParameterException",
     "1 validation error detected: Value 'a b' at 'logGroupName' failed to satisfy constraint: Member must satisfy "
     r"regular expression pattern: [\.\-_/#A-Za-z0-9]+"),
    ("logs", "CreateDelivery", {"deliveryDestinationArn": "a"}, "ValidationException",
     "1 validation error detected: Value null at 'deliverySourceName' failed to satisfy constraint: Member must not be "
     "null"),
    ("iam", "GetRole", {}, "ValidationError",
     "1 validation error detected: Value null at 'roleName' failed to satisfy constraint: Member must not be null"),
    ("sts", "AssumeRole", {"RoleArn": ROLE, "RoleSessionName": "x"}, "ValidationError",
     "1 validation error detected: Value 'x' at 'roleSessionName' failed to satisfy constraint: Member must have "
     "length greater than or equal to 2"),
    ("kms", "DescribeKey", {}, "ValidationException",
     "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null"),
    # (AWS)
    ("ecr", "BatchGetImage", {"repositoryName": "repo", "imageIds": [{"imageTag": "t"}] * 101},
     "InvalidParameterException",
     "Invalid parameter at 'imageIds' failed to satisfy constraint: 'Member must have length less than or equal to "
     "100'"),
    # (AWS)
    ("ecr", "CreateRepository", {"repositoryName": "Upper"}, "InvalidParameterException",
     "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression "
     r"'[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*''"),
    # (AWS)
    ("athena", "GetQueryExecution", {}, "InvalidRequestException",
     "1 validation error detected: Value null at 'queryExecutionId' failed to satisfy constraint: "
     "Member must not be null"),
    ("cloudwatch", "GetMetricStatistics", {"MetricName": "m", "Period": 60, "StartTime": 1, "EndTime": 2},
     "MissingParameter", "The parameter Namespace is required."),
    ("sqs", "SendMessage", {"QueueUrl": "u"}, "MissingParameter",
     "The request must contain the parameter MessageBody."),
    ("sagemaker-runtime", "InvokeEndpoint", {"EndpointName": "e" * 64, "Body": b"x"}, "ValidationError",
     f"1 validation error detected: Value '{'e' * 64}' at 'endpointName' failed to satisfy constraint: Member must "
     "have length less than or equal to 63"),
])
def test_each_service_has_its_own_words(service: str, operation: str, params: dict[str, Any], code: str,
                                        message: str) -> None:
    error = _refusal(service, operation, params)
    assert (error.code, error.message) == (code, message)


def test_secrets_are_not_repeated() -> None:
    error = _refusal("iam", "CreateLoginProfile", {"UserName": "u", "Password": "p" * 129})
    assert error.message == ("1 validation error detected: Value at 'password' failed to satisfy constraint: "
                             "Member must have length less than or equal to 128")


def test_s3_answers_for_its_body_alone() -> None:
    put = model.operation("s3", "PutObjectTagging")
    validate.check(put, {"Bucket": "b", "Tagging": {"TagSet": [{"Key": "k" * 500, "Value": "v"}]}})
    assert _refusal("s3", "PutObjectTagging", {"Tagging": {"TagSet": [{"Key": "k"}]}}).code == "MalformedXML"


def test_a_union_has_one_member() -> None:
    operation = _operation({"Choice": {"type": "structure", "union": True,
                                       "members": {"A": {"shape": "Text"}, "B": {"shape": "Text"}}},
                            "Text": {"type": "string"}}, "Choice")
    validate.check(operation, {"In": {"A": "x"}})
    for value in ({}, {"A": "x", "B": "y"}):
        with pytest.raises(AwsError, match="at 'in' failed to satisfy constraint: Member must have exactly one"):
            validate.check(operation, {"In": value})


def test_nested_lists_and_maps_have_paths() -> None:
    shapes = {"Rows": {"type": "list", "member": {"shape": "Row"}},
              "Row": {"type": "map", "key": {"shape": "Text"}, "value": {"shape": "Cells"}},
              "Cells": {"type": "list", "member": {"shape": "Cell"}, "max": 2},
              "Cell": {"type": "structure", "required": ["Name"], "members": {"Name": {"shape": "Text"}}},
              "Text": {"type": "string"}}
    with pytest.raises(AwsError) as raised:
        validate.check(_operation(shapes, "Rows"), {"In": [{}, {"left": [{"Name": "x"}, {}]}]})
    assert "Value null at 'in.2.member.left.member.2.member.name'" in raised.value.message


def _operation(shapes: dict[str, Any], shape: str) -> OperationModel:
    shapes = {**shapes, "Input": {"type": "structure", "members": {"In": {"shape": shape}}}}
    operation = {"name": "Do", "http": {"method": "POST", "requestUri": "/"}, "input": {"shape": "Input"}}
    metadata = {"protocol": "json", "apiVersion": "1", "jsonVersion": "1.1"}
    return ServiceModel({"metadata": metadata, "operations": {"Do": operation}, "shapes": shapes}, "do") \
        .operation_model("Do")


# -- patterns ----------------------------------------------------------------------------------------------------------
SERVICES = ("sagemaker", "sagemaker-runtime", "sagemaker-featurestore-runtime", "logs", "cloudwatch", "iam", "sts",
            "kms", "ecr", "events", "scheduler", "lambda", "athena", "glue", "application-autoscaling", "cloudtrail",
            "sns")


def _patterns() -> dict[str, int | None]:
    found: dict[str, int | None] = {}
    for service in SERVICES:
        for description in model.model(service)._service_description["shapes"].values():
            if "pattern" in description:
                most = description.get("max")
                known = found.get(description["pattern"], 0)
                found[description["pattern"]] = None if most is None or known is None else max(most, known)
    return found


def test_python_can_express_every_pattern_of_the_services() -> None:
    assert [pattern for pattern in _patterns() if patterns.compiled(pattern) is None] == []


@pytest.mark.parametrize(("pattern", "good", "bad"), [
    (r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)${1,128}", ["", "a b", "Ünïcode 名前", "a=b"], ["a;b", "a\n", "😀"]),
    (r"[\p{L}\p{M}\p{S}\p{N}\p{P}]+", ["a+b", "𝒜😀"], ["", "a b"]),
    (r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*", ["a\tb", "😀"], ["a\nb", "\x00"]),
    (r"[\w-_]*", ["a-b_c"], ["é", "a b"]),
    (r"\A\S[\p{Print}]*\z", ["ab c"], [" a", "a\n", "aé"]),
    (r"arn:[\p{Alnum}\-]+:x", ["arn:aws-cn:x"], ["arn::x", "arn:a_b:x"]),
    (r"\d+", ["12"], ["١٢"]),
])
def test_java_classes_mean_in_python_what_they_mean_in_java(pattern: str, good: list[str], bad: list[str]) -> None:
    regex = patterns.compiled(pattern)
    assert regex is not None
    assert [text for text in good if not regex.fullmatch(text)] == []
    assert [text for text in bad if regex.fullmatch(text)] == []


@pytest.mark.parametrize("pattern", patterns.REWRITTEN)
def test_a_rewritten_pattern_matches_what_the_original_matches(pattern: str) -> None:
    original, rewritten = re.compile(pattern, re.ASCII), patterns.compiled(pattern)
    assert rewritten is not None
    chance = random.Random(7)
    head = "https://" if pattern.startswith("https") else ""
    short = ("".join(text) for size in range(5) for text in itertools.product("a-/.\t :*!", repeat=size))
    long = ("".join(chance.choice("ab0-/. \t*") for _ in range(12)) for _ in range(5000))
    for text in itertools.chain(short, long):
        assert bool(original.fullmatch(head + text)) == bool(rewritten.fullmatch(head + text)), text


def test_no_pattern_takes_for_ever() -> None:
    """Matching holds the interpreter: an exponential pattern would stop the server. The suite's timeout bounds this."""
    heads = ("", "arn:aws:sagemaker:us-west-2:123456789012:", "https://", "s3://")
    tried = 0
    for pattern, most in _patterns().items():
        longest = patterns.limit(pattern, most)
        regex = patterns.compiled(pattern)
        if longest > patterns.LONGEST or regex is None:
            continue
        for head, unit, tail in itertools.product(heads, ("a", "a-", "/a", "a."), ("!", "\n")):
            tried += regex.fullmatch((head + unit * longest)[:min(longest, 600) - 1] + tail) is None
    assert tried > 1000
