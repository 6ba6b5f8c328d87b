# SPDX-License-Identifier: LGPL-2.1-or-later
"""OCSP requests (RFC 6960 4.1.1), as right or as wrong as a test asks for, made by the encoder of tests/data/gen."""
import base64
import copy
import hashlib
import urllib.parse

import der

NONCE = "1.3.6.1.5.5.7.48.1.2"
ACCEPTABLE = "1.3.6.1.5.5.7.48.1.4"
LOCATOR = "1.3.6.1.5.5.7.48.1.7"
PRIVATE = "1.3.6.1.4.1.55555.1"  # means nothing to anybody
HASHES = {
    "md5": "1.2.840.113549.2.5", "sha1": "1.3.14.3.2.26", "sha224": "2.16.840.1.101.3.4.2.4", "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2", "sha512": "2.16.840.1.101.3.4.2.3", "sha3_256": "2.16.840.1.101.3.4.2.8",
}
NULL, ABSENT = "null", "absent"


def serial_bytes(serial):
    """An INTEGER's content. Bytes are taken as they are, minimal or not."""
    if isinstance(serial, bytes):
        return serial
    return serial.to_bytes(serial.bit_length() // 8 + 1, "big", signed=True)


def cert_id(ca, serial, hash_name="sha1", parameters=NULL, name=None, key=None, said=None):
    """`name` and `key`: other hashes than the CA's; `said`: another algorithm than the one that made them; `parameters`: NULL,
    ABSENT or the bytes of any element."""
    algorithm = [der.oid("hash.oid", HASHES[said or hash_name])]
    if parameters == NULL:
        algorithm.append(der.null("parameters"))
    elif parameters != ABSENT:
        algorithm.append(der.Raw("parameters", parameters))
    name = hashlib.new(hash_name, ca.name).digest() if name is None else name
    key = hashlib.new(hash_name, ca.key_bits).digest() if key is None else key
    return der.seq("cert_id", der.seq("hash", *algorithm), der.octets("name_hash", name), der.octets("key_hash", key),
                   der.Node("serial", 0x02, serial_bytes(serial)))


def single(cert_id_node, *extensions):
    """A Request: a CertID and singleRequestExtensions."""
    more = [der.context("single_extensions", 0, der.seq("single_extensions.list", *extensions))] if extensions else []
    return der.seq("single", cert_id_node, *more)


def nonce(content, critical=None):
    """Bytes, or how many."""
    content = bytes(i * 7 & 0xFF for i in range(1, content + 1)) if isinstance(content, int) else content
    return der.extension("nonce", NONCE, der.octets("nonce.octets", content), critical)


def raw_nonce(value):
    """An extension whose value is not what a nonce has to be."""
    return der.extension("nonce", NONCE, value)


def extension(oid=PRIVATE, value=b"\x05\0", critical=None):
    return der.extension("extension", oid, value, critical)


def tree(*requests, extensions=None, version=None, requestor=None, signature=None):
    """requests: CertIDs or single()s. extensions: a list; [] is written as an empty one. The whole as nodes."""
    tbs = []
    if version is not None:
        tbs.append(der.context("version", 0, der.integer("version.number", version)))
    if requestor is not None:
        tbs.append(der.context("requestor", 1, requestor))
    tbs.append(der.seq("requests", *(r if r.label == "single" else single(r) for r in requests)))
    if extensions is not None:
        tbs.append(der.context("extensions", 2, der.seq("extensions.list", *extensions)))
    tbs = der.seq("tbs", *tbs)
    more = [] if signature is None else [der.context("signature", 0, signature(tbs.encode()))]
    return der.seq("request", tbs, *more)


def request(*requests, spoil=(), **more):
    """DER. spoil: pairs (label, change) of der.spoil()."""
    whole = tree(*copy.deepcopy(requests), **more)
    for label, change in spoil:
        der.spoil(whole, label, change)
    return whole.encode()


def directory_name(common_name):
    return der.context("general_name", 4, der.name("requestor.name", common_name))


def signature_of(key, certificate=None):
    """An optionalSignature by an EC key; key None: 70 bytes that are no signature."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    def make(tbs):
        value = b"\x30\x44" + b"\x2a" * 68 if key is None else key.sign(tbs, ec.ECDSA(hashes.SHA256()))
        certs = [] if certificate is None else [der.context("certs", 0, der.seq("certs.list", der.Raw("cert", certificate)))]
        return der.seq("optional_signature", der.seq("algorithm", der.oid("algorithm.oid", "1.2.840.10045.4.3.2")),
                       der.bits("signature.bits", value), *certs)

    return make


# --- in a path (RFC 6960 A.1) -------------------------------------------------------------------------------------------------


def base64_of(message):
    return base64.b64encode(message).decode()


def path_escaped(message):
    """As a client that follows RFC 6960 to the letter."""
    return "/" + urllib.parse.quote(base64_of(message), safe="")


def path_raw(message):
    return "/" + base64_of(message)


def path_lower(message):
    return "/" + base64_of(message).replace("+", "%2b").replace("/", "%2f").replace("=", "%3d")


def path_url(message):
    return "/" + base64.urlsafe_b64encode(message).decode()


def path_all_escaped(message):
    """Every character as an escape."""
    return "/" + "".join(f"%{ord(c):02X}" for c in base64_of(message))
