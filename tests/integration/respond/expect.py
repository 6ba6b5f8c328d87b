# SPDX-License-Identifier: LGPL-2.1-or-later
"""The right-hand column of a table of requests: what has to come back. Each is a function of the row and the Answer."""
import hashlib
import time

import told
from cast import signer_of
from cryptography.exceptions import InvalidSignature
from harness import Failed, expect, expect_equal

VALIDITY_S, BACK_S, MAX_AGE_S = 4 * 86400, 60, 3600
SLACK_S = 600  # a kept answer was made when it was first asked for


class Row:
    """data goes out; `want(row, answer)` raises Failed. The name is a sentence, `source` the paragraph it stands in."""

    def __init__(self, name, source, data, want, request=None, **more):
        self.name, self.source, self.data, self.want, self.request = f"{name} ({source})", source, data, want, request
        self.more = more


def read(answer):
    expect_equal(answer.status, 200, f"HTTP status\n{answer}\n")
    expect_equal(answer.field("content-type"), "application/ocsp-response", "Content-Type")
    return told.Told(answer.body)


def never_cached(answer):
    """No cache may take it: RFC 9919 6 wants errors to be left out, and a nonce is for one."""
    directives = answer.directives()
    expect("no-store" in directives or "no-cache" in directives, f"may be cached:\n{answer}")
    expect(directives.get("max-age", "0") == "0" and "public" not in directives, f"may be cached:\n{answer}")
    expect(answer.field("etag") is None and answer.field("expires") is None, f"looks as if it may be cached:\n{answer}")


def refusal(outcome):
    def want(row, answer):
        response = read(answer)
        expect_equal(response.outcome, outcome, "responseStatus")
        expect_equal(len(answer.body), 5, "bytes of a refusal")
        never_cached(answer)

    return want


MALFORMED, UNAUTHORIZED, TRY_LATER = (refusal(name) for name in ("malformedRequest", "unauthorized", "tryLater"))


class Answers:
    """A signed response of one CA. Each of `wanted` is a status, or (revoked, reason or None[, instant]); row.request has the CertIDs."""

    def __init__(self, ca, *wanted, nonce=None, by="key", validity=VALIDITY_S, until=None, cutoff=None):
        self.ca, self.wanted, self.nonce, self.by = ca, wanted, nonce, by
        self.validity, self.until, self.cutoff = validity, until, cutoff

    def __call__(self, row, answer):
        response = read(answer)
        expect_equal(response.outcome, "successful", "responseStatus")
        expect_equal([s.cert_id.hex() for s in response.singles], [i.hex() for i in told.asked(row.request)[0]], "the CertIDs")
        for number, (single, wanted) in enumerate(zip(response.singles, self.wanted, strict=True)):
            self._single(f"answer {number}: ", single, wanted, response.produced_at)
        expect_equal(response.nonces, [] if self.nonce is None else [self.nonce], "nonces")
        expect_equal(len(response.extensions), len(response.nonces), "extensions of the response")
        self._signed(response)
        if self.nonce is not None:
            never_cached(answer)

    def _single(self, what, single, wanted, produced_at):
        status, reason, at = wanted if isinstance(wanted, tuple) and len(wanted) == 3 else (
            *wanted, None) if isinstance(wanted, tuple) else (wanted, None, None)
        expect_equal((single.status, single.reason), (status, reason), what + "status and reason")
        if at is not None:
            expect_equal(single.revoked_at, at, what + "revocationTime")
        now = time.time()
        expect(now - SLACK_S < produced_at <= now + 1, f"{what}producedAt is not now")
        expect_equal(single.this_update, produced_at - min(BACK_S, self.validity // 4), what + "thisUpdate")
        expect_equal(single.next_update, self.until or single.this_update + self.validity, what + "nextUpdate")
        expect_equal(len(single.extensions), 0 if self.cutoff is None else 1, what + "extensions")
        if self.cutoff is not None:
            expect(abs(single.cutoff - (now - self.cutoff)) < 86400 + SLACK_S, f"{what}archiveCutoff {single.cutoff}")

    def _signed(self, response):
        signer = signer_of(self.ca)
        mine = signer.name if self.by == "name" else hashlib.sha1(signer.key_bits).digest()
        expect_equal((response.by, response.responder.hex()), (self.by, mine.hex()), "ResponderID")
        try:
            response.check_signature(signer.cert)
        except InvalidSignature as error:
            raise Failed(f"the signature is not that of {signer.label}") from error
        if signer is not self.ca or self.ca.issuer is None:  # delegates, and CAs that are self-issued
            expect_equal(response.certs, [signer.der], "certificates sent along")


def http(*statuses, closes=False, fields=()):
    """One of these, and not an OCSP response. `fields`: pairs of a name and a function of its value."""

    def want(row, answer):
        expect(answer.status in statuses, f"HTTP status: expected {statuses}\n{answer}")
        expect(answer.field("content-type") != "application/ocsp-response", f"an OCSP response came with it\n{answer}")
        if answer.status >= 400:
            directives = answer.directives()
            expect("max-age" not in directives and "public" not in directives, f"may be cached\n{answer}")
        for name, right in fields:
            expect(right(answer.field(name)), f"{name}: {answer.field(name)!r}\n{answer}")

    return want
