"""AmazonSageMakerFullAccess as AWS published it (version 29, February 2026), statement by statement.

Called by managed.py. It is whole, services that are not here included, because SageMaker's SDK simulates a role's
policies before it uses the role and refuses one that lacks, for instance, EC2's network interfaces.
"""

from __future__ import annotations

from typing import Any

_THREE = ("SageMaker", "Sagemaker", "sagemaker")
_OWNER = "arn:aws:sagemaker:*:*:user-profile/${sagemaker:DomainId}/${sagemaker:UserProfileName}"
_APPS = "arn:aws:sagemaker:*:*:app/${sagemaker:DomainId}/*/*/*"
_SPACES = "arn:aws:sagemaker:*:*:space/${sagemaker:DomainId}/*"
_OWN_BUCKETS = [f"arn:aws:s3:::*{word}*" for word in _THREE]
_EXPRESS = [f"arn:aws:s3express:*:*:bucket/*{word}*" for word in _THREE]
_SAME_ACCOUNT = {"StringEquals": {"aws:ResourceAccount": "${aws:PrincipalAccount}"}}


def _of(prefix: str, names: str) -> list[str]:
    """`service:Name` for each word."""
    return [f"{prefix}:{name}" for name in names.split()]


_SERVICES = [
    *_of("application-autoscaling", "DeleteScalingPolicy DeleteScheduledAction DeregisterScalableTarget "
         "DescribeScalableTargets DescribeScalingActivities DescribeScalingPolicies DescribeScheduledActions "
         "PutScalingPolicy PutScheduledAction RegisterScalableTarget"),
    "aws-marketplace:ViewSubscriptions", "cloudformation:GetTemplateSummary",
    *_of("cloudwatch", "DeleteAlarms DescribeAlarms GetMetricData GetMetricStatistics ListMetrics PutMetricAlarm "
         "PutMetricData"),
    *_of("codecommit", "BatchGetRepositories CreateRepository GetRepository List*"),
    *_of("cognito-idp", "AdminAddUserToGroup AdminCreateUser AdminDeleteUser AdminDisableUser AdminEnableUser "
         "AdminRemoveUserFromGroup CreateGroup CreateUserPool CreateUserPoolClient CreateUserPoolDomain "
         "DescribeUserPool DescribeUserPoolClient List* UpdateUserPool UpdateUserPoolClient"),
    *_of("ec2", "CreateNetworkInterface CreateNetworkInterfacePermission CreateVpcEndpoint DeleteNetworkInterface "
         "DeleteNetworkInterfacePermission DescribeDhcpOptions DescribeNetworkInterfaces DescribeRouteTables "
         "DescribeSecurityGroups DescribeSubnets DescribeVpcEndpoints DescribeVpcs"),
    *_of("ecr", "BatchCheckLayerAvailability BatchGetImage CreateRepository Describe* GetAuthorizationToken "
         "GetDownloadUrlForLayer StartImageScan"),
    "elastic-inference:Connect", "elasticfilesystem:DescribeFileSystems", "elasticfilesystem:DescribeMountTargets",
    "fsx:DescribeFileSystems",
    *_of("glue", "CreateJob DeleteJob GetJob* GetTable* GetWorkflowRun ResetJobBookmark StartJobRun StartWorkflowRun "
         "UpdateJob"),
    "groundtruthlabeling:*", "iam:ListRoles", "kms:DescribeKey", "kms:ListAliases", "lambda:ListFunctions",
    *_of("logs", "CreateLogDelivery CreateLogGroup CreateLogStream DeleteLogDelivery Describe* GetLogDelivery "
         "GetLogEvents ListLogDeliveries PutLogEvents PutResourcePolicy UpdateLogDelivery"),
    *_of("robomaker", "CreateSimulationApplication DescribeSimulationApplication DeleteSimulationApplication "
         "CreateSimulationJob DescribeSimulationJob CancelSimulationJob"),
    "secretsmanager:ListSecrets",
    *_of("servicecatalog", "Describe* List* ScanProvisionedProducts SearchProducts SearchProvisionedProducts"),
    "sns:ListTopics", "tag:GetResources",
]


def _allow(sid: str, actions: list[str], on: str | list[str] = "*",
           when: dict[str, Any] | None = None) -> dict[str, Any]:
    statement = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": on}
    return {**statement, "Condition": when} if when else statement


_STUDIO = [
    {"Sid": "AllowAllNonAdminSageMakerActions", "Effect": "Allow",
     "Action": ["sagemaker:*", "sagemaker-geospatial:*"],
     "NotResource": [f"arn:aws:sagemaker:*:*:{kind}/*" for kind in (
         "domain", "user-profile", "app", "space", "partner-app", "flow-definition", "training-plan",
         "reserved-capacity")]},
    _allow("AllowAddTagsForSpace", ["sagemaker:AddTags"], ["arn:aws:sagemaker:*:*:space/*"],
           {"StringEquals": {"sagemaker:TaggingAction": "CreateSpace"}}),
    _allow("AllowAddTagsForApp", ["sagemaker:AddTags"], ["arn:aws:sagemaker:*:*:app/*"]),
    _allow("AllowUseOfTrainingPlanResources",
           _of("sagemaker", "CreateTrainingJob CreateCluster UpdateCluster DescribeTrainingPlan"),
           ["arn:aws:sagemaker:*:*:training-plan/*", "arn:aws:sagemaker:*:*:reserved-capacity/*"]),
    _allow("AllowStudioActions", _of("sagemaker", "CreatePresignedDomainUrl DescribeDomain ListDomains "
                                     "DescribeUserProfile ListUserProfiles DescribeSpace ListSpaces DescribeApp "
                                     "ListApps")),
    _allow("AllowAppActionsForUserProfile", _of("sagemaker", "CreateApp DeleteApp"),
           "arn:aws:sagemaker:*:*:app/*/*/*/*", {"Null": {"sagemaker:OwnerUserProfileArn": "true"}}),
    _allow("AllowAppActionsForSharedSpaces", _of("sagemaker", "CreateApp DeleteApp"), _APPS,
           {"StringEquals": {"sagemaker:SpaceSharingType": ["Shared"]}}),
    _allow("AllowMutatingActionsOnSharedSpacesWithoutOwner", _of("sagemaker", "CreateSpace UpdateSpace DeleteSpace"),
           _SPACES, {"Null": {"sagemaker:OwnerUserProfileArn": "true"}}),
    _allow("RestrictMutatingActionsOnSpacesToOwnerUserProfile",
           _of("sagemaker", "CreateSpace UpdateSpace DeleteSpace"), _SPACES,
           {"ArnLike": {"sagemaker:OwnerUserProfileArn": _OWNER},
            "StringEquals": {"sagemaker:SpaceSharingType": ["Private", "Shared"]}}),
    _allow("RestrictMutatingActionsOnPrivateSpaceAppsToOwnerUserProfile", _of("sagemaker", "CreateApp DeleteApp"),
           _APPS, {"ArnLike": {"sagemaker:OwnerUserProfileArn": _OWNER},
                   "StringEquals": {"sagemaker:SpaceSharingType": ["Private"]}}),
    _allow("AllowFlowDefinitionActions", ["sagemaker:*"], ["arn:aws:sagemaker:*:*:flow-definition/*"],
           {"StringEqualsIfExists": {"sagemaker:WorkteamType": ["private-crowd", "vendor-crowd"]}}),
    _allow("AllowListTagsForUserProfile", ["sagemaker:ListTags"], ["arn:aws:sagemaker:*:*:user-profile/*"]),
]

_DATA = [
    _allow("AllowS3ObjectActions", _of("s3", "GetObject PutObject DeleteObject AbortMultipartUpload"),
           [*_OWN_BUCKETS, "arn:aws:s3:::*aws-glue*"]),
    _allow("AllowS3GetObjectWithSageMakerExistingObjectTag", ["s3:GetObject"], ["arn:aws:s3:::*"],
           {"StringEqualsIgnoreCase": {"s3:ExistingObjectTag/SageMaker": "true"}}),
    _allow("AllowS3GetObjectWithServiceCatalogProvisioningExistingObjectTag", ["s3:GetObject"], ["arn:aws:s3:::*"],
           {"StringEquals": {"s3:ExistingObjectTag/servicecatalog:provisioning": "true"}}),
    _allow("AllowS3BucketActions",
           _of("s3", "CreateBucket GetBucketLocation ListBucket ListAllMyBuckets GetBucketCors PutBucketCors")),
    _allow("AllowS3BucketACL", _of("s3", "GetBucketAcl PutObjectAcl"), _OWN_BUCKETS),
    _allow("AllowAthenaActions", _of("athena", "ListDataCatalogs ListDatabases ListTableMetadata GetQueryExecution "
                                     "GetQueryResults StartQueryExecution StopQueryExecution")),
    _allow("AllowGlueCreateTable", ["glue:CreateTable"], [
        "arn:aws:glue:*:*:table/*/sagemaker_tmp_*", "arn:aws:glue:*:*:table/sagemaker_featurestore/*",
        "arn:aws:glue:*:*:catalog", "arn:aws:glue:*:*:database/*"]),
    _allow("AllowGlueUpdateTable", ["glue:UpdateTable"], [
        "arn:aws:glue:*:*:table/sagemaker_featurestore/*", "arn:aws:glue:*:*:catalog",
        "arn:aws:glue:*:*:database/sagemaker_featurestore"]),
    _allow("AllowGlueDeleteTable", ["glue:DeleteTable"], [
        "arn:aws:glue:*:*:table/*/sagemaker_tmp_*", "arn:aws:glue:*:*:catalog", "arn:aws:glue:*:*:database/*"]),
    _allow("AllowGlueGetTablesAndDatabases", _of("glue", "GetDatabases GetTable GetTables"), [
        "arn:aws:glue:*:*:table/*", "arn:aws:glue:*:*:catalog", "arn:aws:glue:*:*:database/*"]),
    _allow("AllowGlueGetAndCreateDatabase", _of("glue", "CreateDatabase GetDatabase"), [
        "arn:aws:glue:*:*:catalog", *(f"arn:aws:glue:*:*:database/{name}" for name in (
            "sagemaker_featurestore", "sagemaker_processing", "default", "sagemaker_data_wrangler"))]),
    _allow("AllowRedshiftDataActions", _of("redshift-data", "ExecuteStatement DescribeStatement CancelStatement "
                                           "GetStatementResult ListSchemas ListTables")),
    _allow("AllowRedshiftGetClusterCredentials", ["redshift:GetClusterCredentials"],
           ["arn:aws:redshift:*:*:dbuser:*/sagemaker_access*", "arn:aws:redshift:*:*:dbname:*"]),
    _allow("AllowS3ExpressObjectActions", ["s3express:CreateSession"],
           [*_EXPRESS, "arn:aws:s3express:*:*:bucket/*aws-glue*"], _SAME_ACCOUNT),
    _allow("AllowS3ExpressCreateBucketActions", ["s3express:CreateBucket"], _EXPRESS, _SAME_ACCOUNT),
    _allow("AllowS3ExpressListBucketActions", ["s3express:ListAllMyDirectoryBuckets"]),
]

_HELPERS = [
    _allow("AllowAWSServiceActions", _SERVICES),
    _allow("AllowECRActions", _of("ecr", "SetRepositoryPolicy CompleteLayerUpload BatchDeleteImage UploadLayerPart "
                                  "DeleteRepositoryPolicy InitiateLayerUpload DeleteRepository PutImage"),
           ["arn:aws:ecr:*:*:repository/*sagemaker*"]),
    _allow("AllowCodeCommitActions", ["codecommit:GitPull", "codecommit:GitPush"],
           [f"arn:aws:codecommit:*:*:*{word}*" for word in _THREE]),
    _allow("AllowCodeBuildActions", ["codebuild:BatchGetBuilds", "codebuild:StartBuild"],
           ["arn:aws:codebuild:*:*:project/sagemaker*", "arn:aws:codebuild:*:*:build/*"]),
    _allow("AllowStepFunctionsActions", _of("states", "DescribeExecution GetExecutionHistory StartExecution "
                                            "StopExecution UpdateStateMachine"),
           ["arn:aws:states:*:*:statemachine:*sagemaker*", "arn:aws:states:*:*:execution:*sagemaker*:*"]),
    _allow("AllowSecretManagerActions", _of("secretsmanager", "DescribeSecret GetSecretValue CreateSecret"),
           ["arn:aws:secretsmanager:*:*:secret:AmazonSageMaker-*"]),
    _allow("AllowReadOnlySecretManagerActions", _of("secretsmanager", "DescribeSecret GetSecretValue"),
           when={"StringEquals": {"secretsmanager:ResourceTag/SageMaker": "true"}}),
    _allow("AllowServiceCatalogProvisionProduct", ["servicecatalog:ProvisionProduct"]),
    _allow("AllowServiceCatalogTerminateUpdateProvisionProduct",
           _of("servicecatalog", "TerminateProvisionedProduct UpdateProvisionedProduct"),
           when={"StringEquals": {"servicecatalog:userLevel": "self"}}),
    _allow("AllowLambdaInvokeFunction", ["lambda:InvokeFunction"],
           [f"arn:aws:lambda:*:*:function:*{word}*" for word in (*_THREE, "LabelingFunction")]),
    _allow("AllowSNSActions", _of("sns", "Subscribe CreateTopic Publish"),
           [f"arn:aws:sns:*:*:*{word}*" for word in _THREE]),
    _allow("AllowCloudformationListStackResources", ["cloudformation:ListStackResources"],
           "arn:aws:cloudformation:*:*:stack/SC-*"),
]

_ROLES = [
    _allow("AllowCreateServiceLinkedRoleForSageMakerApplicationAutoscaling", ["iam:CreateServiceLinkedRole"],
           "arn:aws:iam::*:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/"
           "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint",
           {"StringLike": {"iam:AWSServiceName": "sagemaker.application-autoscaling.amazonaws.com"}}),
    _allow("AllowCreateServiceLinkedRoleForRobomaker", ["iam:CreateServiceLinkedRole"],
           when={"StringEquals": {"iam:AWSServiceName": "robomaker.amazonaws.com"}}),
    _allow("AllowPassRoleForSageMakerRoles", ["iam:PassRole"], "arn:aws:iam::*:role/*AmazonSageMaker*",
           {"StringEquals": {"iam:PassedToService": ["glue.amazonaws.com", "robomaker.amazonaws.com",
                                                     "states.amazonaws.com"]}}),
    _allow("AllowPassRoleToSageMaker", ["iam:PassRole"], "arn:aws:iam::*:role/*",
           {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}),
]

FULL_ACCESS: list[dict[str, Any]] = [*_STUDIO, *_HELPERS, *_DATA, *_ROLES]
