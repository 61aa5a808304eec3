"""Who is held how long: programs that poll longer than people who look."""

from __future__ import annotations

import pytest

from sagewright.gateway.hold import patience

BOTO = "Boto3/1.44.8 md/Botocore#1.44.8 ua/2.1 os/linux#6.18 lang/python#3.11.7 m/{} cfg/retry-mode#standard"
SDK2 = BOTO.format("b,E,Z") + " Botocore/1.44.8 lib/AWS-SageMaker-Python-SDK#2.257.6"


@pytest.mark.parametrize(("user_agent", "seconds"), [
    (BOTO.format("Z,b,E"), 2), (BOTO.format("Z,B,b,E"), 10), (BOTO.format("B"), 10), (SDK2, 10), ("", 2),
    (BOTO.format("b") + " lib/AWS-SageMakerCore#2.27.0", 5),
    ("aws-cli/2.1 md/B app/m/B", 2)])
def test_an_answer_to_a_program_that_polls_is_held_longer(user_agent: str, seconds: float) -> None:
    assert patience(user_agent, 2) == seconds
    assert patience(user_agent, 0) == 0
