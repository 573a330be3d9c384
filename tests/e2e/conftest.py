"""Real daemons, started through ./dev up as a user would, and what tests ask of them."""
import base64
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNLIKELY = 0x7E57_0000_0000_0000_0000_0000_0000_0001  # a serial nobody issued


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: left out of the sanitizer round")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, seconds=20, what="condition"):
    """Polls until condition() is true; a bound on waiting, never a measurement."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    pytest.fail(f"waited {seconds} s in vain for: {what}")


class House:
    """One folder made by ./dev up, and its daemons."""

    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        self.env = {}

    def up(self, *options):
        done = subprocess.run([ROOT / "dev", "up", self.dir, *map(str, options)], text=True, capture_output=True, timeout=240)
        assert done.returncode == 0, done.stdout + done.stderr
        self.env = dict(line.split("=", 1) for line in (self.dir / "env").read_text().splitlines())
        return self

    def down(self):
        done = subprocess.run([ROOT / "dev", "down", self.dir], text=True, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        self.expect_no_sanitizer_report()

    def expect_no_sanitizer_report(self):
        for path in self.dir.glob("*.log"):
            text = path.read_text(errors="replace")
            for mark in ("ERROR: AddressSanitizer", "LeakSanitizer", "runtime error:"):
                assert mark not in text, f"{path.name}: " + text[text.index(mark):][:3000]

    def configure(self, group, *lines):
        """More options of a group of tocsin.yaml; the responder's new workers have them when this returns."""
        path = self.dir / "tocsin.yaml"
        text = path.read_text()
        assert f"\n{group}:\n" in text
        path.write_text(text.replace(f"\n{group}:\n", f"\n{group}:\n" + "".join(f"  {line}\n" for line in lines)))
        n = self.log("responder").count(" reloaded ")
        os.kill(self.pid("responder"), signal.SIGHUP)
        wait_for(lambda: self.log("responder").count(" reloaded ") > n, what="the reload")

    # ---- the operator ----
    def tocsin(self, *words, check=True, stdin=None, timeout=120):
        done = subprocess.run([self.env["TOCSIN"], *map(str, words)], text=True, capture_output=True, input=stdin, timeout=timeout,
                              env={**os.environ, **self.env})
        if check:
            assert done.returncode == 0, f"tocsin {words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def tocsin_json(self, *words, **options):
        return json.loads(self.tocsin("--json", *words, **options).stdout)

    def revoke(self, serials, reason="superseded", *words):
        listing = self.dir / "list.txt"
        listing.write_text("".join(f"{s}\n" for s in serials))
        return self.tocsin_json("revoke", "--issuer", "demo-ca", "--reason", reason, "--file", listing, "--yes", *words)

    def status(self):
        return self.tocsin_json("status")

    def settle(self):
        """Until every answer is signed: from then on one status has one response."""
        def settled():
            status = self.status()
            bulk = status["lanes"]["bulk"]
            return all(i["ocsp"]["due"] == 0 for i in status["issuers"] if not i["offline"]) and not bulk["queued"] and not bulk["in_flight"]
        wait_for(settled, 60, "the bulk signing to end")

    # ---- the relying party ----
    def certificate(self, name):
        return x509.load_pem_x509_certificate((self.dir / f"{name}.pem").read_bytes())

    @property
    def issuer(self):
        return self.certificate("issuer")

    def serials(self, wanted):
        lines = (self.dir / "serials.txt").read_text().splitlines()
        return [line.split()[0] for line in lines if line.endswith(" " + wanted)]

    def request(self, serial, algorithm=None, nonce=None):
        return ocsp_request(self.issuer, serial, algorithm or hashes.SHA1(), nonce)

    def http(self, path_or_url, data=None, headers=None, method=None):
        """(status, headers, body); HTTP errors are answers too."""
        url = path_or_url if "://" in str(path_or_url) else self.env["OCSP_URL"].rstrip("/") + path_or_url
        request = urllib.request.Request(url, data=data, headers=headers or {}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.headers, answer.read()

    def post(self, der):
        status, _, body = self.http("/", der, {"Content-Type": "application/ocsp-request"})
        assert status == 200, (status, body)
        return body

    def get(self, der):
        path = "/" + base64.b64encode(der).decode().replace("+", "%2B").replace("=", "%3D")
        status, _, body = self.http(path)
        assert status == 200, (status, body)
        return body

    def ask(self, serial, **options):
        """The parsed OCSP response for a serial, its signature verified."""
        response = ocsp.load_der_ocsp_response(self.post(self.request(serial, **options)))
        if response.response_status == ocsp.OCSPResponseStatus.SUCCESSFUL:
            self.verify(response)
        return response

    def verify(self, response):
        from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
        key = (response.certificates[0] if response.certificates else self.issuer).public_key()
        scheme = (padding.PKCS1v15(),) if isinstance(key, rsa.RSAPublicKey) else ()
        algorithm = response.signature_hash_algorithm
        assert isinstance(key, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey))
        key.verify(response.signature, response.tbs_response_bytes, *scheme, *([algorithm] if scheme else [ec.ECDSA(algorithm)]))

    def status_of(self, serial):
        """'good', 'revoked', or the OCSP-level error's name, e.g. 'unauthorized'."""
        response = self.ask(serial)
        if response.response_status != ocsp.OCSPResponseStatus.SUCCESSFUL:
            return response.response_status.name.lower()
        return response.certificate_status.name.lower()

    # ---- the processes ----
    def pid(self, name):
        return int(self.env[f"{name.upper()}_PID"])

    def children(self, pid):
        return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def log(self, name):
        return (self.dir / f"{name}.log").read_text(errors="replace")


OIDS = {"sha1": "06052b0e03021a", "sha256": "0609608648016503040201", "sha384": "0609608648016503040202", "sha512": "0609608648016503040203"}


def tlv(tag, *contents):
    content = b"".join(contents)
    n = len(content)
    length = bytes([n]) if n < 128 else bytes([0x80 | (n.bit_length() + 7) // 8]) + n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([tag]) + length + content


def digest_of(algorithm, data):
    h = hashes.Hash(algorithm)
    h.update(data)
    return h.finalize()


def cert_id(issuer, serial, algorithm):
    """CertID (RFC 6960 4.1.1), made here because python3-cryptography of Debian 12 makes it from certificates only."""
    number = int(serial, 16) if isinstance(serial, str) else serial
    spki = issuer.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return tlv(0x30, tlv(0x30, bytes.fromhex(OIDS[algorithm.name]), tlv(5)),
               tlv(4, digest_of(algorithm, issuer.subject.public_bytes())), tlv(4, digest_of(algorithm, bit_string_content(spki))),
               tlv(2, number.to_bytes(number.bit_length() // 8 + 1, "big")))


def ocsp_request(issuer, serials, algorithm, nonce=None):
    """An OCSPRequest for one serial or a list of them."""
    serials = serials if isinstance(serials, list) else [serials]
    extensions = b""
    if nonce is not None:
        extension = tlv(0x30, bytes.fromhex("06092b0601050507300102"), tlv(4, tlv(4, nonce)))
        extensions = tlv(0xA2, tlv(0x30, extension))
    return tlv(0x30, tlv(0x30, tlv(0x30, *(tlv(0x30, cert_id(issuer, s, algorithm)) for s in serials)), extensions))


def bit_string_content(spki):
    """The octets of a SubjectPublicKeyInfo's BIT STRING, without the unused-bits octet."""
    def read(data):
        n, at = data[1], 2
        if n & 0x80:
            at = 2 + (n & 0x7F)
            n = int.from_bytes(data[2:at], "big")
        return data[at:at + n], data[at + n:]
    inside, _ = read(spki)
    _, rest = read(inside)
    bits, _ = read(rest)
    return bits[1:]


def kill_leftovers(house):
    for name in ("RESPONDER_PID", "SIGNER_PID"):
        pid = house.env.get(name)
        if pid and pathlib.Path(f"/proc/{pid}").exists():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass


def make_house():
    directory = tempfile.mkdtemp(prefix="tocsin-e2e-")
    os.chmod(directory, 0o755)
    return House(directory)


@contextlib.contextmanager
def open_house(certs, revoked, *options):
    """One that is up, and is taken down and away at the end; what still runs because that failed, or its setting up, is killed."""
    h = make_house()
    try:
        h.up("--certs", certs, "--revoked", revoked, "--listen", f"127.0.0.1:{free_port()}", *options)
        yield h
        h.down()
    finally:
        kill_leftovers(h)
        shutil.rmtree(h.dir, ignore_errors=True)


@pytest.fixture(scope="module")
def house():
    """One house for a whole module: 2,000 certificates, 100 revoked, P-256."""
    with open_house(2000, 100) as h:
        yield h


@pytest.fixture
def fresh_house():
    """A folder not yet up, for tests that break things; whatever still runs at the end is killed."""
    h = make_house()
    yield h
    kill_leftovers(h)
    shutil.rmtree(h.dir, ignore_errors=True)
