# SPDX-License-Identifier: LGPL-2.1-or-later
"""The CPU that servers take for a handshake whose client closes before any data: `clinch serve`, a bare epoll server, nginx,
HAProxy. One thread each, TLS 1.3, tickets as each gives them by default, a staple; HTTP by ALPN, so that nobody bothers a backend
before the client has said something."""
import contextlib
import pathlib
import shutil
import socket
import statistics
import subprocess
import time

from rows import Figure, Row, Trouble, spans

HANDSHAKES = 300
REPETITIONS = 5
START_S = 10

ROWS = [
    Row("serve-bare", "serve: handshake and close, P-256", "tls", "serve", "bare", "bare GnuTLS epoll server", 1.05),
    Row("serve-nginx", "serve: handshake and close, P-256", "tls", "serve", "nginx", "nginx", 1.11),  # 1 / 0.90
    Row("serve-haproxy", "serve: handshake and close, P-256", "tls", "serve", "haproxy", "HAProxy", 1.11),
    Row("serve-nginx-rsa", "serve: handshake and close, RSA-2048", "tls-rsa", "serve", "nginx", "nginx"),
    Row("serve-haproxy-rsa", "serve: handshake and close, RSA-2048", "tls-rsa", "serve", "haproxy", "HAProxy"),
]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as held:
        return held.getsockname()[1]


def serve(bench, folder, work, port):
    store = work / "store"
    store.mkdir()
    leaf = subprocess.run(["openssl", "x509", "-in", str(folder / "chain.pem"), "-noout", "-fingerprint", "-sha256"], check=True,
                          capture_output=True, text=True).stdout.split("=")[1].strip().replace(":", "").lower()
    shutil.copy(folder / "staple.der", store / f"{leaf}.der")
    return [bench.program("clinch"), "serve", "--listen", f"127.0.0.1:{port}", "--backend", "127.0.0.1:9", "--cert",
            folder / "chain.pem", "--key", folder / "key.pem", "--issuers", folder / "ca.pem", "--store", store, "--no-keeper",
            "--threads", "1", "--allow-root", "--alpn", "http/1.1"]


def nginx(_, folder, work, port):
    (work / "nginx.conf").write_text(f"""daemon off; master_process off; pid {work}/nginx.pid; error_log {work}/nginx.log;
events {{ }}
http {{
    access_log off; client_body_temp_path {work}/a; proxy_temp_path {work}/b; fastcgi_temp_path {work}/c; uwsgi_temp_path {work}/d;
    scgi_temp_path {work}/e;
    server {{
        listen 127.0.0.1:{port} ssl; ssl_certificate {folder}/chain.pem; ssl_certificate_key {folder}/key.pem;
        ssl_protocols TLSv1.2 TLSv1.3; ssl_stapling on; ssl_stapling_file {folder}/staple.der;
    }}
}}
""")
    return ["nginx", "-c", work / "nginx.conf"]


def haproxy(_, folder, work, port):
    pem = work / "site.pem"
    pem.write_bytes((folder / "chain.pem").read_bytes() + (folder / "key.pem").read_bytes())
    (work / "site.pem.issuer").write_bytes((folder / "issuer.pem").read_bytes())
    shutil.copy(folder / "staple.der", work / "site.pem.ocsp")
    (work / "haproxy.cfg").write_text(f"""global
    nbthread 1
defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 5s
frontend tls
    bind 127.0.0.1:{port} ssl crt {pem} alpn http/1.1
    http-request return status 200
""")
    return ["haproxy", "-db", "-f", work / "haproxy.cfg"]


def bare(bench, folder, *_):
    return [bench.program("clinch-bench-bare"), folder]


SERVERS = {each.__name__: each for each in (serve, nginx, haproxy, bare)}


class Front:
    """A server of one kind that runs; stop() ends it."""

    def __init__(self, bench, kind, name):
        self.bench, self.folder, self.name = bench, bench.folder / kind, name
        work = bench.folder / f"{kind}-{name}-{time.monotonic_ns()}"
        work.mkdir()
        self.port = free_port()
        argv = [str(a) for a in SERVERS[name](bench, self.folder, work, self.port)]
        if not shutil.which(argv[0]):
            raise Trouble(f"{argv[0]} is not installed")
        self.said = (work / "said").open("w+")
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE if name == "bare" else self.said,
                                        stderr=self.said, text=True)
        if name == "bare":
            self.port = int(self.process.stdout.readline() or 0)

    def __enter__(self):
        end = time.monotonic() + START_S
        while self.process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return self
            time.sleep(0.02)
        self.__exit__()
        self.said.seek(0)
        raise Trouble(f"{self.name} did not start: {self.said.read()[-300:]}")

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()

    def cpu(self):
        """In ns, of its threads, none of which ends meanwhile."""
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)

    def handshakes(self, n):
        """CPU time of one, in ns; each client has verified the staple."""
        before = self.cpu()
        self.bench.run([self.bench.program("clinch-bench-client"), self.folder / "ca.pem", self.port, n, "http/1.1"])
        return (self.cpu() - before) / n


def measure(bench, row):
    with Front(bench, row.kind, row.ours) as ours, Front(bench, row.kind, row.peer) as peer:
        ours.handshakes(50), peer.handshakes(50)
        pairs = [(ours.handshakes(HANDSHAKES), peer.handshakes(HANDSHAKES)) for _ in range(REPETITIONS)]
    ratios = sorted(a / b for a, b in pairs)
    return Figure(row, spans(statistics.median(a for a, _ in pairs)), spans(statistics.median(b for _, b in pairs)),
                  (ratios[0], statistics.median(ratios), ratios[-1]))
