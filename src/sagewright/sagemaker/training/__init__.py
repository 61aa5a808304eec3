"""Training jobs.

States: InProgress (Starting, Downloading, Training, Uploading) -> Completed | Failed; Stopping -> Stopped.

Covered: built-in XGBoost and script-mode images on one instance, File channels, hyperparameters, environment, outputs,
metric definitions, MaxRuntimeInSeconds, stop, network isolation, tags, secondary transitions, failure reasons with the
script's last lines. Not covered yet: Pipe and FastFile modes, several instances, managed spot interruption, warm pools,
checkpoints, retry strategies, bring-your-own images; they are refused by name when asked for.
Differences from AWS: a warm CreateTrainingJob may be answered only when the job has ended (`Config.hold`); the built-in
environment of an image tag may be newer than AWS's, and then the log and a status message say so.
"""
