"""Policies that AWS manages: the ones that SageMaker users attach, by name.

Called by policies.py and simulate.py. Short policies say what AWS's say. Those marked ABRIDGED grant less than AWS's:
they leave out statements about services that are not here. A policy that is not in the table does not exist
(NoSuchEntity), rather than being something it is not.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sagewright.aws.iam import managed_sagemaker
from sagewright.aws.iam.records import POLICY
from sagewright.core.store import Row

CREATED = 1423247986  # 6 February 2015, when AWS published the first managed policies


def _allow(*actions: str, on: str | list[str] = "*", when: dict[str, Any] | None = None) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": list(actions) if len(actions) > 1 else actions[0], "Resource": on}
    return {**statement, "Condition": when} if when else statement


def _pass_role(*services: str, on: str = "arn:aws:iam::*:role/*") -> dict[str, Any]:
    return _allow("iam:PassRole", on=on, when={"StringEquals": {"iam:PassedToService": list(services)}})


def _service_linked(service: str, role: str) -> dict[str, Any]:
    return _allow("iam:CreateServiceLinkedRole", on=f"arn:aws:iam::*:role/aws-service-role/{service}/{role}",
                  when={"StringLike": {"iam:AWSServiceName": service}})


_READ_ECR = ("ecr:GetAuthorizationToken", "ecr:BatchCheckLayerAvailability", "ecr:GetDownloadUrlForLayer",
             "ecr:GetRepositoryPolicy", "ecr:DescribeRepositories", "ecr:ListImages", "ecr:DescribeImages",
             "ecr:BatchGetImage", "ecr:GetLifecyclePolicy", "ecr:GetLifecyclePolicyPreview", "ecr:ListTagsForResource",
             "ecr:DescribeImageScanFindings")
_WRITE_ECR = ("ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage")

_READ_SAGEMAKER = ("sagemaker:Describe*", "sagemaker:List*", "sagemaker:BatchGetMetrics",
                   "sagemaker:GetDeviceRegistration", "sagemaker:GetDeviceFleetReport",
                   "sagemaker:GetSearchSuggestions", "sagemaker:BatchGetRecord",
                   "sagemaker:GetRecord", "sagemaker:Search", "sagemaker:QueryLineage",
                   "sagemaker:GetLineageGroupPolicy", "sagemaker:BatchDescribeModelPackage",
                   "sagemaker:GetModelPackageGroupPolicy")
_READ_LOGS = ("logs:Describe*", "logs:Get*", "logs:List*", "logs:StartQuery", "logs:StopQuery", "logs:TestMetricFilter",
              "logs:FilterLogEvents", "logs:StartLiveTail", "logs:StopLiveTail", "cloudwatch:GenerateQuery")
_READ_TELEMETRY = ("cloudwatch:GenerateQueryResultsSummary", "observabilityadmin:GetS3TableIntegration",
                   "observabilityadmin:ListS3TableIntegrations", "observabilityadmin:ListTelemetryPipelines")
_READ_CLOUDWATCH = ("cloudwatch:Describe*", "cloudwatch:Get*", "cloudwatch:List*")
_READ_S3 = ("s3:Get*", "s3:List*", "s3:Describe*", "s3-object-lambda:Get*", "s3-object-lambda:List*")

# ARN after "policy/" -> (description, statements)
_TABLE: Mapping[str, tuple[str, list[dict[str, Any]]]] = {
    "AdministratorAccess": ("Provides full access to AWS services and resources.", [_allow("*")]),
    "PowerUserAccess": (
        "Provides full access to AWS services and resources, but does not allow management of Users and groups.",
        [{"Effect": "Allow", "NotAction": ["iam:*", "organizations:*", "account:*"], "Resource": "*"},
         _allow("account:GetAccountInformation", "account:GetGovCloudAccountInformation", "account:GetPrimaryEmail",
                "account:ListRegions", "iam:CreateServiceLinkedRole", "iam:DeleteServiceLinkedRole", "iam:ListRoles",
                "organizations:DescribeEffectivePolicy", "organizations:DescribeOrganization")]),
    "ReadOnlyAccess": (  # ABRIDGED to the services that are here
        "Provides read-only access to AWS services and resources.",
        [_allow(*_READ_SAGEMAKER, *_READ_LOGS, *_READ_CLOUDWATCH, *_READ_S3, *_READ_ECR, "iam:Get*", "iam:List*",
                "iam:Generate*", "iam:Simulate*", "kms:Describe*", "kms:Get*", "kms:List*", "sns:Get*", "sns:List*",
                "sqs:Get*", "sqs:List*", "events:Describe*", "events:List*", "scheduler:Get*", "scheduler:List*",
                "lambda:Get*", "lambda:List*", "athena:Batch*", "athena:Get*", "athena:List*", "glue:BatchGet*",
                "glue:Get*", "glue:List*", "application-autoscaling:Describe*", "cloudtrail:Describe*",
                "cloudtrail:Get*", "cloudtrail:List*", "cloudtrail:LookupEvents", "sts:GetAccessKeyInfo",
                "sts:GetCallerIdentity", "sts:GetSessionToken")]),
    "IAMFullAccess": (
        "Provides full access to IAM via the AWS Management Console.",
        [_allow("iam:*", "organizations:DescribeAccount", "organizations:DescribeOrganization",
                "organizations:DescribeOrganizationalUnit", "organizations:DescribePolicy",
                "organizations:ListChildren", "organizations:ListParents", "organizations:ListPoliciesForTarget",
                "organizations:ListRoots", "organizations:ListPolicies", "organizations:ListTargetsForPolicy")]),
    "IAMReadOnlyAccess": (
        "Provides read only access to IAM via the AWS Management Console.",
        [_allow("iam:GenerateCredentialReport", "iam:GenerateServiceLastAccessedDetails", "iam:Get*", "iam:List*",
                "iam:SimulateCustomPolicy", "iam:SimulatePrincipalPolicy")]),
    "IAMUserChangePassword": (
        "Provides the ability for an IAM user to change their own password.",
        [_allow("iam:ChangePassword", on=["arn:aws:iam::*:user/${aws:username}",
                                            "arn:aws:iam::*:user/*/${aws:username}"]),
         _allow("iam:GetAccountPasswordPolicy")]),
    "AmazonS3FullAccess": ("Provides full access to all buckets via the AWS Management Console.",
                           [_allow("s3:*", "s3-object-lambda:*")]),
    "AmazonS3ReadOnlyAccess": ("Provides read only access to all buckets via the AWS Management Console.",
                               [_allow(*_READ_S3)]),
    "AmazonSageMakerFullAccess": (
        "Provides full access to Amazon SageMaker via the AWS Management Console and SDK. Also provides select access "
        "to related services (e.g., S3, ECR, CloudWatch Logs).", managed_sagemaker.FULL_ACCESS),
    "AmazonSageMakerReadOnly": (
        "Provides read only access to Amazon SageMaker via the AWS Management Console and SDK.",
        [_allow(*_READ_SAGEMAKER), _allow("application-autoscaling:DescribeScalableTargets",
                "application-autoscaling:DescribeScalingActivities", "application-autoscaling:DescribeScalingPolicies",
                "application-autoscaling:DescribeScheduledActions", "aws-marketplace:ViewSubscriptions",
                "cloudwatch:DescribeAlarms", "cognito-idp:DescribeUserPool", "cognito-idp:DescribeUserPoolClient",
                "cognito-idp:ListGroups", "cognito-idp:ListIdentityProviders", "cognito-idp:ListUserPoolClients",
                "cognito-idp:ListUserPools", "cognito-idp:ListUsers", "cognito-idp:ListUsersInGroup",
                "ecr:Describe*")]),
    "AmazonSageMakerFeatureStoreAccess": (
        "Provides permissions required to enable the offline store for an Amazon SageMaker FeatureStore feature group.",
        [_allow("s3:PutObject", "s3:GetBucketAcl", "s3:PutObjectAcl", on=[
            f"arn:aws:s3:::*{word}*" for word in ("SageMaker", "Sagemaker", "sagemaker")]),
         _allow("s3:GetObject", on=[f"arn:aws:s3:::*{word}*/metadata/*"
                                    for word in ("SageMaker", "Sagemaker", "sagemaker")]),
         _allow("glue:GetTable", "glue:UpdateTable", on=["arn:aws:glue:*:*:catalog",
                "arn:aws:glue:*:*:database/sagemaker_featurestore",
                "arn:aws:glue:*:*:table/sagemaker_featurestore/*"])]),
    "AmazonEC2ContainerRegistryFullAccess": (
        "Provides administrative access to Amazon ECR resources",
        [_allow("ecr:*", "cloudtrail:LookupEvents"),
         _allow("iam:CreateServiceLinkedRole",
                when={"StringEquals": {"iam:AWSServiceName": ["replication.ecr.amazonaws.com"]}})]),
    "AmazonEC2ContainerRegistryPowerUser": (
        "Provides full access to Amazon EC2 Container Registry repositories, but does not allow repository deletion or "
        "policy changes.", [_allow(*_READ_ECR, *_WRITE_ECR)]),
    "AmazonEC2ContainerRegistryReadOnly": (
        "Provides read-only access to Amazon EC2 Container Registry repositories.", [_allow(*_READ_ECR)]),
    "CloudWatchFullAccess": (
        "Provides full access to CloudWatch.",
        [_allow("autoscaling:Describe*", "cloudwatch:*", "logs:*", "sns:*", "iam:GetPolicy", "iam:GetPolicyVersion",
                "iam:GetRole", "oam:ListSinks"),
         _service_linked("events.amazonaws.com", "AWSServiceRoleForCloudWatchEvents*"),
         _allow("oam:ListAttachedLinks", on="arn:aws:oam:*:*:sink/*")]),
    "CloudWatchReadOnlyAccess": (  # ABRIDGED to the services that are here
        "Provides read only access to CloudWatch.",
        [_allow("application-autoscaling:DescribeScalingPolicies", *_READ_CLOUDWATCH, *_READ_LOGS, "sns:Get*",
                "sns:List*")]),
    "CloudWatchLogsFullAccess": ("Provides full access to CloudWatch Logs",
                                 [_allow("logs:*", "cloudwatch:GenerateQuery", *_READ_TELEMETRY)]),
    "CloudWatchLogsReadOnlyAccess": ("Provides read only access to CloudWatch Logs",
                                     [_allow(*_READ_LOGS, *_READ_TELEMETRY)]),
    "service-role/AWSLambdaBasicExecutionRole": (
        "Provides write permissions to CloudWatch Logs.",
        [_allow("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")]),
    "service-role/AWSLambdaRole": ("Default policy for AWS Lambda service role.",
                                   [_allow("lambda:InvokeFunction", on=["*"])]),
    "AWSLambdaExecute": (
        "Provides Put, Get access to S3 and full access to CloudWatch Logs.",
        [_allow("logs:*", on="arn:aws:logs:*:*:*"), _allow("s3:GetObject", "s3:PutObject", on="arn:aws:s3:::*")]),
    "AWSLambda_FullAccess": (  # ABRIDGED to the services that are here
        "Grants full access to AWS Lambda service, AWS Lambda console features, and other related AWS services.",
        [_allow("lambda:*", "iam:GetPolicy", "iam:GetPolicyVersion", "iam:GetRole", "iam:GetRolePolicy",
                "iam:ListAttachedRolePolicies", "iam:ListRolePolicies", "iam:ListRoles", "kms:ListAliases",
                "logs:DescribeLogGroups", "tag:GetResources"),
         _pass_role("lambda.amazonaws.com", on="*"),
         _allow("logs:DescribeLogStreams", "logs:GetLogEvents", "logs:FilterLogEvents",
                on="arn:aws:logs:*:*:log-group:/aws/lambda/*")]),
    "AmazonSNSFullAccess": (  # ABRIDGED: without text messages
        "Provides full access to Amazon SNS via the AWS Management Console.", [_allow("sns:*")]),
    "AmazonSNSReadOnlyAccess": (  # ABRIDGED: without text messages
        "Provides read only access to Amazon SNS via the AWS Management Console.",
                                [_allow("sns:GetTopicAttributes", "sns:List*", "sns:CheckIfPhoneNumberIsOptedOut",
                                        "sns:GetDataProtectionPolicy", "sns:GetEndpointAttributes",
                                        "sns:GetPlatformApplicationAttributes", "sns:GetSMSAttributes",
                                        "sns:GetSMSSandboxAccountStatus", "sns:GetSubscriptionAttributes")]),
    "AmazonSQSFullAccess": ("Provides full access to Amazon SQS via the AWS Management Console.", [_allow("sqs:*")]),
    "AmazonEventBridgeFullAccess": (  # ABRIDGED to the services that are here
        "Provides full access to Amazon EventBridge.",
        [_allow("events:*", "schemas:*", "scheduler:*", "pipes:*"),
         _pass_role("events.amazonaws.com", "scheduler.amazonaws.com", "pipes.amazonaws.com")]),
    "AmazonEventBridgeSchedulerFullAccess": (
        "Grants full access to Amazon EventBridge Scheduler.",
        [_allow("scheduler:*"), _pass_role("scheduler.amazonaws.com")]),
    "AWSStepFunctionsFullAccess": ("An access policy for providing a user/role/etc access to the AWS StepFunctions "
                                   "API.", [_allow("states:*")]),
    "AWSKeyManagementServicePowerUser": (
        "Provides access to AWS Key Management Service (KMS).",
        [_allow("kms:CreateAlias", "kms:CreateKey", "kms:DeleteAlias", "kms:Describe*", "kms:GenerateRandom",
                "kms:Get*", "kms:List*", "kms:TagResource", "kms:UntagResource", "iam:ListGroups", "iam:ListRoles",
                "iam:ListUsers")]),
    "AmazonAthenaFullAccess": (  # ABRIDGED to the services that are here
        "Provide full access to Amazon Athena and scoped access to the dependencies needed to enable querying, writing "
        "results, and data management.",
        [_allow("athena:*"),
         _allow("glue:Get*", "glue:BatchGetPartition", "glue:CreateDatabase", "glue:DeleteDatabase",
                "glue:UpdateDatabase", "glue:CreateTable", "glue:DeleteTable", "glue:BatchDeleteTable",
                "glue:UpdateTable", "glue:BatchCreatePartition", "glue:CreatePartition", "glue:DeletePartition",
                "glue:BatchDeletePartition", "glue:UpdatePartition"),
         _allow("s3:GetBucketLocation", "s3:GetObject", "s3:ListBucket", "s3:ListBucketMultipartUploads",
                "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload", "s3:CreateBucket", "s3:PutObject",
                "s3:PutBucketPublicAccessBlock", on=["arn:aws:s3:::aws-athena-query-results-*"]),
         _allow("s3:ListBucket", "s3:GetBucketLocation", "s3:ListAllMyBuckets"),
         _allow("cloudwatch:PutMetricAlarm", "cloudwatch:DescribeAlarms", "cloudwatch:DeleteAlarms",
                "cloudwatch:GetMetricData")]),
}


def _id(name: str) -> str:
    """A policy id that stays the same from one start to the next."""
    digest = hashlib.sha256(name.encode()).digest()
    return "ANPA" + "".join("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[byte % 32] for byte in digest[:17])


def find(arn: str) -> Row | None:
    """The AWS-managed policy with that ARN, as a row like those of customer policies, or None."""
    head, slash, rest = arn.partition(":policy/")
    return _row(head, rest) if slash and head.endswith(":iam::aws") and rest in _TABLE else None


@functools.cache
def _row(head: str, rest: str) -> Row:
    description, statements = _TABLE[rest]
    partition = head.split(":")[1]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements}, indent=4)
    document = document.replace('"arn:aws:', f'"arn:{partition}:')
    path, _, name = rest.rpartition("/")
    arn = f"{head}:policy/{rest}"
    body = {"PolicyName": name, "PolicyId": _id(rest), "Arn": arn, "Path": f"/{path}/" if path else "/",
            "DefaultVersionId": "v1", "Description": description, "CreateDate": CREATED, "UpdateDate": CREATED}
    version = {"VersionId": "v1", "Document": document, "CreateDate": CREATED}
    return Row(POLICY.kind, "aws", "", name, arn, body, work={"versions": [version], "next": 2})


def every(partition: str) -> list[Row]:
    """Every AWS-managed policy, by name."""
    return sorted((_row(f"arn:{partition}:iam::aws", rest) for rest in _TABLE), key=lambda row: row.name)
