# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a CA says of its serials, read from what openssl ca, certtool and python3-cryptography write."""
import calendar
import datetime
import os
import re
import time

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from harness import build_path, case, expect, expect_equal, expect_in, main, new_tempdir, run, skip
from pki import Pki

CONF = """
[ca]
default_ca = own
[own]
database = index.txt
new_certs_dir = certs
certificate = ca.pem
private_key = ca.key
rand_serial = yes
crlnumber = crlnumber
default_md = sha256
default_days = 90
default_crl_days = 7
unique_subject = no
policy = any
[any]
commonName = supplied
[req]
distinguished_name = name
[name]
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
[no_crl]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[delta]
2.5.29.27 = critical, ASN1:INTEGER:1
[indirect]
issuingDistributionPoint = critical, @indirect_scope
[indirect_scope]
indirectCRL = TRUE
[users]
issuingDistributionPoint = critical, @users_scope
[users_scope]
fullname = URI:http://crl.test/users.crl
onlyuser = TRUE
[cas]
issuingDistributionPoint = critical, @cas_scope
[cas_scope]
onlyCA = TRUE
"""

REASONS = {None: -1, "unspecified": 0, "keyCompromise": 1, "CACompromise": 2, "affiliationChanged": 3, "superseded": 4,
           "cessationOfOperation": 5, "certificateHold": 6}


class OpensslCa:
    """A CA in a directory, as openssl's man page makes one."""

    def __init__(self, extensions="root"):
        self.dir = new_tempdir()
        os.mkdir(self.path("certs"))
        for name, text in (("ca.cnf", CONF), ("index.txt", ""), ("crlnumber", "01\n")):
            self.write(name, text)
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key", "-out",
                     "ca.pem", "-days", "3650", "-subj", "/CN=Own CA", "-config", "ca.cnf", "-extensions", extensions)
        self.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "leaf.key", "-out",
                     "leaf.csr", "-subj", "/CN=leaf.test", "-config", "ca.cnf")

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)

    def read(self, name):
        with open(self.path(name), encoding="utf-8") as f:
            return f.read()

    def openssl(self, *args):
        done = run(["openssl", *args], cwd=self.dir)
        expect_equal(done.rc, 0, str(done))
        return done.out

    def ca(self, *args):
        return self.openssl("ca", "-config", "ca.cnf", "-batch", *args)

    def issue(self, *args):
        """The serial of a new certificate, in hexadecimal."""
        before = set(os.listdir(self.path("certs")))
        self.ca("-in", "leaf.csr", "-notext", *args)
        return (set(os.listdir(self.path("certs"))) - before).pop()[:-4]

    def revoke(self, serial, *args):
        self.ca("-revoke", f"certs/{serial}.pem", *args)

    def crl(self, name, *args):
        self.ca("-gencrl", "-out", name, *args)
        return self.path(name)

    def ask(self, *words):
        return ask(self.path("ca.pem"), *words)


def ask(ca, *words, now=None):
    return run([build_path("tests/integration/sources/ask_source"), ca, str(int(now or time.time())), *words])


def content(serial):
    """The content of an INTEGER, for the hexadecimal digits that openssl writes."""
    return ("00" if int(serial[0], 16) > 7 else "") + serial


def answers(done):
    """By serial: what is said of it, since when, why, until when. The first line is apart."""
    expect_equal(done.rc, 0, str(done))
    lines = [line.split() for line in done.out.splitlines()]
    expect_equal(lines[0][0], "loaded", "first word")
    return {line[0]: (line[1], int(line[2]), int(line[3]), int(line[4])) for line in lines[1:]}


def refusal(done):
    expect_equal(done.rc, 1, str(done))
    return done.out.removeprefix("refused ").strip()


def utc(text):
    return calendar.timegm(time.strptime(text, "%y%m%d%H%M%SZ" if len(text) == 13 else "%Y%m%d%H%M%SZ"))


def rows(ca):
    """The index, as python reads it: serial -> (status, notAfter, when and why)."""
    found = {}
    for line in ca.read("index.txt").splitlines():
        status, end, revoked, serial, _, _ = line.split("\t")
        found[serial] = (status, utc(end), revoked)
    return found


def revoked_ca():
    """One certificate for each way that openssl has to revoke it, and two that are valid. serial -> reason."""
    ca = OpensslCa()
    ways = [([], -1)] + [(["-crl_reason", name], number) for name, number in REASONS.items() if name]
    ways += [(["-crl_hold", "holdInstructionReject"], 6), (["-crl_compromise", "20260101000000Z"], 1),
             (["-crl_CA_compromise", "20260101000000Z"], 2)]
    revoked = {}
    for args, reason in ways:
        serial = ca.issue()
        ca.revoke(serial, *args)
        revoked[serial] = reason
    return ca, revoked, [ca.issue(), ca.issue("-days", "20000")]


@case
def an_index_of_openssl_says_what_openssl_wrote():
    ca, revoked, valid = revoked_ca()
    ended = ca.issue("-startdate", "20200101000000Z", "-enddate", "20200201000000Z")
    ca.ca("-updatedb")
    wanted = rows(ca)
    expect_equal(wanted[ended][0], "E", "status of the one that has ended")
    serials = [content(s) for s in wanted]
    got = answers(ca.ask("index", ca.path("index.txt"), "--", *serials, "0badcafe"))
    for serial, (status, end, when) in wanted.items():
        says = ("revoked", utc(when.split(",")[0]), revoked[serial], end) if status == "R" else ("valid", 0, -1, end)
        expect_equal(got[content(serial)], says, f"{serial}, {status} {when}")
    expect_equal({wanted[s][0] for s in valid}, {"V"}, "status of the valid ones")
    expect(any(wanted[s][1] > utc("20500101000000Z") for s in valid), "one ends in a GeneralizedTime")
    expect_equal(got["0badcafe"][0], "never-issued", "a serial that is not there")


@case
def a_crl_of_openssl_says_the_same_as_its_index():
    ca, revoked, valid = revoked_ca()
    serials = [content(s) for s in [*revoked, *valid]]
    index = answers(ca.ask("index", ca.path("index.txt"), "--", *serials))
    pem = ca.crl("ca.crl")
    ca.openssl("crl", "-in", "ca.crl", "-outform", "DER", "-out", "der.crl")
    for path in (pem, ca.path("der.crl")):
        crl = answers(ca.ask("crl", path, "good", "--", *serials))
        for serial in serials:
            expect_equal(crl[serial][:3], index[serial][:3], f"{serial} of {path}")
    first = ca.ask("crl", pem, "good").out.split()
    expect_equal((int(first[1]), int(first[2])), (len(revoked), len(revoked)), "serials of the CRL")
    expect(0 <= int(first[3]) - int(first[4]) - 7 * 86400 <= 1, "nextUpdate is 7 days after thisUpdate")


@case
def a_list_of_what_was_issued_tells_valid_from_never_issued():
    ca = OpensslCa()
    revoked, valid = ca.issue(), ca.issue()
    ca.revoke(revoked)
    lines = "".join(ca.openssl("x509", "-noout", "-serial", "-in", f"certs/{s}.pem") for s in (revoked, valid))
    ca.write("issued", lines)
    got = answers(ca.ask("crl", ca.crl("ca.crl"), "issued", ca.path("issued"), "--", content(revoked), content(valid), "0badcafe"))
    expect_equal([got[content(revoked)][0], got[content(valid)][0], got["0badcafe"][0]], ["revoked", "valid", "never-issued"], "what is said")


@case
def crls_that_do_not_say_all_are_refused():
    ca = OpensslCa()
    ca.revoke(ca.issue())
    for section, sentence in (("delta", "is a delta CRL"), ("indirect", "is an indirect CRL"), ("users", "is for the certificates of users only"),
                              ("cas", "is for the certificates of CAs only")):
        path = ca.crl(section + ".crl", "-crlexts", section)
        expect_in(f"{path}: {sentence}", refusal(ca.ask("crl", path, "good")), section)
    both = ca.ask("crl", ca.path("users.crl"), ca.path("cas.crl"), "good")
    expect_equal(both.rc, 0, str(both))


@case
def crls_of_others_are_refused():
    ca, namesake, mute = OpensslCa(), OpensslCa(), OpensslCa("no_crl")
    expect_in("its signature is not of the CA's key", refusal(ca.ask("crl", namesake.crl("ca.crl"), "good")), "a CA of the same name")
    expect_in("keyUsage without cRLSign", refusal(mute.ask("crl", mute.crl("ca.crl"), "good")), "a CA that may not")
    pki = Pki(new_tempdir())
    expect_in("is the CRL of another CA", refusal(ask(pki.root.cert_file, "crl", ca.crl("ca.crl"), "good")), "another CA")
    path = ca.crl("sha1.crl", "-md", "sha1")
    expect_in("its signature is ecdsa-sha1, which can be forged", refusal(ca.ask("crl", path, "good")), "SHA-1")


@case
def an_index_that_is_being_written_is_refused():
    ca = OpensslCa()
    serials = [ca.issue() for _ in range(3)]
    text = ca.read("index.txt")
    ca.write("cut", text[:-1])
    expect_in("cut: line 3, the last one, has no end", refusal(ca.ask("index", ca.path("cut"))), "without its last byte")
    ca.write("cut", text + text.splitlines()[0] + "\n")
    expect_equal(ca.ask("index", ca.path("cut")).rc, 0, "a line that is there twice")
    line = text.splitlines()[0].split("\t")
    revoked = "\t".join(["R", line[1], "260101000000Z", *line[3:]]) + "\n"
    ca.write("cut", text + revoked)
    got = answers(ca.ask("index", ca.path("cut"), "--", content(serials[0])))
    expect_equal(got[content(serials[0])][0], "revoked", "a line behind that revokes it")
    ca.write("cut", revoked + text)
    done = ca.ask("index", ca.path("cut"), "--", content(serials[0]))
    expect_equal(answers(done)[content(serials[0])][0], "revoked", "a line behind that takes it back")
    expect_in(f"cut: lines 1 and 2 say different things of serial {serials[0]}: the worse counts", done.err, "what is said of it")
    ca.write("cut", text.replace("\n", "\r\n"))
    expect_equal(ca.ask("index", ca.path("cut")).rc, 0, "with ends of Windows")


@case
def what_openssl_refuses_is_refused():
    """The same files, by openssl ocsp as a responder of one request; it leaves out a last line that is not finished."""
    ca = OpensslCa()
    serial = ca.issue()
    good = ca.read("index.txt")
    ca.openssl("ocsp", "-issuer", "ca.pem", "-cert", f"certs/{serial}.pem", "-reqout", "req.der", "-no_nonce")
    fields = good.rstrip("\n").split("\t")
    bad = {"an empty line": good + "\n", "five fields": "\t".join(fields[:5]) + "\n", "seven fields": good.rstrip("\n") + "\tx\n"}
    for name, text in [("nothing wrong", good), *bad.items()]:
        ca.write("index.txt", text)
        theirs = run(["openssl", "ocsp", "-index", "index.txt", "-CA", "ca.pem", "-rsigner", "ca.pem", "-rkey", "ca.key", "-reqin",
                      "req.der", "-respout", "resp.der"], cwd=ca.dir)
        ours = ca.ask("index", ca.path("index.txt"))
        expect_equal((theirs.rc != 0, ours.rc != 0), (name in bad, name in bad), f"{name}: refused by openssl, by us")


@case
def a_crl_of_certtool_is_read():
    pki = Pki(new_tempdir())
    directory = new_tempdir()
    leaf = pki.leaf("www.test", issuer=pki.root)
    template = os.path.join(directory, "template")
    with open(template, "w", encoding="utf-8") as f:
        f.write("crl_next_update = 5\ncrl_number = 7\n")
    path = os.path.join(directory, "ca.crl")
    done = run(["certtool", "--generate-crl", "--load-ca-privkey", pki.root.key_file, "--load-ca-certificate", pki.root.cert_file,
                "--load-certificate", leaf.cert_file, "--template", template, "--outfile", path])
    expect_equal(done.rc, 0, str(done))
    serial = f"{leaf.cert.serial_number:x}"
    serial = content(serial if len(serial) % 2 == 0 else "0" + serial)
    got = answers(ask(pki.root.cert_file, "crl", path, "good", "--", serial, "0badcafe"))
    expect_equal((got[serial][0], got["0badcafe"][0]), ("revoked", "valid"), "what is said")


@case
def a_crl_of_ten_thousand_entries_in_any_order_is_read():
    pki = Pki(new_tempdir())
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0, tzinfo=None)
    builder = x509.CertificateRevocationListBuilder().issuer_name(pki.root.cert.subject).last_update(now).next_update(
        now + datetime.timedelta(days=1))
    serials = [i * 7919 % 10007 + 1 for i in range(10000)]
    for i, serial in enumerate(serials):
        one = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now - datetime.timedelta(seconds=i))
        builder = builder.add_revoked_certificate(one.build())
    path = os.path.join(new_tempdir(), "ca.crl")
    with open(path, "wb") as f:
        f.write(builder.sign(pki.root.key, hashes.SHA256()).public_bytes(serialization.Encoding.DER))
    asked = {content(f"{s:04x}"): i for i, s in enumerate(serials)}
    missing = content(f"{next(n for n in range(1, 10009) if n not in set(serials)):04x}")
    got = answers(ask(pki.root.cert_file, "crl", path, "good", "--", *list(asked)[::97], missing))
    at = calendar.timegm(now.timetuple())
    for serial in list(asked)[::97]:
        expect_equal(got[serial][:2], ("revoked", at - asked[serial]), serial)
    expect_equal(got[missing][0], "valid", "one that is not there")


@case
def a_serial_takes_less_than_64_bytes():
    if os.environ.get("CLINCH_SANITIZE", "none") != "none":
        skip("a sanitizer's allocator tells nothing of what is held")
    directory = new_tempdir()
    pki = Pki(directory)
    path = os.path.join(directory, "index.txt")
    with open(path, "w", encoding="utf-8") as f:
        for i in range(200000):
            serial = f"{i * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2 ** 158 + 2 ** 157:040X}"
            f.write(f"V\t400101000000Z\t\t{serial}\tunknown\t/C=XX/O=Own/CN=host{i}.test\n")
    done = ask(pki.root.cert_file, "index", path, "--", "measure")
    each = float(re.search(r"([0-9.]+) B a serial", done.out).group(1))
    expect(40 <= each <= 64, f"{each} bytes a serial: {done}")


main()
