# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each single byte of a request changed: no crash, and a success only for the certificate that was asked about, with its status."""
import base64
import re
import urllib.parse

import ask
import told
from cryptography.exceptions import InvalidSignature
from harness import Failed, case, expect, expect_equal, main
from mutants import Scene, mutants, of_the_serial, values
from respond import SOAK, Respond
from talk import Closed, Talk, get

SHOWN = 12  # of what was wrong
scene = Scene()
responder = None


def running():
    global responder
    responder = responder or Respond(scene.conf).stay()
    return responder


def expect_none(wrong):
    expect(not wrong, f"{len(wrong)} of them:\n" + "\n".join(wrong[:SHOWN]))


def alive():
    for request in scene.requests.values():
        with Talk(running().address) as talk:
            expect_equal(scene.ask_all(talk, [("unchanged", request)]), ({"successful": 1}, []), "the request unchanged")


@case
def each_byte_of_requests_by_POST():
    for name, request in scene.requests.items():
        messages = list(mutants(name, request, every=SOAK))  # a connection that asks nothing has two seconds
        with Talk(running().address) as talk:
            counts, wrong = scene.ask_all(talk, messages)
        expect_none(wrong)
        expect(counts.get("successful", 0) > 50 and counts["malformedRequest"] > 100 and counts["unauthorized"] > 100,
               f"the changes of {name} do not try much: {counts}")
    alive()


@case
def each_value_of_each_byte_of_the_serial():
    messages = list(of_the_serial(scene))
    with Talk(running().address) as talk:
        counts, wrong = scene.ask_all(talk, messages)
    expect_none(wrong)
    expect_equal(counts, {"successful": len(messages)}, "outcomes")
    expect(len(messages) > 1900, f"only {len(messages)} serials")


@case
def each_length_it_may_be_cut_to():
    with Talk(running().address) as talk:
        for name, request in scene.requests.items():
            cuts = [(f"{name}, {size} bytes of it", request[:size]) for size in range(len(request))]
            counts, wrong = scene.ask_all(talk, cuts)
            expect_none(wrong)
            expect_equal(counts, {"malformedRequest": len(cuts)}, "outcomes")


def decoded(line):
    """What the path of a GET's first line says, read by rules of our own; None: nothing."""
    found = re.match(rb"GET (?:http://[^/ ]*)?(/[^ ?#]*)", line)
    if not found:
        return None
    text = re.sub(r"[^A-Za-z0-9+/]", lambda m: {"-": "+", "_": "/"}.get(m.group(0), ""), urllib.parse.unquote(found.group(1).decode("latin-1")))
    texts = [text[at:] for at in range(len(text)) if at == 0 or text[at - 1] == "/"]
    return [base64.b64decode(t + "=" * (-len(t) % 4)) for t in texts if len(t) % 4 != 1]


def judge_http(sent, talk):
    """One answer or an end. A success is for a CertID that the path has."""
    try:
        answer = talk.read()
    except Closed:
        return "closed"
    if answer.status != 200 or answer.field("content-type") != "application/ocsp-response":
        return str(answer.status)
    response = told.Told(answer.body)
    for single in response.singles:
        expect(any(single.cert_id in whole for whole in decoded(sent) or []), "an answer about another certificate")
        expect_equal(single.status, scene.true_status(single.cert_id), "status")
        response.check_signature(scene.delegate.cert)
    return response.outcome


@case
def each_byte_of_a_GET():
    message = get(ask.path_escaped(scene.requests["the smallest"]))
    counts, wrong = {}, []
    for at, byte in enumerate(message):
        for value in values(byte)[::2]:
            changed = message[:at] + bytes([value]) + message[at + 1:]
            with Talk(running().address) as talk:
                try:
                    talk.send(changed).half_close()
                    outcome = judge_http(changed, talk)
                    counts[outcome] = counts.get(outcome, 0) + 1
                except (Failed, told.Wrong, InvalidSignature) as failed:
                    wrong.append(f"byte {at} is {value:#04x}: {failed}")
    expect_none(wrong)
    expect(counts.get("400", 0) > 50 and counts.get("successful", 0) > 50, f"the changes do not try much: {counts}")
    alive()


@case
def it_ends_well():
    running().stop_well()


main()
