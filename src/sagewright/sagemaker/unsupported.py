"""Which chapter of the documentation every SageMaker operation belongs to: each to exactly one (a test checks that).

Used to say where an operation that is not served yet will live (`unsupported`), by `sagewright ops` and the coverage
pages. Operations newer than this table are refused all the same, without a chapter.
"""

from __future__ import annotations

from sagewright.core.errors import AwsError

_OPERATIONS = {
    "automl": """
        CreateAutoMLJob CreateAutoMLJobV2 DescribeAutoMLJob DescribeAutoMLJobV2 ListAutoMLJobs
        ListCandidatesForAutoMLJob StopAutoMLJob""",
    "clusters": """
        AttachClusterNodeNetworkInterface AttachClusterNodeVolume BatchAddClusterNodes BatchDeleteClusterNodes
        BatchRebootClusterNodes BatchReplaceClusterNodes CreateCluster CreateClusterExtension
        CreateClusterSchedulerConfig CreateComputeQuota CreateTrainingPlan DeleteCluster DeleteClusterExtension
        DeleteClusterSchedulerConfig DeleteComputeQuota DescribeCluster DescribeClusterEvent DescribeClusterExtension
        DescribeClusterNode DescribeClusterOperation DescribeClusterSchedulerConfig DescribeComputeQuota
        DescribeReservedCapacity DescribeTrainingPlan DescribeTrainingPlanExtensionHistory DetachClusterNodeVolume
        ExtendTrainingPlan ListClusterEvents ListClusterExtensionVersions ListClusterExtensions ListClusterNodes
        ListClusterOperations ListClusterSchedulerConfigs ListClusters ListComputeQuotas ListTrainingPlans
        ListUltraServersByReservedCapacity MoveClusterNodes SearchTrainingPlanOfferings StartClusterHealthCheck
        UpdateCluster UpdateClusterExtension UpdateClusterSchedulerConfig UpdateClusterSoftware UpdateComputeQuota""",
    "compilation": """
        CreateCompilationJob CreateDeviceFleet CreateEdgeDeploymentPlan CreateEdgeDeploymentStage CreateEdgePackagingJob
        DeleteCompilationJob DeleteDeviceFleet DeleteEdgeDeploymentPlan DeleteEdgeDeploymentStage DeregisterDevices
        DescribeCompilationJob DescribeDevice DescribeDeviceFleet DescribeEdgeDeploymentPlan DescribeEdgePackagingJob
        GetDeviceFleetReport ListCompilationJobs ListDeviceFleets ListDevices ListEdgeDeploymentPlans
        ListEdgePackagingJobs ListStageDevices RegisterDevices StartEdgeDeploymentStage StopCompilationJob
        StopEdgeDeploymentStage StopEdgePackagingJob UpdateDeviceFleet UpdateDevices""",
    "domains": """
        CreateApp CreateAppImageConfig CreateDomain CreateImage CreateImageVersion CreatePartnerApp
        CreatePartnerAppPresignedUrl CreatePresignedDomainUrl CreateSpace CreateStudioLifecycleConfig CreateUserProfile
        DeleteApp DeleteAppImageConfig DeleteDomain DeleteImage DeleteImageVersion DeletePartnerApp DeleteSpace
        DeleteStudioLifecycleConfig DeleteUserProfile DescribeApp DescribeAppImageConfig DescribeDomain DescribeImage
        DescribeImageVersion DescribePartnerApp DescribeSpace DescribeStudioLifecycleConfig DescribeUserProfile
        ListAliases ListAppImageConfigs ListApps ListDomains ListImageVersions ListImages ListPartnerApps ListSpaces
        ListStudioLifecycleConfigs ListUserProfiles StartSession UpdateAppImageConfig UpdateDomain UpdateImage
        UpdateImageVersion UpdatePartnerApp UpdateSpace UpdateUserProfile""",
    "endpoints": """
        AddInferenceGateway CreateEndpoint CreateEndpointConfig CreateGlobalInferenceGateway CreateInferenceComponent
        CreateInferenceExperiment CreateInferenceRouter CreateModel DeleteEndpoint DeleteEndpointConfig
        DeleteEndpointPolicy DeleteGlobalInferenceGateway DeleteInferenceComponent DeleteInferenceExperiment
        DeleteInferenceRouter DeleteModel DescribeEndpoint DescribeEndpointConfig DescribeGlobalInferenceGateway
        DescribeInferenceComponent DescribeInferenceExperiment DescribeInferenceRouter DescribeModel GetEndpointPolicy
        ListEndpointConfigs ListEndpoints ListGlobalInferenceGateways ListInferenceComponents ListInferenceExperiments
        ListInferenceGateways ListInferenceRouters ListModels PutEndpointPolicy RemoveInferenceGateway
        StartInferenceExperiment StopInferenceExperiment UpdateEndpoint UpdateEndpointWeightsAndCapacities
        UpdateGlobalInferenceGateway UpdateInferenceComponent UpdateInferenceComponentRuntimeConfig
        UpdateInferenceExperiment UpdateInferenceRouter""",
    "experiments": """
        AssociateTrialComponent CreateExperiment CreateTrial CreateTrialComponent DeleteExperiment DeleteTrial
        DeleteTrialComponent DescribeExperiment DescribeTrial DescribeTrialComponent DisassociateTrialComponent
        ListExperiments ListTrialComponents ListTrials UpdateExperiment UpdateTrial UpdateTrialComponent""",
    "features": """
        CreateFeatureGroup DeleteFeatureGroup DescribeFeatureGroup DescribeFeatureMetadata ListFeatureGroups
        UpdateFeatureGroup UpdateFeatureMetadata""",
    "hub": """
        CreateHub CreateHubContentPresignedUrls CreateHubContentReference DeleteHub DeleteHubContent
        DeleteHubContentReference DescribeHub DescribeHubContent ImportHubContent ListHubContentVersions ListHubContents
        ListHubs UpdateHub UpdateHubContent UpdateHubContentReference""",
    "labeling": """
        CreateFlowDefinition CreateHumanTaskUi CreateLabelingJob CreateWorkforce CreateWorkteam DeleteFlowDefinition
        DeleteHumanTaskUi DeleteWorkforce DeleteWorkteam DescribeFlowDefinition DescribeHumanTaskUi DescribeLabelingJob
        DescribeSubscribedWorkteam DescribeWorkforce DescribeWorkteam ListFlowDefinitions ListHumanTaskUis
        ListLabelingJobs ListLabelingJobsForWorkteam ListSubscribedWorkteams ListWorkforces ListWorkteams
        RenderUiTemplate StopLabelingJob UpdateWorkforce UpdateWorkteam""",
    "lineage": """
        AddAssociation CreateAction CreateArtifact CreateContext DeleteAction DeleteArtifact DeleteAssociation
        DeleteContext DescribeAction DescribeArtifact DescribeContext DescribeLineageGroup GetLineageGroupPolicy
        ListActions ListArtifacts ListAssociations ListContexts ListLineageGroups QueryLineage UpdateAction
        UpdateArtifact UpdateContext""",
    "mlflow": """
        CreateMlflowApp CreateMlflowTrackingServer CreatePresignedMlflowAppUrl CreatePresignedMlflowTrackingServerUrl
        DeleteMlflowApp DeleteMlflowTrackingServer DescribeMlflowApp DescribeMlflowTrackingServer ListMlflowApps
        ListMlflowTrackingServers StartMlflowTrackingServer StopMlflowTrackingServer UpdateMlflowApp
        UpdateMlflowTrackingServer""",
    "monitoring": """
        CreateDataQualityJobDefinition CreateModelBiasJobDefinition CreateModelExplainabilityJobDefinition
        CreateModelQualityJobDefinition CreateMonitoringSchedule DeleteDataQualityJobDefinition
        DeleteModelBiasJobDefinition DeleteModelExplainabilityJobDefinition DeleteModelQualityJobDefinition
        DeleteMonitoringSchedule DescribeDataQualityJobDefinition DescribeModelBiasJobDefinition
        DescribeModelExplainabilityJobDefinition DescribeModelQualityJobDefinition DescribeMonitoringSchedule
        ListDataQualityJobDefinitions ListModelBiasJobDefinitions ListModelExplainabilityJobDefinitions
        ListModelQualityJobDefinitions ListMonitoringAlertHistory ListMonitoringAlerts ListMonitoringExecutions
        ListMonitoringSchedules StartMonitoringSchedule StopMonitoringSchedule UpdateMonitoringAlert
        UpdateMonitoringSchedule""",
    "notebooks": """
        CreateCodeRepository CreateNotebookInstance CreateNotebookInstanceLifecycleConfig
        CreatePresignedNotebookInstanceUrl DeleteCodeRepository DeleteNotebookInstance
        DeleteNotebookInstanceLifecycleConfig DescribeCodeRepository DescribeNotebookInstance
        DescribeNotebookInstanceLifecycleConfig ListCodeRepositories ListNotebookInstanceLifecycleConfigs
        ListNotebookInstances StartNotebookInstance StopNotebookInstance UpdateCodeRepository UpdateNotebookInstance
        UpdateNotebookInstanceLifecycleConfig""",
    "optimization": """
        CreateAIBenchmarkJob CreateAIRecommendationJob CreateAIWorkloadConfig CreateInferenceRecommendationsJob
        CreateOptimizationJob DeleteAIBenchmarkJob DeleteAIRecommendationJob DeleteAIWorkloadConfig
        DeleteOptimizationJob DescribeAIBenchmarkJob DescribeAIRecommendationJob DescribeAIWorkloadConfig
        DescribeInferenceRecommendationsJob DescribeOptimizationJob GetScalingConfigurationRecommendation
        ListAIBenchmarkJobs ListAIRecommendationJobs ListAIWorkloadConfigs ListInferenceRecommendationsJobSteps
        ListInferenceRecommendationsJobs ListOptimizationJobs StopAIBenchmarkJob StopAIRecommendationJob
        StopInferenceRecommendationsJob StopOptimizationJob""",
    "pipelines": """
        CreatePipeline DeletePipeline DescribePipeline DescribePipelineDefinitionForExecution DescribePipelineExecution
        ListPipelineExecutionSteps ListPipelineExecutions ListPipelineParametersForExecution ListPipelineVersions
        ListPipelines RetryPipelineExecution SendPipelineExecutionStepFailure SendPipelineExecutionStepSuccess
        StartPipelineExecution StopPipelineExecution UpdatePipeline UpdatePipelineExecution UpdatePipelineVersion""",
    "processing": """
        CreateProcessingJob DeleteProcessingJob DescribeProcessingJob ListProcessingJobs StopProcessingJob""",
    "projects": """
        CreateProject DeleteProject DescribeProject DisableSagemakerServicecatalogPortfolio
        EnableSagemakerServicecatalogPortfolio GetSagemakerServicecatalogPortfolioStatus ListProjects UpdateProject""",
    "registry": """
        BatchDescribeModelPackage CreateAlgorithm CreateModelCard CreateModelCardExportJob CreateModelPackage
        CreateModelPackageGroup DeleteAlgorithm DeleteModelCard DeleteModelPackage DeleteModelPackageGroup
        DeleteModelPackageGroupPolicy DescribeAlgorithm DescribeModelCard DescribeModelCardExportJob
        DescribeModelPackage DescribeModelPackageGroup GetModelPackageGroupPolicy ListAlgorithms ListModelCardExportJobs
        ListModelCardVersions ListModelCards ListModelMetadata ListModelPackageGroups ListModelPackages
        PutModelPackageGroupPolicy UpdateModelCard UpdateModelPackage""",
    "search": """
        AddTags DeleteTags GetSearchSuggestions ListResourceCatalogs ListTags Search""",
    "training": """
        CreateJob CreateTrainingJob CreateTrainingSession DeleteJob DeleteTrainingJob DeleteTrainingSession DescribeJob
        DescribeJobSchemaVersion DescribeTrainingJob DescribeTrainingSession ListJobSchemaVersions ListJobs
        ListTrainingJobs ListTrainingSessions StopJob StopTrainingJob StopTrainingSession UpdateTrainingJob""",
    "transform": """
        CreateTransformJob DescribeTransformJob ListTransformJobs StopTransformJob""",
    "tuning": """
        CreateHyperParameterTuningJob DeleteHyperParameterTuningJob DescribeHyperParameterTuningJob
        ListHyperParameterTuningJobs ListTrainingJobsForHyperParameterTuningJob StopHyperParameterTuningJob""",
}

CHAPTERS: dict[str, tuple[str, ...]] = {chapter: tuple(names.split()) for chapter, names in _OPERATIONS.items()}
_CHAPTER_OF = {name: chapter for chapter, names in CHAPTERS.items() for name in names}


def chapter_of(operation: str) -> str:
    """The chapter of an operation, "" for one that the table does not know."""
    return _CHAPTER_OF.get(operation, "")


def unsupported(operation: str) -> AwsError:
    """How a modelled operation is refused while its chapter has not got it."""
    chapter = chapter_of(operation)
    where = f" (chapter: {chapter})" if chapter else ""
    return AwsError("UnknownOperationException", f"{operation} is not available in this Sagewright{where}.")
