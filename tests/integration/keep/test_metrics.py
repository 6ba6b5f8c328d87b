# SPDX-License-Identifier: LGPL-2.1-or-later
"""/metrics, /status.json, /livez and /readyz, the page for people, and the alerts that go with them."""
import base64
import hashlib
import html.parser
import http.client
import json
import os
import re
import shutil
import socket
import time

from authority import Authority
from harness import case, expect, expect_equal, expect_in, free_port, main, new_tempdir, run, skip, source_path, wait_for
from scene import Keep, put, until

NAMES = {"clinch_build_info", "clinch_certificates", "clinch_staple_soonest_expiry_timestamp_seconds", "clinch_fetch_total",
         "clinch_fetch_seconds", "clinch_staple_expiry_timestamp_seconds", "clinch_staple_this_update_timestamp_seconds",
         "clinch_fetch_failures_in_a_row", "clinch_certificate_state"}


class Metrics:
    """A keeper with metrics at a port of its own choice."""

    def __init__(self, *certificates, each="troubled", settings="ready_timeout: 60s", listen="127.0.0.1:0"):
        self.keep = Keep(*certificates, settings=settings, more=f"metrics: {{ listen: \"{listen}\", per_certificate: {each} }}\n")
        self.keep.start(seconds=120)
        with open(self.keep.ready) as f:
            self.address = f.read().strip()
        self.host, self.port = self.address.rsplit(":", 1)

    def connect(self):
        return socket.create_connection((self.host.strip("[]"), int(self.port)), timeout=20)

    def ask(self, path, method="GET"):
        """Status, headers and text."""
        connection = http.client.HTTPConnection(self.host.strip("[]"), int(self.port), timeout=10)
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()

    def values(self):
        """{series: value} of /metrics."""
        status, headers, text = self.ask("/metrics")
        expect_equal((status, headers["Content-Type"]), (200, "text/plain; version=0.0.4; charset=utf-8"), "status and type")
        rows = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
        expect_equal(len({series for series, _ in rows}), len(rows), "series, each once")
        return {series: float(value) for series, value in rows}


def chain(ca, *names):
    where = new_tempdir()
    leaves = [ca.leaf(name) for name in names]
    for leaf in leaves:
        put(leaf, os.path.join(where, f"{leaf.label}.pem"))
    return where, leaves


@case
def numbers_are_what_the_keeper_holds_and_did():
    with Authority() as ca:
        where, (good, dead) = chain(ca, "good.example.org", "dead.example.org")
        ca.mode[dead.serial] = 503
        metrics = Metrics(where, each="all")
        values = metrics.values()
        expect_equal({s: values[f'clinch_certificates{{state="{s}"}}'] for s in ("missing", "good", "revoked", "expired")},
                     {"missing": 1, "good": 1, "revoked": 0, "expired": 0}, "certificates by state")
        expect_equal(values["clinch_staple_soonest_expiry_timestamp_seconds"], until(metrics.keep.held(good)), "soonest expiry")
        expect_equal(values['clinch_fetch_total{outcome="ok",phase="verify"}'], 1, "fetches that went well")
        expect_equal(values['clinch_fetch_total{outcome="http-server-error",phase="http"}'], 1, "fetches that did not")
        expect_equal((values["clinch_fetch_seconds_count"], values['clinch_fetch_seconds_bucket{le="+Inf"}']), (2, 2), "fetches timed")
        label = re.escape('certificate="good.example.org",fingerprint="') + "[0-9a-f]{16}\""
        expiry = next(v for s, v in values.items() if re.fullmatch(r"clinch_staple_expiry_timestamp_seconds\{" + label + r"\}", s))
        expect_equal(expiry, until(metrics.keep.held(good)), "expiry of one")
        states = {s[-10:]: v for s, v in values.items() if s.startswith("clinch_certificate_state{") and "dead" in s}
        expect_equal(sorted(states.values()), [0, 0, 0, 1], "the states of the other")
        buckets = [v for s, v in values.items() if s.startswith("clinch_fetch_seconds_bucket")]
        expect_equal(buckets, sorted(buckets), "buckets, each with those before it")


@case
def per_certificate_settles_who_has_rows():
    with Authority() as ca:
        where, (_, dead) = chain(ca, "good.example.org", "dead.example.org")
        ca.mode[dead.serial] = 503
        for each, shown in (("all", {"good", "dead"}), ("troubled", {"dead"}), ("none", set())):
            metrics = Metrics(where, each=each)
            expect_equal(set(re.findall(r'certificate="(\w+)\.', " ".join(metrics.values()))), shown, f"certificates with {each}")
            metrics.keep.stop()


@case
def every_name_is_one_that_is_fixed_and_has_help_and_type():
    with Authority() as ca:
        where, _ = chain(ca, "good.example.org")
        _, _, text = Metrics(where, each="all").ask("/metrics")
        for kind in ("HELP", "TYPE"):
            expect_equal(set(re.findall(rf"^# {kind} (\S+)", text, re.M)), NAMES, kind)
        if shutil.which("promtool"):
            done = run(["promtool", "check", "metrics"], input=text.encode())
            expect_equal(done.rc, 0, f"promtool's exit status: {done.out}{done.err}")


@case
def livez_readyz_status_json_and_nothing_else():
    with Authority() as ca:
        where, _ = chain(ca, "good.example.org")
        metrics = Metrics(where)
        for path, status in (("/livez", 200), ("/readyz", 200), ("/", 200), ("//", 404), ("/metrics/", 404), ("/livez%00x", 404), ("/%6civez", 404)):
            expect_equal(metrics.ask(path)[0], status, f"status of {path}")
        expect_equal(metrics.ask("/nothing")[2], "/ /metrics /status.json /livez /readyz\n", "what is there instead")
        expect_in("<title>clinch: 1 certificate</title>", metrics.ask("/")[2], "the page")
        status, headers, text = metrics.ask("/status.json")
        expect_equal((status, headers["Content-Type"]), (200, "application/json"), "status and type of /status.json")
        expect_in('"schema":"clinch-status-1"', text, "/status.json")
        status, headers, text = metrics.ask("/metrics", "HEAD")
        expect_equal((status, text), (200, ""), "HEAD")
        for method in ("POST", "PUT", "DELETE", "OPTIONS"):
            status, headers, _ = metrics.ask("/metrics", method)
            expect_equal((status, headers["Allow"]), (405, "GET, HEAD"), method)


@case
def status_json_comes_in_pieces_with_each_certificate_once():
    with Authority() as ca:
        ca.pki.new_key = lambda kind=None, key=ca.pki.new_key(): key
        where, leaves = chain(ca, *(f"h{i}.example.org" for i in range(400)))
        metrics = Metrics(where)
        status, headers, text = metrics.ask("/status.json")
        expect_equal((status, headers["Content-Type"], headers["Transfer-Encoding"]), (200, "application/json", "chunked"), "head")
        expect_equal(sorted(row["name"] for row in json.loads(text)["certificates"]), sorted(f"{leaf.label}" for leaf in leaves), "names")
        slow = [metrics.connect() for _ in range(20)]
        for connection in slow:
            connection.sendall(b"GET /status.json HTTP/1.1\r\nHost: x\r\n\r\n")
        expect_equal(metrics.ask("/livez")[0], 200, "status of another while twenty do not read theirs")
        for connection in slow:
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            expect_equal(len(json.loads(answer.read())["certificates"]), 400, "certificates in the answer to one that reads late")


# --- the page ---------------------------------------------------------------------------------------------------------------------


class Page(html.parser.HTMLParser):
    """What a browser would find in it."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.rows, self.style, self.links, self.at = set(), [], [], "", [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.at = tag
        if tag == "tr":
            self.rows.append("")
        self.links += [value for key, value in attrs if key in ("src", "href", "action", "style") or key.startswith("on")]

    def handle_data(self, data):
        if self.at == "style" and not self.style:
            self.style = data
            return
        self.texts.append(data)
        if self.rows:
            self.rows[-1] += data + " "


@case
def the_page_has_what_status_has_with_trouble_first():
    with Authority() as ca:
        where, (_, dead, gone) = chain(ca, "good.example.org", "dead.example.org", "gone.example.org")
        ca.mode[dead.serial] = 503
        ca.mode[gone.serial] = "revoked"
        metrics = Metrics(where)
        status, headers, text = metrics.ask("/")
        page = Page(text)
        expect_equal((status, headers["Content-Type"]), (200, "text/html; charset=utf-8"), "status and type")
        expect_in("3 certificates: 1 good, 1 missing, 1 revoked", "".join(page.texts), "the page")
        expect_equal([row.split()[:2] for row in page.rows[1:]],
                     [["revoked", "gone.example.org"], ["missing", "dead.example.org"], ["good", "good.example.org"]], "rows")
        expect_in("1 failure in a row: http: ", page.rows[2], "the row of the one that failed")
        expect_in("left", page.rows[3], "the row of the good one")
        expect("meter" in page.tags, "a life is shown as a bar")
        expect_equal(metrics.ask("/", "HEAD")[2], "", "the body of HEAD")


@case
def the_page_takes_nothing_from_elsewhere_and_lets_nothing_run():
    with Authority() as ca:
        where = new_tempdir()
        inner = os.path.join(where, '<img src=x onerror="alert(1)">&\'')
        os.mkdir(inner)
        leaf = ca.leaf('<script>alert(1)<script>"\'&.example.org', label="evil")
        put(leaf, os.path.join(inner, "a.pem"))
        ca.mode[leaf.serial] = 503
        status, headers, text = Metrics(f"{where}/*/a.pem").ask("/")
        page = Page(text)
        expect_equal(status, 200, "status")
        expect_equal(page.tags & {"script", "img", "link", "iframe", "object", "form", "base"}, set(), "tags that have no place there")
        expect_equal(page.links, [], "what leads elsewhere")
        expect_in("<script>alert(1)<script>", "".join(page.texts), "the name as text")
        expect_in("<img src=x onerror=", "".join(page.texts), "the path as text")
        hashed = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
        expect_equal(headers["Content-Security-Policy"],
                     f"default-src 'none'; style-src 'sha256-{hashed}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
                     "Content-Security-Policy")
        expect_equal((headers["X-Content-Type-Options"], headers["Cache-Control"]), ("nosniff", "no-store"), "other headers")


@case
def the_page_shows_a_thousand_and_says_how_many_more():
    with Authority() as ca:
        ca.pki.new_key = lambda kind=None, key=ca.pki.new_key(): key
        where, leaves = chain(ca, *(f"h{i}.example.org" for i in range(1003)))
        ca.mode[leaves[500].serial] = 503
        page = Page(Metrics(where, settings="ready_timeout: 10m").ask("/")[2])
        expect_equal(len(page.rows), 1 + 1000 + 1, "rows: a head, a thousand, and one that says")
        expect_in(f"missing h500.example.org", page.rows[1], "the first row")
        expect_in("and 3 more", page.rows[-1], "the last row")


@case
def readyz_is_503_until_it_is_ready():
    with Authority() as ca:
        where, (leaf,) = chain(ca, "hang.example.org")
        ca.mode[leaf.serial] = "hang"
        number = free_port()
        keep = Keep(where, settings="ready_timeout: 10m", more=f"metrics: {{ listen: \"127.0.0.1:{number}\" }}\n")
        keep.start(wait=False)
        metrics = Metrics.__new__(Metrics)
        metrics.keep, metrics.host, metrics.port = keep, "127.0.0.1", number

        def status_of(path):
            try:
                return metrics.ask(path)[0]
            except ConnectionRefusedError:
                return None

        wait_for(lambda: status_of("/livez") == 200, 5, "livez")
        expect_equal(status_of("/readyz"), 503, "readyz before")
        ca.over.set()  # it does not hang any longer, and says nothing
        wait_for(lambda: status_of("/readyz") == 200, 10, "readyz")


@case
def a_slow_request_is_cut_at_its_deadline_and_hangs_nobody():
    with Authority() as ca:
        where, _ = chain(ca, "good.example.org")
        metrics = Metrics(where)
        slow, silent = metrics.connect(), metrics.connect()
        began = time.monotonic()
        slow.sendall(b"GET /metrics HTTP/1.1\r\n")
        ended = None
        while ended is None and time.monotonic() - began < 60:
            try:
                slow.sendall(b"X")  # a byte now and then, for ever: a time-out that counts from the last one never comes
                slow.settimeout(0.5)
                ended = time.monotonic() if slow.recv(1) == b"" else None
            except socket.timeout:
                expect_equal(metrics.ask("/livez")[0], 200, "status of another meanwhile")
            except (BrokenPipeError, ConnectionResetError):
                ended = time.monotonic()
        expect(ended is not None, "the slow one is cut off")
        silent.settimeout(60)
        expect_equal(silent.recv(1), b"", "what the silent one reads")


@case
def more_connections_than_it_takes_and_rubbish_are_outlived():
    with Authority() as ca:
        where, _ = chain(ca, "good.example.org")
        metrics = Metrics(where)
        for rubbish in (b"\x16\x03\x01\x02\x00\x01", b"GET " + b"/" * 100000, b"GET /metrics HTTP/1.1\r\n" + b"A: b\r\n" * 20000, b"\r\n\r\n\0"):
            connection = metrics.connect()
            try:
                connection.sendall(rubbish)
            except (BrokenPipeError, ConnectionResetError):
                pass
            connection.close()
        many = [metrics.connect() for _ in range(100)]
        for connection in many:
            connection.close()
        wait_for(lambda: metrics.ask("/livez")[0] == 200, 10, "an answer")
        expect_equal(metrics.keep.stop(), 0, "exit status")


@case
def an_address_that_is_taken_or_none_is_said_at_the_start():
    with Authority() as ca:
        where, _ = chain(ca, "good.example.org")
        metrics = Metrics(where, listen="[::1]:0")
        expect(metrics.address.startswith("[::1]:"), f"the address is {metrics.address}")
        expect_equal(metrics.ask("/livez")[0], 200, "status over IPv6")
        for listen, words in ((metrics.address, "cannot be listened on"), ("localhost:0", "wants an address and a port")):
            keep = Keep(where, more=f"metrics: {{ listen: \"{listen}\" }}\n").start(wait=False)
            expect_equal(keep.process.wait(), 2, f"exit status with {listen}")
            expect_in(words, keep.process.log_text(), "what is said")


@case
def the_alerts_use_these_names_and_fire_when_they_should():
    alerts = source_path("examples", "prometheus", "alerts.yml")
    with open(alerts, encoding="utf-8") as f:
        used = {re.sub(r"_(bucket|sum|count)$", "", name) for name in re.findall(r"clinch_\w+", f.read())}
    expect(len(used) >= 5, f"only these names were found: {used}")
    expect_equal(used - NAMES, set(), "names that are no metrics")
    if not shutil.which("promtool"):
        skip("there is no promtool")
    done = run(["promtool", "check", "rules", alerts])
    expect_equal(done.rc, 0, f"promtool's exit status: {done.out}{done.err}")
    done = run(["promtool", "test", "rules", source_path("examples", "prometheus", "alerts_test.yml")])
    expect_equal(done.rc, 0, f"promtool's exit status for the tests: {done.out}{done.err}")


main()
