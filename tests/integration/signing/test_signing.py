# SPDX-License-Identifier: LGPL-2.1-or-later
"""What src/ocsp signs, judged by `openssl ocsp`, `ocsptool` and Java's PKIX revocation checker, for each kind of key; the requests and
the certificates are OpenSSL's."""
import functools
import os

from harness import add_case, build_path, case, clinch, expect, expect_equal, expect_in, main, new_tempdir, run, source_path

# OpenSSL's genpkey. Ed448 is not among those that every peer knows, and P-521 is.
KINDS = {
    "P-256": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "P-384": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
    "P-521": ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"],
    "RSA": ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    "RSA-PSS": ["-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"],
    "Ed25519": ["-algorithm", "ED25519"],
}
EXTENSIONS = """[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign, digitalSignature
subjectKeyIdentifier = hash
[leaf]
subjectAltName = DNS:leaf.example
[delegate]
extendedKeyUsage = OCSPSigning
keyUsage = critical, digitalSignature
noCheck = ignored
"""


def openssl(*words):
    done = run(["openssl", *words])
    expect_equal(done.rc, 0, "openssl's exit status")
    return done


class House:
    """A CA with two leaves and a delegate, in files."""

    def __init__(self, kind):
        self.dir = new_tempdir()
        self.rsa = kind.startswith("RSA")
        with open(self.file("extensions"), "w", encoding="ascii") as f:
            f.write(EXTENSIONS)
        openssl("genpkey", *KINDS[kind], "-out", self.file("ca.key"))
        openssl("req", "-x509", "-new", "-key", self.file("ca.key"), "-subj", "/CN=Signing CA", "-days", "30", "-config",
                self.file("extensions"), "-extensions", "ca", "-out", self.file("ca.pem"))
        self.issue("delegate", KINDS[kind], "delegate", 2)
        for serial, name in enumerate(("leaf", "other"), 0x1001):
            self.issue(name, KINDS["P-256"], "leaf", serial)

    def file(self, name):
        return os.path.join(self.dir, name)

    def issue(self, name, kind, section, serial):
        openssl("genpkey", *kind, "-out", self.file(f"{name}.key"))
        openssl("req", "-new", "-key", self.file(f"{name}.key"), "-subj", f"/CN={name}", "-out", self.file(f"{name}.csr"))
        openssl("x509", "-req", "-in", self.file(f"{name}.csr"), "-CA", self.file("ca.pem"), "-CAkey", self.file("ca.key"),
                "-set_serial", str(serial), "-days", "20", "-extfile", self.file("extensions"), "-extensions", section, "-out",
                self.file(f"{name}.pem"))

    def ask(self, nonce="-no_nonce", digest="-sha1", about=("leaf",)):
        asked = [word for name in about for word in (digest, "-cert", self.file(f"{name}.pem"))]
        self.digest = digest
        openssl("ocsp", "-issuer", self.file("ca.pem"), *asked, nonce, "-reqout", self.file("request"))

    def answer(self, signer, status, *words):
        """The file of the response to the last request."""
        out = self.file(f"{signer}-{status}-{'-'.join(words)}.der")
        done = run([build_path("tests", "integration", "signing", "answer-with"), self.file("request"), out, self.file("ca.pem"),
                    self.file(f"{signer}.pem"), self.file(f"{signer}.key"), status, *words])
        expect_equal(done.rc, 0, done.err)
        return out

    # --- the judges

    def openssl_says(self, response, about="leaf"):
        done = run(["openssl", "ocsp", "-respin", response, "-issuer", self.file("ca.pem"), self.digest, "-cert",
                    self.file(f"{about}.pem"), "-CAfile", self.file("ca.pem"), "-no_nonce"])
        expect_in("Response verify OK", done.err + done.out, "what openssl says")
        return done.out.split(f"{self.file(about)}.pem: ")[1].splitlines()[0]

    def openssl_says_of_its_nonce(self, response):
        return run(["openssl", "ocsp", "-respin", response, "-reqin", self.file("request"), "-CAfile", self.file("ca.pem")]).err.strip()

    def gnutls_says(self, response, signer):
        # With the CA for a signer, and with trust in the CA alone: a delegate's own certificate is then judged.
        told = ["--load-signer", self.file("ca.pem")] if signer == "ca" else ["--load-trust", self.file("ca.pem")]
        done = run(["ocsptool", "--verify-response", "--infile", response, *told])
        expect_in("Verifying OCSP Response: Success.", done.out, "what ocsptool says")
        return next(line.split(":")[1].strip() for line in done.out.splitlines() if "Certificate Status:" in line)

    def clinch_says(self, response):
        done = clinch("verify", "--json", "--cert", self.file("leaf.pem"), "--issuer", self.file("ca.pem"), response)
        return done.json["verdict"]


FORMS = [(), ("by-name", "archive")]
PSS = [("pss",)]


@functools.cache
def responses_of(kind):
    """(what it is, its house, signer, status, file) of each response that one kind of key signs."""
    house = House(kind)
    house.ask()
    return [(f"{kind}, {signer}, {status}, {' '.join(words)}", house, signer, status, house.answer(signer, status, *words))
            for signer in ("ca", "delegate") for words in FORMS + PSS * (kind == "RSA") for status in ("good", "revoked")]


def signs_what_all_believe(kind):
    for row, house, signer, status, response in responses_of(kind):
        expect_equal(house.clinch_says(response), status, f"{row}: clinch")
        expect_equal(house.openssl_says(response), status, f"{row}: openssl")
        expect_equal(house.gnutls_says(response, signer), status, f"{row}: ocsptool")


for each in KINDS:
    add_case(f"{each} signs what all believe", lambda each=each: signs_what_all_believe(each))


@case
def openssl_finds_its_nonce_and_each_certificate_that_it_asked_about():
    house = House("P-256")
    house.ask("-nonce", "-sha256", about=("leaf", "other"))
    for signer in ("ca", "delegate"):
        response = house.answer(signer, "good")
        expect_equal(house.openssl_says_of_its_nonce(response), "Response verify OK", "its nonce")
        expect_equal(house.openssl_says(response), "good", "the first")
        expect_equal(house.openssl_says(response, about="other"), "good", "the second")
    house.ask("-nonce")
    expect_in("Nonce Verify error", house.openssl_says_of_its_nonce(response), "an answer to another question")


@case
def Java_believes_them_all():
    responses = [row for kind in KINDS for row in responses_of(kind)]
    lines = "".join(f"{house.file('ca.pem')}\t{house.file('leaf.pem')}\t{path}\n" for _, house, _, _, path in responses)
    # Few threads and no tiered compiler: it judges a few dozen responses.
    done = run(["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", source_path("tests", "integration", "signing", "Believe.java")],
               input=lines, timeout=150, cwd=new_tempdir())
    expect_equal(done.rc, 0, done.err)
    wanted = [f"{row}: {'good' if status == 'good' else 'revoked KEY_COMPROMISE'}" for row, _, _, status, _ in responses]
    said = [f"{row[0]}: {line}" for row, line in zip(responses, done.out.splitlines())]
    expect_equal("\n".join(said), "\n".join(wanted), "what Java says")


main()
