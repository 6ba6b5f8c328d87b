# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the benchmarks measure with, made anew by each run: a CA that signs leaf and delegate itself (the shortest path there is,
for the peers' sake), and its responses, for each kind of key."""
import datetime
import ipaddress
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DER = serialization.Encoding.DER
PEM = serialization.Encoding.PEM
HOUR = datetime.timedelta(hours=1)
SWAPS = 8000  # a thousand a second, for twice as long as clinch-bench-handshake swaps
KEYS = {
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "rsa2048": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048),
}


def name_of(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(subject, key, issuer, issuer_key, extensions, now):
    builder = (x509.CertificateBuilder().subject_name(name_of(subject)).issuer_name(name_of(issuer))
        .public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(now - 24 * HOUR).not_valid_after(now + 30 * 24 * HOUR))
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    return builder.sign(issuer_key, hashes.SHA256())


def response(leaf, issuer, signer, signer_key, now, by_name=False, embedded=(), life=95 * HOUR):
    encoding = ocsp.OCSPResponderEncoding.NAME if by_name else ocsp.OCSPResponderEncoding.HASH
    builder = (ocsp.OCSPResponseBuilder()
        .add_response(leaf, issuer, hashes.SHA1(), ocsp.OCSPCertStatus.GOOD, now - HOUR, now + life, None, None)
        .responder_id(encoding, signer))
    if embedded:
        builder = builder.certificates(list(embedded))
    return builder.sign(signer_key, hashes.SHA256()).public_bytes(DER)


class Authority:
    """Self-signed, unless it has a parent."""

    def __init__(self, kind, now, name="Clinch Bench CA", parent=None):
        self.kind, self.now, self.name = kind, now, name
        self.key = KEYS[kind]()
        issuer = parent or self
        self.cert = certificate(name, self.key, issuer.name, issuer.key, [
            (x509.BasicConstraints(ca=True, path_length=None), True),
            (x509.KeyUsage(False, False, False, False, False, True, True, False, False), True)], now)

    def leaf(self):
        key = KEYS[self.kind]()
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        return key, certificate("localhost", key, self.name, self.key, [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (x509.SubjectAlternativeName(names), False),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)], self.now)

    def delegate(self):
        key = KEYS[self.kind]()
        return key, certificate("Clinch Bench Responder", key, self.name, self.key, [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (x509.KeyUsage(True, False, False, False, False, False, False, False, False), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False),
            (x509.OCSPNoCheck(), False)], self.now)


def write_kind(folder, kind, now):
    folder.mkdir()
    authority = Authority(kind, now)
    _, leaf = authority.leaf()
    delegate_key, delegate = authority.delegate()
    for name, cert in (("ca", authority.cert), ("leaf", leaf), ("delegate", delegate)):
        (folder / f"{name}.der").write_bytes(cert.public_bytes(DER))
    (folder / "direct.der").write_bytes(response(leaf, authority.cert, authority.cert, authority.key, now))
    (folder / "delegated.der").write_bytes(
        response(leaf, authority.cert, delegate, delegate_key, now, embedded=[delegate]))


def write_500(path, now):
    """An issuer-signed RSA-2048 response of exactly 500 bytes, as the public CAs' were: the name of the CA makes the length."""
    name = "Clinch Bench CA"
    for _ in range(4):
        authority = Authority("rsa2048", now, name)
        _, leaf = authority.leaf()
        der = response(leaf, authority.cert, authority.cert, authority.key, now, by_name=True)
        if len(der) == 500:
            path.write_bytes(der)
            return
        name = (name + "x" * 64)[:max(1, len(name) + 500 - len(der))]
    raise RuntimeError(f"could not make a response of 500 bytes, the last had {len(der)}")


def write_tls(folder, now, kind="p256"):
    """As a public server has it: a root that is trusted and not sent, an intermediate that is sent and signs the staple."""
    folder.mkdir()
    root = Authority(kind, now, "Clinch Bench Root")
    authority = Authority(kind, now, parent=root)
    key, leaf = authority.leaf()
    (folder / "ca.pem").write_bytes(root.cert.public_bytes(PEM))
    (folder / "issuer.pem").write_bytes(authority.cert.public_bytes(PEM))
    (folder / "chain.pem").write_bytes(leaf.public_bytes(PEM) + authority.cert.public_bytes(PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(
        PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    (folder / "staple.der").write_bytes(response(leaf, authority.cert, authority.cert, authority.key, now))
    (folder / "staple-ca.der").write_bytes(response(authority.cert, root.cert, root.cert, root.key, now))
    if kind == "p256":
        (folder / "swaps.der").write_bytes(b"".join(
            response(leaf, authority.cert, authority.cert, authority.key, now, life=95 * HOUR + datetime.timedelta(seconds=i + 1))
            for i in range(SWAPS)))


def make(folder):
    folder = pathlib.Path(folder)
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    for kind in KEYS:
        write_kind(folder / kind, kind, now)
    write_500(folder / "p256" / "parse.der", now)
    write_tls(folder / "tls", now)
    write_tls(folder / "tls-rsa", now, "rsa2048")
