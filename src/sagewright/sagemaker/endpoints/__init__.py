"""Models, endpoint configurations and real-time endpoints.

States: Creating -> InService | Failed; Updating -> InService (the new fleet, or the old one and a FailureReason);
Deleting -> gone.

Covered: single-container models, several variants with weights and instance counts, updates without a dropped request,
replacement of crashed replicas, weights and capacities. Model and endpoint configuration records take everything the
API allows; an endpoint whose configuration asks for serverless, asynchronous, multi-model, multi-container or component
hosting ends Failed with a reason that says so.
Differences from AWS: a missing model archive fails the endpoint, not CreateModel; a replica that cannot start fails the
endpoint at once instead of after half an hour; a warm CreateEndpoint may be answered only when the endpoint is in
service (`Config.hold`).
"""
