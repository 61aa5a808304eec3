"""AWS Key Management Service: keys whose material never leaves, and real cryptography with them.

Covered: symmetric, RSA, elliptic-curve and HMAC keys made here; description, state, scheduled deletion, key policies
(evaluated), grants (evaluated by principal and operation), aliases including those of AWS's services, tags, rotation
(on demand and automatic); Encrypt, Decrypt, ReEncrypt with encryption context, data keys and data key pairs, random
bytes, Sign, Verify, GenerateMac, VerifyMac, GetPublicKey, DryRun.

Not covered: imported key material, custom and external key stores, replicas of multi-region keys, ML-DSA, ML-KEM, SM2
and Ed25519 keys, DeriveSharedSecret, Nitro enclaves, constraints of grants.

Differences from AWS: key material lies in the store of this server, not in an HSM. A key whose waiting period is over
goes when it is next asked for; automatic rotation happens at the first use after it is due.
"""
