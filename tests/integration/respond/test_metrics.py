# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a responder tells of itself: numbers that agree with what was asked, health, and a log that says what changed."""
import json
import os
import re
import shutil

import ask
from cryptography.hazmat.primitives import hashes
from harness import case, expect, expect_equal, expect_in, free_port, main, new_tempdir, run, skip, source_path, wait_for
from issuer import DAY_S, Ca, Index, write
from respond import Respond, authority, configuration
from talk import exchange, get, post

GOOD, REVOKED, NEVER = 0x1001, 0x1002, 0x7001


class Scene:
    def __init__(self):
        self.ca = Ca(new_tempdir(), "ours")
        self.delegate = self.ca.delegate()
        self.index = Index(os.path.join(self.ca.dir, "index.txt")).add("V", GOOD).add("R", REVOKED).save()
        self.place = ("127.0.0.1", free_port())
        entry = authority(self.ca, self.delegate, index=self.index.path)
        self.one = Respond(configuration(entry, more=f"metrics_listen: 127.0.0.1:{self.place[1]}"))

    def __enter__(self):
        self.one.__enter__()
        return self

    def __exit__(self, *what):
        self.one.__exit__(*what)

    def page(self, path, status=200):
        answer = exchange(self.place, get(path, "Connection: close"))
        expect_equal(answer.status, status, f"status of {path}\n{answer}")
        return answer.body.decode()

    def value(self, name):
        """Of a metric with its labels, as Prometheus writes them; None: it is not there."""
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.page("/metrics"), re.M)
        return float(found.group(1)) if found else None

    def count(self, answer):
        return self.value(f'clinch_responses_total{{answer="{answer}"}}')

    def request(self, serial, **more):
        return ask.request(ask.cert_id(self.ca, serial), **more)


@case
def each_answer_is_counted_by_what_it_was():
    with Scene() as scene:
        several = ask.request(ask.cert_id(scene.ca, GOOD), ask.cert_id(scene.ca, REVOKED))
        tag = exchange(scene.one.address, get(ask.path_escaped(scene.request(GOOD)))).field("etag")
        asked = {"good": [post(scene.request(GOOD)), get(ask.path_escaped(scene.request(GOOD))), post(scene.request(GOOD, extensions=[ask.nonce(8)]))],
                 "revoked": [post(scene.request(REVOKED))], "unauthorized": [post(scene.request(NEVER))] * 3,
                 "malformed_request": [post(b"x"), post(b"")], "several": [post(several)],
                 "not_modified": [get(ask.path_escaped(scene.request(GOOD)), f"If-None-Match: {tag}")], "health": [get("/")],
                 "http_error": [get("/MEow!")]}
        before = {answer: scene.count(answer) for answer in asked}
        for messages in asked.values():
            for data in messages:
                exchange(scene.one.address, data)
        after = {answer: scene.count(answer) for answer in asked}
        expect_equal({a: after[a] - before[a] for a in asked}, {a: len(messages) for a, messages in asked.items()}, "counted")


@case
def the_page_is_one_that_Prometheus_reads():
    with Scene() as scene:
        exchange(scene.one.address, post(scene.request(GOOD)))
        page = scene.page("/metrics")
        for name in ("clinch_source_age_seconds", "clinch_sign_queue", "clinch_connections", "clinch_build_info"):
            expect_in(f"\n# TYPE {name} ", "\n" + page, "metrics")
        if shutil.which("promtool"):
            done = run(["promtool", "check", "metrics"], input=page)
            expect_equal((done.rc, done.out), (0, ""), f"promtool\n{done}")
        end = re.search(r"^clinch_signer_end_timestamp_seconds\{[^}]*\} (\S+)$", page, re.M)
        expect_equal(float(end.group(1)), scene.delegate.until, "end of the signer")
        age = re.search(r"^clinch_source_age_seconds\{[^}]*\} (\S+)$", page, re.M)
        expect(0 <= float(age.group(1)) < DAY_S, f"age of the source: {age.group(0)}")


@case
def the_alerts_use_what_is_there_and_fire_when_they_should():
    alerts = source_path("examples", "prometheus", "alerts-respond.yml")
    with open(alerts, encoding="utf-8") as f:
        used = set(re.findall(r"clinch_\w+", f.read()))
    expect(len(used) >= 4, f"only these names were found: {used}")
    with Scene() as scene:
        expect_equal(used - set(re.findall(r"^# TYPE (\w+) ", scene.page("/metrics"), re.M)), set(), "names that are no metrics")
    if not shutil.which("promtool"):
        skip("there is no promtool")
    for words in (["check", "rules", alerts], ["test", "rules", alerts.replace(".yml", "_test.yml")]):
        done = run(["promtool", *words])
        expect_equal(done.rc, 0, f"promtool\n{done}")


@case
def health_and_status_are_there():
    with Scene() as scene:
        scene.page("/livez")
        scene.page("/readyz")
        expect_in("ours CA", scene.page("/status.json"), "status")
        scene.page("/nothing", 404)


@case
def what_is_refused_is_seen_until_it_is_good_again():
    with Scene() as scene:
        for name, kind, path in (("clinch_source_refused", "source_refused", scene.index.path),
                                 ("clinch_signers_refused", "signers_refused", scene.delegate.cert_file)):
            gauge = f'{name}{{authority="CN=ours CA"}}'
            expect_equal(scene.value(gauge), 0, gauge)
            with open(path, "rb") as f:
                good = f.read()
            for mend in (lambda: None, scene.one.hup):  # the file is seen, or all of it is read
                write(path, b"nonsense\n")
                wait_for(lambda: scene.value(gauge) == 1, 5, f"{gauge} to be 1")
                expect_in(path, json.loads(scene.page("/status.json"))["authorities"][0][kind], kind)
                write(path, good)
                mend()
                wait_for(lambda: scene.value(gauge) == 0, 5, f"{gauge} to be 0")
                expect_equal(json.loads(scene.page("/status.json"))["authorities"][0][kind], None, kind)


@case
def CAs_of_one_name_are_told_apart():
    entries, names, place = [], [], ("127.0.0.1", free_port())
    for ca in (Ca(new_tempdir(), "ours"), Ca(new_tempdir(), "ours")):  # each has its key
        index = Index(os.path.join(ca.dir, "index.txt")).add("V", GOOD).save()
        entries.append(authority(ca, ca.delegate(), index=index.path))
        names.append(f"CN=ours CA ({ca.cert.fingerprint(hashes.SHA256()).hex()[:8]})")
    with Respond(configuration(*entries, more=f"metrics_listen: 127.0.0.1:{place[1]}")):
        page = exchange(place, get("/metrics", "Connection: close")).body.decode()
        expect_equal(re.findall(r'^clinch_source_serials\{authority="([^"]*)"', page, re.M), names, "labels")
        status = json.loads(exchange(place, get("/status.json", "Connection: close")).body)
        expect_equal([one["name"] for one in status["authorities"]], names, "names")


@case
def the_log_says_what_changed_and_not_what_was_asked():
    with Scene() as scene:
        wait_for(lambda: scene.one.events("ready"), 5, "ready")
        lines = scene.one.mark()
        for _ in range(200):
            exchange(scene.one.address, post(scene.request(GOOD)))
            exchange(scene.one.address, post(b"x"))
            exchange(scene.one.address, get("/MEow!"))
        expect(scene.one.mark() - lines < 10, f"{scene.one.mark() - lines} lines about 600 requests")
        scene.index.set("R", GOOD).save()
        scene.one.wait_said("loaded", "ours CA", since=lines)
        with open(scene.delegate.key_file, encoding="ascii") as f:
            key = f.read().split("\n")[1]
        expect(key not in scene.one.process.log_text(), "the key is in the log")


main()
