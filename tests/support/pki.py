# SPDX-License-Identifier: LGPL-2.1-or-later
"""A throw-away PKI in a directory, and OCSP responses in its name, by python3-cryptography.

    pki = Pki(tempdir())
    leaf = pki.leaf("www.example.com", must_staple=True)
    leaf.chain_file, leaf.key_file, pki.root.cert_file
    pki.response(leaf)                                  DER: good, signed by the intermediate
    pki.response(leaf, status="revoked", signer=pki.delegate())

Every name exists as NAME.pem (certificate), NAME.key, NAME.chain.pem (with its issuers, without the root).
What the builder cannot say (unknown, broken encodings) is made by the generator of tests/data/gen.
"""
import ipaddress
import os
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

PEM = serialization.Encoding.PEM
DER = serialization.Encoding.DER


class Identity:
    """A certificate, its key, its issuer (None: a root), and the files they are in."""

    def __init__(self, directory, label, cert, key, issuer):
        self.label, self.cert, self.key, self.issuer = label, cert, key, issuer
        self.cert_file = os.path.join(directory, label + ".pem")
        self.key_file = os.path.join(directory, label + ".key")
        self.chain_file = os.path.join(directory, label + ".chain.pem")
        self._write()

    @property
    def pem(self):
        return self.cert.public_bytes(PEM)

    @property
    def der(self):
        return self.cert.public_bytes(DER)

    @property
    def not_after(self):
        """In UTC; newer versions of python3-cryptography have another name for it and warn of the old one."""
        return getattr(self.cert, "not_valid_after_utc", None) or self.cert.not_valid_after

    def chain(self):
        """Itself and its issuers, without the root."""
        chain, at = [], self
        while at is not None and (at.issuer is not None or at is self):
            chain.append(at)
            at = at.issuer
        return chain

    def _write(self):
        key = self.key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        for path, data in ((self.cert_file, self.pem), (self.key_file, key),
                           (self.chain_file, b"".join(i.pem for i in self.chain()))):
            with open(path, "wb") as f:
                f.write(data)


def _signed_again(response, key):
    """The same response with another key's signature, of the same length (an ECDSA one varies by a byte or two: try again)."""
    for _ in range(1000):
        if isinstance(key, rsa.RSAPrivateKey):
            signature = key.sign(response.tbs_response_bytes, padding.PKCS1v15(), hashes.SHA256())
        else:
            signature = key.sign(response.tbs_response_bytes, ec.ECDSA(hashes.SHA256()))
        if len(signature) == len(response.signature):
            return response.public_bytes(DER).replace(response.signature, signature)
    raise ValueError("sign_as has another kind of key than the signer")


def _access(method, urls):
    urls = [urls] if isinstance(urls, str) else urls or []
    return [x509.AccessDescription(method, x509.UniformResourceIdentifier(url)) for url in urls]


class Pki:
    """kind is "ec" (P-256) or "rsa" (2048 bits); `now` is the naive UTC datetime that everything is dated from."""

    def __init__(self, directory, kind="ec", now=None, label=""):
        self.dir, self.kind, self.label = str(directory), kind, label
        self.now = now or datetime.utcnow().replace(microsecond=0)
        self._made = {}
        os.makedirs(self.dir, exist_ok=True)

    # -- certificates

    @property
    def root(self):
        return self._once("root", lambda: self._authority("root", None, 1))

    @property
    def intermediate(self):
        return self._once("intermediate", lambda: self._authority("intermediate", self.root, 0))

    def leaf(self, name="localhost", must_staple=False, ocsp_url=None, dns=None, ip=None, days=90, kind=None, issuer=None,
             before_days=1, label=None, ca_issuers=None):
        """A server's certificate for `name` and, unless dns/ip say otherwise, 127.0.0.1 and ::1. Made once a label.
        It is valid from before_days ago until `days` from now (negative: expired). ocsp_url and ca_issuers are one URL, or
        several in a list."""
        label = label or (name + ("-must-staple" if must_staple else ""))

        def make():
            dns_names = [name] if dns is None else dns
            addresses = ["127.0.0.1", "::1"] if ip is None else ip
            names = [x509.DNSName(d) for d in dns_names] + [x509.IPAddress(ipaddress.ip_address(a)) for a in addresses]
            extensions = [(x509.SubjectAlternativeName(names), False),
                          (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), False)]
            if must_staple:
                extensions.append((x509.TLSFeature([x509.TLSFeatureType.status_request]), False))
            access = _access(AuthorityInformationAccessOID.OCSP, ocsp_url)
            access += _access(AuthorityInformationAccessOID.CA_ISSUERS, ca_issuers)
            if access:
                extensions.append((x509.AuthorityInformationAccess(access), False))
            return self._issue(label, name, issuer or self.intermediate, extensions, kind, before_days, days)

        return self._once(label, make)

    def delegate(self, nocheck=True, issuer=None, days=30, label="delegate", eku=True):
        """A responder's certificate with the OCSP signing purpose."""

        def make():
            extensions = []
            if eku:
                extensions.append((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False))
            if nocheck:
                extensions.append((x509.OCSPNoCheck(), False))
            return self._issue(label, f"{label} responder", issuer or self.intermediate, extensions, None, 1, days)

        return self._once(label, make)

    def _once(self, label, make):
        if label not in self._made:
            self._made[label] = make()
        return self._made[label]

    def _authority(self, label, issuer, path_length):
        extensions = [(x509.BasicConstraints(True, path_length), True),
                      (x509.KeyUsage(False, False, False, False, False, True, True, False, False), True)]
        return self._issue(label, f"{self.label}{label} {self.kind}", issuer, extensions, None, 30, 3650)

    def new_key(self, kind=None):
        if (kind or self.kind) == "rsa":
            return rsa.generate_private_key(65537, 2048)
        return ec.generate_private_key(ec.SECP256R1())

    def _issue(self, label, common_name, issuer, extensions, kind, before_days, days):
        key = self.new_key(kind)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        signer_key = issuer.key if issuer else key
        builder = (x509.CertificateBuilder().subject_name(name).issuer_name(issuer.cert.subject if issuer else name)
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(self.now - timedelta(days=before_days)).not_valid_after(self.now + timedelta(days=days))
                   .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
                   .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer_key.public_key()), False))
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return Identity(self.dir, label, builder.sign(signer_key, hashes.SHA256()), key, issuer)

    # -- responses

    def response(self, leaf, status="good", signer=None, this_update=None, next_update=None, produced_at=None,
                 revoked_at=None, reason=None, by_key=True, embed=None, nonce=None, algorithm=None, sign_as=None):
        """A DER response about `leaf`. Times are timedeltas from `now`: by default one hour ago until in four days;
        next_update=False leaves it out. signer is the Identity that signs, the leaf's issuer by default; any other is
        embedded unless embed=False. sign_as: the Identity, of the same kind of key, that really signs (a forgery)."""
        issuer, signer = leaf.issuer, signer or leaf.issuer
        this = self.now + (this_update if this_update is not None else timedelta(hours=-1))
        following = None if next_update is False else self.now + (next_update if next_update is not None else timedelta(days=4))
        revoked = status == "revoked"
        builder = ocsp.OCSPResponseBuilder().add_response(
            cert=leaf.cert, issuer=issuer.cert, algorithm=algorithm or hashes.SHA1(),
            cert_status=ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD,
            this_update=this, next_update=following,
            revocation_time=self.now + (revoked_at or timedelta(hours=-2)) if revoked else None,
            revocation_reason=getattr(x509.ReasonFlags, reason) if reason else None)
        encoding = ocsp.OCSPResponderEncoding.HASH if by_key else ocsp.OCSPResponderEncoding.NAME
        builder = builder.responder_id(encoding, signer.cert)
        if embed if embed is not None else signer is not issuer:
            builder = builder.certificates([signer.cert])
        if nonce:
            builder = builder.add_extension(x509.OCSPNonce(nonce), False)
        response = builder.sign(signer.key, hashes.SHA256())
        return _signed_again(response, sign_as.key) if sign_as else response.public_bytes(DER)

    def expired(self, leaf, **more):
        """Good, but its nextUpdate has passed by a day."""
        return self.response(leaf, this_update=timedelta(days=-5), next_update=timedelta(days=-1), **more)

    def error_response(self, name="TRY_LATER"):
        return ocsp.OCSPResponseBuilder.build_unsuccessful(getattr(ocsp.OCSPResponseStatus, name)).public_bytes(DER)

    def write(self, name, der):
        """Puts der into the PKI's directory and says where."""
        path = os.path.join(self.dir, name)
        with open(path, "wb") as f:
            f.write(der)
        return path

    def index(self, leaves, revoked=(), name="index.txt"):
        """An index.txt for `openssl ocsp -index`: the leaves, and which of them are revoked. The others are unknown to it."""
        lines = []
        for leaf in leaves:
            state = "R" if leaf in revoked else "V"
            when = (self.now - timedelta(hours=2)).strftime("%y%m%d%H%M%SZ") if state == "R" else ""
            until = leaf.not_after.strftime("%y%m%d%H%M%SZ")
            serial = f"{leaf.cert.serial_number:X}"
            serial = serial.zfill(len(serial) + len(serial) % 2)  # whole bytes, as openssl ca writes them
            lines.append(f"{state}\t{until}\t{when}\t{serial}\tunknown\t/CN={leaf.label}\n")
        return self.write(name, "".join(lines).encode())
