"""Operations on signing certificates of users: records of X.509 certificates. Called by dispatch."""

from __future__ import annotations

from typing import Any

from cryptography import x509

from sagewright.aws.iam import records
from sagewright.aws.iam.caller import named_user
from sagewright.aws.iam.records import CERTIFICATE, USER
from sagewright.core import ids
from sagewright.core.call import Call
from sagewright.core.errors import AwsError
from sagewright.core.store import Row

_MOST = 2


def upload_signing_certificate(call: Call) -> dict[str, Any]:
    """Record a certificate of a user."""
    user = records.find(call, USER, named_user(call))
    text = call.params["CertificateBody"]
    try:
        x509.load_pem_x509_certificate(text.encode())
    except ValueError:
        raise AwsError("MalformedCertificate", f"Certificate {text[:64]} is malformed") from None
    present = call.store.children(user.arn, CERTIFICATE)
    if any(row.body["CertificateBody"] == text for row in present):
        raise AwsError("DuplicateCertificate", "The certificate is already uploaded.", 409)
    if len(present) >= _MOST:
        raise records.over("CertificatesPerUser", _MOST)
    name = ids.iam_id("ASCA") + "AAAA"
    body = {"UserName": user.name, "CertificateId": name, "CertificateBody": text, "Status": "Active",
            "UploadDate": int(call.now)}
    call.store.insert(Row(CERTIFICATE, call.account, "", name, f"{user.arn}/signing-certificate/{name}", body,
                          owner=user.arn))
    return {"Certificate": body}


def list_signing_certificates(call: Call) -> dict[str, Any]:
    """Certificates of a user."""
    user = records.find(call, USER, named_user(call))
    found = [{**row.body, "UserName": user.name} for row in call.store.children(user.arn, CERTIFICATE)]
    return records.paged(call, found, "Certificates")


def update_signing_certificate(call: Call) -> dict[str, Any]:
    """Activate or deactivate a certificate."""
    changed = {"Status": call.params["Status"]}
    records.again(call, lambda: _find(call), lambda row: row.with_(body=changed))
    return {}


def delete_signing_certificate(call: Call) -> dict[str, Any]:
    """Remove a certificate."""
    records.remove(call, _find(call))
    return {}


def _find(call: Call) -> Row:
    user, name = records.find(call, USER, named_user(call)), call.params["CertificateId"]
    row = call.store.get(CERTIFICATE, call.account, "", name)
    if row is None or row.owner != user.arn:
        raise records.missing(f"The Certificate with id {name} cannot be found.")
    return row
