"""The in-container contract of AWS's framework images: what `train` and `serve` find under /opt/ml and in the
environment, and what they leave there.

Covered: configuration files, hyperparameter decoding, every SM_* variable and script argument of sagemaker-training
5.1.4, source bundles from S3 or disk, requirements.txt in an overlay of a read-only environment, `.py`, package and
`.sh` entry points, SIGTERM forwarding, failure and success files, exit codes, torchrun on one host, RecordIO.
Not covered: distribution over several hosts, MPI, parameter servers, the intermediate-output sync, CodeArtifact.

Runs inside job environments on Python 3.7 to 3.13 with the standard library only; imports nothing of `sagewright`.
"""
