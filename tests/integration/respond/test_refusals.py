# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a responder must not start with, and what it must not go over to: exit status 2 and a sentence, or the old state goes on."""
import os

import ask
from cryptography.hazmat.primitives import serialization
from harness import add_case, case, expect, expect_equal, expect_in, expect_match, main, new_tempdir, skip, wait_for
from issuer import DAY_S, Ca, Index, write
from respond import Respond, authority, configuration, refused

GOOD, REVOKED, HELD = 0x1001, 0x1002, 0x1003
ca, other = Ca(new_tempdir(), "ours"), Ca(new_tempdir(), "theirs")
delegate = ca.delegate()
where = ca.dir


def index_file(name="index.txt"):
    return Index(os.path.join(where, name)).add("V", GOOD).add("R", REVOKED).add("R", HELD, reason="certificateHold").save()


index = index_file()
GOOD_REQUEST, REVOKED_REQUEST, HELD_REQUEST = (ask.request(ask.cert_id(ca, s)) for s in (GOOD, REVOKED, HELD))


def path(name, data):
    return write(os.path.join(where, name), data)


class Signer:
    """A certificate of one and the key of another."""

    def __init__(self, cert_file, key_file):
        self.cert_file, self.key_file = cert_file, key_file


def encrypted_key():
    secret = serialization.BestAvailableEncryption(b"the password")
    return path("encrypted.key", delegate.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret))


# --- signers: what is wrong, what its sentence has to speak of, and the exit status: 1 where a file is not to be had, else 2 --------------

spare = ca.delegate("spare")
SIGNERS = [
    ("a key that is another's", Signer(delegate.cert_file, spare.key_file), "key"),
    ("a delegate without the purpose", ca.delegate("purposeless", eku=False), "OCSP"),
    ("a delegate of another CA", other.delegate("foreign"), "issued"),
    ("a delegate that has expired", ca.delegate("expired", seconds=-3600, begins=-30 * DAY_S), "expired|no longer valid|valid until|ended"),
    ("a delegate that is not yet valid", ca.delegate("early", begins=DAY_S), "not yet valid|valid from"),
    ("a delegate whose keyUsage has no signatures", ca.delegate("mute", usage=("key_encipherment",)), "[kK]ey ?[uU]sage"),
    ("another CA itself", other, "issued|CA"),
    ("a certificate that is none", Signer(path("nonsense.pem", b"nonsense\n"), delegate.key_file), "nonsense.pem"),
    ("a certificate that is not there", Signer(os.path.join(where, "nowhere.pem"), delegate.key_file), "nowhere.pem", 1),
    ("a key that is not there", Signer(delegate.cert_file, os.path.join(where, "nowhere.key")), "nowhere.key", 1),
    ("a key that is none", Signer(delegate.cert_file, path("nonsense.key", b"nonsense\n")), "nonsense.key"),
    ("a key with a password that nobody gave", Signer(delegate.cert_file, encrypted_key()), "password"),
]

# --- sources ------------------------------------------------------------------------------------------------------------------------------

crl = path("ours.crl", ca.crl({REVOKED: (ca.now, None)}))
forged = bytearray(ca.crl({REVOKED: (ca.now, None)}, pem=False))
forged[-5] ^= 1
SOURCES = [
    ("an index that is not there", {"index": os.path.join(where, "nowhere.txt")}, "nowhere.txt", 1),
    ("an index that is a directory", {"index": where}, "directory|not a (regular )?file", 1),
    ("an index with a broken line", {"index": path("broken.txt", index.bytes() + b"V\tnonsense\n")}, r"broken.txt:4\b|broken.txt.* line 4\b"),
    ("an index that is cut in a line", {"index": path("cut.txt", index.bytes()[:-30])}, "cut.txt"),
    ("an index that is a PDF", {"index": path("pdf.txt", b"%PDF-1.7\n" + bytes(300))}, "pdf.txt"),
    ("a CRL of another CA", {"crl": [path("theirs.crl", other.crl())], "crl_means": "good"}, "theirs.crl"),
    ("a CRL with a signature that is none", {"crl": [path("forged.crl", bytes(forged))], "crl_means": "good"}, "forged.crl.*signature"),
    ("a CRL by another key of the same name", {"crl": [path("named.crl", Ca(new_tempdir(), "x", name="ours CA").crl())],
                                               "crl_means": "good"}, "named.crl"),
    ("a CRL from the future", {"crl": [path("future.crl", ca.crl(this=7200))], "crl_means": "good"}, "future.crl.*thisUpdate"),
    ("a CRL that is cut", {"crl": [path("cut.crl", ca.crl(pem=False)[:-10])], "crl_means": "good"}, "cut.crl"),
    ("a CRL alone", {"crl": [crl]}, "crl_means|issued"),
    ("a CRL whose list of issued serials is not there", {"crl": [crl], "issued": os.path.join(where, "nobody.txt")}, "nobody.txt", 1),
    ("a list of issued serials that is none", {"crl": [crl], "issued": path("words.txt", b"these are words\n")}, "words.txt"),
    ("no source at all", {}, "index|crl"),
]


def does_not_start(signers, source, words, status=2):
    said = refused(configuration(authority(ca, *signers, **source)), status=status)
    expect_match(words, said, "what it says")
    expect_in("clinch", said, "what it says")


for what, signer, sentence, *status in SIGNERS:
    add_case(f"does not start with {what}", lambda s=signer, w=sentence, e=status: does_not_start([s], {"index": index.path}, w, *e))
for what, source, sentence, *status in SOURCES:
    add_case(f"does not start with {what}", lambda s=source, w=sentence, e=status: does_not_start([delegate], s, w, *e))


@case
def does_not_start_with_a_CA_that_is_not_one():
    leaf = ca.leaf("leaf", 0x77)
    expect_match("CA|leaf.pem", refused(configuration(authority(leaf, index=index.path))), "what it says")
    lost = Signer(os.path.join(where, "lost.pem"), delegate.key_file)
    expect_match("lost.pem", refused(configuration(authority(lost, delegate, index=index.path)), status=1), "what it says")


@case
def does_not_start_with_an_index_that_it_may_not_read():
    if os.geteuid() == 0:
        skip("root may read everything")
    secret = index_file("secret.txt")
    os.chmod(secret.path, 0)
    said = refused(configuration(authority(ca, delegate, index=secret.path)), status=1)
    expect_match("secret.txt.*Permission denied", said, "what it says")


@case
def does_not_start_with_a_CA_twice():
    twice = authority(ca, delegate, index=index.path)
    expect_match("ours CA.*twice", refused(configuration(twice, twice)), "what it says")


@case
def by_options_it_starts_and_is_refused_likewise():
    fixed = ["--ca", ca.cert_file, "--signer", delegate.cert_file, "--key", delegate.key_file]
    with Respond(None, *fixed, "--index", index.path) as one:
        expect_equal([one.status(r) for r in (GOOD_REQUEST, REVOKED_REQUEST)], ["good", "revoked"], "status")
    with Respond(None, *fixed, "--crl", crl, "--crl-means-good", "--never-issued", "unknown") as one:
        expect_equal([one.status(r) for r in (GOOD_REQUEST, REVOKED_REQUEST)], ["good", "revoked"], "status")
    expect_match("issued|crl-means-good", refused(None, *fixed, "--crl", crl), "a CRL alone")
    expect_match("index|crl", refused(None, *fixed), "no source")
    expect_match("relay", refused(None, "--store", new_tempdir()), "a store, and nothing to relay")
    expect_match("key", refused(None, *fixed[:4], "--key", spare.key_file, "--index", index.path), "another's key")


@case
def check_config_says_what_is_wrong_and_starts_nothing():
    expect_equal(refused(configuration(authority(ca, delegate, index=index.path, never_issued="good")), "--check-config").count("never_issued"),
                 1, "how often the key is named")


# --- reload: SIGHUP -------------------------------------------------------------------------------------------------------------------------


class Reload:
    """A responder whose configuration, signer and source can be replaced, and what it is asked before and after."""

    def __init__(self):
        self.dir = new_tempdir()
        self.index = index_file(f"reload-{os.path.basename(self.dir)}.txt")
        self.signer = Signer(*(self._copy(n) for n in (delegate.cert_file, delegate.key_file)))
        self.conf = configuration(self.entry(), path=os.path.join(self.dir, "clinch.yaml"))

    def _copy(self, name):
        with open(name, "rb") as f:
            return write(os.path.join(self.dir, os.path.basename(name)), f.read())

    def entry(self, **settings):
        return authority(ca, self.signer, **{"index": self.index.path, **settings})

    def put(self, target, source):
        with open(source, "rb") as f:
            write(target, f.read())

    def refuses(self, one, *words):
        """SIGHUP: an error of the log with the words, and everything as it was."""
        since = one.mark()
        one.hup()
        one.wait_said(*words, since=since)
        expect_equal([one.status(r) for r in (GOOD_REQUEST, REVOKED_REQUEST)], ["good", "revoked"], "status")
        expect(any(e["level"] in ("error", "warning") for e in one.events()), "it was not said loudly")
        nonced = one.post(ask.request(ask.cert_id(ca, GOOD), extensions=[ask.nonce(16)]))
        nonced.check_signature(delegate.cert)


@case
def goes_on_with_the_old_signer_when_the_new_one_is_bad():
    for what, bad, *_ in SIGNERS:
        scene = Reload()
        with Respond(scene.conf) as one:
            if os.path.exists(bad.cert_file) and os.path.exists(bad.key_file):
                scene.put(scene.signer.cert_file, bad.cert_file)
                scene.put(scene.signer.key_file, bad.key_file)
            else:
                os.unlink(scene.signer.key_file)
            scene.refuses(one, "delegate")
            scene.put(scene.signer.cert_file, spare.cert_file)
            scene.put(scene.signer.key_file, spare.key_file)
            one.hup()
            nonced = ask.request(ask.cert_id(ca, GOOD), extensions=[ask.nonce(16)])
            wait_for(lambda: one.post(nonced).certs == [spare.der], 5, f"the right signer after {what}")


@case
def goes_on_with_the_old_configuration_when_the_new_one_is_bad():
    scene = Reload()
    with Respond(scene.conf) as one:
        for bad, words in ((scene.entry(never_issued="sometimes"), "never_issued"), (authority(other, scene.signer, index=index.path), "issued"),
                           (scene.entry(index=os.path.join(where, "nowhere.txt")), "nowhere.txt")):
            configuration(bad, path=scene.conf)
            scene.refuses(one, words)
        configuration(scene.entry(never_issued="unknown"), path=scene.conf)
        one.hup()
        one.wait_status(ask.request(ask.cert_id(ca, 0x4242)), "unknown")


def keeps_the_old_source(data, words, remove=False):
    """Nobody sends SIGHUP: the file itself changes."""
    scene = Reload()
    with Respond(scene.conf) as one:
        since = one.mark()
        if remove:
            os.unlink(scene.index.path)
        else:
            write(scene.index.path, data)
        one.wait_said(words, since=since)
        expect_equal([one.status(r) for r in (GOOD_REQUEST, REVOKED_REQUEST)], ["good", "revoked"], "status")
        scene.index.set("R", GOOD).save()
        one.wait_status(GOOD_REQUEST, "revoked")


for what, contents, sentence in (("broken", index.bytes() + b"V\tnonsense\n", "reload-"), ("cut in a line", index.bytes()[:-30], "reload-"),
                                 ("empty", b"", "1002"), ("a PDF", b"%PDF-1.7\n" + bytes(300), "reload-")):
    add_case(f"keeps the old index when the new one is {what}", lambda d=contents, w=sentence: keeps_the_old_source(d, w))
add_case("keeps the old index when it is gone", lambda: keeps_the_old_source(None, "reload-", remove=True))


main()
