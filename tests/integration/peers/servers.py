# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real TLS servers on loopback, each with one certificate and, unless `staple` is None, one staple file.

Each function writes what configuration the program needs and gives (argv, what says that it is ready)."""
import os
import pathlib

from harness import free_port, new_tempdir


def gnutls_serv(leaf, staple, port):
    argv = ["gnutls-serv", "--http", "--disable-client-cert", "--port", port, "--x509certfile", leaf.chain_file,
            "--x509keyfile", leaf.key_file]
    return argv + (["--ocsp-response", staple] if staple else []), port


def openssl_s_server(leaf, staple, port):
    argv = ["openssl", "s_server", "-www", "-accept", f"127.0.0.1:{port}", "-cert", leaf.cert_file, "-key", leaf.key_file,
            "-cert_chain", leaf.issuer.cert_file]
    return argv + (["-status_file", staple] if staple else []), "^ACCEPT"


def nginx(leaf, staple, port):
    folder = pathlib.Path(new_tempdir())
    stapling = f"ssl_stapling on; ssl_stapling_file {staple};" if staple else ""
    paths = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(f"""
        daemon off; master_process off; pid {folder}/pid; error_log stderr info;
        events {{ }}
        http {{
            access_log off; {paths}
            server {{
                listen 127.0.0.1:{port} ssl; server_name localhost; ssl_protocols TLSv1.2 TLSv1.3;
                ssl_certificate {leaf.chain_file}; ssl_certificate_key {leaf.key_file};
                {stapling}
                location / {{ return 204; }}
            }}
        }}""")
    return ["nginx", "-p", folder, "-e", "stderr", "-c", folder / "nginx.conf"], port


def haproxy(leaf, staple, port):
    folder = pathlib.Path(new_tempdir())
    pem = folder / "leaf.pem"
    pem.write_bytes(pathlib.Path(leaf.chain_file).read_bytes() + pathlib.Path(leaf.key_file).read_bytes())
    if staple:
        (folder / "leaf.pem.ocsp").write_bytes(pathlib.Path(staple).read_bytes())
    (folder / "haproxy.cfg").write_text(f"""
global
    log stderr local0
defaults
    mode http
    timeout client 10s
    timeout server 10s
    timeout connect 10s
frontend tls
    bind 127.0.0.1:{port} ssl crt {pem}
    http-request return status 204
""")
    return ["haproxy", "-db", "-f", folder / "haproxy.cfg"], port


def lighttpd(leaf, staple, port):
    folder = pathlib.Path(new_tempdir())
    stapling = f'ssl.stapling-file = "{staple}"' if staple else ""
    (folder / "lighttpd.conf").write_text(f"""
server.document-root = "{folder}"
server.bind = "127.0.0.1"
server.port = {port}
server.modules = ( "mod_openssl" )
ssl.engine = "enable"
ssl.pemfile = "{leaf.chain_file}"
ssl.privkey = "{leaf.key_file}"
ssl.openssl.ssl-conf-cmd = ("MinProtocol" => "TLSv1.2")
{stapling}
""")
    return ["lighttpd", "-D", "-f", folder / "lighttpd.conf"], port


SERVERS = {
    "gnutls-serv": gnutls_serv,
    "openssl s_server": openssl_s_server,
    "nginx": nginx,
    "HAProxy": haproxy,
    "lighttpd": lighttpd,
}
# A user's PATH need not have them.
SBIN = {"PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}


def command(name, leaf, staple):
    """(argv, ready, port) of a server that is not started yet."""
    port = free_port()
    argv, ready = SERVERS[name](leaf, staple, port)
    return argv, ready, port
