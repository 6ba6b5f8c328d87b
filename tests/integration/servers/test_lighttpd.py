# SPDX-License-Identifier: LGPL-2.1-or-later
"""lighttpd, fed by the keeper: ssl.stapling-file, which it looks at again by itself when its response is about to end."""
import os

from fed import NAME, SBIN, Scene, accepted_by_all, begin, follows, no_complaints, signalled, wait_staple
from authority import Authority
from harness import case, expect_equal, free_port, main, start


def configure(scene, port):
    conf = os.path.join(scene.where, "lighttpd.conf")
    with open(conf, "w") as f:
        f.write(f"""server.modules = ( "mod_openssl" )
server.document-root = "{scene.where}"
server.bind = "127.0.0.1"
server.port = {port}
server.pid-file = "{scene.where}/pid"
ssl.engine = "enable"
ssl.pemfile = "{scene.chain}"
ssl.privkey = "{scene.key}"
ssl.stapling-file = "{scene.out}/{NAME}.der"
""")
    return conf


def run(scene, port):
    return start(["lighttpd", "-D", "-f", configure(scene, port)], ready=port, env=SBIN)


def der(scene):
    return f'{{ der: "{scene.out}/{{name}}.der", server: lighttpd }}'


@case
def follows_a_refresh_and_a_renewal_by_a_graceful_restart():
    with Authority() as ca:
        port = free_port()
        scene = Scene(ca, lambda s: [der(s), signalled(s, "USR1")])
        scene.first()
        run(scene, port)
        accepted_by_all(scene, port)
        follows(scene, port)


@case
def takes_a_refreshed_file_by_itself():
    """Once in 64 seconds it looks for files whose response has less than 256 left: the only wait here that is long. It does so in
    the one second that 64 divides, which a busy machine may have it sleep through: then it is the next one."""
    with Authority() as ca:
        port = free_port()
        scene = Scene(ca, lambda s: [der(s)])
        ca.life_s, ca.age_s = 400, 200 - 20  # the refresh is in a later second than the start: lighttpd compares whole ones
        scene.first()
        run(scene, port)
        at_start = wait_staple(scene, port)["this_update"]
        begin(scene)
        wait_staple(scene, port, other_than=at_start, seconds=140, every_s=1)
        accepted_by_all(scene, port)
        no_complaints(scene)


@case
def starts_without_the_file():
    with Authority() as ca:
        port = free_port()
        scene = Scene(ca, lambda s: [der(s)])
        run(scene, port)
        expect_equal(scene.check(port)[1]["reason"], "missing-must-staple", "what it staples")


main()
