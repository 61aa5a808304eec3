"""multipart/form-data, read as it arrives: the small fields first, then the file as a stream that ends at its boundary.

Called by `post`. Fields after the file are ignored, as S3 ignores them.
"""

from __future__ import annotations

import email.message
from dataclasses import dataclass

from sagewright.core.errors import AwsError
from sagewright.core.http import Reader

_MOST_FIELDS = 20 * 1024
_BLOCK = 256 * 1024


def malformed() -> AwsError:
    """The error for a body that is no form."""
    return AwsError("MalformedPOSTRequest", "The body of your POST request is not well-formed multipart/form-data.")


def boundary_of(content_type: str) -> bytes:
    """The boundary that a Content-Type names; PreconditionFailed where it is no form."""
    message = email.message.Message()
    message["content-type"] = content_type
    boundary = message.get_param("boundary")
    if message.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        raise AwsError("PreconditionFailed", "At least one of the pre-conditions you specified did not hold", 412,
                       {"Condition": "Bucket POST must be of the enclosure-type multipart/form-data"})
    return b"--" + boundary.encode("latin-1", "replace")


class Lines:
    """A reader that can look for a mark in what comes next."""

    def __init__(self, source: Reader) -> None:
        self._source = source
        self.held = b""
        self.ended = False

    def fill(self) -> None:
        """Hold more."""
        block = self._source.read(_BLOCK)
        self.ended = not block
        self.held += block

    def until(self, mark: bytes, most: int) -> bytes:
        """What stands before the mark, which is passed."""
        while (at := self.held.find(mark)) < 0:
            if self.ended or len(self.held) > most:
                raise malformed()
            self.fill()
        found, self.held = self.held[:at], self.held[at + len(mark):]
        return found


class FilePart:
    """The file of a form: reads to the boundary that ends it."""

    def __init__(self, lines: Lines, mark: bytes) -> None:
        self._lines, self._mark, self._done = lines, mark, False

    def read(self, n: int = -1) -> bytes:
        """At most n bytes of the file; b"" at its end."""
        if n < 0:
            return b"".join(iter(lambda: self.read(_BLOCK), b""))
        lines = self._lines
        while not self._done:
            at = lines.held.find(self._mark)
            # What might be the start of the boundary is not given out yet.
            safe = at if at >= 0 else len(lines.held) - len(self._mark)
            if safe > 0:
                take = min(n, safe)
                found, lines.held = lines.held[:take], lines.held[take:]
                return found
            if at == 0:
                self._done = True
            elif lines.ended:
                raise AwsError("IncompleteBody", "The request body ended before the form did.")
            else:
                lines.fill()
        return b""


@dataclass
class Form:
    """Fields by lower-case name; the file and its name (S3 takes the type from a field, never from the file)."""

    fields: dict[str, str]
    file: FilePart
    filename: str


def read(source: Reader, content_type: str) -> Form:
    """Read the fields up to the file."""
    mark = boundary_of(content_type)
    lines = Lines(source)
    fields: dict[str, str] = {}
    lines.until(mark, _MOST_FIELDS)
    while True:
        if lines.until(b"\r\n", _MOST_FIELDS).startswith(b"--"):
            raise AwsError("InvalidArgument", "POST requires exactly one file upload per request.", 400,
                           {"ArgumentName": "file", "ArgumentValue": "0"})
        head = email.message_from_bytes(lines.until(b"\r\n\r\n", _MOST_FIELDS) + b"\r\n\r\n")
        name = head.get_param("name", header="content-disposition")
        if not isinstance(name, str):
            raise malformed()
        if name.lower() == "file":
            filename = head.get_filename() or ""
            return Form(fields, FilePart(lines, b"\r\n" + mark), filename.rsplit("/", 1)[-1].rsplit("\\", 1)[-1])
        fields[name.lower()] = lines.until(b"\r\n" + mark, _MOST_FIELDS).decode("utf-8", "replace")
        if sum(len(k) + len(v) for k, v in fields.items()) > _MOST_FIELDS:
            raise AwsError("MaxPostPreDataLengthExceeded", "Your POST request fields preceding the upload file were "
                           "too large.")
