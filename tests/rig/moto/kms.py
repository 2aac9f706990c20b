"""AWS KMS by moto, on a port of loopback: kms.py PORT aws|moto

Requests, keys and responses are moto's. With `aws`, what moto leaves out of Sign and GetPublicKey is as AWS documents
it: with MessageType=DIGEST the message is the digest, and is not hashed again; a key that is not enabled is not used.
With `moto`, nothing is changed: a service that signs the hash of the digest.
"""

import sys
from contextvars import ContextVar

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from moto.core.exceptions import JsonRESTError
from moto.kms.exceptions import ValidationException
from moto.kms.models import KmsBackend
from moto.kms.responses import KmsResponse
from moto.kms.utils import ECDSAPrivateKey, RSAPrivateKey
from moto.server import main

HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
STATES = {
    "Disabled": ("DisabledException", "is disabled."),
    "PendingDeletion": ("KMSInvalidStateException", "is pending deletion."),
}

# moto drops it on the way to the key.
message_type = ContextVar("message_type", default=None)


def knows_its_message_type(sign):
    def signs(response):
        token = message_type.set(response._get_param("MessageType"))
        try:
            return sign(response)
        finally:
            message_type.reset(token)

    return signs


def signs_digests(sign):
    def signs(key, message, signing_algorithm):
        if message_type.get() != "DIGEST":
            return sign(key, message, signing_algorithm)
        algorithm = HASHES[signing_algorithm[-3:]]
        if len(message) != algorithm.digest_size:
            raise ValidationException(f"Digest is invalid length for algorithm {signing_algorithm}.")
        if isinstance(key, ECDSAPrivateKey):
            return key.private_key.sign(message, ec.ECDSA(Prehashed(algorithm)))
        if "PKCS1_V1_5" not in signing_algorithm:
            raise ValidationException(f"{signing_algorithm} is not needed here.")
        return key.private_key.sign(message, padding.PKCS1v15(), Prehashed(algorithm))

    return signs


def of_an_enabled_key(operation):
    def runs(backend, key_id, *args, **kwargs):
        key = backend.describe_key(key_id)
        if key.key_state in STATES:
            code, what = STATES[key.key_state]
            raise JsonRESTError(code, f"{key.arn} {what}")
        return operation(backend, key_id, *args, **kwargs)

    return runs


port, service = sys.argv[1:]
if service == "aws":
    KmsResponse.sign = knows_its_message_type(KmsResponse.sign)
    for kind in (ECDSAPrivateKey, RSAPrivateKey):
        kind.sign = signs_digests(kind.sign)
    for name in ("sign", "get_public_key"):
        setattr(KmsBackend, name, of_an_enabled_key(getattr(KmsBackend, name)))
main(["--host", "127.0.0.1", "--port", port])
