"""Tags of SageMaker resources through boto3: pages, limits and forged page tokens."""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.conftest import Live


@pytest.fixture
def tagged(live: Live) -> tuple[Any, str]:
    """A client and the ARN of a model that may be tagged."""
    sagemaker, name = live.client("sagemaker"), f"tags-{uuid.uuid4().hex[:8]}"
    arn = sagemaker.create_model(ModelName=name, ExecutionRoleArn=live.role_arn)["ModelArn"]
    return sagemaker, arn


def test_tags_come_page_by_page_in_the_order_of_their_making(tagged: tuple[Any, str]) -> None:
    sagemaker, arn = tagged
    tags = [{"Key": f"k{n:02}", "Value": str(n)} for n in range(49, 0, -1)]
    sagemaker.add_tags(ResourceArn=arn, Tags=tags)
    pages = sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn, PaginationConfig={"PageSize": 50})
    assert [tag for page in pages for tag in page["Tags"]] == tags
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["k49", "nobody"])
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == tags[1:]


def test_a_resource_has_fifty_tags_and_no_more(tagged: tuple[Any, str]) -> None:
    sagemaker, arn = tagged
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": f"k{n}", "Value": ""} for n in range(50)])
    sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "k7", "Value": "anew"}])
    with pytest.raises(ClientError, match="cannot exceed 50"):
        sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "one-more", "Value": ""}])


@pytest.mark.parametrize("values", [["x", 1], [2**70, 1], [None, 1], [1.5, 1], "["])
def test_a_forged_page_token_is_a_client_error(tagged: tuple[Any, str], values: Any) -> None:
    sagemaker, arn = tagged
    token = base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")
    with pytest.raises(ClientError) as refused:
        sagemaker.list_tags(ResourceArn=arn, NextToken=token)
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
