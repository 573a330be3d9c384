"""ACME renewal information as a client asks for it, over certificates that a CA has really issued (RFC 9773, REQUIREMENTS 7)."""
import base64
import datetime
import json

from cryptography import x509

from conftest import UNLIKELY


def b64url(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def identifier(issuer, serial):
    ski = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    number = int(serial, 16) if isinstance(serial, str) else serial
    return b64url(ski) + "." + b64url(number.to_bytes(number.bit_length() // 8 + 1, "big"))  # DER content: a leading 00 stays


def window(house, serial):
    status, fields, body = house.http("/renewal-info/" + identifier(house.issuer, serial))
    assert status == 200 and fields["Content-Type"] == "application/json"
    assert fields["Retry-After"] == "21600"  # req 7.3
    said = json.loads(body)["suggestedWindow"]
    start, end = (datetime.datetime.strptime(said[name], "%Y-%m-%dT%H:%M:%SZ") for name in ("start", "end"))
    assert start < end  # req 7.2
    return start, end


def test_a_certificates_own_identifier_finds_its_window(house):  # req 7.1
    certificate = house.certificate("cert-good")
    aki = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    ski = house.issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert aki == ski
    _, end = window(house, certificate.serial_number)
    assert end < certificate.not_valid_after


def test_good_is_later_and_revoked_is_at_once(house):  # req 7.4
    now = datetime.datetime.utcnow()
    for serial in house.serials("good")[:20]:
        assert window(house, serial)[0] > now
    for serial in house.serials("revoked")[:20]:
        assert window(house, serial)[1] < now


def test_a_revocation_changes_the_window_at_once(house):
    serial = house.serials("good")[77]
    now = datetime.datetime.utcnow()
    assert window(house, serial)[0] > now
    house.revoke([serial])
    assert window(house, serial)[1] < now


def test_what_was_not_issued_has_no_window(house):
    assert house.http("/renewal-info/" + identifier(house.issuer, UNLIKELY))[0] == 404
    assert house.http("/renewal-info/aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE")[0] == 404
    assert house.http("/renewal-info/nonsense")[0] == 400
