"""What KMS does with key material: make it, seal and open with it, sign, verify, authenticate. Pure functions.

Called by this room's operations; calls `cryptography`. Key material is raw bytes for symmetric and HMAC keys and PKCS#8
DER for key pairs. A symmetric ciphertext names its key and the material that sealed it, then AES-GCM with the
encryption context as additional data.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SYMMETRIC = "SYMMETRIC_DEFAULT"
_MAGIC = b"\x01\x02sw"
_CURVES: dict[str, type[ec.EllipticCurve]] = {
    "ECC_NIST_P256": ec.SECP256R1, "ECC_NIST_P384": ec.SECP384R1, "ECC_NIST_P521": ec.SECP521R1,
    "ECC_SECG_P256K1": ec.SECP256K1}
_ECDSA = {"ECC_NIST_P256": "ECDSA_SHA_256", "ECC_NIST_P384": "ECDSA_SHA_384", "ECC_NIST_P521": "ECDSA_SHA_512",
          "ECC_SECG_P256K1": "ECDSA_SHA_256"}
_RSA_SIGNING = [f"RSASSA_{scheme}_SHA_{size}" for scheme in ("PKCS1_V1_5", "PSS") for size in (256, 384, 512)]
_RSA_SIZES = {"RSA_2048": 2048, "RSA_3072": 3072, "RSA_4096": 4096}
_MAC_SIZES = {"HMAC_224": 224, "HMAC_256": 256, "HMAC_384": 384, "HMAC_512": 512}
_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "1": hashes.SHA1, "256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}


class Unreadable(Exception):
    """The ciphertext was not made by this key, with this context, or was changed."""


@dataclass(frozen=True)
class Sealed:
    """The readable part of a symmetric ciphertext."""

    key_id: str
    material_id: str
    nonce: bytes
    body: bytes
    header: bytes


# -- key specs -----------------------------------------------------------------------------------------------------
def usages(spec: str) -> list[str]:
    """What a key of that spec can be for; empty for a spec that is not supported."""
    if spec == SYMMETRIC:
        return ["ENCRYPT_DECRYPT"]
    if spec in _RSA_SIZES:
        return ["ENCRYPT_DECRYPT", "SIGN_VERIFY"]
    if spec in _CURVES:
        return ["SIGN_VERIFY"]
    return ["GENERATE_VERIFY_MAC"] if spec in _MAC_SIZES else []


def algorithms(spec: str, usage: str) -> list[str]:
    """The algorithms of a key."""
    if usage == "GENERATE_VERIFY_MAC":
        return [f"HMAC_SHA_{_MAC_SIZES[spec]}"]
    if usage == "SIGN_VERIFY":
        return list(_RSA_SIGNING) if spec in _RSA_SIZES else [_ECDSA[spec]]
    return [SYMMETRIC] if spec == SYMMETRIC else ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"]


def is_pair(spec: str) -> bool:
    """Whether the spec is of a key pair."""
    return spec in _RSA_SIZES or spec in _CURVES


def make(spec: str) -> bytes:
    """New key material."""
    if spec in _RSA_SIZES:
        return _der(rsa.generate_private_key(65537, _RSA_SIZES[spec]))
    if spec in _CURVES:
        return _der(ec.generate_private_key(_CURVES[spec]()))
    return secrets.token_bytes(_MAC_SIZES[spec] // 8 if spec in _MAC_SIZES else 32)


def _der(key: Any) -> bytes:
    return key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def _private(material: bytes) -> Any:
    return serialization.load_der_private_key(material, None)


def public(material: bytes) -> bytes:
    """The public half of a key pair, as DER SubjectPublicKeyInfo."""
    return _private(material).public_key().public_bytes(serialization.Encoding.DER,
                                                        serialization.PublicFormat.SubjectPublicKeyInfo)


# -- symmetric -----------------------------------------------------------------------------------------------------
def seal(material: bytes, key_id: str, material_id: str, plaintext: bytes, context: Mapping[str, str]) -> bytes:
    """A ciphertext that names its key."""
    name, nonce = key_id.encode(), secrets.token_bytes(12)
    header = _MAGIC + bytes([len(name)]) + name + bytes.fromhex(material_id)
    return header + nonce + AESGCM(material).encrypt(nonce, plaintext, header + _canonical(context))


def take_apart(ciphertext: bytes) -> Sealed:
    """Which key sealed this; Unreadable if it is no ciphertext of ours."""
    start = len(_MAGIC)
    if len(ciphertext) < start + 1 or not ciphertext.startswith(_MAGIC):
        raise Unreadable
    end = start + 1 + ciphertext[start]
    name, material_id, nonce = ciphertext[start + 1:end], ciphertext[end:end + 32], ciphertext[end + 32:end + 44]
    if len(nonce) != 12 or not name.isascii():
        raise Unreadable
    return Sealed(name.decode(), material_id.hex(), nonce, ciphertext[end + 44:], ciphertext[:end + 32])


def open_(material: bytes, sealed: Sealed, context: Mapping[str, str]) -> bytes:
    """The plaintext; Unreadable if anything, the context included, differs."""
    try:
        return AESGCM(material).decrypt(sealed.nonce, sealed.body, sealed.header + _canonical(context))
    except InvalidTag:
        raise Unreadable from None


def _canonical(context: Mapping[str, str]) -> bytes:
    return json.dumps(sorted(context.items()), separators=(",", ":")).encode()


# -- key pairs -----------------------------------------------------------------------------------------------------
def rsa_encrypt(material: bytes, plaintext: bytes, algorithm: str) -> bytes:
    """RSAES-OAEP; ValueError if the plaintext is too long for the key."""
    return _private(material).public_key().encrypt(plaintext, _oaep(algorithm))


def rsa_decrypt(material: bytes, ciphertext: bytes, algorithm: str) -> bytes:
    """RSAES-OAEP; Unreadable if it does not open."""
    try:
        return _private(material).decrypt(ciphertext, _oaep(algorithm))
    except ValueError:
        raise Unreadable from None


def _oaep(algorithm: str) -> padding.OAEP:
    made = _HASHES[algorithm.rsplit("_", 1)[-1]]()
    return padding.OAEP(padding.MGF1(made), made, None)


def digest_size(algorithm: str) -> int:
    """Bytes of the digest that a signing algorithm signs."""
    return _HASHES[algorithm.rsplit("_", 1)[-1]]().digest_size


def sign(material: bytes, message: bytes, algorithm: str, is_digest: bool) -> bytes:
    """A signature of a message, or of its digest."""
    arguments = _signing(algorithm, is_digest)
    return _private(material).sign(message, *arguments)


def verify(material: bytes, message: bytes, signature: bytes, algorithm: str, is_digest: bool) -> bool:
    """Whether the signature is the key's of that message."""
    arguments = _signing(algorithm, is_digest)
    try:
        _private(material).public_key().verify(signature, message, *arguments)
    except (InvalidSignature, ValueError):
        return False
    return True


def _signing(algorithm: str, is_digest: bool) -> tuple[Any, ...]:
    made = _HASHES[algorithm.rsplit("_", 1)[-1]]()
    hashed: Any = Prehashed(made) if is_digest else made
    if algorithm.startswith("ECDSA"):
        return (ec.ECDSA(hashed),)
    if "PSS" in algorithm:
        return padding.PSS(padding.MGF1(made), made.digest_size), hashed
    return padding.PKCS1v15(), hashed


# -- MAC -----------------------------------------------------------------------------------------------------------
def mac(material: bytes, message: bytes, algorithm: str) -> bytes:
    """The HMAC of a message."""
    return hmac.digest(material, message, f"sha{algorithm.rsplit('_', 1)[-1]}")


def mac_fits(material: bytes, message: bytes, claimed: bytes, algorithm: str) -> bool:
    """Whether the HMAC is the key's of that message, in constant time."""
    return hmac.compare_digest(mac(material, message, algorithm), claimed)


def material_id(material: bytes) -> str:
    """A name for key material that does not give it away."""
    return hashlib.sha256(b"sagewright key material" + material + secrets.token_bytes(16)).hexdigest()
