# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tokens of SoftHSM, and a module in front of it that can be made to hang."""
import glob
import os

from cryptography.hazmat.primitives import serialization
from harness import build_path, expect_equal, new_tempdir, run, skip
from issuer import write

PIN = "1234"


def softhsm():
    found = glob.glob("/usr/lib/*/softhsm/libsofthsm2.so")
    return found[0] if found else skip("no SoftHSM")


class Token:
    """An initialised token; keys are put into it."""

    def __init__(self):
        softhsm()
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
        self._run("--import", file, "--token", "clinch", "--pin", PIN, "--label", pair.label, "--id", pair.label.encode().hex())
        os.unlink(file)
        pair.key_file = f"pkcs11:token=clinch;object={pair.label};type=private?pin-source=file:{self.pin_file}"

    def take_out(self):
        os.rename(self.tokens, self.tokens + ".out")

    def put_back(self):
        os.rename(self.tokens + ".out", self.tokens)


class Hanging(Token):
    """Behind hanging.c, which takes SoftHSM's place in the p11-kit of one process."""

    def __init__(self):
        if os.geteuid() == 0:
            skip("p11-kit does not read a user's modules as root")
        super().__init__()
        modules = os.path.join(self.dir, "config", "pkcs11", "modules")
        os.makedirs(modules)
        write(os.path.join(modules, "softhsm2.module"),
              f"module: {build_path('tests', 'integration', 'respond', 'hanging.so')}\n".encode())
        self.env |= {"HOME": self.dir, "XDG_CONFIG_HOME": os.path.join(self.dir, "config"), "CLINCH_SOFTHSM": softhsm(),
                     "CLINCH_HANGING": self.dir}

    def let(self, what, yes=True):
        """sign-hangs, open-hangs, sign-fails."""
        path = os.path.join(self.dir, what)
        if yes:
            write(path, b"")
        elif os.path.exists(path):
            os.unlink(path)

    def is_hung(self):
        return os.path.exists(os.path.join(self.dir, "hung"))
