# SPDX-License-Identifier: LGPL-2.1-or-later
"""OCSP responses (RFC 6960 4.2.1), as right or as wrong as a case of the table asks for, and signed."""

import hashlib

import der
import keys as keys_module
import x509

BASIC = "1.3.6.1.5.5.7.48.1.1"
EXTENSIONS = {
    "nonce": ("1.3.6.1.5.5.7.48.1.2", "0410000102030405060708090a0b0c0d0e0f"),
    "crl-id": ("1.3.6.1.5.5.7.48.1.3", "3005a10302012a"),
    "archive-cutoff": ("1.3.6.1.5.5.7.48.1.6", "180f32303235303130313030303030305a"),
    "extended-revoke": ("1.3.6.1.5.5.7.48.1.9", "0500"),
    "reason-code": ("2.5.29.21", "0a0101"),
    "invalidity-date": ("2.5.29.24", "180f32303330303630313030303030305a"),
    "certificate-issuer": ("2.5.29.29", "3010820e6f746865722e6578616d706c65"),
    "sct": ("1.3.6.1.4.1.11129.2.4.5", "04020000"),
    "service-locator": ("1.3.6.1.5.5.7.48.1.7", "3000"),
    "private": (x509.PRIVATE_OID, "0500"),
}


def extension(text):
    """NAME[:critical|:written-default][:HEX]"""
    name, *rest = text.split(":")
    dotted, value = EXTENSIONS[name]
    critical = None
    for word in rest:
        if word == "critical":
            critical = True
        elif word == "written-default":
            critical = False
        else:
            value = word
    return der.extension("extension", dotted, bytes.fromhex(value), critical)


def many(text):
    """many:N, each with an OID of its own that means nothing"""
    return [der.extension("extension", f"{x509.PRIVATE_OID}.{i}", b"\x05\0") for i in range(int(text.partition(":")[2]))]


def digest(hash_name, message):
    return hashlib.new(hash_name, message).digest()


def cert_id(entry, world):
    """The CertID of the certificate the entry is for; each part may be another's."""
    subject = world.spec(entry.get("for", "subject"))
    hash_name = entry.get("hash", "sha1")
    name = world.name_of(entry.get("name-of", subject["issuer"])).encode()
    key = world.key(entry.get("key-of") or world.spec(subject["issuer"])["key"]).bits()
    parameters = None if entry.get("params") == "absent" else der.null()
    oid = keys_module.HASH_OIDS[entry.get("said-hash", hash_name)]
    serial = bytes.fromhex(entry.get("serial", subject["serial"]))
    return der.seq("cert_id", keys_module.algorithm("cert_id.hash", oid, parameters),
                   der.octets("name_hash", digest(hash_name, name)), der.octets("key_hash", digest(hash_name, key)),
                   der.Node("serial", 0x02, serial))


def cert_status(entry):
    status = entry.get("status", "good")
    if status == "good":
        return der.Node("cert_status", 0x80)
    if status == "unknown":
        return der.Node("cert_status", 0x82)
    nodes = [der.generalized_time("revoked_at", der.instant(entry.get("revoked", "-2d")))]
    if "reason" in entry:
        code = der.Node("reason_code", 0x0A, bytes([int(entry["reason"])]))
        nodes.append(der.context("reason", 0, code))
    return der.context("cert_status", 1, *nodes)


def extension_list(label, number, texts):
    if not texts:
        return []
    nodes = [node for text in texts for node in (many(text) if text.startswith("many:") else [extension(text)])]
    return [der.context(label, number, der.seq(label + ".list", *nodes))]


def single_response(number, entry, world):
    this_update, next_update = entry.get("this", "-1d"), entry.get("next", "+3d")
    nodes = [cert_id(entry, world), cert_status(entry), der.generalized_time("this_update", der.instant(this_update))]
    if next_update != "none":
        time = der.generalized_time("next_update.time", der.instant(next_update))
        nodes.append(der.context("next_update", 0, time))
    nodes += extension_list("entry_extensions", 1, entry["extensions"])
    return der.seq("entry" if number == 0 else f"entry{number}", *nodes)


def responder_id(text, world):
    """key:CERT or name:CERT"""
    by, _, who = text.partition(":")
    if by == "name":
        return der.context("responder_id", 1, world.name_of(who))
    key_hash = hashlib.sha1(world.key(world.spec(who)["key"]).bits()).digest()
    return der.context("responder_id", 2, der.octets("key_hash_id", key_hash))


def response_data(recipe, world):
    make = recipe["make"]
    nodes = []
    if "version" in make:
        nodes.append(der.context("version", 0, der.integer("version.number", int(make["version"]))))
    nodes.append(responder_id(make.get("id", "key:" + make.get("signer", "issuer")), world))
    nodes.append(der.generalized_time("produced_at", der.instant(make.get("produced", "-1d"))))
    entries = [single_response(i, entry, world) for i, entry in enumerate(recipe["entries"])]
    nodes.append(der.seq("entries", *entries))
    nodes += extension_list("extensions", 1, recipe["extensions"])
    return der.seq("tbs", *nodes)


def basic_response(recipe, world, forced):
    make = recipe["make"]
    tbs = response_data(recipe, world)
    labels = {node.label for node in tbs.walk()}
    for label, change in recipe["spoil"]:
        if label in labels:
            der.spoil(tbs, label, change)
    message = tbs.encode()
    key = world.key(make["key"] if "key" in make else world.spec(make.get("signer", "issuer"))["key"])
    how = make.get("signature") or key.default_signature()
    algorithm, signature = keys_module.algorithm_of(key, how), forced or keys_module.sign(key, how, message)
    nodes = [der.Raw("tbs.signed", message), algorithm, der.bits("signature", signature)]
    if make.get("embed"):
        embedded = [der.Raw("certificate", world.certificate(name)) for name in make["embed"].split(",")]
        nodes.append(der.context("certs", 0, der.seq("certs.list", *embedded)))
    recipe["signed"] = (key, how, message, signature)
    return der.seq("basic", *nodes), labels


def build(recipe, world, forced=None):
    """The bytes of a case. recipe['signed'] is set to (key, how, message, signature) where something was signed."""
    make = recipe["make"]
    recipe["signed"] = None
    if "raw" in make:
        return bytes.fromhex(make["raw"])
    nodes = [der.Node("status", 0x0A, int(make.get("status", "0")).to_bytes(1, "big", signed=True))]
    inside = set()
    if make.get("bytes", "present" if nodes[0].content == b"\0" else "absent") == "present":
        basic, inside = basic_response(recipe, world, forced)
        response_type = der.oid("response_type", make.get("type", BASIC))
        nodes.append(der.context("bytes", 0, der.seq("response_bytes", response_type, der.octets("octets", basic))))
    whole = der.seq("response", *nodes)
    for label, change in recipe["spoil"]:
        if label not in inside:
            der.spoil(whole, label, change)
    return whole.encode()
