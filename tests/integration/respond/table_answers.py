# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is answered, paragraph by paragraph: rows of (name, source, request, what has to come back)."""
import hashlib

import ask
import der
from cast import (CRL_REASON_SERIALS, CRL_REASONS, GOOD, HIGH, INDEX_REASON_SERIALS, INDEX_REASONS, LATE, LONGEST, LONGEST_HIGH, MANY,
                  NEVER, ODD_REASON, OVER, OVER_MARKED, OVER_REVOKED, REVOKED, REVOKED_AT, SAME_SUBJECT, SHARED, TWICE_RV, TWICE_VR, ZERO, below,
                  brief, brief_delegate, edwards, foreign, listed, loose, main, namesake, now, old, plain, quiet, rsa, twin)
from expect import MALFORMED, UNAUTHORIZED, Answers, Row
from issuer import DAY_S
from told import GOOD as good
from told import REVOKED as revoked
from told import UNKNOWN as unknown
from talk import post

rows = []
ONE = ask.cert_id(main, GOOD)


def row(name, source, request, want):
    rows.append(Row(name, source, post(request), want, request))


def simple(name, source, ca, serial, *wanted, **more):
    """One CertID, by POST."""
    row(name, source, ask.request(ask.cert_id(ca, serial)), Answers(ca, *wanted, **more))


def refuses(name, source, request, want=MALFORMED):
    row(name, source, request, want)


# --- the CertID (RFC 6960 4.1.1, 4.3) -------------------------------------------------------------------------------------------------

for hash_name in ("sha1", "sha256", "sha384", "sha512"):
    for parameters in (ask.NULL, ask.ABSENT):
        row(f"{hash_name}, parameters {parameters}", "RFC 6960 4.3, RFC 4055 2.1",
            ask.request(ask.cert_id(main, GOOD, hash_name, parameters)), Answers(main, good))
for hash_name in ("md5", "sha224", "sha3_256"):
    refuses(f"a digest that is not known, {hash_name}", "RFC 6960 2.3", ask.request(ask.cert_id(main, GOOD, hash_name)), UNAUTHORIZED)
refuses("parameters that are neither absent nor NULL", "RFC 4055 2.1",
        ask.request(ask.cert_id(main, GOOD, parameters=b"\x30\x00")))
refuses("sha1's hashes, said to be sha256's", "RFC 6960 4.1.1", ask.request(ask.cert_id(main, GOOD, said="sha256")), UNAUTHORIZED)
refuses("sha256's hashes, said to be sha1's", "RFC 6960 4.1.1", ask.request(ask.cert_id(main, GOOD, "sha256", said="sha1")), UNAUTHORIZED)
refuses("hashes that are empty", "RFC 6960 4.1.1", ask.request(ask.cert_id(main, GOOD, name=b"", key=b"")), UNAUTHORIZED)

# --- whose (RFC 6960 2.3, 4.2.2.2) ------------------------------------------------------------------------------------------------

refuses("a CA of somebody else", "RFC 6960 2.3", ask.request(ask.cert_id(foreign, GOOD)), UNAUTHORIZED)
refuses("a name that is ours and a key that is not", "RFC 6960 4.1.1", ask.request(ask.cert_id(main, GOOD, key=b"\x11" * 20)), UNAUTHORIZED)
refuses("a key that is ours and a name that is not", "RFC 6960 4.1.1", ask.request(ask.cert_id(main, GOOD, name=b"\x11" * 20)), UNAUTHORIZED)
refuses("the names of one of ours, the key of another", "RFC 6960 4.1.1",
        ask.request(ask.cert_id(plain, GOOD, key=hashlib.sha1(rsa.key_bits).digest())), UNAUTHORIZED)
refuses("one of ours beside one of somebody else", "RFC 6960 2.3", ask.request(ONE, ask.cert_id(foreign, GOOD)), UNAUTHORIZED)
refuses("two of our CAs in one request", "RFC 6960 4.2.2.2", ask.request(ONE, ask.cert_id(plain, GOOD)), UNAUTHORIZED)
for ca, state in ((main, good), (plain, (revoked, None)), (listed, (revoked, None)), (namesake, (revoked, None)), (twin, (revoked, None)),
                  (below, good), (rsa, good)):
    simple(f"a serial that every CA has issued, of {ca.label}", "RFC 6960 4.1.1", ca, SHARED, state,
           by="name" if ca is plain else "key", until=now + 2 * DAY_S if ca is listed else None)
row("the namesake by sha256", "RFC 6960 4.1.1", ask.request(ask.cert_id(namesake, SHARED, "sha256")), Answers(namesake, (revoked, None)))
row("the CA with the same key by sha256", "RFC 6960 4.1.1", ask.request(ask.cert_id(twin, SHARED, "sha256")), Answers(twin, (revoked, None)))

# --- status (RFC 6960 2.2, 5.; Baseline Requirements 4.9.10) -------------------------------------------------------------------------

simple("valid", "RFC 6960 2.2", main, GOOD, good)
simple("revoked, without a reason, at its time", "RFC 6960 4.2.1", main, REVOKED, (revoked, None, REVOKED_AT))
for reason, code in INDEX_REASONS.items():
    simple(f"revoked for {reason}, by the index", "RFC 5280 5.3.1", main, INDEX_REASON_SERIALS[reason], (revoked, code, REVOKED_AT))
for reason, code in CRL_REASONS.items():
    simple(f"revoked for {reason}, by the CRL", "RFC 5280 5.3.1", listed, CRL_REASON_SERIALS[reason], (revoked, code, REVOKED_AT),
           until=now + 2 * DAY_S)
refuses("never issued, by the index", "RFC 6960 2.3, BR 4.9.10", ask.request(ask.cert_id(main, NEVER)), UNAUTHORIZED)
refuses("never issued, by the list beside a CRL", "RFC 6960 2.3, BR 4.9.10", ask.request(ask.cert_id(listed, NEVER)), UNAUTHORIZED)
simple("never issued, where the setting is unknown", "RFC 6960 2.2", plain, NEVER, unknown, by="name")
simple("issued, by the list beside a CRL", "RFC 6960 2.2", listed, GOOD, good, until=now + 2 * DAY_S)
simple("not on the CRL, where that means good", "RFC 6960 2.2", loose, NEVER, good)
simple("on the CRL, where the rest is good", "RFC 6960 2.2", loose, REVOKED, (revoked, None, REVOKED_AT))
simple("twice in the index, valid and then revoked", "RFC 6960 2.2", main, TWICE_VR, (revoked, None))
simple("twice in the index, revoked and then valid", "RFC 6960 2.2", main, TWICE_RV, (revoked, None))
simple("revoked for a reason that there is not", "RFC 5280 5.3.1", main, ODD_REASON, (revoked, None))
for serial, state in zip(SAME_SUBJECT, (good, (revoked, None), good)):
    simple(f"one of three of the same subject, {serial:X}", "RFC 6960 4.1.1", main, serial, state)
for serial, what in ((OVER, "that the index has as valid"), (OVER_MARKED, "marked as such"), (OVER_REVOKED, "that was revoked")):
    refuses(f"an expired certificate {what}", "RFC 6960 4.4.4, RFC 9919 3.1", ask.request(ask.cert_id(main, serial)), UNAUTHORIZED)
simple("expired, kept by archiveCutoff", "RFC 6960 4.4.4", old, OVER, good, cutoff=365 * DAY_S)
simple("expired and revoked, kept by archiveCutoff", "RFC 6960 4.4.4", old, OVER_REVOKED, (revoked, None, now - 2 * DAY_S),
       cutoff=365 * DAY_S)
simple("issued until after 2050", "RFC 5280 4.1.2.5", main, LATE, good)
simple("a serial that needs a zero in front", "X.690 8.3", main, HIGH, good)
simple("the serial 0", "RFC 6960 4.1.1", main, ZERO, good)
refuses("a negative serial of the same digits", "X.690 8.3",
        ask.request(ask.cert_id(main, HIGH.to_bytes(8, "big"))), UNAUTHORIZED)
simple("a serial of 64 bytes", "RFC 6960 4.1.1", main, LONGEST, good)
simple("a serial of 64 bytes, zero in front and all", "RFC 6960 4.1.1", main, LONGEST_HIGH, good)
refuses("a serial of 64 bytes that was never issued", "RFC 6960 2.3", ask.request(ask.cert_id(main, LONGEST + 1)), UNAUTHORIZED)
refuses("a serial of 65 bytes", "a bound of ours", ask.request(ask.cert_id(main, b"\x01" + b"\x22" * 64)))
refuses("a serial of 65 bytes, the first a zero", "a bound of ours", ask.request(ask.cert_id(main, b"\x00\xf1" + b"\x22" * 63)))

# --- several (RFC 6960 4.1.1, 4.2.2.3) ---------------------------------------------------------------------------------------------

row("three, in the order asked", "RFC 6960 4.2.1",
    ask.request(ask.cert_id(main, REVOKED), ask.cert_id(main, GOOD), ask.cert_id(main, SHARED)), Answers(main, (revoked, None), good, good))
row("each with a hash and parameters of its own", "RFC 6960 4.2.1",
    ask.request(ask.cert_id(main, GOOD, "sha256"), ask.cert_id(main, REVOKED), ask.cert_id(main, GOOD, parameters=ask.ABSENT)),
    Answers(main, good, (revoked, None), good))
row("the same one twice", "RFC 6960 4.1.1", ask.request(ONE, ONE), Answers(main, good, good))
row("the same one 32 times", "RFC 6960 4.1.1", ask.request(*[ONE] * 32), Answers(main, *[good] * 32))
row("32 of them", "a bound of ours", ask.request(*(ask.cert_id(main, s) for s in MANY[:32])), Answers(main, *[good] * 32))
refuses("33 of them", "a bound of ours", ask.request(*(ask.cert_id(main, s) for s in MANY)))
refuses("one of three was never issued", "RFC 6960 2.3", ask.request(ONE, ask.cert_id(main, NEVER), ONE), UNAUTHORIZED)
row("one of three was never issued, which is unknown here", "RFC 6960 2.2",
    ask.request(*(ask.cert_id(plain, s) for s in (GOOD, NEVER, REVOKED))), Answers(plain, good, unknown, (revoked, None), by="name"))
refuses("no request at all", "RFC 6960 4.1.1", ask.request())

# --- who signs, and how long it holds (RFC 6960 4.2.2; RFC 9919 3.2) ----------------------------------------------------------------

simple("a self-issued CA that signs itself, by name", "RFC 6960 4.2.2.3", plain, GOOD, good, by="name")
simple("the delegate of a CA that has a CRL, until the CRL ends", "RFC 9919 4", listed, GOOD, good, until=now + 2 * DAY_S)
simple("a delegate that ends in an hour, until then", "RFC 6960 4.2.2.1", brief, GOOD, good, until=brief_delegate.until)
simple("an RSA key", "RFC 6960 4.3", rsa, GOOD, good)
simple("an Ed25519 key", "RFC 8410", edwards, GOOD, good)
simple("an intermediate CA that signs itself", "RFC 6960 4.2.2.2", below, GOOD, good)

# --- the nonce (RFC 9654 2.1) -------------------------------------------------------------------------------------------------------


def nonced(*extensions, ca=main):
    return ask.request(ask.cert_id(ca, GOOD), extensions=list(extensions))


for size in (1, 16, 32, 33, 127, 128):
    content = bytes(i & 0xFF for i in range(size))
    row(f"a nonce of {size}", "RFC 9654 2.1", nonced(ask.nonce(content)), Answers(main, good, nonce=content))
row("a nonce that is critical", "RFC 9654 2.1", nonced(ask.nonce(b"\x01" * 32, critical=True)), Answers(main, good, nonce=b"\x01" * 32))
row("a nonce of zeros", "RFC 9654 2.1", nonced(ask.nonce(bytes(32))), Answers(main, good, nonce=bytes(32)))
row("a nonce beside something that means nothing", "RFC 9654 2.1", nonced(ask.extension(), ask.nonce(b"abcdefgh")),
    Answers(main, good, nonce=b"abcdefgh"))
row("a nonce with several CertIDs", "RFC 9654 2.1",
    ask.request(ONE, ask.cert_id(main, REVOKED), extensions=[ask.nonce(b"12345678")]), Answers(main, good, (revoked, None), nonce=b"12345678"))
refuses("a nonce of nothing", "RFC 9654 2.1", nonced(ask.nonce(b"")))
refuses("a nonce of 129", "RFC 9654 2.1", nonced(ask.nonce(129)))
refuses("a nonce of 4000", "RFC 9654 2.1", nonced(ask.nonce(4000)))
refuses("two nonces", "RFC 5280 4.2", nonced(ask.nonce(b"12345678"), ask.nonce(b"87654321")))
refuses("the same nonce twice", "RFC 5280 4.2", nonced(ask.nonce(b"12345678"), ask.nonce(b"12345678")))
refuses("a nonce that is bare bytes", "RFC 9654 2.1", nonced(ask.raw_nonce(b"12345678")))
refuses("a nonce that is an INTEGER", "RFC 9654 2.1", nonced(ask.raw_nonce(der.integer("integer", 0x1234567890))))
refuses("a nonce with something behind it", "RFC 9654 2.1", nonced(ask.raw_nonce(b"\x04\x0812345678\x05\x00")))
refuses("a nonce in a long form", "X.690 10.1", nonced(ask.raw_nonce(b"\x04\x81\x0812345678")))
row("a nonce where they are switched off", "RFC 9919 3.2.1", nonced(ask.nonce(b"12345678"), ca=quiet), Answers(quiet, good))
refuses("a nonce of 129 where they are switched off", "RFC 9654 2.1", nonced(ask.nonce(129), ca=quiet))
refuses("a nonce for a CA of somebody else", "RFC 6960 2.3", nonced(ask.nonce(32), ca=foreign), UNAUTHORIZED)

# --- extensions (RFC 6960 4.4, RFC 5280 4.2) ------------------------------------------------------------------------------------------

row("an extension that means nothing", "RFC 6960 4.1.2", nonced(ask.extension()), Answers(main, good))
refuses("an extension that means nothing and is critical", "RFC 6960 4.1.2", nonced(ask.extension(critical=True)))
row("an extension of one certificate that means nothing", "RFC 6960 4.1.2", ask.request(ask.single(ONE, ask.extension())), Answers(main, good))
refuses("an extension of one certificate that is critical", "RFC 6960 4.1.2",
        ask.request(ONE, ask.single(ONE, ask.extension(critical=True)), ONE))
row("a service locator", "RFC 6960 4.4.6", ask.request(ask.single(ONE, ask.extension(ask.LOCATOR, b"\x30\x00"))), Answers(main, good))
row("acceptable response types", "RFC 6960 4.4.3",
    nonced(ask.extension(ask.ACCEPTABLE, bytes.fromhex("300b06092b0601050507300101"))), Answers(main, good))
refuses("a list of no extensions", "RFC 5280 4.1", nonced())
refuses("a default that is written out, of an extension", "X.690 11.5", nonced(ask.extension(critical=False)))
row("a name of who asks", "RFC 6960 4.1.1", ask.request(ONE, requestor=ask.directory_name("somebody")), Answers(main, good))

# --- signed requests (RFC 6960 4.1.2) ------------------------------------------------------------------------------------------------

SIGNED = ask.signature_of(foreign.key, foreign.der)
row("a request that is signed", "RFC 6960 4.1.2", ask.request(ONE, requestor=ask.directory_name("foreign CA"), signature=SIGNED),
    Answers(main, good))
row("a request whose signature is none", "RFC 6960 4.1.2",
    ask.request(ONE, requestor=ask.directory_name("foreign CA"), signature=ask.signature_of(None)), Answers(main, good))
refuses("a signature with something behind it", "X.690 8.9", ask.request(ONE, signature=SIGNED, spoil=[("signature", "append=0500")]))

# --- what is no request (RFC 6960 4.2.1; X.690 10) -------------------------------------------------------------------------------------

refuses("version 2", "RFC 6960 4.1.1", ask.request(ONE, version=1))
refuses("version 3", "RFC 6960 4.1.1", ask.request(ONE, version=2))
refuses("version 1, written out", "X.690 11.5", ask.request(ONE, version=0))
for label, change, what, source in (
        ("request", "after=00", "a byte behind it", "X.690 8.1"), ("request", "append=0500", "an element more in it", "RFC 6960 4.1.1"),
        ("tbs", "append=0500", "an element behind tbsRequest's last", "RFC 6960 4.1.1"),
        ("single", "append=0500", "an element behind the CertID", "RFC 6960 4.1.1"),
        ("cert_id", "append=0500", "an element behind the serial", "RFC 6960 4.1.1"),
        ("hash", "append=0500", "parameters twice", "RFC 5280 4.1.1.2"),
        ("parameters", "content=00", "a NULL with a byte in it", "X.690 8.8"),
        ("request", "long", "a length of one byte too many", "X.690 10.1"), ("requests", "long", "such a length further in", "X.690 10.1"),
        ("serial", "long", "such a length of the serial", "X.690 10.1"), ("request", "indefinite", "an indefinite length", "X.690 10.1"),
        ("requests", "indefinite", "an indefinite length further in", "X.690 10.1"),
        ("serial", "content=", "a serial of no bytes", "X.690 8.3"), ("serial", "content=001001", "a serial that is padded", "X.690 8.3"),
        ("serial", "content=ffff01", "a negative serial that is padded", "X.690 8.3"), ("serial", "drop", "no serial", "RFC 6960 4.1.1"),
        ("serial", "tag=04", "a serial that is an OCTET STRING", "RFC 6960 4.1.1"),
        ("key_hash", "drop", "no hash of the key", "RFC 6960 4.1.1"), ("name_hash", "tag=24", "an OCTET STRING in parts", "X.690 10.2"),
        ("hash.oid", "content=", "an OID of no bytes", "X.690 8.19"), ("hash.oid", "content=80012a", "an OID with a padded arc", "X.690 8.19"),
        ("requests", "tag=31", "a SET for a SEQUENCE", "RFC 6960 4.1.1"), ("tbs", "drop", "an empty SEQUENCE", "RFC 6960 4.1.1"),
        ("request", "cut=1", "its last byte is missing", "X.690 8.1"), ("request", "cut=20", "its last twenty bytes are missing", "X.690 8.1")):
    refuses(what, source, ask.request(ONE, spoil=[(label, change)]))
refuses("no byte at all", "RFC 6960 4.2.1", b"")
refuses("one byte", "RFC 6960 4.2.1", b"\x30")
refuses("text", "RFC 6960 4.2.1", b"hello, responder\n")
refuses("a request in base64, by POST", "RFC 6960 A.1", ask.base64_of(ask.request(ONE)).encode())
refuses("a response", "RFC 6960 4.2.1", bytes.fromhex("30030a0106"))
refuses("a length of 4 GiB", "X.690 8.1", bytes.fromhex("3084ffffffff") + b"\x30" * 100)
refuses("a thousand SEQUENCEs in one another", "X.690 8.1", b"\x30\x80" * 1000)
