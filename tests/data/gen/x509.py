# SPDX-License-Identifier: LGPL-2.1-or-later
"""Certificates (RFC 5280 4.1), as right or as wrong as they are asked to be, and signed."""

import der
import keys as keys_module

EKU = {"ocsp": "1.3.6.1.5.5.7.3.9", "any": "2.5.29.37.0", "server": "1.3.6.1.5.5.7.3.1", "client": "1.3.6.1.5.5.7.3.2",
       "below-ocsp": "1.3.6.1.5.5.7.3.9.1", "above-ocsp": "1.3.6.1.5.5.7.3"}
KEY_USAGE = {"digitalSignature": 0, "nonRepudiation": 1, "keyEncipherment": 2, "keyCertSign": 5, "cRLSign": 6}
PRIVATE_OID = "1.3.6.1.4.1.55555.1"  # means nothing to anybody


def key_usage(names):
    value = 0
    for name in names:
        value |= 0x80 >> KEY_USAGE[name]
    unused = next(i for i in range(8) if value >> i & 1)
    return der.bits("usage", bytes([value]), unused)


def extensions(spec):
    """One node for each that `spec` names, in one order."""
    if spec.get("ca") is not None:
        basic = der.seq("basic", *([der.boolean("ca", True)] if spec["ca"] else []))
        yield der.extension("basic_constraints", "2.5.29.19", basic, True)
    if spec.get("ku"):
        yield der.extension("key_usage", "2.5.29.15", key_usage(spec["ku"].split("+")), spec.get("ku_critical", True))
    if spec.get("eku"):
        purposes = [der.oid("purpose", EKU[p]) for p in spec["eku"].split("+")]
        yield der.extension("eku", "2.5.29.37", der.seq("purposes", *purposes), spec.get("eku_critical"))
    if spec.get("dns"):
        yield der.extension("san", "2.5.29.17", der.seq("names", der.Node("dns", 0x82, spec["dns"].encode())))
    if spec.get("ocsp_url"):
        place = der.Node("uri", 0x86, spec["ocsp_url"].encode())
        access = der.seq("access", der.oid("method", "1.3.6.1.5.5.7.48.1"), place)
        yield der.extension("aia", "1.3.6.1.5.5.7.1.1", der.seq("accesses", access))
    if spec.get("nocheck"):
        yield der.extension("nocheck", "1.3.6.1.5.5.7.48.1.5", der.null())
    if spec.get("feature"):
        features = [der.integer("feature", int(f)) for f in str(spec["feature"]).split("+")]
        yield der.extension("tls_feature", "1.3.6.1.5.5.7.1.24", der.seq("features", *features))
    if spec.get("unknown"):
        yield der.extension("unknown", PRIVATE_OID, der.null(), spec["unknown"] == "critical" or None)


def validity(spec):
    times = [der.instant(spec["begins"]), der.instant(spec["ends"])]
    return der.seq("validity", *[der.utc_time("time", t) for t in times])


def build(spec, key, issuer_name, issuer_key, forced=None):
    """(the certificate's Node, tbs bytes, signature). `forced`: this signature instead of a new one."""
    how = spec.get("signature") or issuer_key.default_signature()
    inner = keys_module.algorithm_of(issuer_key, how)
    serial = der.Node("serial", 0x02, bytes.fromhex(spec["serial"]))
    nodes = list(extensions(spec))
    tbs = der.seq("tbs", der.context("version", 0, der.integer("v3", 2)), serial, inner, issuer_name, validity(spec),
                  der.name("subject", spec["subject"]), key.spki(),
                  *([der.context("extensions", 3, der.seq("extensions.list", *nodes))] if nodes else []))
    for label, change in spec.get("spoil", []):
        der.spoil(tbs, label, change)
    message = tbs.encode()
    outer, signature = keys_module.algorithm_of(issuer_key, how), forced or keys_module.sign(issuer_key, how, message)
    whole = der.seq("certificate", der.Raw("tbs", message), outer, der.bits("signature", signature))
    for label, change in spec.get("spoil_outside", []):
        der.spoil(whole, label, change)
    return whole, message, signature


def build_list(issuer_name, key, times, serials, forced=None):
    """A CRL v1 (RFC 5280 5.1): (Node, tbs bytes, signature)."""
    times = [der.utc_time("time", der.instant(t)) for t in times]
    revoked = [der.seq("revoked", der.Node("serial", 0x02, bytes.fromhex(s)), der.utc_time("time", der.instant("-2d")))
               for s in serials]
    nodes = [keys_module.algorithm_of(key, None), issuer_name, *times]
    message = der.seq("tbs", *nodes, *([der.seq("revoked_list", *revoked)] if revoked else [])).encode()
    signature = forced or keys_module.sign(key, None, message)
    whole = der.seq("list", der.Raw("tbs", message), keys_module.algorithm_of(key, None), der.bits("signature", signature))
    return whole, message, signature
