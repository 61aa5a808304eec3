"""How SDK 2 sees jobs that fail or are stopped."""

import os
import tempfile
import time

import sagemaker
from sagemaker.exceptions import UnexpectedStatusException
from sagemaker.sklearn.estimator import SKLearn

BAD = "def deepest():\n    raise KeyError('no such column: amount')\n\nprint('before')\ndeepest()\n"
LONG = "import time\nprint('sleeping', flush=True)\ntime.sleep(600)\n"


def an_estimator(session, role, folder, name, text):
    with open(os.path.join(folder, name), "w") as file:
        file.write(text)
    return SKLearn(entry_point=name, source_dir=folder, framework_version="1.2-1", role=role,
                   instance_type="ml.m5.large", instance_count=1, sagemaker_session=session)


def main():
    session = sagemaker.Session()
    role = sagemaker.get_execution_role()
    with tempfile.TemporaryDirectory() as folder:
        sleeper = an_estimator(session, role, folder, "sleeper.py", LONG)
        sleeper.fit(wait=False)
        try:
            an_estimator(session, role, folder, "bad.py", BAD).fit()
        except UnexpectedStatusException as failed:
            print("told:", failed)
            assert "no such column: amount" in str(failed) and "AlgorithmError" in str(failed)
            assert failed.actual_status == "Failed"
        else:
            raise AssertionError("the failing script was reported as a success")
        name = sleeper.latest_training_job.name
        while session.describe_training_job(name)["SecondaryStatus"] != "Training":
            time.sleep(0.2)
        sleeper.latest_training_job.stop()
        job = session.wait_for_job(name)
        assert job["TrainingJobStatus"] == "Stopped", job
    print("stop and failure work")


if __name__ == "__main__":
    main()
