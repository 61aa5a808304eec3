"""ARNs: how they are made and taken apart."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Arn:
    """The six parts of an ARN."""

    partition: str
    service: str
    region: str
    account: str
    resource: str

    def __str__(self) -> str:
        return f"arn:{self.partition}:{self.service}:{self.region}:{self.account}:{self.resource}"


def parse(text: str) -> Arn:
    """Take an ARN apart; ValueError if it is none."""
    parts = text.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn":
        raise ValueError(f"not an ARN: {text!r}")
    return Arn(*parts[1:])


def partition_of(region: str) -> str:
    """The partition that a region belongs to."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def make(service: str, region: str, account: str, resource: str) -> str:
    """The ARN of a resource, in the region's partition."""
    return str(Arn(partition_of(region), service, region, account, resource))
