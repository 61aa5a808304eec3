"""Errors that end a training container, with the words that go into /opt/ml/output/failure."""

from __future__ import annotations


class ClientError(Exception):
    """The job asked for something that cannot be done; its text becomes the failure file as it is."""


class CalledProcessError(ClientError):
    """A command of the user failed. Its text has the form that AWS's toolkit gives it."""

    def __init__(self, command: str, code: int, output: str = "", extra: str = "") -> None:
        lines = ["%s:" % type(self).__name__, "ExitCode %s" % code, 'ErrorMessage "%s"' % output]
        if extra:
            lines.append('ExtraInfo "%s"' % extra)
        lines.append('Command "%s"' % command)
        super().__init__("\n".join(lines))
        self.code = code


class ExecuteUserScriptError(CalledProcessError):
    """The user's script ended with a non-zero code."""


class InstallModuleError(CalledProcessError):
    """`pip install .` of the user's package failed."""


class InstallRequirementsError(CalledProcessError):
    """`pip install -r requirements.txt` failed."""
