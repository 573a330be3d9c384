"""Real input: an OpenSSL CA's directory, bundles, CSV, NDJSON and CRLs that others made."""
import datetime
import json
import pathlib
import subprocess

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding

from conftest import wait_for

CNF = """
[ca]
default_ca = d
[d]
dir = {dir}
database = $dir/index.txt
new_certs_dir = $dir/newcerts
serial = $dir/serial
crlnumber = $dir/crlnumber
certificate = {dir}/ca.pem
private_key = {dir}/ca.key
default_md = sha256
default_days = 90
default_crl_days = 7
policy = p
unique_subject = no
[p]
commonName = supplied
[req]
distinguished_name = dn
prompt = no
[dn]
CN = Somebody Else's CA
[v3_ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign,digitalSignature
subjectKeyIdentifier = hash
"""


def openssl(*words, cwd=None):
    done = subprocess.run(["openssl", *map(str, words)], text=True, capture_output=True, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def openssl_ca(house):
    """A CA directory made by `openssl ca`: 12 certificates, 3 of them revoked for different reasons, one on hold, and its CRL."""
    ca = house.dir / "other-ca"
    (ca / "newcerts").mkdir(parents=True)
    (ca / "index.txt").touch()
    (ca / "serial").write_text("0A01\n")
    (ca / "crlnumber").write_text("01\n")
    (ca / "ca.cnf").write_text(CNF.format(dir=ca))
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-config", ca / "ca.cnf", "-extensions",
            "v3_ca", "-days", 3650, "-keyout", ca / "ca.key", "-out", ca / "ca.pem")
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=leaf", "-keyout",
            ca / "leaf.key", "-out", ca / "leaf.csr")
    for _ in range(12):
        openssl("ca", "-batch", "-config", ca / "ca.cnf", "-in", ca / "leaf.csr", "-notext", "-out", ca / "last.pem")
    for serial, reason in (("0A01", "superseded"), ("0A02", "keyCompromise"), ("0A03", "unspecified"), ("0A04", "certificateHold")):
        openssl("ca", "-config", ca / "ca.cnf", "-revoke", ca / "newcerts" / f"{serial}.pem", "-crl_reason", reason)
    openssl("ca", "-config", ca / "ca.cnf", "-gencrl", "-out", ca / "crl.pem")
    house.tocsin("issuer", "add", "other-ca", "--cert", ca / "ca.pem", "--set", "offline=true")
    wait_for(lambda: any(i["name"] == "other-ca" for i in house.tocsin_json("issuer", "list")["issuers"]), 10, "the new issuer")
    return ca


def shown(house, serial, issuer="other-ca"):
    [certificate] = house.tocsin_json("show", serial, "--issuer", issuer)["certificates"]
    return certificate


def test_index_txt_of_openssl_ca(house, openssl_ca):
    said = house.tocsin_json("import", "--issuer", "other-ca", openssl_ca / "index.txt")
    assert said["rows"] == 12 and said["new"] == 8 and said["revoked"] == 4
    assert shown(house, "0A01")["reason"] == "superseded"
    assert shown(house, "0A02")["reason"] == "keyCompromise"
    assert shown(house, "0A04")["status"] == "on hold"
    assert shown(house, "0A05")["status"] == "good"


def test_newcerts_directory_adds_facts_and_changes_no_status(house, openssl_ca):
    said = house.tocsin_json("import", "--issuer", "other-ca", openssl_ca / "newcerts")
    assert said["rows"] == 12 and said["new"] == 0 and said["conflict"] == 0
    assert shown(house, "0A02")["status"] == "revoked"
    assert shown(house, "0A05")["certinfo"]["cert_sha256"]


def test_a_crl_of_the_same_issuer(house, openssl_ca):
    said = house.tocsin_json("import", "--issuer", "other-ca", openssl_ca / "crl.pem")
    assert said["rows"] == 4 and said["new"] == 0


def test_a_crl_of_another_issuer_is_refused(house, openssl_ca):
    done = house.tocsin("import", "--issuer", "demo-ca", openssl_ca / "crl.pem", check=False)
    assert done.returncode == 1 and "issuer" in done.stderr


def test_the_same_serial_with_another_certificate_raises_an_alarm(house, openssl_ca):
    key = serialization.load_pem_private_key((openssl_ca / "ca.key").read_bytes(), None)
    ca = x509.load_pem_x509_certificate((openssl_ca / "ca.pem").read_bytes())
    now = datetime.datetime.utcnow()
    twin = x509.CertificateBuilder(ca.subject, x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "twin")]),
                                   ec.generate_private_key(ec.SECP256R1()).public_key(), 0x0A06, now, now + datetime.timedelta(days=9))
    twin = twin.sign(key, hashes.SHA256())
    path = house.dir / "twin.der"
    path.write_bytes(twin.public_bytes(serialization.Encoding.DER))
    done = house.tocsin("--json", "import", "--issuer", "other-ca", path, check=False)
    assert json.loads(done.stdout)["conflict"] == 1
    assert "0A06" in house.log("signer")


def test_csv_ndjson_and_standard_input(house):
    rows = [("5A" * 16, "good"), ("5B" * 16, "revoked")]
    csv = "".join(f'"{s}",2027-06-01,{st},{"keyCompromise" if st == "revoked" else ""},acme\n' for s, st in rows)
    said = house.tocsin_json("import", "--issuer", "demo-ca", "-", stdin="serial,not_after,status,reason,subscriber\n" + csv)
    assert said["new"] == 1 and said["revoked"] == 1
    assert shown(house, "5A" * 16, "demo-ca")["certinfo"]["subscriber"] == "acme"
    lines = "\n".join(json.dumps({"serial": f"{0x60 + i:02X}" * 16, "notAfter": "2027-06-01T00:00:00Z"}) for i in range(5))
    assert house.tocsin_json("import", "--issuer", "demo-ca", "-", stdin=lines + "\n")["new"] == 5


def test_a_bad_row_is_named_and_nothing_is_imported(house):
    done = house.tocsin("import", "--issuer", "demo-ca", "-", stdin="serial,notAfter\n" + "6F" * 16 + ",2027-01-01\nzz,2027-01-01\n", check=False)
    assert done.returncode == 1 and "3" in done.stderr
    assert house.status_of("6F" * 16) == "unauthorized"


def test_a_crl_with_100_000_entries(house, openssl_ca):
    ca = x509.load_pem_x509_certificate((openssl_ca / "ca.pem").read_bytes())
    key = serialization.load_pem_private_key((openssl_ca / "ca.key").read_bytes(), None)
    now = datetime.datetime.utcnow().replace(microsecond=0)
    builder = x509.CertificateRevocationListBuilder().issuer_name(ca.subject).last_update(now).next_update(now + datetime.timedelta(days=7))
    entries = [x509.RevokedCertificateBuilder().serial_number((1 << 100) + 7919 * i).revocation_date(now).build() for i in range(100_000)]
    builder._revoked_certificates = entries
    path = house.dir / "big.crl"
    path.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER))
    said = house.tocsin_json("import", "--issuer", "other-ca", path)
    assert said["rows"] == 100_000 and said["revoked"] == 100_000
    assert shown(house, f"{(1 << 100) + 7919 * 99_999:X}")["status"] == "revoked"


def test_commands_say_what_to_do_next(house):
    done = house.tocsin("import", "--issuer", "nobody", "-", stdin="01\n", check=False)
    assert done.returncode != 0 and "demo-ca" in done.stderr  # names the issuers there are
    done = house.tocsin("revok", check=False)
    assert done.returncode == 2 and "revoke" in done.stderr
    done = house.tocsin("revoke", "--issuer", "demo-ca", "01", check=False)
    assert done.returncode == 2 and "--reason" in done.stderr


def test_check_finds_the_store_whole_and_a_mistake_in_the_configuration(house):
    assert house.tocsin("check").returncode == 0
    config = house.dir / "broken.yaml"
    config.write_text((house.dir / "tocsin.yaml").read_text().replace("  workers:", "  wrokers:"))
    done = house.tocsin("--config", config, "check", check=False)
    assert done.returncode == 3 and "broken.yaml:" in done.stderr and "workers" in done.stderr

# ---- what others made: the vectors of python-cryptography, PKITS among them ----

VECTORS = pathlib.Path("/usr/lib/python3/dist-packages/cryptography_vectors/x509")
PKITS = VECTORS / "PKITS_data"


def foreign_files():
    """Each kind that there is, and every twelfth of those that are alike."""
    alike = [sorted((PKITS / folder).iterdir())[::12] for folder in ("certs", "certpairs", "crls", "pkcs12", "smime")]
    others = [sorted(p for p in (VECTORS / folder).rglob("*") if p.is_file()) for folder in ("custom", "ocsp", "requests", "ed25519", "ed448")]
    return [p for group in alike + others for p in group] + sorted(p for p in VECTORS.iterdir() if p.is_file())


def test_foreign_files_are_refused_in_words_and_never_crash(house):
    assert len(foreign_files()) > 200
    for path in foreign_files():
        done = house.tocsin("import", "--issuer", "demo-ca", path, check=False)
        said = done.stdout + done.stderr
        assert done.returncode == 1, (path, done.returncode, said)
        assert path.name in said and "next: " in said, (path, said)
        assert "Sanitizer" not in said and "runtime error" not in said, (path, said)


def test_a_directory_of_foreign_certificates_names_each_of_them(house):
    done = house.tocsin("--json", "import", "--issuer", "demo-ca", VECTORS, check=False)
    said = json.loads(done.stdout)
    assert done.returncode == 1 and said["n_rejects"] > 400
    assert all(reject["why"] for reject in said["rejects"])
    assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr


def is_signed_by(certificate, issuer):
    try:
        issuer.public_key().verify(certificate.signature, certificate.tbs_certificate_bytes, padding.PKCS1v15(), certificate.signature_hash_algorithm)
        return True
    except InvalidSignature:
        return False


def test_a_ca_of_pkits_its_certificates_and_its_crl(house):
    """NIST's PKITS as others' parser reads it: whoever python-cryptography calls the anchor's own, Tocsin takes; its CRL's entries are revoked."""
    anchor_path = PKITS / "certs" / "TrustAnchorRootCertificate.crt"
    anchor = x509.load_der_x509_certificate(anchor_path.read_bytes())
    own = set()
    for path in (PKITS / "certs").iterdir():
        certificate = x509.load_der_x509_certificate(path.read_bytes())
        if certificate.issuer == anchor.subject and is_signed_by(certificate, anchor):  # one of them (4.1.2) has a bad signature
            own.add(certificate.serial_number)
    house.tocsin("issuer", "add", "pkits", "--cert", anchor_path, "--set", "offline=true")
    done = house.tocsin("--json", "import", "--issuer", "pkits", "--skip-rejects", PKITS / "certs", check=False)
    assert json.loads(done.stdout)["new"] == len(own) > 50
    said = house.tocsin_json("import", "--issuer", "pkits", PKITS / "crls" / "TrustAnchorRootCRL.crl")
    crl = x509.load_der_x509_crl((PKITS / "crls" / "TrustAnchorRootCRL.crl").read_bytes())
    assert said["rows"] == said["revoked"] == len(list(crl)) > 0
    for entry in crl:
        assert shown(house, f"{entry.serial_number:02X}", "pkits")["status"] == "revoked"


def test_a_full_crl_of_100_000_entries_is_published_and_openssl_verifies_it(house):
    serials = [f"5C{i:030X}" for i in range(100_000)]
    csv = "".join(f"{s},2027-06-01,revoked,superseded\n" for s in serials)
    said = house.tocsin_json("import", "--issuer", "demo-ca", "-", stdin="serial,not_after,status,reason\n" + csv)
    assert said["rows"] == said["revoked"] == 100_000
    house.tocsin("crl", "issue", "--issuer", "demo-ca", "--full")
    status, _, body = house.http(house.env["CRL_URL"])
    assert status == 200
    path = house.dir / "published.crl"
    path.write_bytes(body)
    done = subprocess.run(["openssl", "crl", "-inform", "DER", "-in", path, "-verify", "-CAfile", house.dir / "issuer.pem", "-noout"], text=True,
                          capture_output=True)
    assert "verify OK" in done.stdout + done.stderr
    listed = {entry.serial_number for entry in x509.load_der_x509_crl(body)}
    assert {int(s, 16) for s in serials} <= listed and len(listed) >= 100_000 + 100
