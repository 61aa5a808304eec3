"""Training jobs.

States: InProgress (Starting, Downloading, Training, Uploading) -> Completed | Failed; Stopping -> Stopped.

Covered: built-in XGBoost and script-mode images on one instance, File channels, hyperparameters, environment, outputs,
metric definitions, MaxRuntimeInSeconds, stop, network isolation, tags, secondary transitions, failure reasons with the
script's last lines. Not covered yet: Pipe and FastFile modes, several instances, managed spot interruption, warm pools,
checkpoints, retry strategies, bring-your-own images; they are refused by name when asked for.
Differences from AWS: DescribeTrainingJob of a job that runs may be held for a moment (`Config.hold`); the built-in
environment of an image tag may be newer than AWS's, and then the log and the Training status message say so.
"""
