# SPDX-License-Identifier: LGPL-2.1-or-later
"""A key in a token (SoftHSM), which is taken out: what is prepared goes on, nonces are told tryLater, and it recovers by itself."""
import glob
import os

import ask
from cryptography.hazmat.primitives import serialization
from harness import Failed, case, expect_equal, main, new_tempdir, run, skip, wait_for
from issuer import Ca, Index, write
from respond import Respond, authority, configuration

PIN, GOOD, OTHER = "1234", 0x1001, 0x1002


class Token:
    """An initialised token with a delegate's key in it."""

    def __init__(self):
        if not glob.glob("/usr/lib/*/softhsm/libsofthsm2.so"):
            skip("no SoftHSM")
        self.dir = new_tempdir()
        self.tokens = os.path.join(self.dir, "tokens")
        os.mkdir(self.tokens)
        conf = write(os.path.join(self.dir, "softhsm2.conf"),
                     f"directories.tokendir = {self.tokens}\nobjectstore.backend = file\nlog.level = ERROR\n".encode())
        self.env = {"SOFTHSM2_CONF": conf}
        self.pin_file = write(os.path.join(self.dir, "pin"), PIN.encode())
        self._run("--init-token", "--free", "--label", "clinch", "--so-pin", "12345678", "--pin", PIN)

    def _run(self, *args):
        done = run(["softhsm2-util", *args], env=self.env)
        expect_equal(done.rc, 0, f"exit status\n{done}")

    def put(self, pair):
        """The key moves into the token; what is left of it is a URL."""
        pem = pair.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        file = write(os.path.join(self.dir, "import.key"), pem)
        self._run("--import", file, "--token", "clinch", "--pin", PIN, "--label", pair.label, "--id", "01")
        os.unlink(file)
        pair.key_file = f"pkcs11:token=clinch;object={pair.label};type=private?pin-source=file:{self.pin_file}"

    def take_out(self):
        os.rename(self.tokens, self.tokens + ".out")

    def put_back(self):
        os.rename(self.tokens + ".out", self.tokens)


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
