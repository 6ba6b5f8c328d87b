# SPDX-License-Identifier: LGPL-2.1-or-later
"""How it is asked over HTTP: rows of (name, source, bytes, what has to come back)."""
import subprocess

import ask
from cast import GOOD, PADDED, SLASHES, main
from expect import MALFORMED, Answers, Row, http
from told import GOOD as good
from talk import OCSP_REQUEST, chunked, get, head, message, post

rows = []
REQUEST = ask.request(ask.cert_id(main, SLASHES))  # its base64 has '+', '/' and '//'
PLAIN = ask.request(ask.cert_id(main, GOOD))
PADDING = {count: ask.request(ask.cert_id(main, serial)) for count, serial in PADDED.items()}
YES = Answers(main, good)
REFUSED = http(400)
A1, RFC9112, OURS = "RFC 6960 A.1", "RFC 9112", "a bound of ours"


def row(name, source, data, want=YES, request=REQUEST, **more):
    rows.append(Row(name, source, data, want, request, **more))


def fails(name, source, data, want=REFUSED, **more):
    row(name, source, data, want, None, **more)


def fails_at_once(name, source, data, want=REFUSED):
    """libmicrohttpd answers by itself here, and before 1.0 it says the head twice; the connection ends behind that."""
    fails(name, source, data, want, ends=True)


def padded_request(size):
    """A good request of exactly that many bytes: an extension that means nothing fills it."""
    for filling in range(size - 400, size):
        made = ask.request(ask.cert_id(main, GOOD), extensions=[ask.extension(value=b"\x04" * filling)])
        if len(made) >= size:
            return made
    raise ValueError(f"no request has {size} bytes")


# --- GET --------------------------------------------------------------------------------------------------------------------------

for count, request in sorted(PADDING.items()):
    row(f"GET, escaped, {count} padding characters", A1, get(ask.path_escaped(request)), request=request)
    row(f"GET, not escaped, {count} padding characters", A1, get(ask.path_raw(request)), request=request)
    if count:
        row(f"GET, not escaped, its {count} padding characters missing", A1, get(ask.path_raw(request).rstrip("=")), request=request)
        row(f"GET, escaped, its {count} padding characters missing", A1, get(ask.path_escaped(request).replace("%3D", "")), request=request)
        row(f"GET, base64url, its {count} padding characters missing", "RFC 4648 5", get(ask.path_url(request).rstrip("=")), request=request)
row("GET, escaped", A1, get(ask.path_escaped(REQUEST)))
row("GET, escaped in lower case", "RFC 3986 2.1", get(ask.path_lower(REQUEST)))
row("GET, every character escaped", "RFC 3986 2.1", get(ask.path_all_escaped(REQUEST)))
row("GET, with plus and slashes as they are", A1, get(ask.path_raw(REQUEST)))
row("GET, base64url", "RFC 4648 5", get(ask.path_url(REQUEST)))
row("GET, half of the slashes escaped", A1, get(ask.path_raw(REQUEST).replace("/", "%2F").replace("%2F", "/", 2)))
row("GET, two slashes in front", A1, get("/" + ask.path_raw(PLAIN)), request=PLAIN)
row("GET, two slashes in front of an escaped one", A1, get("/" + ask.path_escaped(REQUEST)))
row("GET, three slashes in front", A1, get("//" + ask.path_escaped(REQUEST)))
row("GET, under a prefix", A1, get("/ocsp" + ask.path_escaped(REQUEST)))
row("GET, under a prefix, with plus and slashes as they are", A1, get("/ocsp" + ask.path_raw(REQUEST)))
row("GET, under a prefix of two", A1, get("/pki/ocsp" + ask.path_escaped(REQUEST)))
row("GET, under a prefix with two slashes behind it", A1, get("/ocsp/" + ask.path_escaped(REQUEST)))
row("GET, under a prefix with two slashes behind it, base64url", A1, get("/ocsp/" + ask.path_url(REQUEST)))
row("GET, with a query", "RFC 9110 4.2", get(ask.path_escaped(REQUEST) + "?cache=no&x=%2F"))
row("GET, with a query of nothing", "RFC 9110 4.2", get(ask.path_raw(REQUEST) + "?"))
row("GET, with a query that is bad escapes", "RFC 9110 4.2", get(ask.path_escaped(REQUEST) + "?%%%zz"))
row("GET, the whole URL", "RFC 9112 3.2.2", get("http://responder.example" + ask.path_escaped(REQUEST)))
row("GET, with a nonce", "RFC 9654 2.1", get(ask.path_escaped(ask.request(ask.cert_id(main, GOOD), extensions=[ask.nonce(b"n" * 20)]))),
    Answers(main, good, nonce=b"n" * 20), request=PLAIN)
row("GET, of 32 certificates", OURS, get(ask.path_raw(ask.request(*[ask.cert_id(main, GOOD)] * 32))), Answers(main, *[good] * 32),
    request=ask.request(*[ask.cert_id(main, GOOD)] * 32))
row("GET, a request that is cut off", "RFC 6960 4.2.1", get(ask.path_escaped(REQUEST[:-3])), MALFORMED, None)
row("GET, a request with a byte behind it", "RFC 6960 4.2.1", get(ask.path_escaped(REQUEST + b"\0")), MALFORMED, None)
row("HTTP/1.0 GET", RFC9112, get(ask.path_escaped(REQUEST), version="1.0", host=False))
for path in ("/%", "/MEow%4", "/MEow%zz", "/MEow%2", "/%00", "/MEowSDBGMEQwQjAJ%00", "/MEow%0a", "/MEow!", "/MEow%20SDBG", "/MEow*SDBG", "/M",
             "/MEow=SDBG", "/MEow.SDBG", "/%C3%BC", "/MEow=====", "/favicon.ico"):
    fails(f"GET {path}", "RFC 3986 2.1, RFC 4648 3.3", get(path))

# --- POST -------------------------------------------------------------------------------------------------------------------------

row("POST", A1, post(REQUEST))
row("POST, no Content-Type", A1, post(REQUEST, content_type=None))
for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "Application/OCSP-Request; charset=utf-8", "nonsense"):
    row(f"POST, Content-Type {kind}", A1, post(REQUEST, content_type=f"Content-Type: {kind}"))
row("POST, under a prefix", A1, post(REQUEST, target="/ocsp/"))
row("POST, with a query", A1, post(REQUEST, target="/?a=b"))
row("POST, under a path that is no base64", A1, post(REQUEST, target="/any/path/at-all.html"))
row("POST in chunks", "RFC 9112 7.1", message("POST", "/", OCSP_REQUEST, "Transfer-Encoding: chunked") + chunked(REQUEST, 7))
row("POST in one chunk, with a trailer", "RFC 9112 7.1",
    message("POST", "/", OCSP_REQUEST, "Transfer-Encoding: chunked") + b"%x\r\n%s\r\n0\r\nX-Trailer: 1\r\n\r\n" % (len(REQUEST), REQUEST))
if subprocess.run(["pkg-config", "--max-version=0.99", "libmicrohttpd"]).returncode == 0:  # 1.0 answers 400
    row("POST in one chunk, with an extension", "RFC 9112 7.1.1",
        message("POST", "/", OCSP_REQUEST, "Transfer-Encoding: chunked") + b"%x;name=value\r\n%s\r\n0\r\n\r\n" % (len(REQUEST), REQUEST))
row("HTTP/1.0 POST", RFC9112, post(REQUEST, version="1.0", host=False))
row("POST, fields in odd cases and with spaces", "RFC 9110 5.1",
    f"POST / HTTP/1.1\r\nhOST:responder.example\r\ncontent-LENGTH:  \t {len(REQUEST)}\r\n\r\n".encode() + REQUEST)
row("POST of no bytes", "RFC 6960 4.2.1", post(b""), MALFORMED, None)
row("POST without a length", "RFC 9112 6.3", message("POST", "/", OCSP_REQUEST), MALFORMED, None)
row("POST in no chunks", "RFC 9112 7.1", message("POST", "/", "Transfer-Encoding: chunked") + b"0\r\n\r\n", MALFORMED, None)

# --- limits -----------------------------------------------------------------------------------------------------------------------

BIG, BIGGER = padded_request(8192), padded_request(8193)
row("POST of 8192 bytes", OURS, post(BIG), request=BIG)
row("POST of 8192 bytes in chunks", OURS, message("POST", "/", "Transfer-Encoding: chunked") + chunked(BIG), request=BIG)
fails("POST of 8193 bytes", OURS, post(BIGGER), http(413))
fails("POST of 8193 bytes in chunks", OURS, message("POST", "/", "Transfer-Encoding: chunked") + chunked(BIGGER), http(413))
fails("POST of 1 MiB", OURS, post(bytes(1 << 20)), http(413))
fails("POST of 1 MiB in chunks", OURS, message("POST", "/", "Transfer-Encoding: chunked") + chunked(bytes(1 << 20), 65536), http(413))
fails("POST of 1 TiB, as it says", OURS, message("POST", "/", "Content-Length: 1099511627776"), http(413))
fails_at_once("POST of more than can be counted", OURS, message("POST", "/", "Content-Length: 99999999999999999999999"), http(413, 400))
fails("a chunk of more than can be counted", OURS, message("POST", "/", "Transfer-Encoding: chunked") + b"fffffffffffffffffff\r\n", http(413, 400))
LONG = padded_request(5800)
row("GET of 7700 characters", OURS, get(ask.path_raw(LONG)), request=LONG)
fails("GET of 9000 characters", OURS, get("/" + "A" * 9000), http(414, 413))
fails("GET of 1 MiB", OURS, get("/" + "A" * (1 << 20)), http(414, 413))
fails("a field of 9000 characters", OURS, get("/", "X-Long: " + "a" * 9000), http(413, 414, 431))
fails("a thousand fields", OURS, get("/", *(f"X-{i}: {'b' * 20}" for i in range(1000))), http(413, 414, 431))

# --- methods ----------------------------------------------------------------------------------------------------------------------


def allows(value):
    return value is not None and {v.strip() for v in value.split(",")} == {"GET", "HEAD", "POST"}


for method in ("PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW", "get"):
    fails(f"{method}", "RFC 9110 15.5.6", message(method, "/"), http(405, fields=[("allow", allows)]))
fails("PUT with a body", "RFC 9110 15.5.6", message("PUT", "/", body=REQUEST), http(405, fields=[("allow", allows)]))
fails("GET / is an answer about health", OURS, get("/"), http(200))
fails("GET of a whole URL whose path is / likewise", "RFC 9112 3.2.2", get("http://responder.example/"), http(200))
fails("HEAD / likewise", OURS, head("/"), http(200), to_head=True)

# --- what HTTP forbids --------------------------------------------------------------------------------------------------------------

LENGTH = f"Content-Length: {len(REQUEST)}"
fails("two Content-Lengths that differ", "RFC 9112 6.3", message("POST", "/", LENGTH, "Content-Length: 5") + REQUEST)
fails("two Content-Lengths that are the same", "RFC 9112 6.3", message("POST", "/", LENGTH, LENGTH) + REQUEST)
fails_at_once("a list of Content-Lengths", "RFC 9112 6.3", message("POST", "/", LENGTH + f", {len(REQUEST)}") + REQUEST)
fails("Content-Length and chunked", "RFC 9112 6.1", message("POST", "/", LENGTH, "Transfer-Encoding: chunked") + chunked(REQUEST))
fails("chunked and Content-Length", "RFC 9112 6.1", message("POST", "/", "Transfer-Encoding: chunked", LENGTH) + chunked(REQUEST))
fails("two Content-Lengths of a GET", "RFC 9112 6.3", get(ask.path_escaped(REQUEST), "Content-Length: 0", "Content-Length: 5") + b"hello")
for length in ("-1", "+5", "0x10", "5 5", "five", "", "1e3"):
    fails_at_once(f"Content-Length: {length!r}", "RFC 9110 8.6", message("POST", "/", f"Content-Length: {length}") + REQUEST)
fails("Transfer-Encoding: gzip", "RFC 9112 6.1", message("POST", "/", "Transfer-Encoding: gzip") + REQUEST, http(400, 501))
fails("Transfer-Encoding: gzip, chunked", "RFC 9112 6.1", message("POST", "/", "Transfer-Encoding: gzip, chunked") + chunked(REQUEST), http(400, 501))
fails("a chunk size that is no number", "RFC 9112 7.1", message("POST", "/", "Transfer-Encoding: chunked") + b"xyz\r\n" + REQUEST)
fails("a chunk that is longer than it says", "RFC 9112 7.1", message("POST", "/", "Transfer-Encoding: chunked") + b"5\r\n" + REQUEST + b"\r\n0\r\n\r\n")
fails("HTTP/1.1 without a Host", "RFC 9112 3.2", get(ask.path_escaped(REQUEST), host=False))

# What is not HTTP: 400, or another refusal that fits, or the end of the connection.
FOREIGN = http(400, 405, 501, 505)
for what, data in (("a ClientHello", bytes.fromhex("16030100c8010000c40303") + bytes(range(190))), ("HTTP/0.9", b"GET /\r\n\r\n"),
                   ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), ("HTTP/9.9", get("/", version="9.9")), ("a line of spaces", b"      \r\n\r\n"),
                   ("bytes of all kinds", bytes(range(128, 256)) * 4 + b"\r\n\r\n"), ("a request line without a target", b"GET\r\n\r\n"),
                   ("a request of another protocol", b"EHLO mail.example\r\n\r\n"),
                   ("bare DER", PLAIN + b"\r\n\r\n"), ("a PROXY line", b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n\r\n"),
                   ("a field without a colon", get("/").replace(b"\r\n\r\n", b"\r\nnonsense\r\n\r\n")),
                   ("a space before the colon", get("/").replace(b"Host:", b"Host :"))):
    fails(f"not HTTP: {what}", "RFC 9112 3", data, FOREIGN, may_close=True)
