# SPDX-License-Identifier: LGPL-2.1-or-later
"""`clinch serve` under ThreadSanitizer: clients on all its threads while staples, certificates and whole configurations change."""
import datetime
import http.client
import os
import random
import socket
import ssl
import sys
import time

sys.path.insert(0, os.path.join(os.environ["CLINCH_SOURCE"], "tests/integration/serve"))
from harness import case, expect, main, new_tempdir, wait_for  # noqa: E402
from load import OPTIONS, Load, expect_no_race  # noqa: E402
from scene import NOWHERE, SSL, Backend, Serve, Store, connect, context, echo, look, metrics_address, pki, rst_on_close  # noqa: E402

LEAVES = [pki.leaf(f"www{i}.example.org", ocsp_url=NOWHERE) for i in range(80)]  # more than one thread's share when they are loaded
OTHERS = [pki.leaf(f"www{i}.example.org", ocsp_url=NOWHERE, label=f"other{i}", kind="rsa" if i % 8 == 0 else "ec") for i in range(16)]


def talks(server):
    with connect(server, name=random.choice(LEAVES).label) as stream:
        stream.sendall(b"x" * 20000)
        got = 0
        while got < 20000:
            got += len(stream.recv(65536))


def resumes(server, made, last):
    with connect(server, name="www1.example.org", made=made, session=last.get("session")) as stream:
        stream.sendall(b"hello")
        stream.recv(10)
        last["session"] = stream.session


def shakes_hands(server):
    expect(look(server.address, name=random.choice(LEAVES).label).leaf, "no certificate")


def breaks_off(server):
    with socket.create_connection(server.address, timeout=5) as raw:
        raw.sendall(b"\x16\x03\x01\x00\x05hello"[: random.randrange(1, 9)])
        rst_on_close(raw)


def scrapes(address):
    connection = http.client.HTTPConnection(*address, timeout=10)
    connection.request("GET", "/metrics")
    expect(b"clinch_handshakes_total" in connection.getresponse().read(), "no counters")
    connection.close()


def refreshes(server, started):
    leaf = random.choice(LEAVES)
    age = datetime.timedelta(seconds=3600 - (time.monotonic() - started))
    server.store.put(leaf, pki.response(leaf, this_update=-age))


def put(paths, i, identity):
    """Each file by rename, one after the other."""
    for path, data in ((paths[i][0], identity.chain_file), (paths[i][1], identity.key_file)):
        with open(data, "rb") as f, open(path + ".new", "wb") as g:
            g.write(f.read())
        os.replace(path + ".new", path)


def renews(paths):
    """Chain and key of another certificate with the same name, and back."""
    i = random.randrange(len(OTHERS))
    put(paths, i, random.choice((LEAVES[i], OTHERS[i])))


def write_configuration(path, store, backend, paths, turn):
    certificates = "".join(f"    - {{ chain: {chain}, key: {key} }}\n" for chain, key in paths)
    with open(path + ".new", "w", encoding="ascii") as f:
        f.write(f"""store: {store.dir}
log: {{ level: {("info", "warning")[turn % 2]} }}
serve:
  listen: [ "127.0.0.1:0" ]
  backend: {backend.address}
  keeper: none
  threads: 4
  metrics_listen: 127.0.0.1:0
  proxy_protocol: none
  on_revoked: {("serve", "drop")[turn % 2]}
  limits: {{ connections: {(500, 6)[turn % 3 == 2]}, idle: 5s }}
  certificates:
{certificates}""")
    os.replace(path + ".new", path)


@case
def serve_has_no_race_under_load_with_reloads_and_refreshes():
    where, store = new_tempdir(), Store(*LEAVES, *OTHERS)
    conf = os.path.join(where, "clinch.yaml")
    paths = [(os.path.join(where, f"{i}.pem"), os.path.join(where, f"{i}.key")) for i in range(len(OTHERS))]
    for i in range(len(OTHERS)):
        put(paths, i, LEAVES[i])
    paths += [(leaf.chain_file, leaf.key_file) for leaf in LEAVES[len(OTHERS):]]
    with Backend(echo) as backend:
        write_configuration(conf, store, backend, paths, 0)
        with Serve(conf=conf, store=store, wait=False, env=OPTIONS) as server:
            server.wait_ready(60)
            load, turn, started = Load(), iter(range(1, 100000)), time.monotonic()

            def ends():
                """A reload that finds a chain before its key fails, and everything is as it was."""
                return len(server.events("reloaded")) + len(server.events("reload-failed"))

            def reloads():
                write_configuration(conf, store, backend, paths, next(turn))
                before = ends()
                server.hup()
                wait_for(lambda: ends() > before, 30, "the end of a reload")

            for work in (talks, talks, shakes_hands, shakes_hands, breaks_off):
                load.start(work, server)
            load.start(resumes, server, context(version=ssl.TLSVersion.TLSv1_2), {})
            load.start(scrapes, metrics_address(server), pause=0.2)
            load.start(refreshes, server, started, pause=0.02)
            load.start(renews, paths, pause=0.3)
            load.start(reloads, pause=0.3)
            load.join()
            expect(len(server.events("reloaded")) > 2, "hardly a reload was one")
            last = Load(SSL.Error)  # it ends under load
            for work in (talks, shakes_hands, breaks_off):
                last.start(work, server)
            wait_for(lambda: min(last.done.values()) > 0, 20, "a load")
            expect_no_race(server.process)
            last.end = 0


main()
