# SPDX-License-Identifier: LGPL-2.1-or-later
"""HAProxy, fed by the keeper: its runtime socket, and the file beside the certificate for its start."""
import os

from fed import NAME, SBIN, Scene, accepted_by_all, begin, no_complaints, wait_staple, wears
from authority import Authority
from harness import case, clinch, expect_equal, free_port, main, start, wait_for


class Haproxy:
    """In the master-worker mode of its unit; the certificate is {name}.pem, as the recipe has it."""

    def __init__(self, scene, port):
        self.scene, self.port, self.socket = scene, port, f"{scene.where}/admin.sock"
        self.pem = os.path.join(scene.out, f"{NAME}.pem")
        self.install()
        self.conf = os.path.join(scene.where, "haproxy.cfg")
        with open(self.conf, "w") as f:
            f.write(f"""global
  log stderr local0
  stats socket {self.socket} mode 600 level admin
defaults
  mode http
  timeout client 10s
  timeout server 10s
  timeout connect 10s
frontend tls
  bind 127.0.0.1:{port} ssl crt {self.pem}
  http-request return status 204
""")

    def install(self):
        """What a deploy hook does: chain and key in one file."""
        with open(self.scene.both, "rb") as f:
            data = f.read()
        with open(self.pem + ".new", "wb") as f:
            f.write(data)
        os.replace(self.pem + ".new", self.pem)

    def start(self):
        self.process = start(["haproxy", "-Ws", "-f", self.conf], ready=self.port, env=SBIN)
        return self.process

    def reload(self):
        self.process.popen.send_signal(12)  # SIGUSR2


def socket_of(scene):
    return f"{{ haproxy: {scene.where}/admin.sock, after: 200ms }}"


def beside(scene):
    return f'{{ der: "{scene.out}/{{name}}.pem.ocsp", server: haproxy }}'


@case
def has_its_staple_at_the_first_handshake_and_follows_by_the_socket():
    with Authority() as ca:
        port = free_port()
        scene = Scene(ca, lambda s: [socket_of(s), beside(s)])
        haproxy = Haproxy(scene, port)
        scene.keep.once()  # HAProxy is not there yet: the file beside its certificate is what counts
        haproxy.start()
        accepted_by_all(scene, port)
        at_start = wait_staple(scene, port)["this_update"]
        begin(scene)
        wait_staple(scene, port, other_than=at_start)
        accepted_by_all(scene, port)
        renewed(scene, haproxy)
        no_complaints(scene)


def renewed(scene, haproxy):
    """The deploy hook of docs/servers.md: the new certificate's response first, then the certificate, then the reload."""
    scene.renew()
    done = clinch("fetch", "-q", "-o", haproxy.pem + ".ocsp", scene.chain)
    expect_equal(done.rc, 0, f"exit status of clinch fetch\n{done}")
    haproxy.install()
    haproxy.reload()
    wait_for(lambda: wears(scene, haproxy.port, []), 15, "the renewed certificate")
    scene.keep.wait_held(scene.leaf)
    accepted_by_all(scene, haproxy.port)


@case
def starts_without_a_file_and_is_given_its_staple():
    with Authority() as ca:
        port = free_port()
        scene = Scene(ca, lambda s: [socket_of(s)])
        Haproxy(scene, port).start()
        expect_equal(scene.check(port)[1]["reason"], "missing-must-staple", "before the keeper")
        scene.keep.start()
        wait_staple(scene, port)
        accepted_by_all(scene, port)


main()
