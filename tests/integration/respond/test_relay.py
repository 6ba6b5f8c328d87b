# SPDX-License-Identifier: LGPL-2.1-or-later
"""Relay: what the keeper believed is answered, byte for byte; nginx and Apache staple through an outage of the true responder."""
import glob
import os
import time

import ask
import issuer
import told
from authority import Authority
from clock import Clock
from cryptography.hazmat.primitives import serialization
from harness import (case, clinch, expect, expect_equal, expect_in, expect_match, free_port, main, new_tempdir, run, skip, start, tempdir,
                     wait_for)
from respond import Respond, configuration, read, refused
from scene import Keep, put
from talk import exchange, get, post

NAME = "www.example.org"
TRY_LATER = bytes.fromhex("30030a0103")
SBIN = {"PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}


class Named:
    """The CA of a leaf, as ask.cert_id() wants it."""

    def __init__(self, identity):
        self.name = identity.cert.subject.public_bytes()
        self.key_bits = identity.key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


class Scene:
    """A true responder, a keeper that has asked it, and a relay. outage() ends the true one."""

    def __init__(self, ca, *options, env=None):
        self.ca, self.where = ca, new_tempdir()
        self.leaf = ca.leaf(NAME)
        self.chain = put(self.leaf, os.path.join(self.where, "fullchain.pem"))
        self.keep = Keep(self.chain)
        expect_equal(self.keep.once().rc, 0, "exit status of keep --once")
        self.relay = Respond(None, "--store", self.keep.store, "--relay", self.chain, *options, env=env)
        self.issuer = Named(self.leaf.issuer)

    def request(self, leaf=None, hash_name="sha1", **more):
        return ask.request(ask.cert_id(self.issuer, (leaf or self.leaf).cert.serial_number, hash_name), **more)

    def held(self):
        with open(self.keep.path_of(self.leaf), "rb") as f:
            return f.read()

    def outage(self):
        self.ca.stop()


@case
def the_keepers_bytes_are_answered():
    with Authority() as ca:
        scene = Scene(ca)
        for data in (post(scene.request()), get(ask.path_escaped(scene.request()))):
            answer = exchange(scene.relay.address, data)
            expect_equal(answer.body, scene.held(), "body")
        single = read(answer).single
        expect_equal((answer.date("last-modified"), answer.date("expires")), (single.this_update, single.next_update), "fields for caches")
        expect(answer.field("etag") and answer.max_age <= 3600, f"fields for caches\n{answer}")


@case
def what_the_store_has_not_is_not_answered():
    with Authority() as ca:
        scene = Scene(ca)
        stranger = ca.leaf("stranger.example.org")
        expect_equal(scene.relay.status(scene.request(stranger)), "unauthorized", "a certificate that is not kept")
        expect_equal(scene.relay.status(scene.request(hash_name="sha384")), "unauthorized", "a CertID by another hash")
        both = ask.request(ask.cert_id(scene.issuer, scene.leaf.cert.serial_number), ask.cert_id(scene.issuer, stranger.cert.serial_number))
        expect_equal(scene.relay.status(both), "unauthorized", "two, of which one is kept")


@case
def a_nonce_is_not_answered_by_who_cannot_sign():
    with Authority() as ca:
        scene = Scene(ca)
        answer = exchange(scene.relay.address, post(scene.request(extensions=[ask.nonce(16)])))
        expect_equal(answer.body, scene.held(), "body")


@case
def a_newer_response_in_the_store_is_seen():
    with Authority() as ca:
        scene = Scene(ca)
        expect_equal(scene.relay.status(scene.request()), "good", "status")
        issuer.write(scene.keep.path_of(scene.leaf), ca.sign(scene.leaf, status="revoked"))
        scene.relay.wait_status(scene.request(), "revoked")


@case
def what_has_expired_is_not_answered():
    with Authority() as ca:
        ca.age_s = 60
        scene = Scene(ca)
        for life in (6, 30, 60):  # longer, where the machine is so busy that it is not seen in time
            brief = ca.sign(scene.leaf, age_s=0, life_s=life)
            issuer.write(scene.keep.path_of(scene.leaf), brief)
            over = time.time() + life
            wait_for(lambda: exchange(scene.relay.address, post(scene.request())).body == brief or time.time() > over, life, "the brief one")
            if time.time() < over:
                break
        scene.outage()
        wait_for(lambda: scene.relay.status(scene.request()) != "good", life, "the end of the response")
        expect_match("tryLater|unauthorized", scene.relay.status(scene.request()), "outcome")
        expect(time.time() > told.Told(brief).single.next_update - 2, "it had not ended")


@case
def what_was_not_believed_under_a_wrong_clock_is_judged_again():
    """A board without a clock of its own: the keeper does not write the same response a second time."""
    clock = Clock(86400)
    with Authority() as ca:
        scene = Scene(ca, env=clock.env)
        expect_match("tryLater|unauthorized", scene.relay.status(scene.request()), "outcome on the second of January 1970")
        clock.set(int(time.time()))
        scene.relay.wait_status(scene.request(), "good")


@case
def what_is_not_believed_is_not_answered():
    """Somebody wrote into the store: another signature, another certificate's response, what is no response."""
    with Authority() as ca:
        scene = Scene(ca)
        good, pki = scene.held(), ca.pki
        other = ca.leaf("other.example.org")
        impostor = pki.delegate(label="impostor", issuer=pki.root)
        for bad in (pki.response(scene.leaf, sign_as=impostor), pki.response(other), pki.expired(scene.leaf), b"\x30\x03\x0a\x01\x03", b""):
            issuer.write(scene.keep.path_of(scene.leaf), bad)
            for _ in range(20):
                body = exchange(scene.relay.address, post(scene.request())).body
                expect(body in (good, TRY_LATER), f"it says {body[:40].hex()} when the store has {bad[:40].hex()}")
                time.sleep(0.02)
        issuer.write(scene.keep.path_of(scene.leaf), good)
        scene.relay.wait_status(scene.request(), "good")


@case
def its_own_CA_and_the_store_are_answered_side_by_side():
    with Authority() as ca:
        own = issuer.Ca(new_tempdir(), "own")
        index = issuer.Index(os.path.join(own.dir, "index.txt")).add("R", 0x1001).save()
        scene = Scene(ca, "--ca", own.cert_file, "--signer", own.cert_file, "--key", own.key_file, "--index", index.path)
        expect_equal(scene.relay.status(scene.request()), "good", "of the store")
        expect_equal(scene.relay.status(ask.request(ask.cert_id(own, 0x1001))), "revoked", "of the index")
        expect_equal(scene.relay.status(ask.request(ask.cert_id(scene.issuer, 0x1001))), "unauthorized", "the index's serial of the store's CA")


@case
def by_configuration_it_takes_the_keepers_certificates():
    with Authority() as ca:
        scene = Scene(ca)
        conf = configuration(more="relay: true",
                             top=f"store: {scene.keep.store}\nkeep:\n  certificates:\n    - path: {scene.where}/*.pem\n")
        with Respond(conf) as relay:
            expect_equal(relay.status(scene.request()), "good", "status")


@case
def a_relay_of_nothing_is_refused():
    expect_in("relay", refused(None, "--store", new_tempdir()), "what it says")


# --- servers (their own fetchers, pointed at the relay) ---------------------------------------------------------------------------------


def nginx(scene):
    port = free_port()
    paths = "".join(f"{kind}_temp_path {scene.where}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    conf = os.path.join(scene.where, "nginx.conf")
    with open(conf, "w", encoding="utf-8") as f:
        f.write(f"""daemon off; pid {scene.where}/pid; error_log stderr info; worker_processes 1;
events {{ }}
http {{
    access_log off; {paths}
    server {{
        listen 127.0.0.1:{port} ssl; server_name {NAME};
        ssl_certificate {scene.chain}; ssl_certificate_key {scene.leaf.key_file};
        ssl_trusted_certificate {scene.ca.pki.root.cert_file};
        ssl_stapling on; ssl_stapling_verify on; ssl_stapling_responder {scene.relay.url};
        location / {{ return 204; }}
    }}
}}
""")
    return port, start(["nginx", "-p", scene.where, "-e", "stderr", "-c", conf], ready=port, env=SBIN)


def apache(scene):
    modules = [m for m in ("/usr/lib/apache2/modules",) if glob.glob(m + "/mod_ssl.so")]
    if not modules:
        skip("no Apache with mod_ssl")
    port, conf = free_port(), os.path.join(scene.where, "apache.conf")
    load = "".join(f"LoadModule {name}_module {modules[0]}/mod_{name}.so\n"
                   for name in ("mpm_event", "authz_core", "socache_shmcb", "ssl") if os.path.exists(f"{modules[0]}/mod_{name}.so"))
    with open(conf, "w", encoding="utf-8") as f:
        f.write(f"""ServerRoot {scene.where}
ServerName {NAME}
PidFile {scene.where}/apache.pid
Mutex file:{scene.where}
ErrorLog /dev/stderr
LogLevel info
Listen 127.0.0.1:{port}
{load}
DocumentRoot {scene.where}
SSLSessionCache none
SSLUseStapling on
SSLStaplingCache shmcb:{scene.where}/stapling(128000)
SSLStaplingForceURL {scene.relay.url}
<VirtualHost 127.0.0.1:{port}>
    SSLEngine on
    SSLCertificateFile {scene.chain}
    SSLCertificateKeyFile {scene.leaf.key_file}
</VirtualHost>
""")
    return port, start(["apache2", "-X", "-d", scene.where, "-f", conf], ready=port, env=SBIN)


def check(scene, port):
    return clinch("check", "--json", "--ca", scene.ca.pki.root.cert_file, "--connect", f"127.0.0.1:{port}", NAME)


def staple(scene, port):
    """What a client of the server sees of it."""
    done = check(scene, port)
    chain = done.jsonlines[0].get("chain")
    return chain[0]["staple"]["verdict"] if chain else done.jsonlines[0]["reason"]


def staples_through_an_outage(server, lazy):
    """The true responder is gone before the server starts: what it staples can only have come from the relay."""
    with Authority() as ca:
        scene = Scene(ca)
        scene.outage()
        asked = ca.asked(scene.leaf)
        port, process = server(scene)
        if lazy:
            staple(scene, port)  # nginx fetches when its first client is there, and has nothing for that one
        wait_for(lambda: staple(scene, port) == "good", 5, f"a good staple; it is {staple(scene, port)}")
        expect_equal([staple(scene, port) for _ in range(3)], ["good"] * 3, "staples")
        saved = os.path.join(tempdir(), "saved.der")
        run(["gnutls-cli", "--port", str(port), "--x509cafile", ca.pki.root.cert_file, "--sni-hostname", NAME, "--verify-hostname", NAME,
             "--save-ocsp", saved, "127.0.0.1"], input="")
        with open(saved, "rb") as f:
            expect_equal(f.read(), scene.held(), "the staple's bytes")
        expect_equal(ca.asked(scene.leaf), asked, "requests of the true responder")
        process.stop()


@case
def nginx_staples_through_an_outage():
    staples_through_an_outage(nginx, lazy=True)


@case
def Apache_staples_through_an_outage():
    staples_through_an_outage(apache, lazy=False)


@case
def a_server_that_was_restarted_goes_on_stapling():
    """Not the server's own cache: each start asks the relay again."""
    with Authority() as ca:
        scene = Scene(ca)
        scene.outage()
        for _ in range(2):
            port, process = nginx(scene)
            staple(scene, port)
            wait_for(lambda p=port: staple(scene, p) == "good", 5, "a good staple")
            process.stop()


main()
