# SPDX-License-Identifier: LGPL-2.1-or-later
"""What `clinch serve` counts, in a file and over HTTP, and its probes."""
import http.client
import os
import socket
import threading

from harness import case, expect_equal, expect_in, main, new_tempdir, wait_for
from scene import Backend, Serve, Store, connect, echo, leaf, metrics_address


def echoes(server, data=b"hello"):
    with connect(server) as stream:
        stream.sendall(data)
        return stream.recv(len(data)) == data


@case
def counters_are_written_for_prometheus():
    path = os.path.join(new_tempdir(), "clinch.prom")
    with Backend(echo) as backend, Serve("--metrics-file", path, backend=backend) as server:
        for _ in range(3):
            echoes(server)
        server.stop_well()
    with open(path, encoding="ascii") as f:
        text = f.read()
    expect_in('clinch_handshakes_total{staple="sent"} 3\n', text, "the counters")
    expect_in("clinch_connections 0\n", text, "the counters")


def ask(address, path, method="GET"):
    """Status and body of a request for metrics; None where nobody listens."""
    connection = http.client.HTTPConnection(*address, timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except ConnectionRefusedError:
        return None
    finally:
        connection.close()


@case
def counters_are_told_over_http():
    with Backend(echo) as backend, Serve("--metrics", "127.0.0.1:0", backend=backend) as server:
        address = metrics_address(server)
        for _ in range(3):
            echoes(server)
        wait_for(lambda: 'clinch_handshakes_total{staple="sent"} 3\n' in ask(address, "/metrics")[1], 5, "the counters")
        expect_equal(ask(address, "/livez"), (200, "alive\n"), "livez")
        expect_equal(ask(address, "/status.json")[0], 404, "what it does not have")
        expect_equal(ask(address, "/metrics", "POST")[0], 405, "another method")


@case
def readyz_is_true_from_listening_to_draining():
    store = Store()  # nothing in it, at first
    conf = os.path.join(new_tempdir(), "clinch.yaml")
    held = threading.Event()
    with Backend(lambda connection, _: held.wait(60)) as backend:
        with open(conf, "w", encoding="ascii") as f:
            f.write(f"""store: {store.dir}
serve: {{ listen: ["127.0.0.1:0"], backend: "{backend.address}", keeper: none, ready_timeout: 5m, metrics_listen: "127.0.0.1:0",
  certificates: [{{ chain: {leaf.chain_file}, key: {leaf.key_file} }}] }}
""")
        with Serve(conf=conf, wait=False) as server:
            address = metrics_address(server)
            expect_equal(ask(address, "/readyz"), (503, "not ready yet\n"), "before it listens")
            store.put(leaf)
            server.wait_ready()
            expect_equal(ask(address, "/readyz"), (200, "ready\n"), "while it listens")
            with connect(server):
                wait_for(lambda: backend.connections, 10, "the backend's connection")
                server.terminate()
                wait_for(lambda: ask(address, "/readyz") == (503, "not ready yet\n"), 5, "the drain to be seen")
                held.set()
            expect_equal(server.process.wait(10), 0, "exit status")


@case
def a_taken_address_for_metrics_is_said_and_nothing_starts():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Serve("--metrics", f"127.0.0.1:{port}", wait=False) as server:
            expect_equal(server.process.wait(10), 2, "exit status")
            expect_in(f"--metrics: 127.0.0.1:{port} cannot be listened on", server.process.log_text(), "what is said")


main()
