"""HTTP/2 and TLS with the clients that people use: curl, nghttp, h2load, openssl."""
import base64
import hashlib
import os
import re
import signal
import socket
import ssl
import subprocess

import pytest
from cryptography.x509 import ocsp

from conftest import free_port, open_house, wait_for


def run(*words, stdin=None, timeout=60, check=True):
    done = subprocess.run([str(w) for w in words], input=stdin, capture_output=True, timeout=timeout)
    if check:
        assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout!r}\n{done.stderr!r}"
    return done


def curl(*words, **options):
    """(version, status, headers, body)"""
    out = run("curl", "--silent", "--show-error", "--dump-header", "/dev/stderr", *words, **options)
    lines = out.stderr.decode().split("\r\n")
    version, status = re.match(r"HTTP/(\S+) (\d+)", lines[0]).groups()
    return version, int(status), dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line), out.stdout


def make_certificate(folder, name):
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}",
        "-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1", "-keyout", folder / "tls.key", "-out", folder / "tls.pem")
    os.chmod(folder / "tls.key", 0o600)


def reload(house, marker="reloaded"):
    before = house.log("responder").count(marker)
    os.kill(house.pid("responder"), signal.SIGHUP)
    wait_for(lambda: house.log("responder").count(marker) > before, what=marker)


@pytest.fixture(scope="module")
def tls_house():
    with open_house(3000, 1000) as house:
        make_certificate(house.dir, "first")
        house.tls_port = free_port()
        house.configure("responder", f'tls_listen: ["127.0.0.1:{house.tls_port}"]')
        yield house


def url(house, path="/"):
    return house.env["OCSP_URL"].rstrip("/") + path


def tls_url(house, path="/"):
    return f"https://127.0.0.1:{house.tls_port}{path}"


def get_path(der):
    return "/" + base64.b64encode(der).decode().replace("+", "%2B").replace("=", "%3D").replace("/", "%2F")


def ways(house):
    """Every protocol and transport: curl's options and where."""
    return [(["--http1.1"], url(house), "1.1"), (["--http2-prior-knowledge"], url(house), "2"),
            (["--cacert", house.dir / "tls.pem", "--http2"], tls_url(house), "2"),
            (["--cacert", house.dir / "tls.pem", "--http1.1"], tls_url(house), "1.1"),
            (["--cacert", house.dir / "tls.pem", "--http2", "--tls-max", "1.2"], tls_url(house), "2")]


def test_every_protocol_and_transport_gives_the_same_answer(tls_house):
    der = tls_house.request(tls_house.serials("good")[0])
    answers = set()
    for options, where, want in ways(tls_house):
        version, status, headers, body = curl(*options, "-H", "Content-Type: application/ocsp-request", "--data-binary", "@-", where,
                                              stdin=der)
        assert (version, status, headers["content-type"]) == (want, 200, "application/ocsp-response")
        version, status, _, by_get = curl(*options, where.rstrip("/") + get_path(der))
        assert (version, status) == (want, 200)
        answers |= {body, by_get}
    assert len(answers) == 1
    assert ocsp.load_der_ocsp_response(answers.pop()).certificate_status == ocsp.OCSPCertStatus.GOOD


def test_a_crl_is_the_same_by_every_way_and_in_parts(tls_house):
    path = "/crl/demo-ca.crl"
    digests = set()
    for options, where, want in ways(tls_house):
        version, status, _, body = curl(*options, where.rstrip("/") + path)
        assert (version, status) == (want, 200) and len(body) > 30000
        digests.add(hashlib.sha256(body).hexdigest())
        version, status, headers, part = curl(*options, "-r", "100-20099", where.rstrip("/") + path)
        assert (status, part) == (206, body[100:20100]) and headers["content-range"] == f"bytes 100-20099/{len(body)}"
    assert len(digests) == 1


def test_a_revocation_counts_at_once_on_a_connection_that_was_there_before(tls_house):
    serial = tls_house.serials("good")[7]
    context = ssl.create_default_context(cafile=str(tls_house.dir / "tls.pem"))
    context.check_hostname = False
    der = tls_house.request(serial)
    request = (f"POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/ocsp-request\r\nContent-Length: {len(der)}\r\n\r\n").encode() + der

    def ask(line):
        line.sendall(request)
        data = b""
        while b"\r\n\r\n" not in data:
            data += line.recv(65536)
        head, body = data.split(b"\r\n\r\n", 1)
        length = int(re.search(rb"Content-Length: (\d+)", head).group(1))
        while len(body) < length:
            body += line.recv(65536)
        return ocsp.load_der_ocsp_response(body).certificate_status

    with socket.create_connection(("127.0.0.1", tls_house.tls_port)) as raw, context.wrap_socket(raw) as line:
        assert ask(line) == ocsp.OCSPCertStatus.GOOD
        tls_house.revoke([serial])
        assert ask(line) == ocsp.OCSPCertStatus.REVOKED


def test_nghttp_multiplexes(tls_house):
    paths = [url(tls_house, get_path(tls_house.request(s))) for s in tls_house.serials("good")[20:60]]
    done = run("nghttp", "--no-dep", "-n", "-s", *paths)
    assert done.stdout.decode().count(" 200 ") == 40


@pytest.mark.parametrize("where", ["clear", "tls"])
def test_h2load_is_answered_without_an_error(tls_house, tmp_path, where):
    base = url(tls_house) if where == "clear" else tls_url(tls_house)
    listing = tmp_path / "urls"
    listing.write_text("".join(base.rstrip("/") + get_path(tls_house.request(s)) + "\n" for s in tls_house.serials("good")[100:200]))
    done = run("h2load", "-n", 20000, "-c", 10, "-m", 32, "-i", listing)
    assert "20000 succeeded, 0 failed, 0 errored" in done.stdout.decode()


def test_old_tls_is_refused(tls_house):
    done = run("openssl", "s_client", "-connect", f"127.0.0.1:{tls_house.tls_port}", "-tls1_1", "-cipher", "ALL@SECLEVEL=0", check=False,
               stdin=b"")
    assert done.returncode != 0


def test_a_new_certificate_is_served_after_sighup_and_a_bad_one_changes_nothing(tls_house):
    def served():
        return ssl.get_server_certificate(("127.0.0.1", tls_house.tls_port)).strip()

    first = (tls_house.dir / "tls.pem").read_text().strip()
    assert served() == first
    make_certificate(tls_house.dir, "second")
    second = (tls_house.dir / "tls.pem").read_text().strip()
    assert served() == first
    reload(tls_house)
    wait_for(lambda: served() == second, what="the new certificate")
    (tls_house.dir / "tls.pem").write_text("nothing")
    reload(tls_house, "the old one stays")
    assert served() == second
    (tls_house.dir / "tls.pem").write_text(second + "\n")


def test_a_reload_loses_no_request_of_http2(tls_house):
    # with TLS: curl 7.88 cannot use a connection of prior knowledge twice
    urls = [tls_url(tls_house, get_path(tls_house.request(s))) for s in tls_house.serials("good")[100:200]]
    outputs = [word for _ in urls for word in ("--output", "/dev/null")]
    curls = [subprocess.Popen(["curl", "--silent", "--fail", "--insecure", "--http2", "--parallel", "--parallel-max", "5", *outputs, *urls],
                              stderr=subprocess.DEVNULL) for _ in range(4)]
    reload(tls_house)
    assert [c.wait(60) for c in curls] == [0, 0, 0, 0]
