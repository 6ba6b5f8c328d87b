# SPDX-License-Identifier: LGPL-2.1-or-later
"""A key in a token (SoftHSM), which is taken out: what is prepared goes on, nonces are told tryLater, and it recovers by itself."""
import os

import ask
from harness import Failed, case, expect_equal, main, new_tempdir, wait_for
from issuer import Ca, Index
from respond import Respond, authority, configuration
from tokens import Token

GOOD, OTHER = 0x1001, 0x1002


@case
def a_token_that_is_taken_out_costs_the_nonces_alone():
    token, ca = Token(), Ca(new_tempdir(), "ours")
    delegate = ca.delegate()
    token.put(delegate)
    index = Index(os.path.join(ca.dir, "index.txt")).add("V", GOOD).add("V", OTHER).save()
    plain = ask.request(ask.cert_id(ca, GOOD))
    nonced = ask.request(ask.cert_id(ca, GOOD), extensions=[ask.nonce(16)])
    with Respond(configuration(authority(ca, delegate, index=index.path)), env=token.env) as one:
        for request in (plain, nonced):
            answer = one.post(request)
            answer.check_signature(delegate.cert)
        token.take_out()
        try:
            wait_for(lambda: one.status(nonced) == "tryLater", 10, f"tryLater; it is {one.status(nonced)}")
            for _ in range(20):
                expect_equal((one.status(plain), one.status(nonced)), ("good", "tryLater"), "prepared and nonce")
            one.wait_said("signing-fails", "ours CA", delegate.cert_file)
        except Failed as failed:
            token.put_back()
            raise failed
        token.put_back()
        wait_for(lambda: one.status(nonced) == "good", 15, f"recovery; it is {one.status(nonced)}")
        one.post(nonced).check_signature(delegate.cert)
        one.wait_said("signing-again", "ours CA")


main()
