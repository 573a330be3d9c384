"""OCSP as relying parties ask it: three independent clients, both methods, every encoding (REQUIREMENTS 1, 2, 3)."""
import base64
import datetime
import email.utils
import http.client
import subprocess
import urllib.parse

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp

from conftest import UNLIKELY


def test_openssl_verifies_good_and_revoked(house):
    for name in ("good", "revoked"):
        done = subprocess.run(["openssl", "ocsp", "-issuer", house.dir / "issuer.pem", "-cert", house.dir / f"cert-{name}.pem", "-url",
                               house.env["OCSP_URL"], "-CAfile", house.dir / "root.pem"],
                              text=True, capture_output=True)
        assert "Response verify OK" in done.stderr
        assert f"cert-{name}.pem: {name}" in done.stdout


def test_ocsptool_verifies_good_and_revoked(house):
    for name in ("good", "revoked"):
        done = subprocess.run(["ocsptool", "--ask=" + house.env["OCSP_URL"], "--load-cert", house.dir / f"cert-{name}.pem", "--load-issuer",
                               house.dir / "issuer.pem"], text=True, capture_output=True)
        assert f"Certificate Status: {name}" in done.stdout, done.stdout + done.stderr
        assert "Success" in done.stdout


def test_every_sampled_serial_answers_its_listed_status(house):
    for wanted in ("good", "revoked"):
        for serial in house.serials(wanted)[::25]:
            assert house.status_of(serial) == wanted, serial


def test_a_serial_that_was_not_issued_is_never_good(house):  # req 2.2, 2.3
    assert house.status_of(UNLIKELY) == "unauthorized"


def test_a_foreign_issuer_is_unauthorized(house):  # req 2.2
    der = bytearray(house.request(house.serials("good")[0]))
    key_hash = house.issuer.extensions.get_extension_for_class(__import__("cryptography.x509").x509.SubjectKeyIdentifier).value.digest
    at = bytes(der).index(key_hash)
    der[at] ^= 1
    assert house.post(bytes(der)) == bytes.fromhex("30030a0106")


def test_get_in_every_encoding_equals_post(house):  # req 1.2, 1.3
    house.settle()
    for serial in house.serials("good")[:40]:
        der = house.request(serial)
        wanted = house.post(der)
        plain = base64.b64encode(der).decode()
        quoted = urllib.parse.quote(plain, safe="")
        lower = plain.replace("+", "%2b").replace("/", "%2f").replace("=", "%3d")
        for path in ("/" + plain, "/" + quoted, "/" + lower, "//" + plain, "/" + plain.replace("+", "%20")):
            status, _, body = house.http(path)
            assert (status, body) == (200, wanted), path


def test_a_get_that_is_not_base64_is_400(house):  # req 1.6
    for path in ("/!!!!", "/MFE%20%0A", "/MFEwT!"):
        assert house.http(path)[0] == 400, path


def test_malformed_requests_are_malformed_request(house):  # req 2.1
    der = house.request(house.serials("good")[0])
    for bad in (b"", b"\x30", der[:-1], der + b"\0", b"\x30\x80" + der[2:] + b"\0\0", b"A" * 500):
        assert house.post(bad or b"\0") == bytes.fromhex("30030a0101")


@pytest.mark.parametrize("algorithm", [hashes.SHA1(), hashes.SHA256(), hashes.SHA384(), hashes.SHA512()], ids=lambda a: a.name)
def test_cert_id_hash_is_echoed(house, algorithm):  # req 1.8
    for wanted in ("good", "revoked"):
        serial = house.serials(wanted)[3]
        response = house.ask(serial, algorithm=algorithm)
        assert response.certificate_status.name.lower() == wanted
        assert response.serial_number == int(serial, 16)
        assert isinstance(response.hash_algorithm, type(algorithm))


def test_the_response_is_what_the_profiles_want(house):  # req 2.6, 2.12-2.15, 2.18
    response = house.ask(house.serials("good")[1])
    assert response.version if hasattr(response, "version") else True
    assert response.responder_key_hash is not None and response.responder_name is None
    validity = response.next_update - response.this_update
    assert datetime.timedelta(hours=8) <= validity <= datetime.timedelta(days=10)
    assert response.produced_at == response.this_update
    assert len(response.certificates) == 1
    assert response.next_update <= response.certificates[0].not_valid_after
    assert not list(response.extensions)


def test_caching_fields(house):  # req 3.1-3.3
    house.settle()
    for wanted, cap in (("good", 3600), ("revoked", 300)):
        der = house.request(house.serials(wanted)[2])
        path = "/" + urllib.parse.quote(base64.b64encode(der).decode(), safe="")
        status, fields, body = house.http(path)
        response = ocsp.load_der_ocsp_response(body)
        assert fields["Content-Type"] == "application/ocsp-response"
        assert int(fields["Content-Length"]) == len(body)
        seconds = lambda name: email.utils.parsedate_to_datetime(fields[name]).replace(tzinfo=None)
        assert seconds("Last-Modified") == response.this_update
        assert seconds("Expires") == response.next_update
        words = [w.strip() for w in fields["Cache-Control"].split(",")]
        age = int(next(w for w in words if w.startswith("max-age=")).split("=")[1])
        assert 0 < age <= cap
        assert {"public", "no-transform", "must-revalidate"} <= set(words)
        assert fields["ETag"].strip('"') and fields["ETag"][0] == '"'
        again = house.http(path, headers={"If-None-Match": fields["ETag"]})
        assert again[0] == 304 and again[2] == b"" and again[1]["ETag"] == fields["ETag"] and again[1]["Cache-Control"]


def test_head_is_get_without_the_body(house):  # req 3.6
    house.settle()
    der = house.request(house.serials("good")[2])
    path = "/" + urllib.parse.quote(base64.b64encode(der).decode(), safe="")
    got, head = house.http(path), house.http(path, method="HEAD")
    assert head[0] == 200 and head[2] == b"" and head[1]["Content-Length"] == str(len(got[2])) and head[1]["ETag"] == got[1]["ETag"]


def test_other_methods_are_405_with_allow(house):  # req 3.7
    status, fields, _ = house.http("/", method="DELETE")
    assert status == 405 and "POST" in fields["Allow"]


def test_keep_alive_and_pipelining_answer_in_order(house):
    serials = house.serials("good")[:16]
    host = urllib.parse.urlparse(house.env["OCSP_URL"]).netloc
    name, port = host.split(":")
    wire = b""
    for serial in serials:
        body = house.request(serial)
        wire += (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/ocsp-request\r\nContent-Length: %d\r\n\r\n" % len(body)) + body
    import socket
    with socket.create_connection((name, int(port)), timeout=20) as s:
        s.sendall(wire)
        stream = s.makefile("rb")
        for serial in serials:
            assert b" 200 " in stream.readline()
            length = 0
            while (line := stream.readline()) not in (b"\r\n", b""):
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            assert ocsp.load_der_ocsp_response(stream.read(length)).serial_number == int(serial, 16)


def test_a_body_beyond_the_cap_is_413_and_a_long_target_414(house):  # req 1.17
    assert house.http("/", b"0" * 20_000, {"Content-Type": "application/ocsp-request"})[0] == 413
    connection = http.client.HTTPConnection(urllib.parse.urlparse(house.env["OCSP_URL"]).netloc, timeout=20)
    connection.request("GET", "/" + "A" * 9000)
    assert connection.getresponse().status == 414


def test_the_issuers_certificate_is_served_for_aia(house):
    status, fields, body = house.http(house.env["AIA_URL"])
    from cryptography import x509
    assert status == 200 and fields["Content-Type"] == "application/pkix-cert"
    assert x509.load_der_x509_certificate(body) == house.issuer
