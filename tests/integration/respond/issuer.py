# SPDX-License-Identifier: LGPL-2.1-or-later
"""CAs of a test: certificate and key, delegates, leaves, an index.txt of OpenSSL's, CRLs."""
import os
import time
from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

import keys

PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
DAY_S = 86400
REASONS = {"unspecified": "unspecified", "keyCompromise": "key_compromise", "CACompromise": "ca_compromise",
           "affiliationChanged": "affiliation_changed", "superseded": "superseded", "cessationOfOperation": "cessation_of_operation",
           "certificateHold": "certificate_hold", "removeFromCRL": "remove_from_crl", "privilegeWithdrawn": "privilege_withdrawn",
           "AACompromise": "aa_compromise"}


def utc(at):
    return datetime.fromtimestamp(at, timezone.utc).replace(tzinfo=None)


def write(path, data):
    """Whole or not at all."""
    with open(path + ".new", "wb") as f:
        f.write(data)
    os.replace(path + ".new", path)
    return path


def new_key(sort):
    return {"p256": lambda: ec.generate_private_key(ec.SECP256R1()), "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
            "rsa": lambda: rsa.generate_private_key(65537, 2048), "rsa4096": lambda: rsa.generate_private_key(65537, 4096),
            "ed25519": ed25519.Ed25519PrivateKey.generate}[sort]()


class Pair:
    """A certificate with its key, in files."""

    def __init__(self, directory, label, cert, key, until=None):
        self.label, self.cert, self.key, self.until = label, cert, key, until
        self.cert_file, self.key_file = (os.path.join(directory, label + end) for end in (".pem", ".key"))
        self.pem, self.der = cert.public_bytes(PEM), cert.public_bytes(DER)
        self.name, self.key_bits = cert.subject.public_bytes(), keys.Key("any", key).bits()
        write(self.cert_file, self.pem)
        write(self.key_file, key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        os.chmod(self.key_file, 0o600)


def common_name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def key_usage(*names):
    every = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign",
             "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: name in names for name in every})


class Ca(Pair):
    """Self-issued, unless another CA is given. `name` (of the subject) and `key` may be another CA's."""

    def __init__(self, directory, label, name=None, key=None, issuer=None, sort="p256", now=None, seconds=3650 * DAY_S):
        self.dir, self.issuer, self.now = directory, issuer, int(now if now is not None else time.time())
        os.makedirs(directory, exist_ok=True)
        key, subject = key or new_key(sort), common_name(name or f"{label} CA")
        self._signing = (issuer.key, issuer.cert.subject) if issuer else (key, subject)
        cert = self._issue(subject, key, seconds, -30 * DAY_S, [(x509.BasicConstraints(True, None), True),
                                                               (key_usage("key_cert_sign", "crl_sign", "digital_signature"), True)])
        super().__init__(directory, label, cert, key)
        self._signing = (key, subject)

    def _issue(self, subject, key, seconds, begins, extensions, serial=None):
        signing_key, issuer_name = self._signing
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer_name).public_key(key.public_key())
                   .serial_number(serial or x509.random_serial_number()).not_valid_before(utc(self.now + begins))
                   .not_valid_after(utc(self.now + seconds))
                   .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
                   .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()), False))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return builder.sign(signing_key, None if isinstance(signing_key, ed25519.Ed25519PrivateKey) else hashes.SHA256())

    def delegate(self, label="delegate", eku=True, nocheck=True, usage=("digital_signature",), seconds=30 * DAY_S, begins=-DAY_S,
                 sort="p256", key=None):
        """A certificate to sign responses with (RFC 6960 4.2.2.2), valid from now + begins until now + seconds."""
        extensions = [(key_usage(*usage), True)] if usage else []
        if eku:
            extensions.append((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False))
        if nocheck:
            extensions.append((x509.OCSPNoCheck(), False))
        key = key or new_key(sort)
        return Pair(self.dir, f"{self.label}-{label}",
                    self._issue(common_name(f"{self.label} {label}"), key, seconds, begins, extensions), key,
                    self.now + seconds)

    def leaf(self, label, serial, url=None, seconds=90 * DAY_S, must_staple=False):
        """A server's certificate for localhost. .chain_file has its issuers too, without the root."""
        extensions = [(x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.DNSName("www.example.org")]), False),
                      (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)]
        if url:
            where = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(url))
            extensions.append((x509.AuthorityInformationAccess([where]), False))
        if must_staple:
            extensions.append((x509.TLSFeature([x509.TLSFeatureType.status_request]), False))
        key = new_key("p256")
        pair = Pair(self.dir, label, self._issue(common_name("www.example.org"), key, seconds, -DAY_S, extensions, serial), key)
        pair.serial = serial
        pair.chain_file = write(os.path.join(self.dir, label + ".chain.pem"), pair.pem + self.pem)
        return pair

    def crl(self, revoked=None, this=-3600, next_=7 * DAY_S, number=1, signer=None, pem=True, now=None):
        """Revoked: {serial: (instant, reason or None)}. Times are seconds from `now`."""
        now = int(now if now is not None else time.time())
        builder = (x509.CertificateRevocationListBuilder().issuer_name(self.cert.subject).last_update(utc(now + this))
                   .next_update(utc(now + next_)).add_extension(x509.CRLNumber(number), False))
        for serial, (at, reason) in (revoked or {}).items():
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(utc(at))
            if reason:
                entry = entry.add_extension(x509.CRLReason(getattr(x509.ReasonFlags, REASONS[reason])), False)
            builder = builder.add_revoked_certificate(entry.build())
        return builder.sign((signer or self).key, hashes.SHA256()).public_bytes(PEM if pem else DER)


def stamp(at):
    """UTCTime as index.txt has it; GeneralizedTime from 2050 on."""
    moment = utc(at)
    return moment.strftime("%y%m%d%H%M%SZ" if moment.year < 2050 else "%Y%m%d%H%M%SZ")


class Index:
    """An index.txt of OpenSSL's. A row is kept as its text."""

    def __init__(self, path, now=None):
        self.path, self.rows, self.now = path, [], int(now if now is not None else time.time())
        self.revoked_at = self.now - DAY_S

    def row(self, state, serial, reason=None, seconds=90 * DAY_S, revoked_at=None, subject=None):
        hexadecimal = f"{serial:X}"
        hexadecimal = "0" * (len(hexadecimal) & 1) + hexadecimal
        revoked = stamp(revoked_at or self.revoked_at) + (f",{reason}" if reason else "") if state == "R" else ""
        return f"{state}\t{stamp(self.now + seconds)}\t{revoked}\t{hexadecimal}\tunknown\t{subject or f'/CN=serial {hexadecimal}'}\n"

    def add(self, state, serial, **more):
        self.rows.append(self.row(state, serial, **more))
        return self

    def set(self, state, serial, **more):
        """As `openssl ca -revoke`: the row of this serial becomes another."""
        mark = self.row("V", serial).split("\t")[3]
        self.rows = [self.row(state, serial, **more) if row.split("\t")[3] == mark else row for row in self.rows]
        return self

    def drop(self, serial):
        mark = self.row("V", serial).split("\t")[3]
        self.rows = [row for row in self.rows if row.split("\t")[3] != mark]
        return self

    def bytes(self):
        return "".join(self.rows).encode()

    def save(self):
        """By rename, as `openssl ca` does it."""
        write(self.path, self.bytes())
        return self
