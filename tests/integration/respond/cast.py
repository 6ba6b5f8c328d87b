# SPDX-License-Identifier: LGPL-2.1-or-later
"""The CAs of the table of requests, what each has issued, and the responder that answers for all of them."""
import itertools
import os
import time

import ask
from harness import Failed, tempdir
from issuer import DAY_S, Ca, Index, write
from respond import Respond, authority, configuration

where = os.path.join(tempdir(), "cast")
os.mkdir(where)
now = int(time.time())

# --- the CAs ------------------------------------------------------------------------------------------------------------------

main = Ca(where, "main")  # a delegate signs; an index
main_delegate = main.delegate()
plain = Ca(where, "plain")  # signs itself, is self-issued; never issued is `unknown`; byName
listed = Ca(where, "listed")  # a CRL and a list of what was issued
listed_delegate = listed.delegate()
loose = Ca(where, "loose")  # a CRL, and what it does not list is good
quiet = Ca(where, "quiet")  # nonces are not answered
namesake = Ca(where, "namesake", name="main CA")  # main's name, another key
twin = Ca(where, "twin", key=main.key)  # main's key, another name
brief = Ca(where, "brief")  # its delegate ends in an hour
brief_delegate = brief.delegate(seconds=3600)
old = Ca(where, "old")  # keeps what is expired: archiveCutoff
rsa = Ca(where, "rsa", sort="rsa")
edwards = Ca(where, "edwards")  # signed for by an Ed25519 delegate
edwards_delegate = edwards.delegate(sort="ed25519")
below = Ca(where, "below", issuer=main)  # an intermediate, signs itself
foreign = Ca(where, "foreign")  # nobody's here

# --- serials --------------------------------------------------------------------------------------------------------------------

GOOD, REVOKED, NEVER = 0x1001, 0x1002, 0x7FFF
OVER, OVER_MARKED, OVER_REVOKED = 0x1020, 0x1021, 0x1022  # past notAfter: V, E, R
TWICE_VR, TWICE_RV = 0x1030, 0x1031
ODD_REASON = 0x1032
SAME_SUBJECT = (0x1040, 0x1041, 0x1042)  # V, R, V
HIGH = 0x80ABCDEF01020304  # needs a zero in front, as an INTEGER
ZERO = 0
LONGEST = int.from_bytes(b"\x01" + bytes(range(63)), "big")  # of 64 bytes
LONGEST_HIGH = int.from_bytes(b"\xf1" + bytes(range(62)), "big")  # of 64 too, with the zero in front
SHARED = 0x5005  # each CA has issued it, and each thinks otherwise of it
LATE = 0x1050  # issued for long
INDEX_REASONS = {"unspecified": None, "keyCompromise": 1, "CACompromise": 2, "affiliationChanged": 3, "superseded": 4,
                 "cessationOfOperation": 5, "certificateHold": 6, "removeFromCRL": None}
CRL_REASONS = {"unspecified": None, "keyCompromise": 1, "CACompromise": 2, "affiliationChanged": 3, "superseded": 4,
               "cessationOfOperation": 5, "certificateHold": 6, "privilegeWithdrawn": 9, "AACompromise": 10, "removeFromCRL": None}
INDEX_REASON_SERIALS = {reason: 0x2000 + i for i, reason in enumerate(INDEX_REASONS)}
CRL_REASON_SERIALS = {reason: 0x3000 + i for i, reason in enumerate(CRL_REASONS)}
MANY = range(0x4000, 0x4000 + 33)
REVOKED_AT = now - DAY_S


def search(wanted, size):
    """A serial of `size` bytes for which the base64 of the plain request to main has all that is wanted."""
    for attempt in itertools.count():
        serial = int.from_bytes(b"\x21" + (attempt * 0x9E3779B97F4A7C15).to_bytes(40, "big")[-size + 1:], "big")
        if all(part in ask.base64_of(ask.request(ask.cert_id(main, serial))) for part in wanted):
            return serial


SLASHES = search(("//", "+"), 12)
PADDED = {}  # by how many '=' end the base64
for size in (9, 10, 11):
    serial = search(("/", "+"), size)
    text = ask.base64_of(ask.request(ask.cert_id(main, serial)))
    PADDED[len(text) - len(text.rstrip("="))] = serial

# --- what they have issued --------------------------------------------------------------------------------------------------------


def files():
    """Every index, CRL and list, and the entries of respond.authorities."""
    index = Index(os.path.join(where, "main.txt"), now)
    for serial in (GOOD, HIGH, ZERO, LONGEST, LONGEST_HIGH, SLASHES, SHARED, *PADDED.values(), *MANY):
        index.add("V", serial)
    index.add("V", LATE, seconds=30 * 365 * DAY_S)
    index.add("R", REVOKED)
    index.add("V", OVER, seconds=-DAY_S).add("E", OVER_MARKED, seconds=-DAY_S).add("R", OVER_REVOKED, seconds=-DAY_S,
                                                                                  revoked_at=now - 2 * DAY_S)
    index.add("V", TWICE_VR).add("R", TWICE_VR).add("R", TWICE_RV).add("V", TWICE_RV).add("R", ODD_REASON, reason="sunspots")
    for state, serial in zip("VRV", SAME_SUBJECT):
        index.add(state, serial, subject="/C=DE/O=Müller/CN=the same")
    for reason, serial in INDEX_REASON_SERIALS.items():
        index.add("R", serial, reason=reason)
    index.save()
    revoked = {serial: (REVOKED_AT, reason) for reason, serial in CRL_REASON_SERIALS.items()}
    revoked[REVOKED] = revoked[SHARED] = (REVOKED_AT, None)
    crl = write(os.path.join(where, "listed.crl"), listed.crl(revoked, next_=2 * DAY_S, now=now))
    serials = (GOOD, REVOKED, SHARED, *CRL_REASON_SERIALS.values())
    issued = write(os.path.join(where, "listed.txt"), "".join(f"{s:X}\n" for s in serials).encode())
    loose_crl = write(os.path.join(where, "loose.crl"), loose.crl({REVOKED: (REVOKED_AT, None)}, pem=False, now=now))

    def small(ca, state, *extra):
        made = Index(os.path.join(where, ca.label + ".txt"), now).add(state, SHARED).add("V", GOOD).add("R", REVOKED)
        for row in extra:
            made.rows.append(row)
        return made.save().path

    expired = index.row("V", OVER, seconds=-DAY_S), index.row("R", OVER_REVOKED, seconds=-DAY_S, revoked_at=now - 2 * DAY_S)
    return [
        authority(main, main_delegate, index=index.path),
        authority(plain, index=small(plain, "R"), never_issued="unknown", responder_id="name"),
        authority(listed, listed_delegate, crl=[crl], issued=issued),
        authority(loose, crl=[loose_crl], crl_means="good"),
        authority(quiet, index=small(quiet, "V"), nonce="ignore"),
        authority(namesake, index=small(namesake, "R")),
        authority(twin, index=small(twin, "R")),
        authority(brief, brief_delegate, index=small(brief, "V")),
        authority(old, index=small(old, "V", *expired), archive_cutoff="365d"),
        authority(rsa, index=small(rsa, "V")),
        authority(edwards, edwards_delegate, index=small(edwards, "V")),
        authority(below, index=small(below, "V")),
    ]


SIGNERS = {main: main_delegate, listed: listed_delegate, brief: brief_delegate, edwards: edwards_delegate}


def signer_of(ca):
    return SIGNERS.get(ca, ca)


_started = []


def running():
    """The responder of all these, started once. When it does not start, the first case says why."""
    if not _started:
        _started.append(None)
        _started[0] = Respond(configuration(*files())).stay()
    if _started[0] is None:
        raise Failed("it did not start")
    return _started[0]
