# SPDX-License-Identifier: LGPL-2.1-or-later
"""clinch show: it recognises what it is given, judges nothing, and falls over nothing."""
import os
import random
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

from harness import add_case, case, clinch, expect, expect_equal, expect_in, expect_match, expect_not_in, main, new_tempdir
from material import expect_clean, issuer, leaf, openssl, openssl_response, pki, response, rfc3339, strange_certificate
from pki import DER, PEM

delegate = pki.delegate()


def shown(path, status=0):
    """What `show --json` says; the text must have come to the same."""
    done, text = clinch("show", "--json", path), clinch("show", path)
    expect_equal((done.rc, text.rc), (status, status), f"exit statuses\n{done}\n{text}")
    expect_equal((done.json["schema"], done.json["verified"]), ("clinch-show-1", False), "schema and verified")
    if done.json["kind"]:
        expect_match(rf"\A{done.json['kind']} \(as it stands: not verified\)$", text.out, "the first line")
    expect_clean(text)
    expect_clean(done)
    return done.json, text.out


def finding_ids(what):
    return [f["id"] for f in what["findings"]]


# --- responses -------------------------------------------------------------------------------------------------------------------


@case
def shows_a_response():
    what, text = shown(response(signer=delegate, by_key=False))
    expect_equal((what["kind"], what["understood"], what["response_status"]), ("response", True, "successful"), "kind")
    expect_equal((what["responder_by"], what["responder"]), ("name", "CN=delegate responder"), "responder")
    expect_equal(what["signature"], "ecdsa-sha256", "signature")
    entry, = what["entries"]
    expect_equal(int(entry["serial"], 16), leaf.cert.serial_number, "serial")
    expect_equal((entry["status"], entry["cert_id_hash"]), ("good", "sha1"), "entry")
    expect_equal((entry["this_update"], entry["next_update"]), (rfc3339(hours=-1), rfc3339(days=4)), "times")
    cert, = what["certificates"]
    expect_equal((cert["subject"], cert["ocsp_signing"], cert["nocheck"]), ("CN=delegate responder", True, True), "delegate")
    expect_in("responder-by-name", finding_ids(what), "findings")
    for words in ("entry 1\n", entry["serial"], rfc3339(days=4), "CN=delegate responder", "responder-by-name: "):
        expect_in(words, text, "text")


@case
def shows_a_revoked_entry():
    what, text = shown(response(status="revoked", reason="superseded", revoked_at=timedelta(days=-3)))
    entry = what["entries"][0]
    expect_equal((entry["status"], entry["revoked_at"], entry["revocation_reason"]), ("revoked", rfc3339(days=-3), "superseded"))
    expect_in("superseded", text, "text")


@case
def shows_an_unknown_entry_of_openssl():
    what, _ = shown(openssl_response("unknown.der"))
    expect_equal(what["entries"][0]["status"], "unknown", "status")


@case
def shows_the_nonce():
    what, text = shown(response(nonce=b"nonce!"))
    expect_equal(what["nonce"], b"nonce!".hex(), "nonce")
    expect_in("1.3.6.1.5.5.7.48.1.2", text, "its extension")


@case
def shows_what_can_be_said_without_a_certificate():
    long_list = {
        "cert-id-sha1": {}, "cert-id-sha2": {"algorithm": hashes.SHA256()}, "no-next-update": {"next_update": False},
        "validity-short": {"next_update": timedelta(hours=1)}, "responder-by-name": {"by_key": False},
        "delegate-without-nocheck": {"signer": pki.delegate(nocheck=False, label="asked")},
        "delegate-ends-first": {"signer": pki.delegate(days=1, label="short")},
        "reason-unspecified": {"status": "revoked", "reason": "unspecified"},
    }
    for name, more in long_list.items():
        what, text = shown(response(**more))
        expect_in(name, finding_ids(what), "findings")
        expect_in(name + ": ", text, "text")
        plain, _ = shown(response(**({"algorithm": hashes.SHA256()} if name == "cert-id-sha1" else {})))
        expect_not_in(name, finding_ids(plain), "findings without it")


@case
def shows_each_error_of_a_responder():
    names = {"MALFORMED_REQUEST": "malformedRequest", "INTERNAL_ERROR": "internalError", "TRY_LATER": "tryLater",
             "SIG_REQUIRED": "sigRequired", "UNAUTHORIZED": "unauthorized"}
    for constant, word in names.items():
        what, text = shown(pki.write("error.der", pki.error_response(constant)))
        expect_equal((what["kind"], what["response_status"], what["understood"]), ("response", word, True), constant)
        expect_in(word, text, "text")


@case
def an_undefined_status_is_not_understood():
    for number in (4, 7, 99):
        what, _ = shown(pki.write("status.der", bytes([0x30, 3, 0x0a, 1, number])), status=4)
        expect_equal((what["understood"], what["reason"]), (False, "status-undefined"), "answer")


# --- requests --------------------------------------------------------------------------------------------------------------------


@case
def shows_a_request_of_openssl():
    path = os.path.join(pki.dir, "two.req")
    other = pki.leaf("other.example.com")
    openssl("ocsp", "-issuer", issuer.cert_file, "-cert", leaf.cert_file, "-sha256", "-cert", other.cert_file, "-reqout", path)
    what, text = shown(path)
    expect_equal((what["kind"], what["understood"], what["is_signed"]), ("request", True, False), "kind")
    expect_equal([int(e["serial"], 16) for e in what["entries"]], [leaf.cert.serial_number, other.cert.serial_number], "serials")
    expect_equal([e["cert_id_hash"] for e in what["entries"]], ["sha1", "sha256"], "hashes")
    expect_equal(len(what["nonce"]), 32, "digits of the nonce")
    expect_equal(finding_ids(what), ["cert-id-sha1", "cert-id-sha2"], "findings")
    expect_in("entry 2\n", text, "text")


@case
def shows_a_signed_request():
    path = os.path.join(pki.dir, "signed.req")
    openssl("ocsp", "-issuer", issuer.cert_file, "-cert", leaf.cert_file, "-signer", leaf.cert_file, "-signkey", leaf.key_file,
            "-reqout", path)
    what, _ = shown(path)
    expect_equal((what["is_signed"], what["has_requestor"]), (True, True), "signed")


# --- certificates ----------------------------------------------------------------------------------------------------------------


@case
def shows_what_a_chain_says_of_ocsp():
    staple = pki.leaf("staple.example.com", must_staple=True, ocsp_url="https://ocsp.example.com/")
    what, text = shown(staple.chain_file)
    first, second = what["certificates"]
    expect_equal((first["subject"], first["issuer"]), ("CN=staple.example.com", "CN=intermediate ec"), "names")
    expect_equal(int(first["serial"], 16), staple.cert.serial_number, "serial")
    expect_equal((first["must_staple"], first["is_ca"], first["issuer_in_file"]), (True, False, True), "first")
    expect_equal(first["ocsp_urls"], ["https://ocsp.example.com/"], "URLs")
    expect_equal((first["not_before"], first["not_after"]), (rfc3339(days=-1), rfc3339(days=90)), "validity")
    expect_equal(first["sha256"], staple.cert.fingerprint(hashes.SHA256()).hex(), "fingerprint")
    expect_equal(finding_ids(first), ["url-not-http"], "findings")
    expect_equal((second["is_ca"], second["must_staple"], second["issuer_in_file"]), (True, False, False), "second")
    expect_in("certificate 2\n", text, "text")
    expect_match(r"^ +must staple +yes$", text, "text")


@case
def shows_a_must_staple_that_names_no_responder():
    what, _ = shown(pki.leaf("mute.example.com", must_staple=True).cert_file)
    expect_equal(sorted(finding_ids(what["certificates"][0])), ["must-staple-without-url", "no-url"], "findings")
    what, _ = shown(pki.root.cert_file)
    expect_equal((finding_ids(what["certificates"][0]), what["certificates"][0]["self_issued"]), ([], True), "a root")


@case
def shows_der_and_standard_input_and_skips_keys():
    for data in (leaf.cert.public_bytes(DER), leaf.pem, open(leaf.key_file, "rb").read() + leaf.pem):
        done = clinch("show", "--json", "-", input=data)
        expect_equal((done.rc, [c["subject"] for c in done.json["certificates"]]), (0, ["CN=www.example.com"]), "shown")
        expect_not_in("PRIVATE", done.out, "the key")


@case
def names_of_strangers_cannot_speak_to_the_terminal():
    what, text = shown(strange_certificate("\x1b[31mred\x07\u202e\u2028x").cert_file)
    expect_in("�", what["certificates"][0]["subject"], "what stands instead")
    expect_in("red", text, "the rest")


# --- what is none of these ---------------------------------------------------------------------------------------------------------


def request_to_sign():
    builder = x509.CertificateSigningRequestBuilder().subject_name(leaf.cert.subject)
    return builder.sign(leaf.key, hashes.SHA256())


def crl():
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.cert.subject)
    return builder.last_update(pki.now).next_update(pki.now + timedelta(days=1)).sign(issuer.key, hashes.SHA256())


def key_der(form):
    return leaf.key.private_bytes(DER, form, serialization.NoEncryption())


NOT_UNDERSTOOD = {
    # sentence: (bytes, words)
    "nothing": (lambda: b"", "nothing"),
    "html": (lambda: b"\r\n<!doctype html>\n<html></html>", "an HTML page"),
    "text": (lambda: b"not a response\n", "text"),
    "base64": (lambda: openssl("enc", "-base64", "-in", response()).raw_out, "base64"),
    "a_key_in_pem": (lambda: open(leaf.key_file, "rb").read(), "a private key"),
    "a_key_in_pkcs8": (lambda: key_der(serialization.PrivateFormat.PKCS8), "a private key"),
    "a_key_in_sec1": (lambda: key_der(serialization.PrivateFormat.TraditionalOpenSSL), "a private key"),
    "a_signing_request_in_pem": (lambda: request_to_sign().public_bytes(PEM), "a certificate signing request"),
    "a_signing_request_in_der": (lambda: request_to_sign().public_bytes(DER), "a certificate signing request"),
    "a_crl_in_pem": (lambda: crl().public_bytes(PEM), "a CRL"),
    "a_crl_in_der": (lambda: crl().public_bytes(DER), "a CRL"),
    "other_der": (lambda: b"\x30\x03\x02\x01\x07", "DER of another kind"),
    "other_pem": (lambda: b"-----BEGIN DH PARAMETERS-----\nMAo=\n-----END DH PARAMETERS-----\n", "PEM"),
    "noise": (lambda: b"\x00\x01\xff\xfe" * 20, "stop making sense at byte 0 of 80"),
    "half_a_response": (lambda: pki.response(leaf)[:150], "end too soon, after 150"),
    "a_response_and_more": (lambda: pki.response(leaf) + b"\n", "stop making sense at byte"),
    "many_zeros": (lambda: bytes(1 << 20), "not DER"),
    "deep_nesting": (lambda: b"\x30\x80" * 50000, "not DER"),
    "deep_nesting_of_definite_lengths": (lambda: nested(2000), "of another kind"),
}


def nested(depth):
    data = b""
    for _ in range(depth):
        length = len(data)
        data = b"\x30" + (bytes([length]) if length < 128 else b"\x82" + length.to_bytes(2, "big") if length > 255
                          else b"\x81" + bytes([length])) + data
    return data


def does_not_understand(make, words):
    def check():
        path = pki.write("what", make())
        what, text = shown(path, status=4)
        expect_equal(what["understood"], False, "understood")
        expect_in(words, what["detail"], "detail")
        err = clinch("show", path).err
        expect_match(r"\Aclinch show: " + path + ": .+\n\\Z", err, "stderr")
        expect_in(words, err, "stderr")
        expect_equal(clinch("show", "-", input=make()).rc, 4, "on standard input")
    return check


for sentence, row in NOT_UNDERSTOOD.items():
    add_case(f"does_not_understand_{sentence}", does_not_understand(*row))


@case
def says_that_a_file_cannot_be_read():
    big = pki.write("big", b"")
    os.truncate(big, 17 << 20)
    for path, words in (("/nonexistent/x", "No such file"), (pki.dir, "directory"), ("/dev/zero", "device"), (big, "limit")):
        done = clinch("show", path)
        expect_equal((done.rc, done.out), (1, ""), f"exit status and stdout\n{done}")
        expect_match(rf"\Aclinch show: {path}.*{words}", done.err, "stderr")


@case
def usage_is_checked():
    for args, words in (([], "which file"), (["a", "b"], "one file"), (["--format", "xml", "a"], "text json"),
                        (["--jsn", "a"], "did you mean --json")):
        done = clinch("show", *args)
        expect_equal((done.rc, done.out), (2, ""), "exit status and stdout")
        expect_in(words, done.err, "stderr")


# --- hostile bytes -----------------------------------------------------------------------------------------------------------------


def mutated(rng, seed):
    data = bytearray(seed)
    for _ in range(rng.choice([1, 1, 2, 5])):
        at = rng.randrange(len(data))
        kind = rng.randrange(5)
        if kind == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at] = rng.choice([0, 1, 0x7f, 0x80, 0x84, 0xff, 0x30])
        elif kind == 2:
            del data[at:at + rng.randrange(1, 9)]
        elif kind == 3:
            data[at:at] = data[:rng.randrange(1, 40)]
        else:
            del data[at + 1:]
        if not data:
            data = bytearray(seed)
    return bytes(data)


@case
def survives_mutated_files():
    builder = ocsp.OCSPRequestBuilder().add_certificate(leaf.cert, issuer.cert, hashes.SHA1())
    signer = pki.delegate(label="embedded")
    seeds = [pki.response(leaf), pki.response(leaf, signer=signer, by_key=False), pki.response(leaf, status="revoked", nonce=b"1234"),
             builder.build().public_bytes(DER), leaf.cert.public_bytes(DER), leaf.pem, pki.error_response()]
    rng = random.Random(6960)
    path = os.path.join(new_tempdir(), "mutated")
    seen = set()
    for number in range(210):
        data = mutated(rng, seeds[number % len(seeds)])
        with open(path, "wb") as f:
            f.write(data)
        done = clinch("show", *(["--json"] if number % 2 else []), path)
        expect(done.rc in (0, 4), f"run {number}: exit status {done.rc} of {data.hex()}\n{done}")
        expect_clean(done)
        if number % 2:
            expect_equal(done.json["verified"], False, "verified")
        seen.add(done.rc)
    expect_equal(seen, {0, 4}, "exit statuses that were seen")


@case
def a_long_url_is_shown_whole():
    what, _ = shown(pki.leaf("wide.example.com", ocsp_url="http://" + "a" * 3000).cert_file)
    expect_equal(len(what["certificates"][0]["ocsp_urls"][0]), 3007, "length of the URL")


main()
