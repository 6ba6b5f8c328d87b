# SPDX-License-Identifier: LGPL-2.1-or-later
"""Keys and signatures, by python3-cryptography; what is around them in DER is our own."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa

import der

CURVES = {"p192": ec.SECP192R1, "p224": ec.SECP224R1, "p256": ec.SECP256R1, "p384": ec.SECP384R1, "p521": ec.SECP521R1}
HASHES = {"md5": hashes.MD5, "sha1": hashes.SHA1, "sha224": hashes.SHA224, "sha256": hashes.SHA256,
          "sha384": hashes.SHA384, "sha512": hashes.SHA512}
HASH_OIDS = {"sha1": "1.3.14.3.2.26", "sha224": "2.16.840.1.101.3.4.2.4", "sha256": "2.16.840.1.101.3.4.2.1",
             "sha384": "2.16.840.1.101.3.4.2.2", "sha512": "2.16.840.1.101.3.4.2.3", "md5": "1.2.840.113549.2.5"}
RSA_OIDS = {"md5": "1.2.840.113549.1.1.4", "sha1": "1.2.840.113549.1.1.5", "sha224": "1.2.840.113549.1.1.14",
            "sha256": "1.2.840.113549.1.1.11", "sha384": "1.2.840.113549.1.1.12", "sha512": "1.2.840.113549.1.1.13"}
ECDSA_OIDS = {"sha1": "1.2.840.10045.4.1", "sha224": "1.2.840.10045.4.3.1", "sha256": "1.2.840.10045.4.3.2",
              "sha384": "1.2.840.10045.4.3.3", "sha512": "1.2.840.10045.4.3.4"}
DSA_SHA256 = "2.16.840.1.101.3.4.3.2"
RSA_PSS, MGF1 = "1.2.840.113549.1.1.10", "1.2.840.113549.1.1.8"
EDDSA_OIDS = {"ed25519": "1.3.101.112", "ed448": "1.3.101.113"}
# An ECDSA or DSA signature has one of a few lengths. Only this one is used: a message made again has the same length.
SIGNATURE_LENGTHS = {"p192": 55, "p224": 63, "p256": 71, "p384": 103, "p521": 139, "dsa": 71}


def generate(sort):
    """sort: p256, rsa2048, rsa1024, pss, pss-sha256 (an id-RSASSA-PSS key, with its restriction), dsa, ed25519 ..."""
    if sort in CURVES:
        return ec.generate_private_key(CURVES[sort]())
    if sort.startswith("rsa"):
        return rsa.generate_private_key(65537, int(sort[3:]))
    if sort.startswith("pss"):
        return rsa.generate_private_key(65537, 2048)
    if sort == "dsa":
        return dsa.generate_private_key(2048)
    return {"ed25519": ed25519.Ed25519PrivateKey, "ed448": ed448.Ed448PrivateKey}[sort].generate()


class Key:
    def __init__(self, sort, private):
        self.sort, self.private, self.public = sort, private, private.public_key()

    @classmethod
    def from_der(cls, sort, encoded):
        return cls(sort, serialization.load_der_private_key(encoded, None))

    def to_der(self):
        return self.private.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8,
                                          serialization.NoEncryption())

    def is_rsa(self):
        return isinstance(self.private, rsa.RSAPrivateKey)

    def bits(self):
        """subjectPublicKey, without the count of unused bits: what a KeyHash hashes (RFC 6960 4.1.1)."""
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            return self.public.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
        if self.is_rsa():
            return self.public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
        if self.sort == "dsa":
            return der.integer("y", self.public.public_numbers().y).encode()
        return self.public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)

    def spki(self):
        return der.seq("spki", self._spki_algorithm(), der.bits("spki.bits", self.bits()))

    def _spki_algorithm(self):
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            curve = {"p192": "1.2.840.10045.3.1.1", "p224": "1.3.132.0.33", "p256": "1.2.840.10045.3.1.7",
                     "p384": "1.3.132.0.34", "p521": "1.3.132.0.35"}[self.sort]
            return algorithm("spki.algorithm", "1.2.840.10045.2.1", der.oid("curve", curve))
        if self.sort.startswith("pss"):
            restriction = self.sort.partition("-")[2]
            parameters = pss_parameters(restriction, restriction, 32) if restriction else None
            return algorithm("spki.algorithm", RSA_PSS, parameters)
        if self.is_rsa():
            return algorithm("spki.algorithm", "1.2.840.113549.1.1.1", der.null())
        if self.sort == "dsa":
            group = self.public.public_numbers().parameter_numbers
            return algorithm("spki.algorithm", "1.2.840.10040.4.1",
                             der.seq("group", *[der.integer("n", n) for n in (group.p, group.q, group.g)]))
        return algorithm("spki.algorithm", EDDSA_OIDS[self.sort], None)

    def default_signature(self):
        if self.sort.startswith("pss"):
            return "pss-sha256-32"
        return {"p384": "sha384", "p521": "sha512"}.get(self.sort, "sha256")


def algorithm(label, dotted, parameters):
    nodes = [der.oid(label + ".oid", dotted)]
    if parameters is not None:
        parameters.label = label + ".parameters"
        nodes.append(parameters)
    return der.seq(label, *nodes)


def pss_parameters(digest, mgf_digest, salt, trailer=None):
    """RSASSA-PSS-params (RFC 4055 3.1), with everything written out but the trailer."""
    nodes = [der.context("pss.hash", 0, algorithm("pss.hash.algorithm", HASH_OIDS[digest], der.null())),
             der.context("pss.mgf", 1, algorithm("pss.mgf.algorithm", MGF1,
                                                 algorithm("pss.mgf.hash", HASH_OIDS[mgf_digest], der.null()))),
             der.context("pss.salt", 2, der.integer("pss.salt.length", salt))]
    if trailer is not None:
        nodes.append(der.context("pss.trailer", 3, der.integer("pss.trailer.field", trailer)))
    return der.seq("pss", *nodes)


def _of_length(sort, make):
    while True:
        signature = make()
        if len(signature) == SIGNATURE_LENGTHS[sort]:
            return signature


def _pss(how):
    """pss-HASH-SALT[-MGFHASH]"""
    _, digest, salt, *rest = how.split("-")
    mgf = rest[0] if rest else digest
    return digest, mgf, int(salt), padding.PSS(padding.MGF1(HASHES[mgf]()), int(salt))


def algorithm_of(key, how):
    """The AlgorithmIdentifier that tells the truth."""
    how = how or key.default_signature()
    if how.startswith("pss"):
        digest, mgf, salt, _ = _pss(how)
        return algorithm("signature_algorithm", RSA_PSS, pss_parameters(digest, mgf, salt))
    if key.is_rsa():
        return algorithm("signature_algorithm", RSA_OIDS[how], der.null())
    if isinstance(key.private, ec.EllipticCurvePrivateKey):
        return algorithm("signature_algorithm", ECDSA_OIDS[how], None)
    return algorithm("signature_algorithm", DSA_SHA256 if key.sort == "dsa" else EDDSA_OIDS[key.sort], None)


def sign(key, how, message):
    how = how or key.default_signature()
    if how.startswith("pss"):
        digest, _, _, pad = _pss(how)
        return key.private.sign(message, pad, HASHES[digest]())
    if key.is_rsa():
        return key.private.sign(message, padding.PKCS1v15(), HASHES[how]())
    if isinstance(key.private, ec.EllipticCurvePrivateKey):
        return _of_length(key.sort, lambda: key.private.sign(message, ec.ECDSA(HASHES[how]())))
    if key.sort == "dsa":
        return _of_length("dsa", lambda: key.private.sign(message, HASHES["sha256"]()))
    return key.private.sign(message)


def verifies(key, how, message, signature):
    how = how or key.default_signature()
    try:
        if how.startswith("pss"):
            digest, _, _, pad = _pss(how)
            key.public.verify(signature, message, pad, HASHES[digest]())
        elif key.is_rsa():
            key.public.verify(signature, message, padding.PKCS1v15(), HASHES[how]())
        elif isinstance(key.private, ec.EllipticCurvePrivateKey):
            key.public.verify(signature, message, ec.ECDSA(HASHES[how]()))
        elif key.sort == "dsa":
            key.public.verify(signature, message, HASHES["sha256"]())
        else:
            key.public.verify(signature, message)
    except InvalidSignature:
        return False
    return True
