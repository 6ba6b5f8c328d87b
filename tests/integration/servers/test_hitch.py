# SPDX-License-Identifier: LGPL-2.1-or-later
"""hitch, fed by the keeper: ocsp-resp-file, and SIGHUP."""
import os

from fed import NAME, SBIN, Scene, accepted_by_all, follows, signalled
from authority import Authority
from harness import Failed, case, expect_in, free_port, main, skip, start


def configure(scene, port):
    conf = os.path.join(scene.where, "hitch.conf")
    with open(conf, "w") as f:
        f.write(f"""frontend = "[127.0.0.1]:{port}"
backend = "[127.0.0.1]:{free_port()}"
workers = 1
daemon = off
tls-protos = TLSv1.2 TLSv1.3
ocsp-dir = ""
pem-file = {{
    cert = "{scene.chain}"
    private-key = "{scene.key}"
    ocsp-resp-file = "{scene.out}/{NAME}.der"
}}
""")
    return conf


def run(scene, port):
    if os.getuid() == 0:
        skip("hitch does not run as root")
    return start(["hitch", f"--config={configure(scene, port)}", f"--pidfile={scene.where}/pid"], ready=port, env=SBIN)


def der(scene):
    return f'{{ der: "{scene.out}/{{name}}.der", server: hitch }}'


@case
def follows_a_refresh_and_a_renewal_by_a_reload():
    with Authority() as ca:
        port = free_port()
        scene = Scene(ca, lambda s: [der(s), signalled(s, "HUP")])
        scene.first()
        run(scene, port)
        accepted_by_all(scene, port)
        follows(scene, port)


@case
def does_not_start_without_the_file():
    with Authority() as ca:
        scene = Scene(ca, lambda s: [der(s)])
        try:
            run(scene, free_port())
        except Failed as failed:
            expect_in("before it was ready", str(failed), "what hitch did")
        else:
            raise Failed("hitch starts without its ocsp-resp-file: docs/servers.md says otherwise")


main()
