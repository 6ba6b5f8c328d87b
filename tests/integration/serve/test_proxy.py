# SPDX-License-Identifier: LGPL-2.1-or-later
"""The PROXY protocol, version 2: to the backend, and from a load balancer in front; HAProxy and nginx as the other ends."""
import os
import socket
import ssl
import struct

from harness import add_case, case, expect_equal, expect_in, free_port, main, new_tempdir, start, wait_for
from scene import Backend, Serve, connect, context

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
V4 = socket.inet_aton("203.0.113.7") + socket.inet_aton("198.51.100.9") + struct.pack(">HH", 40000, 443)
V6 = socket.inet_pton(socket.AF_INET6, "2001:db8::7") + socket.inet_pton(socket.AF_INET6, "2001:db8::9") + struct.pack(">HH", 40001, 443)


def header(body, command=0x21, family=0x11, length=None, signature=SIGNATURE):
    return signature + struct.pack(">BBH", command, family, len(body) if length is None else length) + body


def receive(connection, n):
    data = b""
    while len(data) < n:
        more = connection.recv(n - len(data))
        if not more:
            break
        data += more
    return data


def tlvs(data):
    found = {}
    while data:
        kind, length = struct.unpack(">BH", data[:3])
        found[kind] = data[3:3 + length]
        data = data[3 + length:]
    return found


class Told:
    """What a backend was told in front of the stream."""


def tell(connection, backend):
    told = Told()
    head = receive(connection, 16)
    told.signature, told.command, told.family = head[:12], head[12], head[13]
    body = receive(connection, struct.unpack(">H", head[14:])[0])
    size = {0x11: 4, 0x21: 16}.get(told.family, 0)
    if size:
        family = socket.AF_INET if size == 4 else socket.AF_INET6
        told.source = socket.inet_ntop(family, body[:size]), struct.unpack(">H", body[2 * size:2 * size + 2])[0]
        told.destination = socket.inet_ntop(family, body[size:2 * size]), struct.unpack(">H", body[2 * size + 2:2 * size + 4])[0]
    told.tlvs = tlvs(body[2 * size + 4 if size else 0:])
    told.data = connection.recv(100)
    backend.seen.append(told)
    connection.sendall(b"told")


def what_is_told(server, backend, **how):
    with connect(server, **how) as stream:
        stream.sendall(b"data")
        expect_equal(stream.recv(4), b"told", "the answer")
        mine = stream.getsockname()[:2], stream.getpeername()[:2], stream.cipher()[0], stream.version()
    return backend.seen.pop(), mine


@case
def the_backend_is_told_who_came_and_how():
    with Backend(tell) as backend, Serve("--proxy-protocol", "v2", "--alpn", "h2,http/1.1", backend=backend,
                                         listen=("127.0.0.1:0", "[::1]:0")) as server:
        told, (source, destination, cipher, _) = what_is_told(server, backend, alpn=["http/1.1"])
        expect_equal((told.signature, told.command, told.family), (SIGNATURE, 0x21, 0x11), "the head")
        expect_equal((told.source, told.destination), (source, destination), "the addresses")
        expect_equal((told.tlvs[1], told.tlvs[2]), (b"http/1.1", b"www.example.org"), "ALPN and server name")
        expect_equal(told.tlvs[0x20][:5], b"\x01\x00\x00\x00\x01", "client came over TLS, without a certificate")
        inner = tlvs(told.tlvs[0x20][5:])
        expect_equal((inner[0x21], inner[0x23].decode()), (b"TLSv1.3", cipher), "version and cipher suite")
        expect_equal(told.data, b"data", "what comes after it")
        server.bound.reverse()
        told, (source, destination, _, _) = what_is_told(server, backend, version=ssl.TLSVersion.TLSv1_2)
        expect_equal((told.family, told.source, told.destination), (0x21, source, destination), "IPv6")
        expect_equal((1 in told.tlvs, tlvs(told.tlvs[0x20][5:])[0x21]), (False, b"TLSv1.2"), "no ALPN, TLS 1.2")


@case
def the_backend_is_told_of_an_old_version_by_its_name():
    made = context(version=ssl.TLSVersion.TLSv1_1)
    made.set_ciphers("DEFAULT:@SECLEVEL=0")
    with Backend(tell) as backend, Serve("--proxy-protocol", "v2", "--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.1", backend=backend) as server:
        told, _ = what_is_told(server, backend, made=made)
        expect_equal(tlvs(told.tlvs[0x20][5:])[0x21], b"TLSv1.1", "the version")


@case
def a_full_first_record_still_has_room_for_the_header():
    with Backend(lambda c, b: (tell(c, b), b.seen.append(len(receive(c, 16384 - len(b.seen[-1].data)))))) as backend:
        with Serve("--proxy-protocol", "v2", backend=backend) as server:
            with connect(server) as stream:
                stream.sendall(b"r" * 16384)
                wait_for(lambda: len(backend.seen) == 2, 10, "all of the record")
                expect_equal(len(backend.seen[0].data) + backend.seen[1], 16384, "bytes that came through")


# sentence, header, what the backend is told as source (None: the connection's own)
GOOD = [
    ("an address of IPv4", header(V4), ("203.0.113.7", 40000)),
    ("an address of IPv6", header(V6, family=0x21), ("2001:db8::7", 40001)),
    ("TLVs after the addresses", header(V4 + b"\x04\x00\x05hello", family=0x11), ("203.0.113.7", 40000)),
    ("a body as long as we take", header(V4 + b"\x04\x0f\xf1" + b"x" * 4081), ("203.0.113.7", 40000)),
    ("a health check of the balancer itself", header(b"", command=0x20, family=0), None),
    ("a family that is not said", header(b"", family=0), None),
]


def accepts_header(front, wanted):
    def check():
        with Backend(tell) as backend, Serve("--proxy-protocol", "v2", "--accept-proxy", backend=backend) as server:
            for cut in (len(front), 1, 15, 16, len(front) - 1):  # whole, and in two pieces
                if cut >= len(front):
                    stream = connect(server, before=front)
                else:
                    raw = socket.create_connection(server.address, timeout=10)
                    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    raw.sendall(front[:cut])
                    raw.sendall(front[cut:])
                    stream = context().wrap_socket(raw, server_hostname="www.example.org")
                with stream:
                    stream.sendall(b"data")
                    expect_equal(stream.recv(4), b"told", "the answer")
                    mine = stream.getsockname()[:2]
                expect_equal(backend.seen.pop().source, wanted or mine, f"the source, cut at {cut}")

    return check


for sentence, front, wanted in GOOD:
    add_case(f"takes {sentence}", accepts_header(front, wanted))

BAD = [
    ("no header", b""),
    ("version 1", b"PROXY TCP4 203.0.113.7 198.51.100.9 40000 443\r\n"),
    ("a signature that is wrong in its last byte", header(V4, signature=SIGNATURE[:-1] + b"\r")),
    ("another version", header(V4, command=0x31)),
    ("an unknown command", header(V4, command=0x22)),
    ("an unknown family", header(V4, family=0x41)),
    ("an unknown protocol", header(V4, family=0x13)),
    ("a body that is too short for IPv4", header(V4[:11])),
    ("a body that is too short for IPv6", header(V6[:35], family=0x21)),
    ("a body that is larger than we take", header(V4, length=4097) + b"x" * 4097),
    ("a body of 64 KiB", header(V4, length=65535)),
]


@case
def malformed_headers_are_refused_and_the_next_client_is_served():
    with Backend(tell) as backend, Serve("--accept-proxy", "--proxy-protocol", "v2", backend=backend) as server:
        for sentence, front in BAD:
            try:
                connect(server, before=front)
                raise AssertionError(f"{sentence}: the handshake succeeded")
            except (ssl.SSLError, ConnectionError):
                pass
        expect_equal(backend.connections, 0, "connections to the backend")
        with connect(server, before=header(V4)) as stream:
            stream.sendall(b"data")
            expect_equal(stream.recv(4), b"told", "the answer")


@case
def a_header_that_never_ends_ends_with_the_handshakes_time():
    with Serve("--accept-proxy", "--handshake-timeout", 1) as server:
        with socket.create_connection(server.address, timeout=10) as raw:
            raw.sendall(header(V4)[:20])
            expect_equal(raw.recv(10), b"", "what the server says")


@case
def haproxy_in_front_tells_who_came():
    folder, port = new_tempdir(), free_port()
    with Backend(tell) as backend, Serve("--proxy-protocol", "v2", "--accept-proxy", backend=backend) as server:
        path = os.path.join(folder, "haproxy.cfg")
        with open(path, "w", encoding="ascii") as f:
            f.write(f"""
defaults
    mode tcp
    timeout client 10s
    timeout server 10s
    timeout connect 10s
frontend in
    bind 127.0.0.1:{port}
    default_backend out
backend out
    server serve {server.place} send-proxy-v2
""")
        with start(["haproxy", "-db", "-f", path], ready=port):
            server.bound = [("127.0.0.1", port)]
            told, (source, destination, _, _) = what_is_told(server, backend)
            expect_equal((told.source, told.destination), (source, destination), "the addresses")


@case
def nginx_behind_logs_who_came():
    folder, port = new_tempdir(), free_port()
    paths = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    with open(os.path.join(folder, "nginx.conf"), "w", encoding="ascii") as f:
        f.write(f"""
daemon off; master_process off; pid {folder}/pid; error_log stderr info;
events {{ }}
http {{
    access_log off; {paths}
    server {{
        listen 127.0.0.1:{port} proxy_protocol;
        location / {{ return 200 "from $proxy_protocol_addr $proxy_protocol_port\\n"; }}
    }}
}}""")

    class Nginx:
        address = f"127.0.0.1:{port}"

    with start(["nginx", "-p", folder, "-e", "stderr", "-c", os.path.join(folder, "nginx.conf")], ready=port):
        with Serve("--proxy-protocol", "v2", "--accept-proxy", backend=Nginx) as server:
            for front, wanted in ((header(V4), "203.0.113.7 40000"), (header(V6, family=0x21), "2001:db8::7 40001")):
                with connect(server, before=front) as stream:
                    stream.sendall(b"GET / HTTP/1.1\r\nHost: www.example.org\r\nConnection: close\r\n\r\n")
                    got = b""
                    while more := stream.recv(4096):
                        got += more
                expect_in(f"from {wanted}", got.decode(), "what nginx says")


main()
