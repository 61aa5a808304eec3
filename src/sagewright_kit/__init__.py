"""What runs inside a job: the container contract, built-in algorithms and model servers.

Never imports `sagewright`, runs on Python 3.7 and newer with whatever its environment has.
"""
