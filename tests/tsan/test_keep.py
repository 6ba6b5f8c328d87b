# SPDX-License-Identifier: LGPL-2.1-or-later
"""`clinch keep` under ThreadSanitizer: hundreds of certificates, libcurl's and libuv's threads that resolve names, reloads, a store
that loses files, responders that fail, and questions on all its ways."""
import base64
import hashlib
import http.client
import itertools
import json
import os
import random
import shutil
import signal
import socket
import sys

sys.path.insert(0, os.path.join(os.environ["CLINCH_SOURCE"], "tests/integration/keep"))
from authority import Authority  # noqa: E402
from harness import case, expect, expect_equal, main, new_tempdir, start, wait_for  # noqa: E402
from load import OPTIONS, Load, expect_no_race  # noqa: E402
from scene import NO_PROXY, Keep, put  # noqa: E402

KEPT = 300
LIFE_S = 8  # each is asked for about every four seconds
FAULTS = ("good", "good", "try-later", "unauthorized", "revoked", "same", 500, 404, b"", b"\x30\x03abc")


class Busy(Keep):
    """As its like, with less in its log and other limits; `turn` settles what a reload changes."""

    turn = 0

    def configure(self, *certificates):
        outputs = os.path.join(self.dir, "out")
        os.makedirs(outputs, exist_ok=True)
        entries = "".join(f"    - {{ path: {json.dumps(c)}, on_revoked: {('serve', 'drop')[self.turn % 2]} }}\n" for c in certificates)
        run = ("", "    - { run: [ /bin/true ], after: 20ms, at_most_every: 50ms }\n")[self.turn % 2]
        with open(self.conf + ".new", "w", encoding="ascii") as f:
            f.write(f"""store: {self.store}
log: {{ format: json, level: {("warning", "info")[self.turn % 3 == 0]} }}
fetch: {{ proxy: none, timeout: 2s, connect_timeout: 1s, per_responder: 16 }}
metrics: {{ listen: "127.0.0.1:0", per_certificate: all }}
keep:
  socket: {self.dir}/keep.sock
  ready_timeout: 5s
  rescan: {1 + self.turn % 2}s
  outputs:
    - {{ der: "{outputs}/{{fingerprint}}.der" }}
    - {{ pem: "{outputs}/{{name}}.{self.turn % 2}.pem" }}
{run}  certificates:
{entries}""")
        os.replace(self.conf + ".new", self.conf)

    def metrics_address(self):
        with open(self.ready, encoding="ascii") as f:
            host, port = f.read().strip().rsplit(":", 1)
        return host, int(port)

    def ask(self, *questions):
        """The answers of the socket, one connection for all."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(20)
            line.connect(os.path.join(self.dir, "keep.sock"))
            line.sendall(b"".join(json.dumps(q).encode() + b"\n" for q in questions))
            with line.makefile("rb") as file:
                return [json.loads(file.readline()) for _ in questions]



def responders(ca, i):
    """Every seventh has a name first that is looked up in vain (RFC 6761 6.4), by a thread of libcurl's and one of libuv's."""
    return ["http://none.invalid/", ca.url] if i % 7 == 0 else ca.url


def asks_for_all(keep):
    answer = keep.ask({"ask": "status"}, {"ask": "status", "name": "h7.example.org"})
    expect(len(answer[0]["certificates"]) >= KEPT // 2, f"{len(answer[0]['certificates'])} certificates")


def puts(keep, ca, leaves):
    leaf = random.choice(leaves)
    answer = keep.ask({"ask": "put", "fingerprint": hashlib.sha256(leaf.der).hexdigest(),
                       "response": base64.b64encode(ca.sign(leaf)).decode()})[0]
    expect("schema" in answer, f"the answer is {answer}")


def gets(address, path, part):
    connection = http.client.HTTPConnection(*address, timeout=20)
    connection.request("GET", path)
    answer = connection.getresponse()
    expect(part in answer.read() and answer.status == 200, f"{path} says {answer.status}")
    connection.close()


def looks_at_the_page(address):
    gets(address, "/", b"</table>")


def looks_at_the_status(address):
    gets(address, "/status.json", b"clinch-status-1")


def scrapes(address):
    gets(address, "/metrics", b"clinch_fetch_seconds_count")


def leaves_early(keep, address):
    """In the middle of a long answer, on both ways."""
    for family, at, question in ((socket.AF_UNIX, os.path.join(keep.dir, "keep.sock"), b'{"ask":"status"}\n' * 3),
                                 (socket.AF_INET, address, b"GET /status.json HTTP/1.1\r\nHost: x\r\n\r\n" * 2)):
        with socket.socket(family) as line:
            line.settimeout(5)
            line.connect(at)
            line.sendall(question)
            line.recv(random.randrange(1, 200))


def fails_and_mends(ca, leaves):
    for leaf in random.sample(leaves, 20):
        ca.mode[leaf.serial] = random.choice(FAULTS)


def loses_files(keep):
    names = os.listdir(keep.store)
    for name in random.sample(names, min(5, len(names))):
        if name.endswith(".der"):
            os.unlink(os.path.join(keep.store, name))


def loses_the_store(keep):
    shutil.rmtree(keep.store, ignore_errors=True)
    wait_for(lambda: os.path.isdir(keep.store), 20, "a store made anew")


def renews(where, leaves):
    """A file goes and comes back, and another one gets a new certificate's place."""
    leaf = random.choice(leaves)
    path = os.path.join(where, leaf.label + ".pem")
    os.unlink(path)
    put(random.choice(leaves), path)
    put(leaf, path)


@case
def keep_has_no_race_under_load_with_reloads_faults_and_questions():
    with Authority() as ca:
        ca.pki.new_key = lambda kind=None, key=ca.pki.new_key(): key
        ca.life_s = LIFE_S
        where, turns = new_tempdir(), itertools.count(1)
        leaves = [ca.leaf(f"h{i}.example.org", ocsp_url=responders(ca, i)) for i in range(KEPT)]
        for leaf in leaves:
            put(leaf, os.path.join(where, leaf.label + ".pem"))
        keep = Busy(where)
        keep.ready = os.path.join(keep.dir, "ready")
        keep.process = start(keep.argv("--ready-file", keep.ready), env={**NO_PROXY, **OPTIONS})
        wait_for(lambda: os.path.exists(keep.ready), 60, "the ready file")
        address = keep.metrics_address()

        def reloads():
            keep.turn = next(turns)
            keep.configure(where)
            keep.process.popen.send_signal(signal.SIGHUP)
            text = f"out/{{name}}.{keep.turn % 2}.pem"
            wait_for(lambda: any(row["target"].endswith(text) for row in keep.ask({"ask": "status"})[0]["outputs"]), 30, "a reload")

        load = Load()
        load.start(asks_for_all, keep)
        load.start(puts, keep, ca, leaves, pause=0.02)
        load.start(looks_at_the_page, address, pause=0.2)
        load.start(looks_at_the_status, address)
        load.start(scrapes, address, pause=0.2)
        load.start(leaves_early, keep, address, pause=0.01)
        load.start(fails_and_mends, ca, leaves, pause=0.1)
        load.start(loses_files, keep, pause=0.3)
        load.start(loses_the_store, keep, pause=3)
        load.start(renews, where, leaves, pause=0.1)
        load.start(reloads, pause=0.5)
        before = sum(ca.times.values())
        load.join()
        print(f"# {sum(ca.times.values()) - before} questions to the responder", flush=True)
        expect(sum(ca.times.values()) - before > KEPT, "hardly anything was fetched")
        expect_equal(keep.process.running(), True, "whether it runs")
        expect_no_race(keep.process)


main()
