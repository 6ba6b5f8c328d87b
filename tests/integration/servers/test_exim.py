# SPDX-License-Identifier: LGPL-2.1-or-later
"""exim, fed by the keeper: tls_ocsp_file with PEM. It watches its files, nobody tells it anything."""
import os

from fed import NAME, Scene, accepted_by_all, follows
from authority import Authority
from harness import case, expect_equal, free_port, main, start


def configure(scene, port):
    conf = os.path.join(scene.where, "exim.conf")
    with open(conf, "w") as f:
        f.write(f"""primary_hostname = {NAME}
exim_user = {os.getuid()}
exim_group = {os.getgid()}
spool_directory = {scene.where}/spool
log_file_path = {scene.where}/%s.log
pid_file_path = {scene.where}/pid
keep_environment =
host_lookup =
tls_advertise_hosts = *
tls_certificate = {scene.chain}
tls_privatekey = {scene.key}
tls_ocsp_file = PEM {scene.out}/{NAME}.pem
""")
    return conf


def run(scene, port):
    return start(["/usr/sbin/exim4", "-C", configure(scene, port), "-bdf", "-oX", f"127.0.0.1:{port}"], ready=port)


def pem(scene):
    return f'{{ pem: "{scene.out}/{{name}}.pem", server: exim }}'


@case
def follows_a_refresh_and_a_renewal_by_itself():
    with Authority() as ca:
        port = free_port()
        scene = Scene(ca, lambda s: [pem(s)])
        scene.first()
        run(scene, port)
        accepted_by_all(scene, port, "smtp")
        follows(scene, port, "smtp")


@case
def does_not_shake_hands_without_the_file():
    with Authority() as ca:
        port = free_port()
        scene = Scene(ca, lambda s: [pem(s)])
        run(scene, port)
        rc, answer = scene.check(port, "--starttls", "smtp")
        expect_equal((rc, answer["verdict"]), (1, "error"), f"clinch check\n{answer}")


main()
