# SPDX-License-Identifier: LGPL-2.1-or-later
"""The throw-away certificate authority: its keys, its certificates, its responders."""
import os
import time

from stage import COMMAND_S, Trouble, says_its_port

TREE = """
   root               openssl ocsp answers for it at 127.0.0.1:{ROOT_PORT}
    `- issuing        openssl ocsp answers for it at 127.0.0.1:{ISSUING_PORT}
        |- delegate   signs those answers, so that the issuing CA's key can stay in its safe
        |- rsa, ecdsa, stolen     servers
        `- must       a server whose certificate says must-staple"""

OPENSSL_CONF = """
[ req ]
distinguished_name = dn
[ dn ]
[ ca ]
default_ca = this
[ this ]
database = $ENV::CA/index.txt
serial = $ENV::CA/serial
new_certs_dir = $ENV::CA
certificate = $ENV::CA.pem
private_key = $ENV::CA.key
default_md = sha256
unique_subject = no
policy = any
[ any ]
commonName = supplied
[ root ]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[ issuing ]
basicConstraints = critical, CA:true, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityInfoAccess = OCSP;URI:http://127.0.0.1:$ENV::ROOT_PORT/
[ delegate ]
keyUsage = critical, digitalSignature
extendedKeyUsage = OCSPSigning
noCheck = ignored
[ server ]
subjectAltName = DNS:localhost, IP:127.0.0.1
extendedKeyUsage = serverAuth
authorityInfoAccess = OCSP;URI:http://127.0.0.1:$ENV::ISSUING_PORT/
[ must_staple ]
subjectAltName = DNS:localhost, IP:127.0.0.1
extendedKeyUsage = serverAuth
authorityInfoAccess = OCSP;URI:http://127.0.0.1:$ENV::ISSUING_PORT/
tlsfeature = status_request
"""

RSA = "rsa:2048"
P256 = "ec -pkeyopt ec_paramgen_curve:P-256"


def ago(days):
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() - days * 86400))


def new_key(stage, name, kind, subject):
    stage.quiet(f"openssl req -new -config ca.conf -newkey {kind} -nodes -keyout {name}.key -out {name}.csr -subj '/CN={subject}'")


def sign(stage, ca, name, section, days, extra=""):
    stage.quiet(f"openssl ca -config ca.conf -batch -notext -in {name}.csr -out {name}.pem -extensions {section} "
                f"-startdate {ago(40)} -days {days + 40} {extra}", CA=ca)


def authority(stage, ca):
    os.mkdir(stage.path(ca))
    for name, text in (("index.txt", ""), ("serial", "1000\n")):
        with open(stage.path(f"{ca}/{name}"), "w") as f:
            f.write(text)


def responder(stage, ca, signer):
    return stage.serve(f"openssl ocsp -port 0 -index {ca}/index.txt -CA {ca}.pem -rsigner {signer}.pem -rkey {signer}.key -ndays 4",
                       says_its_port)


def look_again(stage, ca, name, status="good"):
    """openssl ocsp looks whether its index has changed before it waits for a request, not after: some go by."""
    port = stage.env[f"{ca.upper()}_PORT"]
    deadline = time.monotonic() + COMMAND_S
    while f"{name}.pem: {status}" not in stage.quiet(
            f"openssl ocsp -issuer {ca}.pem -cert {name}.pem -url http://127.0.0.1:{port}/ -noverify"):
        if time.monotonic() > deadline:
            raise Trouble(f"openssl ocsp does not say {status} of {name}.pem")
        time.sleep(0.05)


def make_pki(stage):
    """root > issuing > the servers' certificates; each CA has a responder, and the issuing CA's signs by a delegate."""
    with open(stage.path("ca.conf"), "w") as f:
        f.write(OPENSSL_CONF)
    for ca in ("root", "issuing"):
        authority(stage, ca)
    new_key(stage, "root", P256, "Demo Root")
    sign(stage, "root", "root", "root", 365, "-selfsign -keyfile root.key")
    stage.env["ROOT_PORT"] = responder(stage, "root", "root")
    new_key(stage, "issuing", P256, "Demo Issuing CA")
    sign(stage, "root", "issuing", "issuing", 365)
    new_key(stage, "delegate", P256, "Demo OCSP Responder")
    sign(stage, "issuing", "delegate", "delegate", 60)
    stage.env["ISSUING_PORT"] = responder(stage, "issuing", "delegate")
    for name, kind, section in (("rsa", RSA, "server"), ("ecdsa", P256, "server"), ("must", P256, "must_staple"),
                                ("stolen", P256, "server")):
        new_key(stage, name, kind, f"{name}.example")
        sign(stage, "issuing", name, section, 90)
        join(stage, f"{name}.chain.pem", f"{name}.pem", "issuing.pem")
    look_again(stage, "root", "issuing")
    look_again(stage, "issuing", "rsa")
    stage.quiet(f"openssl req -x509 -config ca.conf -newkey {P256} -nodes -keyout stranger.key -out stranger.pem "
                "-subj '/CN=Demo OCSP Responder' -extensions delegate -days 30")


def join(stage, to, *names):
    with open(stage.path(to), "w") as out:
        for name in names:
            with open(stage.path(name)) as part:
                out.write(part.read())
