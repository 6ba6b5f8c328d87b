# SPDX-License-Identifier: LGPL-2.1-or-later
"""OCSP responses and requests read by a strict DER reader (X.690) that shares nothing with the one under test."""
import calendar
import re
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding

GOOD, REVOKED, UNKNOWN = "good", "revoked", "unknown"
REFUSALS = {1: "malformedRequest", 2: "internalError", 3: "tryLater", 5: "sigRequired", 6: "unauthorized"}
BASIC = bytes.fromhex("2b0601050507300101")
NONCE_OID = bytes.fromhex("2b0601050507300102")
CUTOFF_OID = bytes.fromhex("2b0601050507300106")
DIGESTS = {"2a8648ce3d040302": hashes.SHA256, "2a8648ce3d040303": hashes.SHA384, "2a8648ce3d040304": hashes.SHA512,
           "2a864886f70d01010b": hashes.SHA256, "2a864886f70d01010c": hashes.SHA384, "2a864886f70d01010d": hashes.SHA512}


class Wrong(ValueError):
    """Not DER, or not what it should be."""


class Element:
    def __init__(self, data, start):
        if len(data) < start + 2:
            raise Wrong("ends in a header")
        self.tag, first, at = data[start], data[start + 1], start + 2
        if self.tag & 0x1F == 0x1F:
            raise Wrong("a tag of several bytes")
        length = first
        if first & 0x80:
            digits = data[at:at + (first & 0x7F)]
            at += first & 0x7F
            length = int.from_bytes(digits, "big")
            if first == 0x80 or len(digits) != first & 0x7F or length < 0x80 or digits[0] == 0:
                raise Wrong("not the shortest length")
        if at + length > len(data):
            raise Wrong("longer than what it is in")
        self.content, self.raw, self.end = data[at:at + length], data[start:at + length], at + length

    def children(self):
        if not self.tag & 0x20:
            raise Wrong(f"tag {self.tag:#x} has no elements in it")
        return elements(self.content)


def elements(data):
    found, at = [], 0
    while at < len(data):
        found.append(Element(data, at))
        at = found[-1].end
    return found


def only(data, tag):
    """The one element that data is."""
    found = elements(data)
    if len(found) != 1 or found[0].tag != tag:
        raise Wrong(f"not one element of tag {tag:#x}")
    return found[0]


class Fields:
    """The elements of a SEQUENCE, taken in order."""

    def __init__(self, element):
        self.rest = element.children()

    def optional(self, tag):
        return self.rest.pop(0) if self.rest and self.rest[0].tag == tag else None

    def take(self, tag):
        element = self.optional(tag)
        if element is None:
            raise Wrong(f"tag {tag:#x} is missing")
        return element

    def end(self):
        if self.rest:
            raise Wrong(f"something behind the end: tag {self.rest[0].tag:#x}")


def integer(element):
    content = element.content
    if not content or (len(content) > 1 and (content[0], content[1] >> 7) in ((0, 0), (0xFF, 1))):
        raise Wrong("not the shortest INTEGER")
    return int.from_bytes(content, "big", signed=True)


def instant(content):
    """RFC 5280 4.1.2.5.2: seconds, Zulu, no fraction."""
    if not re.fullmatch(rb"\d{14}Z", content):
        raise Wrong(f"a time of the form {content}")
    return calendar.timegm(time.strptime(content.decode(), "%Y%m%d%H%M%SZ"))


def extensions(element):
    """A list of (oid, critical, value)."""
    found = []
    for item in only(element.content, 0x30).children():
        fields = Fields(item)
        oid, critical = fields.take(0x06).content, fields.optional(0x01)
        if critical is not None and critical.content != b"\xff":
            raise Wrong("a critical that is not TRUE")
        found.append((oid, critical is not None, fields.take(0x04).content))
        fields.end()
    if not found:
        raise Wrong("an empty list of extensions")
    return found


class Single:
    """One SingleResponse: cert_id is its bytes, header and all."""

    def __init__(self, element):
        fields = Fields(element)
        self.cert_id = fields.take(0x30).raw
        self.serial = serial_of(self.cert_id)
        self.revoked_at = self.reason = self.next_update = self.cutoff = None
        self._status(fields)
        self.this_update = instant(fields.take(0x18).content)
        later = fields.optional(0xA0)
        if later:
            self.next_update = instant(only(later.content, 0x18).content)
        more = fields.optional(0xA1)
        self.extensions = extensions(more) if more else []
        for oid, _, value in self.extensions:
            if oid == CUTOFF_OID:
                self.cutoff = instant(only(value, 0x18).content)
        fields.end()

    def _status(self, fields):
        status = fields.rest.pop(0)
        if status.tag in (0x80, 0x82) and not status.content:
            self.status = GOOD if status.tag == 0x80 else UNKNOWN
        elif status.tag == 0xA1:
            self.status, inside = REVOKED, Fields(status)
            self.revoked_at = instant(inside.take(0x18).content)
            reason = inside.optional(0xA0)
            self.reason = integer(only(reason.content, 0x0A)) if reason else None
            inside.end()
        else:
            raise Wrong("no CertStatus")


def serial_of(cert_id):
    fields = Fields(only(cert_id, 0x30))
    for tag in (0x30, 0x04, 0x04):
        fields.take(tag)
    serial = integer(fields.take(0x02))
    fields.end()
    return serial


class Told:
    """A response read whole. outcome is "successful" or the refusal's name."""

    def __init__(self, data):
        self.der = data
        fields = Fields(only(data, 0x30))
        status = fields.take(0x0A)
        if len(status.content) != 1:
            raise Wrong("responseStatus")
        if status.content[0] != 0:
            self.outcome = REFUSALS[status.content[0]]
            self.singles = []
            fields.end()
            return
        self.outcome = "successful"
        inside = Fields(only(fields.take(0xA0).content, 0x30))
        fields.end()
        if inside.take(0x06).content != BASIC:
            raise Wrong("not id-pkix-ocsp-basic")
        self._basic(Fields(only(inside.take(0x04).content, 0x30)))
        inside.end()

    def _basic(self, fields):
        tbs = fields.take(0x30)
        self.tbs, self.algorithm = tbs.raw, fields.take(0x30)
        signature = fields.take(0x03).content
        if signature[:1] != b"\0":
            raise Wrong("a signature of odd bits")
        self.signature = signature[1:]
        certs = fields.optional(0xA0)
        self.certs = [c.raw for c in only(certs.content, 0x30).children()] if certs else []
        fields.end()
        self._data(Fields(tbs))

    def _data(self, fields):
        by_name, by_key = fields.optional(0xA1), fields.optional(0xA2)
        if by_name:
            self.by, self.responder = "name", only(by_name.content, 0x30).raw
        elif by_key:
            self.by, self.responder = "key", only(by_key.content, 0x04).content
        else:
            raise Wrong("no ResponderID (or a version, which is DEFAULT v1)")
        self.produced_at = instant(fields.take(0x18).content)
        self.singles = [Single(e) for e in fields.take(0x30).children()]
        more = fields.optional(0xA1)
        self.extensions = extensions(more) if more else []
        self.nonces = [only(value, 0x04).content for oid, _, value in self.extensions if oid == NONCE_OID]
        fields.end()

    @property
    def single(self):
        if len(self.singles) != 1:
            raise Wrong(f"{len(self.singles)} SingleResponses instead of one: {self.outcome}")
        return self.singles[0]

    def check_signature(self, certificate):
        """By the key of this x509 certificate; raises InvalidSignature."""
        key, parts = certificate.public_key(), Fields(self.algorithm)
        oid = parts.take(0x06).content.hex()
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(self.signature, self.tbs)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(self.signature, self.tbs, ec.ECDSA(DIGESTS[oid]()))
        else:
            key.verify(self.signature, self.tbs, padding.PKCS1v15(), DIGESTS[oid]())

    def embedded(self):
        return [x509.load_der_x509_certificate(c) for c in self.certs]


def asked(data):
    """The CertIDs of a request, as bytes, and its nonce: what a strict reader takes for a request of version 1."""
    fields = Fields(only(data, 0x30))
    tbs = Fields(fields.take(0x30))
    fields.optional(0xA0)
    fields.end()
    tbs.optional(0xA1)
    ids = []
    for item in tbs.take(0x30).children():
        inside = Fields(item)
        ids.append(inside.take(0x30).raw)
        serial_of(ids[-1])
        more = inside.optional(0xA0)
        extensions(more) if more else None
        inside.end()
    more = tbs.optional(0xA2)
    nonces = [only(value, 0x04).content for oid, _, value in (extensions(more) if more else []) if oid == NONCE_OID]
    tbs.end()
    return ids, nonces
