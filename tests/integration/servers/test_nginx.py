# SPDX-License-Identifier: LGPL-2.1-or-later
"""nginx, fed by the keeper: ssl_stapling_file, and a reload."""
import os

from fed import NAME, SBIN, Scene, accepted_by_all, begin, follows, no_complaints, signalled, wait_staple
from authority import Authority
from harness import Failed, case, expect_in, free_port, main, start, wait_for


def configure(scene, port):
    paths = "".join(f"{kind}_temp_path {scene.where}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    conf = os.path.join(scene.where, "nginx.conf")
    with open(conf, "w") as f:
        f.write(f"""daemon off; pid {scene.where}/pid; error_log stderr notice; worker_processes 1;
events {{ }}
http {{
    access_log off; {paths}
    server {{
        listen 127.0.0.1:{port} ssl;
        server_name {NAME};
        ssl_certificate {scene.chain};
        ssl_certificate_key {scene.key};
        ssl_stapling on;
        ssl_stapling_file {scene.out}/{NAME}.der;
        location / {{ return 204; }}
    }}
}}
""")
    return conf


def run(scene, port):
    return start(["nginx", "-p", scene.where, "-e", "stderr", "-c", configure(scene, port)], ready=port, env=SBIN)


def der(scene):
    return f'{{ der: "{scene.out}/{{name}}.der", server: nginx }}'


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
def follows_when_another_watches_the_file_that_is_touched():
    """As clinch-reload@nginx.path, without systemd: who may reload nginx waits for .changed; the keeper runs no command."""
    with Authority() as ca:
        port = free_port()
        scene = Scene(ca, lambda s: [der(s)])
        scene.first()
        nginx = run(scene, port)
        changed, seen = f"{scene.out}/.changed", stamp(f"{scene.out}/.changed")
        at_start = wait_staple(scene, port)["this_update"]
        begin(scene)
        wait_for(lambda: stamp(changed) != seen, 5, "another time of .changed")
        nginx.popen.send_signal(1)
        wait_staple(scene, port, other_than=at_start)
        accepted_by_all(scene, port)
        no_complaints(scene)


@case
def does_not_start_without_the_file():
    """Which is why docs/servers.md begins with `clinch keep --once`."""
    with Authority() as ca:
        scene = Scene(ca, lambda s: [der(s)])
        try:
            run(scene, free_port())
        except Failed as failed:
            expect_in("before it was ready", str(failed), "what nginx did")
        else:
            raise Failed("nginx starts without its ssl_stapling_file: docs/servers.md says otherwise")


def stamp(path):
    return os.stat(path).st_mtime_ns



main()
