"""(d) Describe and List with 100 and with 100,000 jobs: the cost must not grow with the number of rows.

Rows are written straight into the store, as 100,000 real trainings would leave them; the calls go through the gateway.
"""

from __future__ import annotations

import time
from pathlib import Path

from bench import harness

SIZES, CALLS = (100, 100_000), 150


def fill(data_dir: Path, count: int) -> None:
    """Ended training jobs in a store that no server has open."""
    from sagewright.core.store import RESOURCES, Store

    store = Store(f"sqlite:///{data_dir / 'sagewright.db'}")
    body = '{"AlgorithmSpecification":{"TrainingImage":"uri","TrainingInputMode":"File"},"RoleArn":"r",' \
           '"OutputDataConfig":{"S3OutputPath":"s3://b/o"},"ModelArtifacts":{"S3ModelArtifacts":"s3://b/k"},' \
           '"StoppingCondition":{"MaxRuntimeInSeconds":60},' \
           '"SecondaryStatus":"Completed","ResourceConfig":{"InstanceType":"ml.m5.large","InstanceCount":1}}'
    for start in range(0, count, 5000):
        rows = [{"kind": "TrainingJob", "account": "123456789012", "region": harness.REGION, "name": f"job-{n:06}",
                 "arn": f"arn:aws:sagemaker:{harness.REGION}:123456789012:training-job/job-{n:06}", "owner": "",
                 "status": "Completed", "terminal": True, "version": 1, "created": 1e9 + n, "modified": 1e9 + n,
                 "body": body, "work": "{}"} for n in range(start, min(start + 5000, count))]
        store.write(lambda tx, rows=rows: tx.execute(RESOURCES.insert(), rows))
    store.close()


def measure(count: int) -> dict[str, float]:
    """Milliseconds per call, medians."""
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="bench-list-", dir=harness.STATE))
    try:
        server = harness.Server(folder)
        with harness.process(server.command, "listing"):
            harness.answers(f"{server.url}/_sagewright/health")
        fill(folder, count)
        with harness.process(server.command, "listing"):
            harness.answers(f"{server.url}/_sagewright/health")
            sagemaker = server.client("sagemaker")
            return {"describe": _median(lambda n: sagemaker.describe_training_job(
                        TrainingJobName=f"job-{(n * 7919) % count:06}")),
                    "list, first page": _median(lambda n: sagemaker.list_training_jobs(MaxResults=100)),
                    "list, newest first": _median(lambda n: sagemaker.list_training_jobs(
                        MaxResults=100, SortOrder="Descending", SortBy="CreationTime")),
                    "list, by status": _median(lambda n: sagemaker.list_training_jobs(
                        MaxResults=100, StatusEquals="Completed"))}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _median(call) -> float:  # noqa: ANN001
    times = []
    for n in range(CALLS):
        began = time.perf_counter()
        call(n)
        times.append(1e3 * (time.perf_counter() - began))
    return harness.middle(times)


def main() -> None:
    """Print the table."""
    few, many = (measure(count) for count in SIZES)
    harness.table("(d) Milliseconds per call with 100 and with 100,000 training jobs", [
        "call", "100 jobs", "100,000 jobs", "ratio (goal: flat)"],
        [[name, few[name], many[name], many[name] / few[name]] for name in few])


if __name__ == "__main__":
    main()
