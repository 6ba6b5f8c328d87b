# SPDX-License-Identifier: LGPL-2.1-or-later
"""A CA's responder that signs on request, with lives of seconds where a test wants them, and misbehaves when it is told to.

    with Authority() as authority:
        leaf = authority.leaf("www.example.org")        names this responder
        authority.life_s = 20
        authority.mode[leaf.serial] = "hang"            or "revoked", "unauthorized", "same", 503, bytes, ...
        authority.asked(leaf)                           how often it was asked about
"""
import base64
import os
import socket
import sys
import threading
import urllib.parse
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.x509 import ocsp

from harness import new_tempdir
from pki import Pki


class Authority:
    def __init__(self, directory=None, **pki):
        self.pki = Pki(directory or os.path.join(new_tempdir(), "pki"), **pki)
        self.life_s, self.age_s = 4 * 86400, 0
        self.mode, self.life_of, self.last, self.times = {}, {}, {}, {}
        self.over = threading.Event()
        self._identities, self._lock = {}, threading.Lock()
        self._server = self._place = None
        self.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self, port=0):
        """Also after stop(), at the same port."""
        authority = self
        self.over.clear()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self):
                authority._answer(self, base64.b64decode(urllib.parse.unquote(self.path.rsplit("/", 1)[1])))

            def do_POST(self):
                authority._answer(self, self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 128

            def handle_error(self, request, address):
                if not isinstance(sys.exc_info()[1], ConnectionError):  # a keeper that was killed has gone
                    super().handle_error(request, address)

        self._server = Server(("127.0.0.1", port), Handler)
        if self._place:
            self._place.close()
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self):
        """Connections are refused then, and the port stays ours."""
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._place = socket.socket()
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind(("127.0.0.1", self.port))

    def leaf(self, name, **more):
        more.setdefault("ocsp_url", self.url)
        identity = self.pki.leaf(name, **more)
        self.know(identity)
        return identity

    def know(self, identity):
        """It answers for this certificate."""
        identity.serial = identity.cert.serial_number
        self._identities[identity.serial] = identity
        return identity

    def asked(self, identity):
        return self.times.get(identity.serial, 0)

    def sign(self, identity, status="good", age_s=None, life_s=None):
        """A response whose thisUpdate is `age_s` ago."""
        if life_s is None:
            life_s = self.life_of.get(identity.serial, self.life_s)
        self.pki.now = datetime.utcnow().replace(microsecond=0)
        this = timedelta(seconds=-(self.age_s if age_s is None else age_s))
        return self.pki.response(identity, status=status, this_update=this,
                                 next_update=this + timedelta(seconds=life_s))

    def _answer(self, handler, request):
        serial = ocsp.load_der_ocsp_request(request).serial_number
        with self._lock:
            self.times[serial] = self.times.get(serial, 0) + 1
        mode = self.mode.get(serial, "good")
        if mode == "hang":
            self.over.wait(60)
            handler.close_connection = True
            return
        if isinstance(mode, int):
            self._send(handler, mode, b"no")
            return
        self._send(handler, 200, self._body(serial, mode))

    def _body(self, serial, mode):
        identity = self._identities.get(serial)
        if isinstance(mode, bytes):
            return mode
        if identity is None or mode == "unauthorized":
            return self.pki.error_response("UNAUTHORIZED")
        if mode == "try-later":
            return self.pki.error_response("TRY_LATER")
        if mode == "same" and serial in self.last:
            return self.last[serial]
        with self._lock:
            self.last[serial] = self.sign(identity, status="revoked" if mode == "revoked" else "good")
        return self.last[serial]

    @staticmethod
    def _send(handler, status, body):
        handler.send_response(status)
        handler.send_header("Content-Type", "application/ocsp-response")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)
