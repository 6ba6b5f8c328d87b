# SPDX-License-Identifier: LGPL-2.1-or-later
"""`clinch check --starttls` against the real servers, started by an ordinary user on a free port."""
import glob
import grp
import os
import pwd
import shutil

from harness import accepts, case, clinch, expect, expect_equal, expect_in, expect_match, free_port, main, run, start, tempdir, wait_for
from pki import Pki

PKI = Pki(tempdir() + "/pki")
LEAF = PKI.leaf("localhost")
MUST = PKI.leaf("localhost", must_staple=True)
ROOT = PKI.root.cert_file


def check(protocol, port, *args):
    return clinch("check", "--json", "--ca", ROOT, "--starttls", protocol, *args, f"127.0.0.1:{port}")


def directory(name):
    path = f"{tempdir()}/{name}"
    os.mkdir(path, 0o700)
    return path


def config(path, text):
    with open(path, "w") as f:
        f.write(text)
    return path


def start_exim(name, identity=None, staple=None):
    where, port = directory(name), free_port()
    tls = f"""
tls_advertise_hosts = *
tls_certificate = {identity.chain_file}
tls_privatekey = {identity.key_file}
""" if identity else "tls_advertise_hosts =\n"
    if staple:
        tls += f"tls_ocsp_file = {PKI.write(name + '.der', staple)}\n"
    path = config(f"{where}/conf", f"""
primary_hostname = localhost
exim_user = {os.getuid()}
exim_group = {os.getgid()}
spool_directory = {where}/spool
log_file_path = {where}/%s.log
pid_file_path = {where}/pid
keep_environment =
host_lookup =
{tls}""")
    start(["/usr/sbin/exim4", "-C", path, "-bdf", "-oX", f"127.0.0.1:{port}"], ready=port)
    return port


@case
def smtp_of_exim_with_a_good_staple():
    port = start_exim("exim-good", LEAF, PKI.response(LEAF))
    result = check("smtp", port, "--require", "leaf")
    expect_equal([result.rc, result.json["verdict"]], [0, "good"], f"exim\n{result}")
    expect_equal(result.json["address"], f"127.0.0.1:{port}", "address")


@case
def smtp_of_exim_without_the_staple_that_must_be_there():
    result = check("smtp", start_exim("exim-must-staple", MUST))
    expect_equal([result.rc, result.json["reason"]], [5, "missing-must-staple"], f"exim\n{result}")


@case
def smtp_of_exim_without_tls():
    result = check("smtp", start_exim("exim-plain"))
    expect_equal([result.rc, result.json["reason"]], [1, "starttls"], f"exim\n{result}")
    expect_match(r"127\.0\.0\.1:\d+ does not offer STARTTLS", result.json["detail"], "the sentence")


def dovecot_dialect(identity):
    """What 2.4 (Debian 13) spells otherwise than 2.3 (Debian 12)."""
    new = run(["/usr/sbin/dovecot", "--version"]).out.startswith("2.4")
    chain, key = (identity.chain_file, identity.key_file) if identity else ("", "")
    if new:
        tls = f"ssl_server_cert_file = {chain}\nssl_server_key_file = {key}"
        return ("dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0", tls,
                "passdb static {\n  fields {\n    nopassword = yes\n  }\n}")
    return "", f"ssl_cert = <{chain}\nssl_key = <{key}", "passdb {\n  driver = static\n  args = nopassword=y\n}"


def start_dovecot(name, identity):
    where, user = directory(name), pwd.getpwuid(os.getuid()).pw_name
    ports = {"imap": free_port(), "pop3": free_port()}
    services = "".join(f"""
service {protocol}-login {{
  chroot =
  inet_listener {protocol} {{
    port = {port}
  }}
  inet_listener {protocol}s {{
    port = 0
  }}
}}""" for protocol, port in ports.items())
    version, tls, passdb = dovecot_dialect(identity)
    path = config(f"{where}/conf", f"""{version}
base_dir = {where}/run
state_dir = {where}/state
log_path = /dev/stderr
protocols = imap pop3
default_internal_user = {user}
default_internal_group = {grp.getgrgid(os.getgid()).gr_name}
default_login_user = {user}
listen = 127.0.0.1
ssl = {"yes" if identity else "no"}
{tls if identity else ""}
{services}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
service auth {{
  user = {user}
}}
service auth-worker {{
  user = {user}
}}
{passdb}
""")
    start(["/usr/sbin/dovecot", "-F", "-c", path], ready=lambda _: all(accepts(("127.0.0.1", p)) for p in ports.values()))
    return ports


@case
def imap_and_pop3_of_dovecot():
    for protocol, port in start_dovecot("dovecot", MUST).items():
        result = check(protocol, port)
        expect_equal([result.rc, result.json["reason"]], [5, "missing-must-staple"], f"{protocol}\n{result}")
        expect_equal(check(protocol, port, "--require", "none").rc, 0, f"{protocol} when nothing is required")


@case
def imap_and_pop3_of_dovecot_without_tls():
    for protocol, port in start_dovecot("dovecot-plain", None).items():
        result = check(protocol, port)
        expect_equal([result.rc, result.json["reason"]], [1, "starttls"], f"{protocol}\n{result}")
        expect_match(r"127\.0\.0\.1:\d+ refuses (STARTTLS|STLS)", result.json["detail"], "the sentence")


def start_slapd(name, identity):
    where, port = directory(name), free_port()
    tls = f"""TLSCACertificateFile {PKI.intermediate.cert_file}
TLSCertificateFile {identity.chain_file}
TLSCertificateKeyFile {identity.key_file}
""" if identity else "# none\n"
    start(["/usr/sbin/slapd", "-h", f"ldap://127.0.0.1:{port}", "-f", config(f"{where}/slapd.conf", tls), "-d", "256"], ready=port)
    return port


@case
def ldap_of_slapd():
    result = check("ldap", start_slapd("slapd", LEAF))
    expect_equal([result.rc, result.json["reason"]], [0, "no-staple"], f"slapd\n{result}")


@case
def ldap_of_slapd_without_tls():
    result = check("ldap", start_slapd("slapd-plain", None))
    expect_equal([result.rc, result.json["reason"]], [1, "starttls"], f"slapd\n{result}")
    expect_match(r'127\.0\.0\.1:\d+ refuses STARTTLS: LDAP result \d+ "', result.json["detail"], "the sentence")


def start_postgres(name, where, identity):
    port = free_port()
    tls = ["-c", f"ssl_cert_file={identity.chain_file}", "-c", f"ssl_key_file={identity.key_file}"] if identity else []
    start([_postgres("postgres"), "-D", where, "-p", port, "-h", "127.0.0.1", "-k", "", "-F", "-c", f"ssl={'on' if identity else 'off'}",
           *tls], ready="ready to accept connections")
    return port


def _postgres(name):
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
    expect(found, f"{name} is installed")
    return found[-1]


@case
def postgres_with_and_without_tls():
    where = f"{tempdir()}/postgres"
    made = run([_postgres("initdb"), "-D", where, "-A", "trust", "-N", "--no-instructions", "--locale=C"], timeout=60)
    expect_equal(made.rc, 0, f"initdb\n{made}")
    os.chmod(MUST.key_file, 0o600)
    port = start_postgres("tls", where, MUST)
    result = check("postgres", port)
    expect_equal([result.rc, result.json["reason"]], [5, "missing-must-staple"], f"postgres\n{result}")
    os.kill(int(open(f"{where}/postmaster.pid").readline()), 2)
    wait_for(lambda: not os.path.exists(f"{where}/postmaster.pid"), 10, "postgres to end")
    plain = check("postgres", start_postgres("plain", where, None))
    expect_equal([plain.rc, plain.json["reason"]], [1, "starttls"], f"postgres without TLS\n{plain}")
    expect_in('PostgreSQL\'s setting "ssl" is off', plain.json["detail"], "the sentence")
    shutil.rmtree(where, ignore_errors=True)


main()
