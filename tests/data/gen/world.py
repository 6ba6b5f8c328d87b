# SPDX-License-Identifier: LGPL-2.1-or-later
"""The certificates that the cases speak of, by name. A world is one kind of keys; what was made is kept in its data file."""

import base64
import os

import der
import keys as keys_module
import x509

OCSP_URL = "http://ocsp.example.test/"
UNKNOWN_ALGORITHM = "content=2b06010401b1d90901"


def authority(subject, issuer, key, **more):
    return dict({"subject": subject, "issuer": issuer, "key": key, "signer": issuer, "ca": True, "ku": "keyCertSign+cRLSign",
                 "begins": "20260101000000", "ends": "20400101000000", "serial": "4a01"}, **more)


def leaf(**more):
    return dict({"subject": "mail.example.test", "issuer": "issuer", "key": "leaf", "signer": "issuer", "ca": False,
                 "ku": "digitalSignature", "eku": "server+client", "dns": "mail.example.test", "ocsp_url": OCSP_URL,
                 "begins": "20300601000000", "ends": "20300830000000", "serial": "5b7c91d20e3f4a66811209abcdef0123"}, **more)


def delegate(**more):
    return dict({"subject": "Delegate", "issuer": "issuer", "key": "delegate", "signer": "issuer", "ku": "digitalSignature",
                 "eku": "ocsp", "nocheck": True, "begins": "-30d", "ends": "+60d", "serial": "61d0"}, **more)


# issuer: whose name stands in the issuer field; signer: whose key signed it.
CERTIFICATES = {
    "root": authority("Root", "root", "root", begins="20250101000000", ends="20450101000000", serial="4a00"),
    "issuer": authority("Issuer", "root", "issuer"),
    "issuer-ended": authority("Issuer", "root", "issuer", ends="20300614000000", serial="4a07"),
    "issuer-ending-first": authority("Issuer", "root", "issuer", ends="+1d", serial="4a08"),
    "issuer-weak": authority("Issuer", "root", "weak", serial="4a09"),
    "issuer-must-staple": authority("Issuer", "root", "issuer", feature=5, serial="4a0a"),
    "sibling": authority("Sibling", "root", "sibling", serial="4a02"),
    "namesake": authority("Issuer", "root", "namesake", serial="4a03"),
    "cousin": authority("Cousin", "root", "sibling", serial="4a0c"),  # as long as the issuer's
    "stranger": authority("Stranger", "stranger", "stranger", serial="4a04"),

    "leaf": leaf(),
    "leaf-neighbour": leaf(subject="other.example.test", dns="other.example.test",
                           serial="5b7c91d20e3f4a66811209abcdef0124"),
    "leaf-must-staple": leaf(feature=5, serial="5b01"),
    "leaf-other-feature": leaf(feature=17, serial="5b02"),
    "leaf-both-features": leaf(feature="17+5", serial="5b03"),
    "leaf-must-staple-without-url": leaf(feature=5, ocsp_url=None, serial="5b04"),
    "leaf-without-url": leaf(ocsp_url=None, serial="5b05"),
    "leaf-https-url": leaf(ocsp_url="https://ocsp.example.test/", serial="5b06"),
    "leaf-serial-padded": leaf(serial="00005b07"),
    "leaf-serial-negative": leaf(serial="9b08"),
    "leaf-serial-zero": leaf(serial="00"),
    "leaf-serial-high": leaf(serial="00f0e1d2c3"),
    "leaf-serial-of-20": leaf(serial="7f0102030405060708090a0b0c0d0e0f10111213"),
    "leaf-of-ended-issuer": leaf(issuer="issuer-ended", signer="issuer-ended", serial="5b09"),
    "leaf-of-ending-issuer": leaf(issuer="issuer-ending-first", signer="issuer-ending-first", serial="5b0a"),
    "leaf-of-weak-issuer": leaf(issuer="issuer-weak", signer="issuer-weak", serial="5b0b"),
    "leaf-of-must-staple-issuer": leaf(issuer="issuer-must-staple", signer="issuer-must-staple", serial="5b0c"),
    "leaf-ended": leaf(ends="20300614000000", serial="5b0d"),
    "leaf-not-begun": leaf(begins="20300620000000", serial="5b0e"),
    "leaf-client-only": leaf(eku="client", serial="5b0f"),
    "leaf-young": leaf(begins="-1h", serial="5b10"),
    "leaf-of-namesake": leaf(issuer="namesake", signer="namesake", serial="5b11"),
    "leaf-of-leap-day": leaf(begins="20320201000000", ends="20320501000000", serial="5b13"),
    "leaf-ended-an-hour-ago": leaf(ends="-1h", serial="5b12"),

    "leaf-of-leaf": leaf(issuer="leaf-neighbour", signer="leaf-neighbour", serial="5b14"),
    "leaf-critical": leaf(unknown="critical", serial="5b15"),
    "leaf-boolean-01": leaf(serial="5b16", spoil=[("key_usage.critical", "content=01")]),
    "issuer-not-begun": authority("Issuer", "root", "issuer", begins="20300620000000", serial="4a0b"),
    "leaf-of-issuer-not-begun": leaf(issuer="issuer-not-begun", signer="issuer-not-begun", serial="5b17"),

    # For a clock that is not pinned: over since ever, lasting, and far off.
    "leaf-long-ended": leaf(begins="20240101000000", ends="20250101000000", serial="5b1a"),
    "leaf-lasting": leaf(begins="20260201000000", ends="20391201000000", serial="5b1b"),
    "leaf-far-off": leaf(begins="20390101000000", ends="20391201000000", serial="5b1c"),

    "delegate": delegate(),
    "delegate-in-between": delegate(subject="Delegate 2", key="delegate2", serial="61d1"),
    "delegate-of-root": delegate(issuer="root", signer="root", serial="61d2"),
    "delegate-of-sibling": delegate(issuer="sibling", signer="sibling", serial="61d3"),
    "delegate-of-namesake": delegate(issuer="namesake", signer="namesake", serial="61d4"),
    "delegate-of-delegate": delegate(issuer="delegate-in-between", signer="delegate-in-between", serial="61d5"),
    "delegate-of-stranger": delegate(issuer="stranger", signer="stranger", serial="61d6"),
    "delegate-self-made": delegate(subject="Issuer", issuer="issuer", signer="delegate", serial="61d7"),
    "delegate-without-eku": delegate(eku=None, serial="61e0"),
    "delegate-any-eku": delegate(eku="any", serial="61e1"),
    "delegate-server-eku": delegate(eku="server", serial="61e2"),
    "delegate-eku-below": delegate(eku="below-ocsp", serial="61e3"),
    "delegate-eku-above": delegate(eku="above-ocsp", serial="61e4"),
    "delegate-two-ekus": delegate(eku="server+ocsp", serial="61e5"),
    "delegate-critical-eku": delegate(eku_critical=True, serial="61e6"),
    "delegate-no-purpose": delegate(serial="61e7", spoil=[("purposes", "content=")]),
    "delegate-eku-trailing": delegate(serial="61e8", spoil=[("eku.value", "append=0500")]),
    "delegate-eku-set": delegate(serial="61e9", spoil=[("purposes", "tag=31")]),
    "delegate-usage-trailing": delegate(serial="61f5", spoil=[("key_usage.value", "append=0500")]),
    "delegate-usage-octets": delegate(serial="61f6", spoil=[("usage", "tag=04")]),
    "delegate-usage-empty": delegate(serial="61f7", spoil=[("usage", "content=00")]),
    "delegate-without-usage": delegate(ku=None, serial="61f0"),
    "delegate-non-repudiation": delegate(ku="nonRepudiation", serial="61f1"),
    "delegate-encipherment": delegate(ku="keyEncipherment", serial="61f2"),
    "delegate-cert-sign": delegate(ku="keyCertSign+cRLSign", serial="61f3"),
    "delegate-plain-usage": delegate(ku_critical=None, serial="61f4"),
    "delegate-critical": delegate(unknown="critical", serial="6200"),
    "delegate-plain-unknown": delegate(unknown="plain", serial="6201"),
    "delegate-critical-basic": delegate(ca=False, serial="6202"),
    "delegate-ended": delegate(ends="-1h", serial="6210"),
    "delegate-ended-a-second-ago": delegate(ends="-1s", serial="6211"),
    "delegate-ending-now": delegate(ends="0s", serial="6212"),
    "delegate-not-begun": delegate(begins="+1h", serial="6213"),
    "delegate-beginning-now": delegate(begins="0s", serial="6214"),
    "delegate-ends-first": delegate(ends="+2d", serial="6215"),
    "delegate-ends-with-response": delegate(ends="+3d", serial="6216"),
    "delegate-began-late": delegate(begins="-12h", serial="6217"),
    "delegate-began-with-response": delegate(begins="-1d", serial="6218"),
    "delegate-without-nocheck": delegate(nocheck=False, serial="6220"),
    "delegate-weak-key": delegate(key="weak", serial="6230"),
    "delegate-p192": delegate(key="weak-curve", serial="6231"),
    "delegate-p224": delegate(key="short-curve", serial="6232"),
    "delegate-dsa": delegate(key="dsa", serial="6233"),
    "delegate-ed25519": delegate(key="ed25519", serial="6234"),
    "delegate-pss-signed": delegate(signature="pss-sha256-32", serial="6235"),
    "delegate-sha1-signed": delegate(signature="sha1", serial="6236"),
    "delegate-md5-signed": delegate(signature="md5", serial="6237"),
    "delegate-sha384-signed": delegate(signature="sha384", serial="6238"),
    "delegate-unknown-signature": delegate(serial="6239", spoil=[("signature_algorithm.oid", UNKNOWN_ALGORITHM)],
                                           spoil_outside=[("signature_algorithm.oid", UNKNOWN_ALGORITHM)]),
    "delegate-of-other-kind": delegate(key="other-kind", serial="623a"),
    "delegate-extension-repeated": delegate(serial="6240", spoil=[("nocheck", "twice")]),
    "delegate-boolean-01": delegate(serial="6241", spoil=[("key_usage.critical", "content=01")]),
    "delegate-trailing-bytes": delegate(serial="6242", spoil_outside=[("certificate", "append=0500")]),
    "delegate-long-length": delegate(serial="6243", spoil=[("validity", "long")]),
    "configured": delegate(subject="Configured", issuer="stranger", signer="stranger", serial="6250"),
    "configured-without-eku": delegate(subject="Configured", issuer="stranger", signer="stranger", eku=None, serial="6251"),
}
# Authorities below each other, deep1 below the root, and leaves of the last two.
for number in range(1, 17):
    above = f"deep{number - 1}" if number > 1 else "root"
    CERTIFICATES[f"deep{number}"] = authority(f"Deep {number}", above, "issuer", serial=f"64{number:02x}")
CERTIFICATES["leaf-of-deep15"] = leaf(issuer="deep15", signer="deep15", serial="5b18")
CERTIFICATES["leaf-of-deep16"] = leaf(issuer="deep16", signer="deep16", serial="5b19")
# What an application may load: whose list, thisUpdate, nextUpdate, the certificates on it.
REVOCATION_LISTS = {
    "of-nobody": ("issuer", "-1d", "+6d", []),
    "of-nobody-ended": ("issuer", "-30d", "-20d", []),
    "of-nobody-to-come": ("issuer", "+2d", "+8d", []),
    "of-leaf": ("issuer", "-1d", "+6d", ["leaf"]),
    "of-leaf-neighbour": ("issuer", "-1d", "+6d", ["leaf-neighbour"]),
    "of-issuer": ("root", "-1d", "+6d", ["issuer"]),
}
# Eight that the ResponderID names and that are no delegates: same key, same name, no extendedKeyUsage.
for number in range(1, 9):
    CERTIFICATES[f"wrong{number}"] = delegate(eku=None, serial=f"63{number:02x}")

# The sort of each key, by kind of world; None: as every other. A leaf of the single kinds is P-256, for TLS servers.
SORTS = {"ec": "p256", "rsa": "rsa2048", "p384": "p384", "p521": "p521", "ed25519": "ed25519", "ed448": "ed448",
         "pss": "pss", "pss-sha256": "pss-sha256"}
FIXED_SORTS = {"weak": "rsa1024", "weak-curve": "p192", "short-curve": "p224", "dsa": "dsa", "ed25519": "ed25519"}


class World:
    def __init__(self, kind, directory):
        self.kind, self.subject = kind, "leaf"
        self.path = os.path.join(directory, kind + ".data")
        self.stored, self.used, self.keys = {}, {}, {}
        if os.path.exists(self.path):
            with open(self.path, encoding="ascii") as lines:
                for line in lines:
                    sort, name, text = line.split()
                    self.stored[sort, name] = b"" if text == "-" else base64.b64decode(text)

    def save(self):
        with open(self.path, "w", encoding="ascii") as out:
            for (sort, name), content in sorted(self.used.items()):
                out.write(f"{sort} {name} {base64.b64encode(content).decode() or '-'}\n")

    def spec(self, name):
        return CERTIFICATES[self.subject if name == "subject" else name]

    def name_of(self, certificate):
        return der.name("name", self.spec(certificate)["subject"])

    def sort_of(self, key):
        if key in FIXED_SORTS:
            return FIXED_SORTS[key]
        if key == "other-kind":
            return "p256" if self.kind == "rsa" else "rsa2048"
        if key in ("leaf", "root", "stranger") and self.kind not in ("ec", "rsa"):
            return "p256"
        return SORTS[self.kind]

    def key(self, name):
        if name not in self.keys:
            found, sort = self.stored.get(("key", name)), self.sort_of(name)
            key = keys_module.Key.from_der(sort, found) if found else keys_module.Key(sort, keys_module.generate(sort))
            self.keys[name], self.used["key", name] = key, found or key.to_der()
        return self.keys[name]

    def make_certificate(self, name, forced=None):
        """(DER, (key, how, message, signature))"""
        spec = self.spec(name)
        signer = self.key(self.spec(spec["signer"])["key"])
        whole, message, signature = x509.build(spec, self.key(spec["key"]), self.name_of(spec["issuer"]), signer, forced)
        return whole.encode(), (signer, spec.get("signature"), message, signature)

    def certificate(self, name):
        """As it is stored; made when it is not."""
        if ("certificate", name) not in self.used:
            self.used["certificate", name] = kept(self.stored.get(("certificate", name)),
                                                  lambda forced: self.make_certificate(name, forced))
        return self.used["certificate", name]


    def make_revocation_list(self, name, forced=None):
        issuer, begins, ends, revoked = REVOCATION_LISTS[name]
        key = self.key(self.spec(issuer)["key"])
        serials = [self.spec(certificate)["serial"] for certificate in revoked]
        whole, message, signature = x509.build_list(self.name_of(issuer), key, (begins, ends), serials, forced)
        return whole.encode(), (key, None, message, signature)

    def revocation_list(self, name):
        self.used["crl", name] = kept(self.stored.get(("crl", name)), lambda forced: self.make_revocation_list(name, forced))


class Differs(Exception):
    pass


STRICT = False  # set by generate.py --check: what is stored must be what would be made


def kept(stored, make):
    """The stored bytes when the generator, given their signature, makes the very same; else new ones (STRICT: an error)."""
    made, signed = make(None)
    if stored is not None and signed is not None:
        again = reproduce(stored, made, signed, make)
        if again:
            return stored
    elif stored == made:
        return stored
    if STRICT:
        raise Differs("is not what the generator makes" if stored is not None else "is not stored")
    return made


def reproduce(stored, made, signed, make):
    key, how, message, signature = signed
    # The ends may have been spoiled on purpose; the middle shows where it stands.
    middle = made.find(signature[12:-12])
    if middle < 0 or len(stored) != len(made):
        return stored == made  # nothing random in it, or another thing altogether
    start = middle - 12
    old = stored[start:start + len(signature)]
    if made[start:start + len(signature)] != signature:
        core = slice(middle, middle + len(signature) - 24)
        return stored[:start] + stored[core.stop + 12:] == made[:start] + made[core.stop + 12:]
    return keys_module.verifies(key, how, message, old) and make(old)[0] == stored
