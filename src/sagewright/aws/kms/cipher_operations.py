"""Operations that use key material: encrypt, decrypt, data keys, signatures, MACs. Called by dispatch."""

from __future__ import annotations

import secrets
from typing import Any

from sagewright.aws.kms import crypto, keys
from sagewright.core.call import Call
from sagewright.core.errors import AwsError, validation
from sagewright.core.store import Row

_DATA_KEYS = {"AES_128": 16, "AES_256": 32}


# -- encrypt and decrypt -------------------------------------------------------------------------------------------
def encrypt(call: Call) -> dict[str, Any]:
    """Up to 4096 bytes under a key."""
    row = keys.usable(keys.find(call, call.params["KeyId"]), "ENCRYPT_DECRYPT")
    algorithm = _algorithm(row, "EncryptionAlgorithm", "EncryptionAlgorithms", call)
    _dry(call)
    return {"CiphertextBlob": _seal(call, row, call.params["Plaintext"], algorithm, _context(call)),
            "KeyId": row.arn, "EncryptionAlgorithm": algorithm}


def decrypt(call: Call) -> dict[str, Any]:
    """The plaintext, under the key that the ciphertext names."""
    row, plaintext, algorithm = _open(call, _ciphertext(call), call.params.get("KeyId"),
                                      call.params.get("EncryptionAlgorithm"), _context(call), "Decrypt")
    _dry(call)
    answer = {"KeyId": row.arn, "Plaintext": plaintext, "EncryptionAlgorithm": algorithm}
    return answer | _material_id(_ciphertext(call), algorithm)


def re_encrypt(call: Call) -> dict[str, Any]:
    """Decrypt under one key and encrypt under another, the plaintext staying here."""
    ask = call.params
    source, plaintext, before = _open(call, _ciphertext(call), ask.get("SourceKeyId"),
                                      ask.get("SourceEncryptionAlgorithm"), ask.get("SourceEncryptionContext") or {},
                                      "ReEncryptFrom")
    row = keys.usable(keys.find(call, ask["DestinationKeyId"], action="ReEncryptTo"), "ENCRYPT_DECRYPT")
    after = _algorithm(row, "DestinationEncryptionAlgorithm", "EncryptionAlgorithms", call)
    _dry(call)
    sealed = _seal(call, row, plaintext, after, ask.get("DestinationEncryptionContext") or {})
    return {"CiphertextBlob": sealed, "SourceKeyId": source.arn, "KeyId": row.arn, "SourceEncryptionAlgorithm": before,
            "DestinationEncryptionAlgorithm": after}


# -- data keys -----------------------------------------------------------------------------------------------------
def generate_data_key(call: Call) -> dict[str, Any]:
    """A data key, in plain and sealed."""
    size, spec = call.params.get("NumberOfBytes"), call.params.get("KeySpec")
    if (size is None) == (spec is None):
        raise validation("Please specify either number of bytes or key spec.")
    row = _symmetric(call)
    _dry(call)
    row, plaintext = keys.rotated(call, row), secrets.token_bytes(size or _DATA_KEYS[str(spec)])
    sealed = _seal(call, row, plaintext, crypto.SYMMETRIC, _context(call))
    return {"CiphertextBlob": sealed, "Plaintext": plaintext, "KeyId": row.arn} | \
        _material_id(sealed, crypto.SYMMETRIC)


def generate_data_key_without_plaintext(call: Call) -> dict[str, Any]:
    """A data key, sealed only."""
    answer = generate_data_key(call)
    del answer["Plaintext"]
    return answer


def generate_data_key_pair(call: Call) -> dict[str, Any]:
    """A key pair whose private half is given in plain and sealed."""
    spec = call.params["KeyPairSpec"]
    if not crypto.is_pair(spec):
        raise AwsError("UnsupportedOperationException", f"KeyPairSpec {spec} is not supported.")
    row = _symmetric(call)
    _dry(call)
    private = crypto.make(spec)
    sealed = _seal(call, row, private, crypto.SYMMETRIC, _context(call))
    return {"PrivateKeyCiphertextBlob": sealed, "PrivateKeyPlaintext": private, "PublicKey": crypto.public(private),
            "KeyId": row.arn, "KeyPairSpec": spec} | _material_id(sealed, crypto.SYMMETRIC)


def generate_data_key_pair_without_plaintext(call: Call) -> dict[str, Any]:
    """A key pair whose private half is given sealed only."""
    answer = generate_data_key_pair(call)
    del answer["PrivateKeyPlaintext"]
    return answer


def generate_random(call: Call) -> dict[str, Any]:
    """Random bytes from the operating system."""
    if "NumberOfBytes" not in call.params:
        raise validation("NumberOfBytes is required.")
    _no_enclave(call)
    return {"Plaintext": secrets.token_bytes(call.params["NumberOfBytes"])}


# -- signatures ----------------------------------------------------------------------------------------------------
def sign(call: Call) -> dict[str, Any]:
    """A signature of a message or of its digest."""
    row, algorithm, is_digest = _signing(call)
    _dry(call)
    made = crypto.sign(keys.material(row), call.params["Message"], algorithm, is_digest)
    return {"KeyId": row.arn, "Signature": made, "SigningAlgorithm": algorithm}


def verify(call: Call) -> dict[str, Any]:
    """Whether a signature is the key's; an exception if not, as AWS."""
    row, algorithm, is_digest = _signing(call)
    _dry(call)
    ask = call.params
    if not crypto.verify(keys.material(row), ask["Message"], ask["Signature"], algorithm, is_digest):
        raise AwsError("KMSInvalidSignatureException", "")
    return {"KeyId": row.arn, "SignatureValid": True, "SigningAlgorithm": algorithm}


def get_public_key(call: Call) -> dict[str, Any]:
    """The public half of a key pair."""
    row = keys.usable(keys.find(call, call.params["KeyId"]))
    if not crypto.is_pair(row.body["KeySpec"]):
        raise AwsError("UnsupportedOperationException", f"{row.arn} key spec is {row.body['KeySpec']} which has no "
                                                        "public key.")
    kept = ("KeySpec", "CustomerMasterKeySpec", "KeyUsage", "EncryptionAlgorithms", "SigningAlgorithms")
    return {"KeyId": row.arn, "PublicKey": crypto.public(keys.material(row)),
            **{member: row.body[member] for member in kept if member in row.body}}


# -- MACs ----------------------------------------------------------------------------------------------------------
def generate_mac(call: Call) -> dict[str, Any]:
    """The HMAC of a message."""
    row, algorithm = _mac(call)
    _dry(call)
    return {"Mac": crypto.mac(keys.material(row), call.params["Message"], algorithm), "MacAlgorithm": algorithm,
            "KeyId": row.arn}


def verify_mac(call: Call) -> dict[str, Any]:
    """Whether an HMAC is the key's; an exception if not, as AWS."""
    row, algorithm = _mac(call)
    _dry(call)
    if not crypto.mac_fits(keys.material(row), call.params["Message"], call.params["Mac"], algorithm):
        raise AwsError("KMSInvalidMacException", "")
    return {"KeyId": row.arn, "MacValid": True, "MacAlgorithm": algorithm}


# -- shared --------------------------------------------------------------------------------------------------------
def _context(call: Call) -> dict[str, str]:
    return call.params.get("EncryptionContext") or {}


def _ciphertext(call: Call) -> bytes:
    """The request's ciphertext, which the model calls optional for the sake of some dry runs."""
    if "CiphertextBlob" not in call.params:
        raise validation("1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy constraint: "
                         "Member must not be null")
    return call.params["CiphertextBlob"]


def _dry(call: Call) -> None:
    """Stop here, where everything but the work itself was checked."""
    _no_enclave(call)
    if call.params.get("DryRun"):
        raise AwsError("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.",
                       412)


def _no_enclave(call: Call) -> None:
    if call.params.get("Recipient"):
        raise validation("Recipient is not supported: there are no Nitro enclaves here.")


def _algorithm(row: Row, member: str, possible: str, call: Call) -> str:
    algorithm = call.params.get(member) or crypto.SYMMETRIC
    if algorithm not in row.body.get(possible, ()):
        raise AwsError("InvalidKeyUsageException", f"Algorithm {algorithm} and key spec {row.body['KeySpec']} are "
                                                   "incompatible.")
    return algorithm


def _symmetric(call: Call) -> Row:
    row = keys.usable(keys.find(call, call.params["KeyId"]), "ENCRYPT_DECRYPT")
    if row.body["KeySpec"] != crypto.SYMMETRIC:
        raise AwsError("InvalidKeyUsageException", f"{row.arn} key spec is {row.body['KeySpec']} which is not valid "
                                                   f"for {call.operation}.")
    return row


def _seal(call: Call, row: Row, plaintext: bytes, algorithm: str, context: dict[str, str]) -> bytes:
    if algorithm == crypto.SYMMETRIC:
        row = keys.rotated(call, row)
        return crypto.seal(keys.material(row), row.name, row.work["current"], plaintext, context)
    try:
        return crypto.rsa_encrypt(keys.material(row), plaintext, algorithm)
    except ValueError:
        raise validation(f"Plaintext is too long for algorithm {algorithm} and key spec {row.body['KeySpec']}") \
            from None


def _open(call: Call, ciphertext: bytes, key_id: str | None, algorithm: str | None,
          context: dict[str, str], action: str) -> tuple[Row, bytes, str]:
    """(key, plaintext, algorithm) of a ciphertext."""
    algorithm = algorithm or crypto.SYMMETRIC
    try:
        if algorithm != crypto.SYMMETRIC:
            if key_id is None:
                raise validation("KeyId is required for asymmetric encryption algorithms.")
            row = keys.usable(keys.find(call, key_id, action=action), "ENCRYPT_DECRYPT")
            return row, crypto.rsa_decrypt(keys.material(row), ciphertext, algorithm), algorithm
        sealed = crypto.take_apart(ciphertext)
        row = _sealing_key(call, sealed, key_id, action)
        return row, crypto.open_(keys.material(row, sealed.material_id), sealed, context), algorithm
    except (crypto.Unreadable, KeyError):
        raise AwsError("InvalidCiphertextException", "") from None


def _sealing_key(call: Call, sealed: crypto.Sealed, key_id: str | None, action: str) -> Row:
    """The key that a ciphertext names, which must be the one asked for, if any was."""
    if key_id is not None and keys.find(call, key_id, action=action).name != sealed.key_id:
        raise AwsError("IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform "
                                                "this operation.")
    try:
        row = keys.find(call, sealed.key_id, action=action)
    except AwsError as error:
        if error.code != "NotFoundException":
            raise
        raise AwsError("AccessDeniedException", "The ciphertext refers to a customer master key that does not exist, "
                       "does not exist in this region, or you are not allowed to access.") from None
    return keys.usable(row, "ENCRYPT_DECRYPT")


def _material_id(ciphertext: bytes, algorithm: str) -> dict[str, str]:
    return {"KeyMaterialId": crypto.take_apart(ciphertext).material_id} if algorithm == crypto.SYMMETRIC else {}


def _signing(call: Call) -> tuple[Row, str, bool]:
    row = keys.usable(keys.find(call, call.params["KeyId"]), "SIGN_VERIFY")
    algorithm = _algorithm(row, "SigningAlgorithm", "SigningAlgorithms", call)
    kind = call.params.get("MessageType", "RAW")
    if kind == "EXTERNAL_MU":
        raise validation(f"MessageType {kind} is not valid for algorithm {algorithm}.")
    if kind == "DIGEST" and len(call.params["Message"]) != crypto.digest_size(algorithm):
        raise validation(f"Digest is invalid length for algorithm {algorithm}.")
    return row, algorithm, kind == "DIGEST"


def _mac(call: Call) -> tuple[Row, str]:
    row = keys.usable(keys.find(call, call.params["KeyId"]), "GENERATE_VERIFY_MAC")
    return row, _algorithm(row, "MacAlgorithm", "MacAlgorithms", call)
