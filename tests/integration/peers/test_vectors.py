# SPDX-License-Identifier: LGPL-2.1-or-later
"""python3-cryptography's OCSP vectors: messages of real CAs, and broken ones.

`clinch show` and `clinch verify` have to say what docs/peers.md says, which was written by hand. The peers' cells compare what they read in
the file with what `clinch show` reads. Verification is at an instant of 2018 about the one certificate that comes with its issuer, a
pre-certificate of Let's Encrypt; responses about others have to be refused for what they are."""
import re
import warnings
from pathlib import Path

import cryptography_vectors
from cryptography.x509 import ocsp
from harness import add_case, clinch, expect_equal, main, run
from peertable import add_cell, add_closing_case, is_documented_version, rows_of

HEADING = "Vectors"
VECTORS = Path(cryptography_vectors.__file__).parent / "x509"
SUBJECT = ["--cert", VECTORS / "cryptography.io.precert.pem", "--issuer", VECTORS / "letsencryptx3.pem"]
INSTANT = "2018-09-01T12:00:00Z"
EXIT_STATUS = {"good": 0, "revoked": 3, "unknown": 6}


def summary(statuses):
    """A response's entries in a word."""
    return statuses[0] if len(statuses) == 1 else f"{len(statuses)} entries, {' and '.join(sorted(set(statuses)))}"


def requests(number):
    return "request" if number == 1 else f"request of {number}"


def is_request(path):
    return "-req" in path.name or path.name.startswith("req-")


def by_show(path):
    done = clinch("show", "--json", path)
    said = done.json
    expect_equal(done.rc, 0 if said["understood"] else 4, "exit status of clinch show")
    if not said["understood"]:
        return f"refuses ({said['reason']})" if said.get("reason") else "refuses"
    if said["kind"] == "request":
        return requests(len(said["entries"]))
    if said["response_status"] != "successful":
        return said["response_status"]
    return summary([entry["status"] for entry in said["entries"]])


def by_verify(path):
    done = clinch("verify", "--json", *SUBJECT, "--at", INSTANT, path)
    expect_equal(done.rc, EXIT_STATUS.get(done.json["verdict"], 4), "exit status of clinch verify")
    return done.json["reason"]


def by_cryptography(path):
    der = path.read_bytes()
    try:
        if is_request(path):
            request = ocsp.load_der_ocsp_request(der)
            assert request.issuer_key_hash and request.hash_algorithm
            list(request.extensions)
            return requests(1)
        response = ocsp.load_der_ocsp_response(der)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return response.response_status.name.lower()
        list(response.extensions)
        return summary([entry.certificate_status.name.lower() for entry in response.responses])
    except Exception:  # whatever it raises, it does not read it
        return "refuses"


def by_openssl(path):
    option = ["-reqin", path, "-req_text"] if is_request(path) else ["-respin", path, "-resp_text", "-noverify"]
    text = (lambda done: done.out + done.err)(run(["openssl", "ocsp", *option]))
    responder_error = re.search(r"^Responder Error: (.+) \(\d+\)$", text, re.M)
    statuses = re.findall(r"^ +Cert Status: (\w+)$", text, re.M)
    entries = len(re.findall(r"^ +Serial Number:", text, re.M))
    if responder_error:
        return responder_error[1]
    if is_request(path):
        return requests(entries) if entries else "refuses"
    return summary(statuses) if statuses else "refuses"


def add_row(path):
    def beside(theirs):
        ours = by_show(path).split(" (")[0]
        if theirs == ours:
            return "same"
        return f"differs: {theirs}" if theirs == "refuses" else f"differs: reads {theirs}"

    add_cell(HEADING, path.name, "clinch show", lambda: by_show(path), lambda: True)
    add_cell(HEADING, path.name, "clinch verify", lambda: by_verify(path), lambda: True)
    add_cell(HEADING, path.name, "python3-cryptography", lambda: beside(by_cryptography(path)),
             lambda: is_documented_version("python3-cryptography"))
    add_cell(HEADING, path.name, "openssl ocsp", lambda: beside(by_openssl(path)), lambda: is_documented_version("OpenSSL"))


def every_vector_has_its_row():
    """Of the version that the document names; a later one may have more, which then only have to be survived."""
    expect_equal(sorted(row[0] for row in rows_of(HEADING)[1:]), [path.name for path in vectors], "rows of docs/peers.md")


def survives_every_vector_of_a_later_version():
    for path in vectors:
        by_show(path)
        by_verify(path)


warnings.simplefilter("ignore")  # cryptography's, about what it reads
vectors = sorted((VECTORS / "ocsp").glob("*.der"))
documented = {row[0] for row in rows_of(HEADING)[1:]}
for each_path in vectors:
    if each_path.name in documented:
        add_row(each_path)
add_case("every_vector_has_its_row" if is_documented_version("python3-cryptography") else "survives_every_vector_of_a_later_version",
         every_vector_has_its_row if is_documented_version("python3-cryptography") else survives_every_vector_of_a_later_version)
add_closing_case(HEADING)
main()
