# SPDX-License-Identifier: LGPL-2.1-or-later
"""The two ways a client meets a kept staple: `clinch serve`, and nginx fed by `clinch keep`.

A cell has its certificates, its log, and what was seen on its wire: every staple, read by OpenSSL's client in TLS 1.3, again and again
for as long as the cell is watched.
"""
import json
import os
import socket
import threading
import time

from harness import Failed, build_path, new_tempdir, start, wait_for
from OpenSSL import SSL

SBIN = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"  # a user's PATH need not have nginx
TIMEOUT_S = 4  # of one fetch: shorter than the default, for the sake of the time this takes
LAG_S = {"serve": 4, "nginx": 7}  # from the keeper's word to the wire: the store is looked at, nginx is reloaded
PATIENCE_S = 20  # for one handshake


def environment(liar):
    """Without the user's proxies, with the resolver of tests/integration/fetch/names.c."""
    changes = {name: None for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY",
                                       "NOTIFY_SOCKET", "JOURNAL_STREAM", "WATCHDOG_USEC", "WATCHDOG_PID")}
    sanitizer = os.environ.get("ASAN_OPTIONS", "")  # its runtime need not be the first library then
    return {**changes, "LD_PRELOAD": build_path("tests/integration/fetch/names.so"), "TOLD_NAMES": liar.names_dir,
            "ASAN_OPTIONS": f"{sanitizer}:verify_asan_link_order=0:detect_leaks=0"}


class Sample:
    """One handshake: when it began and had ended (monotonic and wall clock), and which of our responses came; None: none did."""

    def __init__(self, began, wall, sent):
        self.began, self.wall, self.sent = began, wall, sent
        self.ended, self.wall_ended = time.monotonic(), time.time()


def connect(address, seconds):
    """`address`: a port of this machine, or the path of a Unix socket."""
    plain = socket.socket(socket.AF_INET if isinstance(address, int) else socket.AF_UNIX)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, seconds.to_bytes(8, "little") + bytes(8))
    plain.connect(("127.0.0.1", address) if isinstance(address, int) else address)
    return plain


def staple_of(address, name, seconds=PATIENCE_S):
    """What a server sends as the staple of its certificate: bytes, b"" for none."""
    got = []
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.set_ocsp_client_callback(lambda connection, der, data: got.append(der) or True)
    with connect(address, seconds) as plain:
        connection = SSL.Connection(context, plain)
        connection.set_tlsext_host_name(name.encode())
        connection.request_ocsp()
        connection.set_connect_state()
        connection.do_handshake()
        served = connection.get_peer_certificate().get_subject().CN
    if served != name:
        raise Failed(f"asked for {name}, got the certificate of {served}")
    return got[0] if got else b""


class Cell:
    """`kind` is in the names of its certificates. Subclasses have start_servers(), which sets `log_of` (the process whose log has the
    keeper's words) and `address`."""

    kind = None

    def __init__(self, liar, on_event):
        self.liar, self.on_event, self.subjects = liar, on_event, {}
        self.dir = new_tempdir()
        self.store = os.path.join(self.dir, "store")
        self.chains = os.path.join(self.dir, "chains")
        os.mkdir(self.chains)
        self.address = None
        self.log_of, self.read, self.stopping = None, 0, False
        self.samples, self.trouble = {}, []
        self.threads = []

    def add(self, name, lie, **more):
        name = f"{name}.{self.kind}.example"
        subject = self.liar.subject(name, lie, **more)
        self.subjects[name], self.samples[name] = subject, []
        with open(os.path.join(self.chains, name + ".pem"), "wb") as f:
            f.write(b"".join(i.pem for i in subject.identity.chain()))
        return subject

    def settings(self):
        return (f"store: {self.store}\nlog: {{ format: json, level: debug }}\n"
                f"fetch: {{ proxy: none, per_responder: 64, total: 256, timeout: {TIMEOUT_S}s, connect_timeout: 3s, "
                f"ca: {self.liar.pki.root.cert_file} }}\n")

    def write(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def launch(self, argv, ready):
        """The program with the keeper in it; its log is read from the first line on. What is in its ready file."""
        self.log_of = start([build_path("clinch"), *argv, "--allow-root", "--ready-file", ready], env=environment(self.liar))
        self._thread(self._watch_log)
        wait_for(lambda: os.path.exists(ready) or not self.log_of.running(), 20, f"{self.kind} to be ready")
        if not self.log_of.running():
            raise Failed(f"{self.kind} has ended:\n{self.log_of.log_text()}")
        with open(ready, encoding="ascii") as f:
            return f.read()

    def watch(self):
        self._thread(self._watch_wire)

    def _thread(self, target):
        self.threads.append(threading.Thread(target=target, daemon=True))
        self.threads[-1].start()

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join(10)

    def _watch_wire(self):
        while not self.stopping:
            turn_ends = time.monotonic() + 1
            for name in self.subjects:
                if self.stopping:
                    return
                self.look(name)
            time.sleep(max(0, turn_ends - time.monotonic()))

    def look(self, name):
        began, wall = time.monotonic(), time.time()
        try:
            der = staple_of(self.address, name)
        except (OSError, SSL.Error, Failed) as error:
            self.trouble.append(f"{name}: {error!r}")
            return None
        sent = self.subjects[name].which(der) if der else None
        if der and not sent:
            self.trouble.append(f"{name}: a staple that was never sent for it, {len(der)} bytes")
        sample = Sample(began, wall, sent)
        self.samples[name].append(sample)
        return sample

    def events(self):
        """The lines of the log since the last time, as objects."""
        with open(self.log_of.log, errors="replace") as f:
            f.seek(self.read)
            text = f.read()
        whole = text[:text.rfind("\n") + 1]
        self.read += len(whole.encode())
        return [json.loads(line) for line in whole.splitlines() if line.startswith("{")]

    def _watch_log(self):
        while not self.stopping:
            for event in self.events():
                self.on_event(event)
            time.sleep(0.05)


class Serve(Cell):
    kind = "serve"

    def start_servers(self):
        backend = socket.create_server(("127.0.0.1", 0), backlog=512)
        threading.Thread(target=_accept_and_close, args=(backend,), daemon=True).start()
        pairs = "".join(f"    - {{ chain: {self.chains}/{s.name}.pem, key: {s.identity.key_file} }}\n" for s in self.subjects.values())
        conf = self.write("clinch.yaml", self.settings() + f"serve:\n  listen: [ \"127.0.0.1:0\" ]\n"
                          f"  backend: 127.0.0.1:{backend.getsockname()[1]}\n  ready_timeout: 10s\n  certificates:\n{pairs}")
        self.address = int(self.launch(["serve", "-c", conf], os.path.join(self.dir, "ready")).rpartition(":")[2])
        self.watch()


class Nginx(Cell):
    kind = "nginx"

    def start_servers(self):
        os.mkdir(self.dir + "/staples")
        os.mkdir(self.dir + "/stapling")
        self.address = os.path.join(self.dir, "nginx.sock")
        start(["nginx", "-p", self.dir, "-e", "stderr", "-c", self.nginx_conf()], ready=f"path:{self.address}", env={"PATH": SBIN})
        self.watch()
        # nginx does not start with the name of a file that is not there: the hook names those that are
        hook = self.write("hook", f"""#!/bin/sh
set -e
for file in {self.dir}/staples/*.der; do
	name=$(basename "$file" .der)
	echo "ssl_stapling on; ssl_stapling_file $file;" >"{self.dir}/stapling/$name.conf"
done
kill -HUP "$(cat {self.dir}/nginx.pid)"
""")
        conf = self.write("clinch.yaml", self.settings() + f"""keep:
  socket: none
  ready_timeout: 10s
  certificates:
    - path: {self.chains}/*.pem
  outputs:
    - der: {self.dir}/staples/{{name}}.der
      server: nginx
    - run: [ /bin/sh, {hook} ]
      after: 400ms
      at_most_every: 1s
""")
        self.launch(["keep", "-c", conf], os.path.join(self.dir, "ready"))

    def nginx_conf(self):
        paths = "".join(f"{kind}_temp_path {self.dir}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        servers = "".join(f"""
    server {{
        listen unix:{self.address} ssl; server_name {s.name};
        ssl_certificate {self.chains}/{s.name}.pem; ssl_certificate_key {s.identity.key_file};
        include {self.dir}/stapling/{s.name}.con[f];
        location / {{ return 204; }}
    }}""" for s in self.subjects.values())
        user = "user root;" if os.geteuid() == 0 else ""
        return self.write("nginx.conf", f"""{user} daemon off; worker_processes 1; pid {self.dir}/nginx.pid; error_log stderr notice;
events {{ worker_connections 512; }}
http {{
    access_log off; server_names_hash_bucket_size 128; ssl_protocols TLSv1.2 TLSv1.3; ssl_session_tickets off; {paths}{servers}
}}
""")


def _accept_and_close(listener):
    while True:
        try:
            listener.accept()[0].close()
        except OSError:
            return
