"""What `contract.shims` offers under the names of AWS's Python packages: codecs, responses, errors, the environment."""

from __future__ import annotations

from typing import Any

from sagewright_kit.contract.environment import Training
from sagewright_kit.contract.paths import Paths
from sagewright_kit.servers import codecs
from sagewright_kit.servers.front import Answer

JSON, CSV, NPY, NPZ = codecs.JSON, codecs.CSV, codecs.NPY, codecs.NPZ
OCTET_STREAM, ANY = codecs.OCTETS, "*/*"
UTF8_TYPES = [JSON, CSV]
UnsupportedFormatError = codecs.UnsupportedFormat
encode, decode = codecs.encode, codecs.decode


def json_to_numpy(text: Any, dtype: Any = None) -> Any:
    array = codecs.decode(text, JSON)
    return array if dtype is None else array.astype(dtype)


def csv_to_numpy(text: Any, dtype: Any = None) -> Any:
    array = codecs.decode(text, CSV)
    return array if dtype is None else array.astype(dtype)


def npy_to_numpy(data: Any) -> Any:
    return codecs.decode(data, NPY)


class Response(Answer):
    """sagemaker_containers' worker.Response, a Flask response of which scripts set body, type and status."""

    __slots__ = ()

    def __init__(
        self,
        response: Any = None,
        accept: Any = None,
        status: int = 200,
        headers: Any = None,
        mimetype: str | None = None,
        direct_passthrough: bool = False,
    ) -> None:
        super().__init__(b"" if response is None else response, mimetype or JSON, status, headers)

    @property
    def response(self) -> Any:
        return self.body

    @property
    def mimetype(self) -> str:
        return self.content_type


class BaseInferenceToolkitError(Exception):
    """An error with a status of its own."""

    def __init__(self, status_code: int, message: str, phrase: str) -> None:
        super().__init__(status_code, message, phrase)
        self.status_code, self.message, self.phrase = status_code, message, phrase


class GenericInferenceToolkitError(BaseInferenceToolkitError):
    def __init__(self, status_code: int, message: str | None = None, phrase: str | None = None) -> None:
        message = message or "Invalid Request"
        super().__init__(status_code, message, phrase or message)


class Environment:
    """sagemaker_training's Environment: the job's configuration as attributes."""

    def __init__(self) -> None:
        self._training = Training(Paths())
        self._seen = self._training.values()

    def __getattr__(self, name: str) -> Any:
        seen = self.__dict__.get("_seen", {})
        if name not in seen:
            raise AttributeError(name)
        return seen[name]

    def to_cmd_args(self) -> list[str]:
        return self._training.arguments()

    def to_env_vars(self) -> dict[str, str]:
        return self._training.variables()


TrainingEnv = Environment


def training_env() -> Environment:
    return Environment()
