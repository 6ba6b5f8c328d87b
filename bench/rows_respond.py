# SPDX-License-Identifier: LGPL-2.1-or-later
"""The responder's figures, their peers and their limits; bench/respond.py measures them."""
from rows import Row

PROGRAMS = ("clinch-bench-load", "clinch-bench-sign")
MANY = 10_000  # certificates asked for in turn: more than the threads have answers at hand
PREPARED = 100_000
MILLION = 1_000_000
LINES = 1_000_000
MEMORY_LIMIT_B = 200
LOAD_LIMIT_S = 2
LINE_LIMIT_B = 64

# CPU a request of the server alone; nginx answers `return 200` with a body of the same size.
HTTP = [
    Row("respond-get", "respond: prepared GET, keep-alive", "p256", "get", "nginx-get", "nginx, static body", 1.40),
    Row("respond-post", "respond: prepared POST, keep-alive", "p256", "post", "nginx-post", "nginx, static body", 1.40),
    Row("respond-many", f"respond: prepared POST, {MANY} in turn", "p256", "many", "nginx-many", "nginx, static body", 1.40),
]
# Time a request with a core for the server and one for the client: 5 times the rate is 1/5 of it.
CFSSL = Row("respond-cfssl", "respond: POST, keep-alive, wall", "p256", "post", "cfssl", "cfssl ocspserve", 1 / 5)
CFSSL_CPU = Row("respond-cfssl-cpu", "respond: POST, keep-alive, CPU", "p256", "post", "cfssl", "cfssl ocspserve")
OPENSSL = Row("respond-openssl", "respond: a connection each, wall", "p256", "once", "openssl", "openssl ocsp", 1 / 2.5)
# What the client is at its end with says nothing of the server: its CPU time is the rate that its core allows.
OPENSSL_CPU = Row("respond-openssl-cpu", "respond: a connection each, CPU", "p256", "once", "openssl", "openssl ocsp", 1 / 2.5)
# What the kernel takes for a connection is most of it: nginx's own ratio to openssl is this row's inverse times the one above.
ONCE_NGINX = Row("respond-once", "respond: a connection each, wall", "p256", "once", "nginx", "nginx, static body")
NONCE = [
    Row("nonce-p256", "respond: nonce, P-256, CPU", "p256", "nonce", "post", "raw sign + prepared POST", 1.15),
    Row("nonce-ed25519", "respond: nonce, Ed25519, CPU", "ed25519", "nonce", "post", "raw sign + prepared POST", 1.15),
]
# 0.9 of the rate is 1 / 0.9 of the time.
PREPARE = Row("prepare", "respond: prepare {n}, P-256, wall each", "p256", "prepare", "sign", "raw signs on all cores", 1.11)
PREPARE_CPU = Row("prepare-cpu", "respond: prepare {n}, P-256, CPU each", "p256", "prepare", "sign", "raw sign")
PREPARE_MEMORY = Row("prepare-memory", "respond: prepared answer beyond its DER", "p256", "prepare", "", "a limit", 1.0)
INDEX = Row("index-load", f"respond: index.txt of {LINES}, ready, wall", "p256", "index", "", "a limit", 1.0)
INDEX_MEMORY = Row("index-memory", f"respond: index.txt of {LINES}, a line", "p256", "index", "", "a limit", 1.0)
# With as many connections that want a nonce that the pool's queue is full, and those beyond are turned away.
P99 = [
    Row("nonce-p99", "respond: p99 at 20 %, nonces at twice their rate, P-256", "p256", "steady", "steady", "without nonces, wall", 2.0),
    Row("nonce-p99-rsa", "respond: p99 at 20 %, the same, RSA-2048", "rsa2048", "steady", "steady", "without nonces, wall", 2.0),
]
