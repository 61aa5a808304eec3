"""KMS: what is sealed opens with the right key and context only, and keys in the wrong state refuse."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding

DAY = 86400


@pytest.fixture
def kms(desk):  # noqa: ANN001, ANN201
    return desk.kms


@pytest.fixture
def key(kms) -> str:  # noqa: ANN001
    return kms("CreateKey")["KeyMetadata"]["KeyId"]


def test_a_key_reads_as_it_was_made(kms) -> None:  # noqa: ANN001
    made = kms("CreateKey", Description="mine", Tags=[{"TagKey": "a", "TagValue": "b"}])["KeyMetadata"]
    assert kms("DescribeKey", KeyId=made["Arn"])["KeyMetadata"] == made
    assert (made["KeyState"], made["KeySpec"], made["EncryptionAlgorithms"]) == \
        ("Enabled", "SYMMETRIC_DEFAULT", ["SYMMETRIC_DEFAULT"])
    assert kms("ListResourceTags", KeyId=made["KeyId"])["Tags"] == [{"TagKey": "a", "TagValue": "b"}]
    assert {"KeyId": made["KeyId"], "KeyArn": made["Arn"]} in kms("ListKeys")["Keys"]


def test_encrypted_bytes_come_back(kms, key) -> None:  # noqa: ANN001
    sealed = kms("Encrypt", KeyId=key, Plaintext=b"secret", EncryptionContext={"a": "1", "b": "2"})
    assert b"secret" not in sealed["CiphertextBlob"]
    opened = kms("Decrypt", CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext={"b": "2", "a": "1"})
    assert (opened["Plaintext"], opened["KeyId"]) == (b"secret", sealed["KeyId"])


@pytest.mark.parametrize("spoil", [
    lambda blob: blob[:-1] + bytes([blob[-1] ^ 1]), lambda blob: blob[:60], lambda blob: b"", lambda blob: b"nonsense",
    lambda blob: blob + b"x", lambda blob: blob[:5] + b"\xff" + blob[6:],
])
def test_a_changed_ciphertext_does_not_open(desk, kms, key, spoil) -> None:  # noqa: ANN001
    blob = kms("Encrypt", KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    code = desk.refused("kms", "Decrypt", CiphertextBlob=spoil(blob)).code
    assert code in ("InvalidCiphertextException", "AccessDeniedException")


def test_another_context_or_key_does_not_open(desk, kms, key) -> None:  # noqa: ANN001
    blob = kms("Encrypt", KeyId=key, Plaintext=b"secret", EncryptionContext={"a": "1"})["CiphertextBlob"]
    assert desk.refused("kms", "Decrypt", CiphertextBlob=blob).code == "InvalidCiphertextException"
    other = kms("CreateKey")["KeyMetadata"]["KeyId"]
    assert desk.refused("kms", "Decrypt", CiphertextBlob=blob, KeyId=other).code == "IncorrectKeyException"


def test_re_encryption_changes_the_key(kms, key) -> None:  # noqa: ANN001
    blob = kms("Encrypt", KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    other = kms("CreateKey")["KeyMetadata"]
    again = kms("ReEncrypt", CiphertextBlob=blob, DestinationKeyId=other["KeyId"],
                DestinationEncryptionContext={"x": "y"})
    assert again["KeyId"] == other["Arn"]
    opened = kms("Decrypt", CiphertextBlob=again["CiphertextBlob"], EncryptionContext={"x": "y"})
    assert (opened["Plaintext"], opened["KeyId"]) == (b"secret", other["Arn"])


@pytest.mark.parametrize("ask, size", [({"KeySpec": "AES_256"}, 32), ({"KeySpec": "AES_128"}, 16),
                                       ({"NumberOfBytes": 64}, 64)])
def test_data_keys_open(kms, key, ask: dict, size: int) -> None:  # noqa: ANN001
    made = kms("GenerateDataKey", KeyId=key, **ask)
    assert len(made["Plaintext"]) == size
    assert kms("Decrypt", CiphertextBlob=made["CiphertextBlob"])["Plaintext"] == made["Plaintext"]
    assert "Plaintext" not in kms("GenerateDataKeyWithoutPlaintext", KeyId=key, **ask)


def test_a_data_key_pair_fits_together(kms, key) -> None:  # noqa: ANN001
    made = kms("GenerateDataKeyPair", KeyId=key, KeyPairSpec="ECC_NIST_P256")
    private = serialization.load_der_private_key(made["PrivateKeyPlaintext"], None)
    assert kms("Decrypt", CiphertextBlob=made["PrivateKeyCiphertextBlob"])["Plaintext"] == made["PrivateKeyPlaintext"]
    shown = serialization.load_der_public_key(made["PublicKey"])
    assert private.public_key().public_numbers() == shown.public_numbers()


@pytest.mark.parametrize("spec, usage", [("RSA_2048", "SIGN_VERIFY"), ("ECC_NIST_P256", "SIGN_VERIFY"),
                                         ("ECC_NIST_P521", "SIGN_VERIFY"), ("ECC_SECG_P256K1", "SIGN_VERIFY")])
def test_signatures_verify_for_their_message_only(desk, kms, spec: str, usage: str) -> None:  # noqa: ANN001
    made = kms("CreateKey", KeySpec=spec, KeyUsage=usage)["KeyMetadata"]
    for algorithm in made["SigningAlgorithms"]:
        ask = {"KeyId": made["KeyId"], "SigningAlgorithm": algorithm}
        signature = kms("Sign", Message=b"hello", **ask)["Signature"]
        assert kms("Verify", Message=b"hello", Signature=signature, **ask)["SignatureValid"]
        assert desk.refused("kms", "Verify", Message=b"hallo", Signature=signature, **ask).code == \
            "KMSInvalidSignatureException"


def test_a_signature_verifies_outside_with_the_public_key(kms) -> None:  # noqa: ANN001
    made = kms("CreateKey", KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    public = serialization.load_der_public_key(kms("GetPublicKey", KeyId=made)["PublicKey"])
    signature = kms("Sign", KeyId=made, Message=b"hello", SigningAlgorithm="ECDSA_SHA_256")["Signature"]
    public.verify(signature, b"hello", ec.ECDSA(hashes.SHA256()))


def test_rsa_encryption_works_from_outside(desk, kms) -> None:  # noqa: ANN001
    made = kms("CreateKey", KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["KeyId"]
    public = serialization.load_der_public_key(kms("GetPublicKey", KeyId=made)["PublicKey"])
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    ask = {"KeyId": made, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
    assert kms("Decrypt", CiphertextBlob=public.encrypt(b"hi", oaep), **ask)["Plaintext"] == b"hi"
    assert desk.refused("kms", "Encrypt", Plaintext=b"x" * 400, **ask).code == "ValidationException"
    assert desk.refused("kms", "Decrypt", CiphertextBlob=b"x" * 256, **ask).code == "InvalidCiphertextException"


def test_macs_verify(desk, kms) -> None:  # noqa: ANN001
    made = kms("CreateKey", KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
    ask = {"KeyId": made, "MacAlgorithm": "HMAC_SHA_256", "Message": b"m"}
    mac = kms("GenerateMac", **ask)["Mac"]
    assert kms("VerifyMac", Mac=mac, **ask)["MacValid"]
    assert desk.refused("kms", "VerifyMac", **{**ask, "Mac": b"x" * 32}).code == "KMSInvalidMacException"


def test_keys_in_the_wrong_state_refuse(desk, kms, key) -> None:  # noqa: ANN001
    blob = kms("Encrypt", KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms("DisableKey", KeyId=key)
    assert desk.refused("kms", "Encrypt", KeyId=key, Plaintext=b"x").code == "DisabledException"
    assert desk.refused("kms", "Decrypt", CiphertextBlob=blob).code == "DisabledException"
    kms("EnableKey", KeyId=key)
    kms("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)
    assert desk.refused("kms", "Encrypt", KeyId=key, Plaintext=b"x").code == "KMSInvalidStateException"
    kms("CancelKeyDeletion", KeyId=key)
    assert kms("DescribeKey", KeyId=key)["KeyMetadata"]["KeyState"] == "Disabled"
    assert "DeletionDate" not in kms("DescribeKey", KeyId=key)["KeyMetadata"]


def test_a_key_is_gone_after_its_waiting_period(desk, kms, key) -> None:  # noqa: ANN001
    blob = kms("Encrypt", KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    kms("CreateAlias", AliasName="alias/a", TargetKeyId=key)
    kms("ScheduleKeyDeletion", KeyId=key, PendingWindowInDays=7)
    desk.world.clock.sleep(7 * DAY + 1)
    assert desk.refused("kms", "DescribeKey", KeyId=key).code == "NotFoundException"
    assert desk.refused("kms", "Decrypt", CiphertextBlob=blob).code == "AccessDeniedException"
    assert desk.refused("kms", "DescribeKey", KeyId="alias/a").code == "NotFoundException"


def test_aliases_name_keys(desk, kms, key) -> None:  # noqa: ANN001
    kms("CreateAlias", AliasName="alias/mine", TargetKeyId=key)
    arn = f"arn:aws:kms:us-west-2:123456789012:key/{key}"
    for name in (key, arn, "alias/mine", "arn:aws:kms:us-west-2:123456789012:alias/mine"):
        assert kms("DescribeKey", KeyId=name)["KeyMetadata"]["Arn"] == arn
    assert desk.refused("kms", "CreateAlias", AliasName="alias/mine", TargetKeyId=key).message == \
        "An alias with the name arn:aws:kms:us-west-2:123456789012:alias/mine already exists"
    other = kms("CreateKey")["KeyMetadata"]
    kms("UpdateAlias", AliasName="alias/mine", TargetKeyId=other["KeyId"])
    assert kms("DescribeKey", KeyId="alias/mine")["KeyMetadata"]["Arn"] == other["Arn"]
    assert [each["AliasName"] for each in kms("ListAliases", KeyId=other["KeyId"])["Aliases"]] == ["alias/mine"]
    kms("DeleteAlias", AliasName="alias/mine")
    assert desk.refused("kms", "DescribeKey", KeyId="alias/mine").code == "NotFoundException"


def test_keys_of_services_come_into_being_when_asked_for(desk, kms) -> None:  # noqa: ANN001
    first = kms("DescribeKey", KeyId="alias/aws/sagemaker")["KeyMetadata"]
    assert first["KeyManager"] == "AWS"
    assert kms("DescribeKey", KeyId="alias/aws/sagemaker")["KeyMetadata"] == first
    assert desk.refused("kms", "ScheduleKeyDeletion", KeyId=first["KeyId"]).code == "AccessDeniedException"
    assert desk.refused("kms", "DescribeKey", KeyId="alias/aws/none").code == "NotFoundException"


@pytest.mark.parametrize("operation, params, code", [
    ("DescribeKey", {"KeyId": "nonsense"}, "NotFoundException"),
    ("DescribeKey", {"KeyId": "00000000-0000-0000-0000-000000000000"}, "NotFoundException"),
    ("DescribeKey", {"KeyId": "arn:aws:s3:::b"}, "InvalidArnException"),
    ("DescribeKey", {"KeyId": "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"},
     "NotFoundException"),
    ("CreateKey", {"KeySpec": "RSA_2048"}, "ValidationException"),
    ("CreateKey", {"KeySpec": "RSA_2048", "KeyUsage": "GENERATE_VERIFY_MAC"}, "ValidationException"),
    ("CreateKey", {"KeySpec": "SM2", "KeyUsage": "SIGN_VERIFY"}, "UnsupportedOperationException"),
    ("CreateKey", {"Origin": "EXTERNAL"}, "UnsupportedOperationException"),
    ("CreateKey", {"Policy": "{"}, "MalformedPolicyDocumentException"),
    ("CreateAlias", {"AliasName": "mine", "TargetKeyId": "x"}, "ValidationException"),
    ("CreateAlias", {"AliasName": "alias/aws/mine", "TargetKeyId": "x"}, "NotAuthorizedException"),
    ("GenerateRandom", {}, "ValidationException"),
    ("ListKeys", {"Marker": "nonsense"}, "InvalidMarkerException"),
])
def test_what_is_wrong_is_refused(desk, operation: str, params: dict, code: str) -> None:  # noqa: ANN001
    assert desk.refused("kms", operation, **params).code == code


def test_rotation_keeps_old_ciphertexts_readable(desk, kms, key) -> None:  # noqa: ANN001
    blob = kms("Encrypt", KeyId=key, Plaintext=b"old")["CiphertextBlob"]
    kms("RotateKeyOnDemand", KeyId=key)
    kms("EnableKeyRotation", KeyId=key, RotationPeriodInDays=90)
    desk.world.clock.sleep(91 * DAY)
    later = kms("GenerateDataKey", KeyId=key, NumberOfBytes=8)
    opened = kms("Decrypt", CiphertextBlob=blob)
    assert opened["Plaintext"] == b"old"
    assert opened["KeyMaterialId"] != later["KeyMaterialId"]
    assert kms("Decrypt", CiphertextBlob=later["CiphertextBlob"])["Plaintext"] == later["Plaintext"]
    assert [each["RotationType"] for each in kms("ListKeyRotations", KeyId=key)["Rotations"]] == \
        ["ON_DEMAND", "AUTOMATIC"]
    status = kms("GetKeyRotationStatus", KeyId=key)
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 90)


def test_the_key_policy_decides_and_grants_add_to_it(desk, kms) -> None:  # noqa: ANN001
    desk.iam("CreateUser", UserName="ann")
    ann = desk.as_key(desk.iam("CreateAccessKey", UserName="ann")["AccessKey"]["AccessKeyId"])
    admin: dict[str, Any] = {"Effect": "Allow", "Principal": {"AWS": desk.principal.arn}, "Action": "kms:*",
                             "Resource": "*"}
    no_ann = {"Effect": "Deny", "Principal": {"AWS": ann.principal.arn}, "Action": "kms:Decrypt", "Resource": "*"}
    made = kms("CreateKey", Policy=json.dumps({"Version": "2012-10-17", "Statement": [admin, no_ann]}))["KeyMetadata"]
    ask = {"KeyId": made["KeyId"]}
    blob = ann.kms("Encrypt", Plaintext=b"x", **ask)["CiphertextBlob"]
    assert "explicit deny" in ann.refused("kms", "Decrypt", CiphertextBlob=blob).message
    bob_only = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:user/bob"}, "Action": "kms:*",
                "Resource": "*"}
    closed = json.dumps({"Version": "2012-10-17", "Statement": [bob_only]})
    assert desk.refused("kms", "PutKeyPolicy", Policy=closed, **ask).code == "MalformedPolicyDocumentException"
    grant = kms("CreateGrant", GranteePrincipal=ann.principal.arn, Operations=["Decrypt"], **ask)
    kms("PutKeyPolicy", Policy=closed, BypassPolicyLockoutSafetyCheck=True, **ask)
    assert ann.kms("Decrypt", CiphertextBlob=blob)["Plaintext"] == b"x"
    assert ann.refused("kms", "Encrypt", Plaintext=b"x", **ask).code == "AccessDeniedException"
    ann.kms("RetireGrant", GrantToken=grant["GrantToken"])
    assert ann.refused("kms", "Decrypt", CiphertextBlob=blob).code == "AccessDeniedException"


def test_another_account_uses_a_key_if_the_policy_says_so(desk, kms, key) -> None:  # noqa: ANN001
    from sagewright.aws.iam import accounts

    other = desk.as_key(accounts.create_account_root(desk.world, "111111111111")[0])
    arn = kms("DescribeKey", KeyId=key)["KeyMetadata"]["Arn"]
    assert other.refused("kms", "Encrypt", KeyId=arn, Plaintext=b"x").code == "AccessDeniedException"
    assert other.refused("kms", "Encrypt", KeyId=arn[:-1] + "_", Plaintext=b"x").code == "NotFoundException"
    policy = json.loads(kms("GetKeyPolicy", KeyId=key)["Policy"])
    policy["Statement"].append({"Effect": "Allow", "Principal": {"AWS": "111111111111"}, "Resource": "*",
                                "Action": "kms:Encrypt"})
    kms("PutKeyPolicy", KeyId=key, Policy=json.dumps(policy))
    blob = other.kms("Encrypt", KeyId=arn, Plaintext=b"theirs")["CiphertextBlob"]
    assert kms("Decrypt", CiphertextBlob=blob)["Plaintext"] == b"theirs"


def test_a_dry_run_changes_nothing(desk, key) -> None:  # noqa: ANN001
    assert desk.refused("kms", "Encrypt", KeyId=key, Plaintext=b"x", DryRun=True).code == "DryRunOperationException"


def test_keys_survive_a_restart(desk, kms, key, open_world) -> None:  # noqa: ANN001
    blob = kms("Encrypt", KeyId=key, Plaintext=b"kept")["CiphertextBlob"]
    desk.world.store.close()
    desk.world = open_world()
    assert desk.kms("Decrypt", CiphertextBlob=blob)["Plaintext"] == b"kept"
