"""Paths of REST models: labels, literal query members, the most telling pattern first."""

from __future__ import annotations

import pytest

from sagewright.core.errors import AwsError
from sagewright.core.http import Headers, Request
from sagewright.gateway import rest


def asked(method: str, path: str, query: str = "") -> Request:
    return Request(method, path, query, Headers())


@pytest.mark.parametrize("service, method, path, query, operation, labels", [
    ("sagemaker-runtime", "POST", "/endpoints/e/invocations", "", "InvokeEndpoint", {"EndpointName": "e"}),
    ("sagemaker-runtime", "POST", "/endpoints/e/invocations/", "", "InvokeEndpoint", {"EndpointName": "e"}),
    ("sagemaker-runtime", "POST", "/endpoints/e/async-invocations", "", "InvokeEndpointAsync", {"EndpointName": "e"}),
    ("sagemaker-runtime", "POST", "/endpoints/e/invocations-response-stream", "", "InvokeEndpointWithResponseStream",
     {"EndpointName": "e"}),
    ("sagemaker-featurestore-runtime", "PUT", "/FeatureGroup/fg", "", "PutRecord", {"FeatureGroupName": "fg"}),
    ("sagemaker-featurestore-runtime", "GET", "/FeatureGroup/f%20g", "RecordIdentifierValueAsString=1", "GetRecord",
     {"FeatureGroupName": "f g"}),
    ("lambda", "GET", "/2015-03-31/functions/", "", "ListFunctions", {}),
    ("lambda", "GET", "/2015-03-31/functions", "", "ListFunctions", {}),
    ("lambda", "POST", "/2015-03-31/functions/f/invocations", "", "Invoke", {"FunctionName": "f"}),
    ("lambda", "GET", "/2017-03-31/tags/arn%3Aaws%3Alambda%3Aus-west-2%3A1%3Afunction%3Af", "", "ListTags",
     {"Resource": "arn:aws:lambda:us-west-2:1:function:f"}),
    ("s3", "GET", "/b/a/deep/key", "", "GetObject", {"Bucket": "b", "Key": "a/deep/key"}),
])
def test_a_path_names_its_operation(service: str, method: str, path: str, query: str, operation: str,
                                    labels: dict[str, str]) -> None:
    if service == "s3":  # greedy labels, which only S3's model has; s3_route.py decides for S3 itself
        found = rest._pattern("/{Bucket}/{Key+}").fullmatch(path)
        assert found is not None and found.groupdict() == labels
        return
    match = rest.match(service, asked(method, path, query))
    assert match is not None and (match.operation, match.labels) == (operation, labels)


@pytest.mark.parametrize("method, path", [
    ("GET", "/endpoints/e/invocations"), ("POST", "/endpoints//invocations"), ("POST", "/endpoints/a/b/invocations"),
    ("POST", "/"), ("POST", ""), ("POST", "/endpoints/e/invocations/x"), ("POST", "/x/endpoints/e/invocations")])
def test_other_paths_are_nobodys(method: str, path: str) -> None:
    assert rest.match("sagemaker-runtime", asked(method, path)) is None


def test_an_operation_that_the_model_has_not_is_refused_without_echoing_a_novel() -> None:
    assert rest.known("sagemaker", "ListModels") == "ListModels"
    with pytest.raises(AwsError) as refused:
        rest.known("iam", "X" * 5000, "InvalidAction")
    assert refused.value.code == "InvalidAction" and len(refused.value.message) < 200
