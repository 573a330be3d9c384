"""The examples in conf/ for CDNs, run as they are before real daemons: what is cached, and that a purge by tag leaves nothing (docs/caching.md)."""
import base64
import http.client
import os
import shutil
import subprocess
import urllib.parse

import pytest
from cryptography.x509 import ocsp

from conftest import ROOT, free_port, open_house, wait_for

N = 10_000


@pytest.fixture(scope="module")
def house():
    """Enough certificates to revoke ten thousand, with tags for Varnish."""
    with open_house(N + 200, 100) as h:
        h.configure("responder", "tags: xkey")
        h.settle()
        wait_for(lambda: h.http("/ca/demo-ca.cer")[1]["xkey"] == "issuer-demo-ca", what="the reload")
        yield h


def origin(house):
    return urllib.parse.urlparse(house.env["OCSP_URL"]).netloc.split(":")


def adapted(house, name, changes):
    """The example with this test's addresses and folders; each change must fit."""
    text = (ROOT / "conf" / name).read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path = house.dir / name
    path.write_text(text)
    return path


class Proxy:
    def __init__(self, port, *words):
        self.port = port
        self.log = open(os.devnull, "w")
        self.process = subprocess.Popen([str(w) for w in words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        wait_for(self.is_up, what=f"{words[0]} to answer")
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    def is_up(self):
        if self.process.poll() is not None:
            pytest.fail(self.process.stdout.read())
        try:
            probe = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
            probe.request("GET", "/healthz")
            return probe.getresponse().status == 200
        except OSError:
            return False

    def ask(self, method, target, body=None, headers=None):
        self.connection.request(method, target, body=body, headers=headers or {})
        answer = self.connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


def path_of(house, serial):
    return "/" + urllib.parse.quote(base64.b64encode(house.request(serial)).decode(), safe="")


def status_in(body):
    response = ocsp.load_der_ocsp_response(body)
    return response.certificate_status.name.lower(), response.serial_number


@pytest.fixture(scope="module")
def varnish(house):
    if not shutil.which("varnishd"):
        pytest.skip("varnish is not installed")
    host, port = origin(house)
    vcl = adapted(house, "varnish.vcl", [('"127.0.0.1";\n        .port = "8080"', f'"{host}";\n        .port = "{port}"')])
    listen = free_port()
    proxy = Proxy(listen, "varnishd", "-F", "-j", "none", "-n", house.dir / "varnish", "-a", f"127.0.0.1:{listen}", "-T", "none", "-f", vcl,
                  "-s", "malloc,256m")
    yield proxy
    proxy.stop()


def purge(proxy, tags):
    """As the comment in varnish.vcl says: 200 at once. The number of objects that went."""
    gone = 0
    for at in range(0, len(tags), 200):
        proxy.connection.request("PURGE", "/", headers={"xkey-purge": " ".join(tags[at:at + 200])})
        answer = proxy.connection.getresponse()
        answer.read()
        assert answer.status == 200, answer.reason
        gone += int(answer.reason.split()[-1])
    return gone


def test_ten_thousand_revoked_serials_are_new_after_a_purge_by_tag(house, varnish):
    serials = house.serials("good")[:N]
    paths = {serial: path_of(house, serial) for serial in serials}
    for serial in serials:
        status, _, body = varnish.ask("GET", paths[serial])
        assert status == 200 and status_in(body) == ("good", int(serial, 16))
    hit = varnish.ask("GET", paths[serials[0]])
    assert hit[1]["xkey"] is None  # our business, not the client's

    house.revoke(serials, "keyCompromise")
    stale = sum(status_in(varnish.ask("GET", paths[serial])[2])[0] == "good" for serial in serials[::100])
    assert stale == len(serials[::100])  # they were cached: else this test would show nothing

    listing = house.dir / "purge.txt"
    listing.write_text("".join(f"{serial},keyCompromise\n" for serial in serials))
    tags = house.tocsin("purge-tags", "--issuer", "demo-ca", "--file", listing).stdout.split()
    assert 9_000 < len(tags) <= N
    assert purge(varnish, tags) >= N
    for serial in serials:
        status, _, body = varnish.ask("GET", paths[serial])
        assert status == 200 and status_in(body) == ("revoked", int(serial, 16))


def test_a_purge_of_the_issuer_takes_crls_too(house, varnish):
    url = urllib.parse.urlparse(house.env["CRL_URL"]).path
    status, fields, first = varnish.ask("GET", url)
    assert status == 200 and fields["Content-Type"] == "application/pkix-crl"
    house.tocsin("crl", "issue", "--issuer", "demo-ca", "--full")
    assert varnish.ask("GET", url)[2] == first
    assert purge(varnish, ["crl-demo-ca-0"]) >= 1
    second = varnish.ask("GET", url)[2]
    assert second != first
    house.tocsin("crl", "issue", "--issuer", "demo-ca", "--full")
    assert varnish.ask("GET", path_of(house, house.serials("good")[0]))[0] == 200  # something else of the issuer's
    assert purge(varnish, ["issuer-demo-ca"]) > 1
    assert varnish.ask("GET", url)[2] != second


def test_errors_and_questions_by_post_are_not_kept(house, varnish):
    serial = house.serials("revoked")[0]
    headers = {"Content-Type": "application/ocsp-request"}
    first = varnish.ask("POST", "/", house.request(serial), headers)
    assert first[0] == 200 and status_in(first[2])[0] == "revoked"
    assert first[1]["Age"] in (None, "0")
    unknown = path_of(house, "7E570000000000000000000000000001")
    assert varnish.ask("GET", unknown)[2] == bytes.fromhex("30030a0106")
    assert varnish.ask("GET", unknown)[1]["Age"] == "0"


def test_only_operators_purge_and_a_purge_wants_tags(varnish):
    assert varnish.ask("PURGE", "/")[0] == 400


@pytest.mark.parametrize("name", ["nginx", "haproxy"])
def test_the_other_examples_answer_as_the_origin_does(house, name):
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed")
    host, port = origin(house)
    listen = free_port()
    if name == "nginx":
        cache = house.dir / "nginx-cache"
        cache.mkdir()
        conf = adapted(house, "nginx.conf", [
            ("/var/cache/nginx/tocsin levels", f"{cache} levels"), ("/run/nginx-tocsin.pid", str(house.dir / "nginx.pid")),
            ("/var/log/nginx/tocsin-error.log", str(house.dir / "nginx.log")), ("server 127.0.0.1:8080", f"server {host}:{port}"),
            ("listen 80 default_server", f"listen 127.0.0.1:{listen} default_server")])
        conf.write_text(("user root;\n" if os.geteuid() == 0 else "") + conf.read_text())
        words = ["nginx", "-c", conf, "-g", "daemon off;"]
    else:
        conf = adapted(house, "haproxy.cfg", [("responder1 127.0.0.1:8080", f"responder1 {host}:{port}"),
                                              ("bind 127.0.0.1:8888", f"bind 127.0.0.1:{listen}")])
        words = ["haproxy", "-db", "-f", conf]
    proxy = Proxy(listen, *words)
    try:
        for wanted in ("good", "revoked"):
            for serial in house.serials(wanted)[-30:]:
                der = house.request(serial)
                plain = base64.b64encode(der).decode()
                origin_says = house.post(der)
                for path in ("/" + plain, "/" + urllib.parse.quote(plain, safe=""), "//" + plain):  # req 1.2, 1.3
                    for _ in range(2):
                        status, fields, body = proxy.ask("GET", path)
                        assert (status, body) == (200, origin_says), path
                        assert fields["ETag"] and "max-age" in fields["Cache-Control"]
                assert proxy.ask("POST", "/", der, {"Content-Type": "application/ocsp-request"})[2] == origin_says
        assert proxy.ask("GET", urllib.parse.urlparse(house.env["CRL_URL"]).path)[0] == 200
        assert proxy.ask("GET", "/MFE!")[0] == 400
    finally:
        proxy.stop()
