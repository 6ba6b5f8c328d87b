# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reloads of `clinch serve` that fail, and such as come one upon the other."""
import os
import socket
from datetime import timedelta

from harness import case, main, new_tempdir, wait_for
from scene import NOWHERE, Backend, Serve, Store, configuration, echo, leaf, look, pki, write_configuration


@case
def the_log_is_as_the_configuration_in_use_says():
    """A reload changes it; one that fails does not."""
    def add(path, text):
        with open(path, "a", encoding="ascii") as f:
            f.write(text)

    class nowhere:
        chain_file = key_file = os.path.join(new_tempdir(), "nothing.pem")

    store = Store()
    store.put(leaf, pki.response(leaf, this_update=timedelta(hours=-2)))
    with Backend(echo) as backend:
        path = configuration(store, backend, [leaf])
        with Serve(conf=path, store=store, verbose=False) as server:
            write_configuration(path, store, backend, [leaf, nowhere])
            add(path, "log: { level: error }\n")
            server.hup()
            server.wait_event("reload-failed")
            store.put(leaf, pki.response(leaf, this_update=timedelta(minutes=-1)))
            server.wait_event("refreshed")  # is told at level info
            write_configuration(path, store, backend, [leaf])
            add(path, "log: { level: debug }\n")
            server.hup()
            server.wait_event("reloaded")
            with socket.create_connection(server.address, timeout=10) as stream:
                stream.sendall(b"GET / HTTP/1.0\r\n\r\n")
            server.wait_event("connection-failed")  # at level debug


@case
def reloads_that_come_faster_than_staples_still_come_to_an_end():
    fresh = pki.leaf("www.example.org", label="without a staple", ocsp_url=NOWHERE)
    with Backend(echo) as backend:
        store = Store(leaf)
        path = configuration(store, backend, [leaf], more="ready_timeout: 1s")
        with Serve(conf=path) as server:
            write_configuration(path, store, backend, [fresh], more="ready_timeout: 1s")

            def hup_again():
                server.hup()
                return server.events("reloaded")

            wait_for(hup_again, 10, "a reload, SIGHUP after SIGHUP")
            wait_for(lambda: look(server.address).leaf == fresh.cert.serial_number, 5, "the new certificate")


main()
