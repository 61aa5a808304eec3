"""Every operation of the model has one chapter and one fate: derived, written or refused by name."""

from __future__ import annotations

from collections import Counter

import pytest

from sagewright.cli.assembly import services
from sagewright.core import model
from sagewright.core.dispatch import Dispatch
from sagewright.core.errors import AwsError
from sagewright.sagemaker import unsupported


def test_every_operation_of_the_model_belongs_to_exactly_one_chapter() -> None:
    listed = Counter(name for names in unsupported.CHAPTERS.values() for name in names)
    assert set(listed) == set(model.operation_names("sagemaker"))
    assert set(listed.values()) == {1}


@pytest.mark.parametrize("operation", model.operation_names("sagemaker"))
def test_an_operation_is_served_or_refused_by_name(operation: str) -> None:
    dispatch = Dispatch(services(), {"sagemaker": unsupported.unsupported})
    if dispatch.where("sagemaker", operation) is not None:
        assert callable(dispatch.handler("sagemaker", operation))
        return
    with pytest.raises(AwsError) as refused:
        dispatch.handler("sagemaker", operation)
    assert refused.value.code == "UnknownOperationException" and operation in refused.value.message
    assert refused.value.status == 400
