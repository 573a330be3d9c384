"""The workers' sandbox: ordinary service of every kind needs no system call that kills, and what is outside is out of reach."""
import contextlib
import http.client
import json
import os
import re
import signal
import ssl
import subprocess
import urllib.parse

import pytest
from cryptography.hazmat.primitives import hashes

from conftest import free_port, open_house, wait_for

KILLED = re.compile(r"died and is replaced pid=\d+ signal=(\d+)")


@pytest.fixture
def house():
    with open_house(600, 50, "--workers", 2) as h:
        yield h
        killed = KILLED.findall(h.log("responder"))
    assert not killed, "workers were killed"


def workers(house):
    return house.children(house.pid("responder"))


def field(pid, name):
    return re.search(rf"^{name}:\s*(.*)$", open(f"/proc/{pid}/status").read(), re.M)[1]


def is_sanitized(house):
    return b"__asan_init" in open(f"/proc/{house.pid('responder')}/exe", "rb").read()


def use_everything(house, start):
    for serial in house.serials("good")[start:start + 20]:
        assert house.status_of(serial) == "good"
        house.get(house.request(serial))
    fresh = house.serials("good")[start + 20:start + 30]
    house.revoke(fresh)
    for serial in fresh:  # most are signed on demand
        assert house.status_of(serial) == "revoked"
    assert house.ask(fresh[0], algorithm=hashes.SHA384()).certificate_status.name == "REVOKED"
    house.tocsin("crl", "issue", "--issuer", "demo-ca", "--full")
    for headers in ({}, {"Range": "bytes=5-20"}):
        status, _, body = house.http(house.env["CRL_URL"], headers=headers)
        assert status in (200, 206) and body
    assert house.http(house.env["AIA_URL"])[0] == 200
    assert house.http("/renewal-info/x")[0] == 400
    assert house.http("/x", method="DELETE")[0] == 405


def http2(url, data):
    done = subprocess.run(["curl", "-sSk", *(["--http2"] if url.startswith("https") else ["--http2-prior-knowledge"]), "-w", "%{http_version}",
                           "-H", "Content-Type: application/ocsp-request", "--data-binary", "@-", url], input=data, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout[:-1], done.stdout[-1:]


def test_the_filter_is_on(house):
    if is_sanitized(house):
        pytest.skip("no sandbox under AddressSanitizer")
    for pid in wait_for(lambda: len(workers(house)) == 2 and workers(house)):
        wait_for(lambda pid=pid: field(pid, "Seccomp") == "2", what="the filter")
        assert field(pid, "NoNewPrivs") == "1"


def test_ocsp_crls_http2_and_tls_need_nothing_that_kills(house):
    key, certificate = house.dir / "tls.key", house.dir / "tls.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=localhost", "-keyout", key,
                    "-out", certificate, "-days", "2"], check=True, capture_output=True)
    port, admin = free_port(), free_port()
    house.configure("responder", f'tls_listen: ["127.0.0.1:{port}"]', f"tls_certificate: {certificate}", f"tls_key: {key}",
                    f"admin_listen: 127.0.0.1:{admin}", f"access_log: {house.dir / 'access.log'}")
    use_everything(house, 0)
    serial = house.serials("good")[50]
    wanted = house.post(house.request(serial))
    for url in (house.env["OCSP_URL"], f"https://127.0.0.1:{port}/"):
        assert http2(url, house.request(serial)) == (wanted, b"2")
    for maximum in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = ssl.create_default_context(cafile=certificate)
        context.check_hostname = False
        context.maximum_version = maximum
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=20)
        for _ in range(3):
            connection.request("POST", "/", house.request(serial), {"Content-Type": "application/ocsp-request"})
            assert connection.getresponse().read() == wanted
        connection.request("GET", urllib.parse.urlparse(house.env["CRL_URL"]).path)
        assert connection.getresponse().read()[:1] == b"\x30"
        connection.close()
    assert house.http(f"http://127.0.0.1:{admin}/metrics")[0] == 200
    assert [json.loads(line)["status"] for line in wait_for(lambda: (house.dir / "access.log").read_text().splitlines())]


def test_an_engine_that_comes_and_goes_needs_nothing_that_kills(house):
    for pid in house.children(house.pid("signer")):
        with contextlib.suppress(ProcessLookupError):  # the one may end with the other
            os.kill(pid, signal.SIGKILL)
    serial = house.serials("good")[60]
    house.post(house.request(serial, algorithm=hashes.SHA512()))  # tryLater, or signed by the next engine
    wait_for(lambda: house.tocsin("status", check=False).returncode == 0, 30, "the next engine")
    wait_for(lambda: house.ask(serial, algorithm=hashes.SHA512()).response_status.name == "SUCCESSFUL", 30, "a signature on demand")
    use_everything(house, 100)


def test_reloads_drains_and_new_workers_need_nothing_that_kills(house):
    for i in range(3):
        old = workers(house)
        os.kill(house.pid("responder"), signal.SIGHUP)
        wait_for(lambda: not set(old) & set(workers(house)), what="the old workers to drain")
        use_everything(house, 150 + 40 * i)
    os.kill(workers(house)[0], signal.SIGHUP)  # a terminal's
    os.kill(workers(house)[0], signal.SIGINT)
    assert house.status_of(house.serials("good")[400]) == "good"
