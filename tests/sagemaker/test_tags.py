"""Tags of SageMaker resources, by the ARN that was answered and by one made up from the name."""

from __future__ import annotations

import time

import pytest
from botocore.exceptions import ClientError

from tests.conftest import Live


def test_tags_are_found_by_an_arn_in_the_names_own_case(live: Live) -> None:
    client, name = live.client("sagemaker"), f"Mixed-Case-{time.time_ns()}"
    arn = client.create_model(ModelName=name, ExecutionRoleArn=live.role_arn,
                              Tags=[{"Key": "a", "Value": "1"}])["ModelArn"]
    made_up = f"arn:aws:sagemaker:{live.region}:{live.account}:model/{name}"
    assert arn == made_up.lower()
    client.add_tags(ResourceArn=made_up, Tags=[{"Key": "b", "Value": "2"}])
    assert client.list_tags(ResourceArn=arn)["Tags"] == client.list_tags(ResourceArn=made_up)["Tags"] == [
        {"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]
    client.delete_tags(ResourceArn=made_up, TagKeys=["a"])
    assert client.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    with pytest.raises(ClientError, match="Could not find resource"):
        client.list_tags(ResourceArn=made_up + "x")
