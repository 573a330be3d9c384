"""CRLs as CDNs and relying parties pull them (REQUIREMENTS 3.8, 4)."""
import hashlib
import subprocess
import time

from cryptography import x509

from conftest import wait_for


def issue(house, *kinds):
    return house.tocsin_json("crl", "issue", "--issuer", "demo-ca", *kinds)["crls"]


def pull(house, which="CRL_URL"):
    status, fields, body = house.http(house.env[which])
    assert status == 200 and fields["Content-Type"] == "application/pkix-crl"
    return x509.load_der_x509_crl(body), fields, body


def listed(crl):
    return {entry.serial_number for entry in crl}


def number(crl):
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def test_the_full_crl_lists_what_is_revoked_and_openssl_verifies_it(house):
    issue(house, "--full")
    crl, _, body = pull(house)
    assert listed(crl) >= {int(s, 16) for s in house.serials("revoked")}
    assert not listed(crl) & {int(s, 16) for s in house.serials("good")[:50]}
    assert crl.is_signature_valid(house.issuer.public_key())
    assert crl.issuer == house.issuer.subject
    done = subprocess.run(["openssl", "crl", "-inform", "DER", "-verify", "-CAfile", house.dir / "issuer.pem", "-noout"], input=body,
                          capture_output=True)
    assert b"verify OK" in done.stderr
    assert not crl.extensions.get_extension_for_class(x509.CRLNumber).critical
    assert crl.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier


def test_the_delta_lists_what_changed_since_its_base(house):  # req 4.3-4.5
    serials = house.serials("good")[:12]
    held, batch = serials[0], serials[1:]
    house.tocsin("revoke", "--issuer", "demo-ca", "--reason", "certificateHold", held, "--yes")
    issue(house, "--full")
    base, _, _ = pull(house)
    assert int(held, 16) in listed(base)
    house.tocsin("release", "--issuer", "demo-ca", held)
    house.revoke(batch)
    issue(house, "--delta")
    delta, _, _ = pull(house, "DELTA_URL")
    indicator = delta.extensions.get_extension_for_class(x509.DeltaCRLIndicator)
    assert indicator.critical and indicator.value.crl_number <= number(base)
    assert number(delta) > number(base)
    assert listed(delta) >= {int(s, 16) for s in batch}
    entry = delta.get_revoked_certificate_by_serial_number(int(held, 16))
    assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason == x509.ReasonFlags.remove_from_crl
    assert not any(e.value for e in delta.extensions if e.oid == x509.oid.ExtensionOID.FRESHEST_CRL)


def test_numbers_only_grow(house):  # req 4.2
    numbers = []
    for kinds in (["--full"], ["--delta"], ["--full", "--delta"], ["--full"]):
        numbers.append(max(int(c["number"]) for c in issue(house, *kinds)))
    assert numbers == sorted(set(numbers))
    crl, _, _ = pull(house)
    assert number(crl) == numbers[-1]


def test_conditional_get_and_ranges(house):  # req 3.8
    time.sleep(1.1)  # so that no other CRL shares this one's second: If-Modified-Since could not tell them apart
    issue(house, "--full")
    _, fields, body = pull(house)
    url = house.env["CRL_URL"]
    assert hashlib.sha256(body).hexdigest() in fields["ETag"]
    assert house.http(url, headers={"If-None-Match": fields["ETag"]})[0] == 304
    assert house.http(url, headers={"If-Modified-Since": fields["Last-Modified"]})[0] == 304
    status, part, data = house.http(url, headers={"Range": "bytes=10-19"})
    assert (status, data, part["Content-Range"]) == (206, body[10:20], f"bytes 10-19/{len(body)}")
    assert house.http(url, headers={"Range": "bytes=-7"})[2] == body[-7:]
    assert house.http(url, headers={"Range": f"bytes={len(body)}-"})[0] == 416
    assert house.http(url, headers={"Range": "bytes=0-3", "If-Range": '"other"'})[0] == 200
    assert house.http(url, headers={"Range": "bytes=0-3", "If-Range": fields["ETag"]})[0] == 206
    status, head, nothing = house.http(url, method="HEAD")
    assert status == 200 and nothing == b"" and int(head["Content-Length"]) == len(body)


def test_ocsp_and_crl_agree(house):  # req 5.19
    issue(house, "--full")
    crl, _, _ = pull(house)
    on_list = listed(crl)
    for serial in house.serials("good")[5:400:20] + house.serials("revoked")[::20]:
        assert (house.status_of(serial) == "revoked") == (int(serial, 16) in on_list)


def test_a_revocation_reaches_the_crl_by_itself(house):  # req 4.8; crl.after_revocation is 2 s here
    serial = house.serials("good")[500]
    house.tocsin("revoke", "--issuer", "demo-ca", "--reason", "superseded", serial, "--yes")
    wait_for(lambda: int(serial, 16) in listed(pull(house)[0]), 20, "the serial on the full CRL")


def test_an_unknown_crl_is_404(house):
    assert house.http("/crl/nobody.crl")[0] == 404
    assert house.http("/crl/../tocsin.yaml")[0] in (400, 404)
