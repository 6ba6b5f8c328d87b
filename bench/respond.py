# SPDX-License-Identifier: LGPL-2.1-or-later
"""The responder beside nginx, cfssl's ocspserve, `openssl ocsp` and bare signatures. The servers have the first core, their clients
the last. Every certificate has a line in an index.txt; one delegate signs, as a private CA has it."""
import base64
import collections
import contextlib
import dataclasses
import datetime
import pathlib
import random
import re
import resource
import shutil
import signal
import statistics
import subprocess
import time
import urllib.parse
import urllib.request

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from front import free_port
from rows import Figure, Trouble, pin, spans
from rows_respond import (CFSSL, CFSSL_CPU, HTTP, INDEX, INDEX_MEMORY, LINE_LIMIT_B, LINES, LOAD_LIMIT_S, MANY, MEMORY_LIMIT_B, NONCE,
                          ONCE_NGINX, OPENSSL, OPENSSL_CPU, P99, PREPARE, PREPARE_CPU, PREPARE_MEMORY, PREPARED)
from world import memory_of

DER, PEM = serialization.Encoding.DER, serialization.Encoding.PEM
KEYS = {"p256": lambda: ec.generate_private_key(ec.SECP256R1()), "ed25519": ed25519.Ed25519PrivateKey.generate,
        "rsa2048": lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048)}
SIGNED_BY = {"p256": hashes.SHA256(), "ed25519": None, "rsa2048": hashes.SHA256()}
FIRST_SERIAL = 0x4100_0000_0000_0000
LIFE = datetime.timedelta(days=90)
REPETITIONS = 3
SECONDS = 1
CONNECTIONS = 16
ONCE = 8000
SIGNS = 8000
SHARE = 0.2  # of the capacity, for the rate at which prepared answers are asked for
P99_REPETITIONS = 3
P99_SECONDS = 2
NONCE_CONNECTIONS = 1280  # more than wait for a signature at most: the rest is turned away
START_S = 60


# --- what is asked about, and by whom it is signed

class Authority:
    """A CA with a delegate: FOLDER/ca.pem, signer.pem, key.pem; a leaf is asked for by its serial."""

    def __init__(self, folder, kind):
        self.folder, self.algorithm = folder, SIGNED_BY[kind]
        self.now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Clinch Bench Private CA {kind}")])
        self.key, signer_key = KEYS[kind](), KEYS[kind]()
        folder.mkdir()
        self.cert = self.certify(self.name, self.key, 1, [(x509.BasicConstraints(True, None), True)])
        signer = self.certify(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Clinch Bench Signer")]), signer_key, 2,
            [(x509.KeyUsage(True, False, False, False, False, False, False, False, False), True),
             (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), False), (x509.OCSPNoCheck(), False)])
        self.write("ca.pem", self.cert.public_bytes(PEM))
        self.write("signer.pem", signer.public_bytes(PEM))
        self.write("key.pem", signer_key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))

    def write(self, name, content):
        (self.folder / name).write_bytes(content)
        return self.folder / name

    def certify(self, subject, key, serial, extensions):
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name).public_key(key.public_key())
                   .serial_number(serial).not_valid_before(self.now - LIFE).not_valid_after(self.now + LIFE))
        for value, critical in extensions:
            builder = builder.add_extension(value, critical)
        return builder.sign(self.key, self.algorithm)

    def request(self, serial, nonce=None):
        """All have the first one's bytes but for the serial, which is eight of them."""
        leaf = self.certify(self.name, self.key, serial, [])
        builder = ocsp.OCSPRequestBuilder().add_certificate(leaf, self.cert, hashes.SHA1())
        if nonce:
            builder = builder.add_extension(x509.OCSPNonce(nonce), False)
        return builder.build().public_bytes(DER)

    def index(self, serials):
        """One in twenty is revoked."""
        until = (self.now + LIFE).strftime("%y%m%d%H%M%SZ")
        past = (self.now - LIFE / 2).strftime("%y%m%d%H%M%SZ")
        path = self.folder / "index.txt"
        with path.open("w") as file:
            for i, serial in enumerate(serials):
                file.write(f"R\t{until}\t{past},superseded\t{serial:016X}\tunknown\t/CN=host{i:07}.example\n" if i % 20 == 19 else
                           f"V\t{until}\t\t{serial:016X}\tunknown\t/CN=host{i:07}.example\n")
        return path


def posted(body, *headers):
    lines = ["POST / HTTP/1.1", "Host: localhost", "Content-Type: application/ocsp-request", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


# --- servers

class Server:
    """A process on one core (0: the first, -1: the last, None: any) that answers on its port; use as a context."""

    def __init__(self, argv, port, work, core=0):
        self.argv, self.port, self.core = [str(a) for a in argv], port, core
        if not shutil.which(self.argv[0]):
            raise Trouble(f"{self.argv[0]} is not installed")
        self.said = (work / f"said-{port}").open("w+")

    def __enter__(self):
        self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=self.said, stderr=self.said,
                                        preexec_fn=None if self.core is None else lambda: pin(self.core))
        end = time.monotonic() + START_S
        while self.process.poll() is None and time.monotonic() < end:
            if self.answers():
                return self
            time.sleep(0.005)
        self.__exit__()
        self.said.seek(0)
        raise Trouble(f"{' '.join(self.argv[:2])} did not start: {self.said.read()[-300:]}")

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.said.close()

    def answers(self):
        """By asking /proc, not the server: what one that has no time-out is connected to, it waits for."""
        wanted = f":{self.port:04X} 00000000:0000 0A "
        wanted6 = f":{self.port:04X} {'0' * 32}:0000 0A "
        return (wanted in pathlib.Path("/proc/net/tcp").read_text() or wanted6 in pathlib.Path("/proc/net/tcp6").read_text())

    def cpu(self):
        """In ns, of its threads, none of which ends meanwhile."""
        return sum(self.cpu_by_nice().values())

    def cpu_by_nice(self):
        """The threads that sign are nicer than those that answer."""
        spent = collections.Counter()
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            nice = int((task / "stat").read_text().rpartition(")")[2].split()[16])
            spent[nice] += int((task / "schedstat").read_text().split()[0])
        return spent


class Responder(Server):
    def __init__(self, bench, authority, index, *options, core=0, threads=1):
        port, self.ready = free_port(), authority.folder / f"ready-{time.monotonic_ns()}"
        argv = [bench.program("clinch"), "respond", "--listen", f"127.0.0.1:{port}", "--ca", authority.folder / "ca.pem", "--signer",
                authority.folder / "signer.pem", "--key", authority.folder / "key.pem", "--index", index, "--ready-file", self.ready,
                "--threads", threads, "--connections", 4096, "--allow-root", *options]
        super().__init__(argv, port, authority.folder, core)

    def answers(self):
        return self.ready.exists()

    def ask(self, body):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/", data=body, headers={"Content-Type": "application/ocsp-request"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read()


def nginx(work, size):
    port = free_port()
    (work / "nginx.conf").write_text(f"""daemon off; master_process off; pid {work}/nginx.pid; error_log {work}/nginx.log;
events {{ }}
http {{
    access_log off; client_body_temp_path {work}/a; proxy_temp_path {work}/b; fastcgi_temp_path {work}/c; uwsgi_temp_path {work}/d;
    scgi_temp_path {work}/e; keepalive_requests 1000000000;
    server {{
        listen 127.0.0.1:{port};
        location / {{ default_type application/ocsp-response; return 200 "{'x' * size}"; }}
    }}
}}
""")
    return Server(["nginx", "-c", work / "nginx.conf"], port, work)


def cfssl(work, der):
    port = free_port()
    (work / "responses").write_text(base64.b64encode(der).decode() + "\n")
    return Server(["cfssl", "ocspserve", "-address=127.0.0.1", f"-port={port}", f"-responses={work}/responses", "-loglevel=5"], port, work)


def openssl(authority, index):
    port, folder = free_port(), authority.folder
    return Server(["openssl", "ocsp", "-port", port, "-index", index, "-CA", folder / "ca.pem", "-rsigner", folder / "signer.pem",
                   "-rkey", folder / "key.pem", "-ndays", 4, "-ignore_err"], port, folder)


# --- load

@dataclasses.dataclass
class Load:
    cpu: float  # of the server, ns a request
    wall: float  # ns a request
    client: float = 0  # what the client had of its core


def wrk(bench, server, path="/", bodies=None):
    """Keep-alive, CONNECTIONS of them; each answer must be a 2xx."""
    argv = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}"]
    if bodies:
        argv += ["-s", str(bodies)]
    before = server.cpu()
    out = bench.run([*argv, f"http://127.0.0.1:{server.port}{path}"], preexec_fn=lambda: pin(-1))
    cpu = server.cpu() - before
    count = re.search(r"(\d+) requests in", out)
    if not count or "Non-2xx" in out or "Socket errors" in out:
        raise Trouble(f"wrk: {out[-300:]}")
    rate = float(re.search(r"Requests/sec:\s*([\d.]+)", out)[1])
    return Load(cpu / int(count[1]), 1e9 / rate)


def children_cpu():
    """In ns, of the programs that have ended."""
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (spent.ru_utime + spent.ru_stime) * 1e9


def once(bench, server, request, wanted=ONCE):
    """A connection for each request, CONNECTIONS at a time; `wanted` of the answers are OCSP's."""
    before, client = server.cpu(), children_cpu()
    wall, good = map(int, bench.run([bench.program("clinch-bench-load"), "once", server.port, ONCE, CONNECTIONS, request],
                                    preexec_fn=lambda: pin(-1)).split())
    if good != wanted:
        raise Trouble(f"{good} of {ONCE} answers were good, not {wanted}")
    return Load((server.cpu() - before) / ONCE, wall / ONCE, (children_cpu() - client) / wall)


def sign(bench, folder, calls=SIGNS, core=0):
    """Of one bare signature, with all cores at it unless it is held on one: CPU time, and wall time."""
    out = bench.run([bench.program("clinch-bench-sign"), folder / "key.pem", folder / "tbs.der", calls],
                    preexec_fn=None if core is None else lambda: pin(core))
    wall, cpu = map(int, out.split())
    return Load(cpu / calls, wall / calls)


def figure(row, pairs, unit=spans):
    """Of (ours, theirs) in turn."""
    ratios = sorted(a / b for a, b in pairs)
    ours, theirs = statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)
    return Figure(row, unit(ours), unit(theirs), (ratios[0], statistics.median(ratios), ratios[-1]))


def limited(row, value, limit, unit):
    return Figure(row, unit(value), unit(limit), (value / limit,) * 3)


def octets(n):
    return f"{n:.0f} B"


class Responses:
    """The material of one kind of key, and the requests as files; for the length of the whole bench."""

    def __init__(self, bench, kind):
        self.bench, self.kind = bench, kind
        self.folder = bench.folder / f"respond-{kind}"
        self.authority = Authority(self.folder, kind)
        self.index = self.authority.index(range(FIRST_SERIAL, FIRST_SERIAL + MANY))
        self.plain = self.authority.request(FIRST_SERIAL)
        self.nonce = self.authority.request(FIRST_SERIAL, bytes(range(16)))
        self.path = "/" + urllib.parse.quote(base64.b64encode(self.plain), safe="")
        self.post = self.script("post.lua", [self.plain])
        self.ask_nonce = self.script("nonce.lua", [self.nonce])
        self.steady = self.authority.write("plain.http", posted(self.plain))
        self.steady_nonce = self.authority.write("nonce.http", posted(self.nonce))
        self.closing = self.authority.write("once.http", posted(self.plain, "Connection: close"))

    def script(self, name, bodies):
        """For wrk: POST each body in turn."""
        texts = ",\n".join('"' + "".join(f"\\{byte:03}" for byte in body) + '"' for body in bodies)
        lines = ["wrk.method = 'POST'", "wrk.headers['Content-Type'] = 'application/ocsp-request'"]
        if len(bodies) == 1:
            lines.append(f"wrk.body = {texts}")
        else:
            lines += [f"local bodies, ready, at = {{ {texts} }}, {{}}, 0",
                      "function init() for i = 1, #bodies do ready[i] = wrk.format(nil, '/', nil, bodies[i]) end end",
                      "function request() at = at % #ready + 1; return ready[at] end"]
        return self.authority.write(name, "\n".join(lines).encode())

    def many(self):
        serial, other = (n.to_bytes(8, "big") for n in (FIRST_SERIAL, FIRST_SERIAL + 1))
        if self.plain.count(serial) != 1:
            raise Trouble("the serial is not where it was expected")
        bodies = [self.plain.replace(serial, (FIRST_SERIAL + i).to_bytes(8, "big")) for i in range(MANY)]
        if bodies[1] != self.authority.request(FIRST_SERIAL + 1) or other not in bodies[1]:
            raise Trouble("requests differ by more than the serial")
        return self.script("many.lua", bodies)

    def responder(self, *options, **more):
        return Responder(self.bench, self.authority, self.index, *options, **more)

    def first_answer(self, responder):
        der = responder.ask(self.plain)
        self.authority.write("tbs.der", ocsp.load_der_ocsp_response(der).tbs_response_bytes)
        return der


# --- the figures

def http(bench, material):
    with material.responder() as ours:
        many, size = material.many(), len(material.first_answer(ours))
        with nginx(material.folder, size) as peer:
            for row, more in zip(HTTP, ({"path": material.path}, {"bodies": material.post}, {"bodies": many})):
                wrk(bench, ours, **more)
                yield figure(row, [(wrk(bench, ours, **more).cpu, wrk(bench, peer, **more).cpu) for _ in range(REPETITIONS)])


def both(rows, pairs):
    """Of wall time and of CPU time."""
    return [figure(rows[0], [(a.wall, b.wall) for a, b in pairs]), figure(rows[1], [(a.cpu, b.cpu) for a, b in pairs])]


def beside_cfssl(bench, material):
    with material.responder() as ours, cfssl(material.folder, material.first_answer(ours)) as peer:
        wrk(bench, ours, bodies=material.post), wrk(bench, peer, bodies=material.post)
        return both((CFSSL, CFSSL_CPU), [(wrk(bench, ours, bodies=material.post), wrk(bench, peer, bodies=material.post))
                                         for _ in range(REPETITIONS)])


def beside_openssl(bench, material):
    with material.responder() as ours, openssl(material.authority, material.index) as peer:
        once(bench, ours, material.closing), once(bench, peer, material.closing)
        pairs = [(once(bench, ours, material.closing), once(bench, peer, material.closing)) for _ in range(REPETITIONS)]
        wall, cpu = both((OPENSSL, OPENSSL_CPU), pairs)
        wall.held_by = (f"the client has {statistics.median(a.client for a, _ in pairs):.0%} of its core meanwhile, the server "
                        f"{statistics.median(a.cpu / a.wall for a, _ in pairs):.0%} of its own")
        yield from (wall, cpu)
        with nginx(material.folder, len(material.first_answer(ours))) as floor:
            yield figure(ONCE_NGINX, [(once(bench, ours, material.closing).wall, once(bench, floor, material.closing, 0).wall)
                                      for _ in range(REPETITIONS)])


def nonces(bench, row, material):
    """Beside a bare signature of the same bytes and a prepared answer of the same server."""
    pairs = []
    with material.responder() as server:
        material.first_answer(server)
        wrk(bench, server, bodies=material.ask_nonce)
        for _ in range(REPETITIONS):
            floor = sign(bench, material.folder).cpu + wrk(bench, server, bodies=material.post).cpu
            pairs.append((wrk(bench, server, bodies=material.ask_nonce).cpu, floor))
    return figure(row, pairs)


def until_quiet(server, deadline_s):
    """When (monotonic, ns) the server's CPU time stopped growing."""
    last, at, end = server.cpu(), time.monotonic_ns(), time.monotonic() + deadline_s
    while time.monotonic_ns() - at < 500_000_000:
        if time.monotonic() > end:
            raise Trouble("the server does not come to rest")
        time.sleep(0.01)
        now = server.cpu()
        if now - last > 1_000_000:
            last, at = now, time.monotonic_ns()
    return at


def prepare(bench, material, n):
    """On all cores."""
    index = material.authority.index(range(FIRST_SERIAL, FIRST_SERIAL + n))
    memory = ("--cache-memory", f"{n}KiB")
    with Responder(bench, material.authority, index, *memory, core=None) as server:
        until_quiet(server, START_S)
        before, loading = memory_of(server.process.pid), server.cpu()
    with contextlib.ExitStack() as stack:
        raw = [sign(bench, material.folder, 2 * SIGNS, core=None)]
        server = stack.enter_context(Responder(bench, material.authority, index, *memory, "--prepare", "sha1", core=None))
        began = time.monotonic_ns()
        wall = until_quiet(server, 10 + n / 1000) - began
        cpu, after = server.cpu() - loading, memory_of(server.process.pid)
        raw.append(sign(bench, material.folder, 2 * SIGNS, core=None))
        sizes = [len(server.ask(material.plain.replace(FIRST_SERIAL.to_bytes(8, "big"), (FIRST_SERIAL + i).to_bytes(8, "big"))))
                 for i in range(0, n, n // 100)]
    named = [dataclasses.replace(row, what=row.what.format(n=n)) for row in (PREPARE, PREPARE_CPU)]
    yield figure(named[0], [(wall / n, each.wall) for each in raw])
    yield figure(named[1], [(cpu / n, each.cpu) for each in raw])
    yield limited(PREPARE_MEMORY, (after - before) / n - statistics.mean(sizes), MEMORY_LIMIT_B, octets)


def started(bench, material, index):
    """(wall time until ready in ns, memory) with that index."""
    began = time.monotonic_ns()
    with Responder(bench, material.authority, index, core=None) as server:
        wall = time.monotonic_ns() - began
        until_quiet(server, START_S)
        return wall, memory_of(server.process.pid)


def index(bench, material):
    """Serials as `openssl ca -rand_serial` makes them, 20 octets; beside an index of one line."""
    numbers = random.Random(LINES)
    short = material.authority.index([FIRST_SERIAL])
    _, small = started(bench, material, short)
    long = material.authority.index(numbers.getrandbits(158) | 1 << 158 for _ in range(LINES))
    loads = [started(bench, material, long) for _ in range(REPETITIONS)]
    walls = sorted(wall / 1e9 for wall, _ in loads)
    yield Figure(INDEX, f"{walls[1]:.2f} s", f"{LOAD_LIMIT_S} s", tuple(wall / LOAD_LIMIT_S for wall in walls))
    yield limited(INDEX_MEMORY, (statistics.median(memory for _, memory in loads) - small) / LINES, LINE_LIMIT_B, octets)


def p99(bench, row, material):
    """Prepared answers at a rate that no answer's lateness changes, with and without nonces at twice the rate of their answers."""
    with material.responder() as server:
        material.first_answer(server)
        wrk(bench, server, bodies=material.post)
        rate = int(SHARE * 1e9 / wrk(bench, server, bodies=material.post).cpu)
        flood = int(2 * 1e9 / wrk(bench, server, bodies=material.ask_nonce).cpu)

        def late(*more):
            """The 99th of 100, and what answering and signing had of the core."""
            argv = [bench.program("clinch-bench-load"), server.port, P99_SECONDS, rate, CONNECTIONS, material.steady, *more]
            before = server.cpu_by_nice()
            _, at_99, _, asked, good = map(int, bench.run(argv, preexec_fn=lambda: pin(-1)).splitlines()[0].split())
            if asked != good:
                raise Trouble(f"{asked - good} of {asked} prepared answers were not good")
            spent = server.cpu_by_nice() - before
            answering = spent.pop(0, 0) / P99_SECONDS / 1e9
            return at_99, answering, spent.total() / P99_SECONDS / 1e9

        runs = [(late(flood, NONCE_CONNECTIONS, material.steady_nonce), late()) for _ in range(P99_REPETITIONS)]
    pressed = runs[0][0]
    return dataclasses.replace(figure(row, [(pressed[0], alone[0]) for pressed, alone in runs]),
                               held_by=f"{rate} and {flood} requests a second: answering has {pressed[1]:.0%} of the core, signing {pressed[2]:.0%}")


def figures(bench, prepared=PREPARED):
    """(the first row of several, how to measure them)."""
    kinds = {}

    def material(kind):
        if kind not in kinds:
            kinds[kind] = Responses(bench, kind)
        return kinds[kind]

    yield HTTP[0], lambda: http(bench, material("p256"))
    yield CFSSL, lambda: beside_cfssl(bench, material("p256"))
    yield OPENSSL, lambda: beside_openssl(bench, material("p256"))
    for row in NONCE:
        yield row, lambda row=row: [nonces(bench, row, material(row.kind))]
    for row in P99:
        yield row, lambda row=row: [p99(bench, row, material(row.kind))]
    yield PREPARE, lambda: prepare(bench, material("p256"), prepared)
    yield INDEX, lambda: index(bench, material("p256"))
