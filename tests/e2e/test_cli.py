"""The commands as people meet them: ./dev from anywhere, every tocsin command with good and bad words, on a terminal and without."""
import datetime
import os
import pathlib
import shlex
import shutil
import socket
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from conftest import ROOT, free_port

PATHS = ("TOCSIN", "TOCSIN_CONFIG", "CONTROL_SOCKET", "SOFTHSM2_CONF")


def dev(*words, cwd="/", program=ROOT / "dev", **options):
    return subprocess.run([program, *map(str, words)], text=True, capture_output=True, cwd=cwd, timeout=240, **options)


def sourced(env_file, line):
    done = subprocess.run(["bash", "-euc", f"set -a; . {shlex.quote(str(env_file))}; set +a; {line}"], text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---- ./dev ----

def test_dev_up_takes_paths_from_where_it_was_called_through_a_symlink_and_with_spaces(tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "link").symlink_to(ROOT / "dev")
    made = dev("up", "a b", "--certs", 5, "--listen", f"127.0.0.1:{free_port()}", cwd=tmp_path, program=tmp_path / "link")
    assert made.returncode == 0, made.stderr
    try:
        env = tmp_path / "a b" / "env"
        assert len((tmp_path / "a b" / "serials.txt").read_text().splitlines()) == 5 + 3
        said = sourced(env, 'printf "%s\\n" ' + " ".join(f'"${name}"' for name in PATHS)).splitlines()
        assert all(os.path.exists(path) for path in said), said
        assert "engine" in sourced(env, '"$TOCSIN" status')
        again = dev("up", "a b", cwd=tmp_path)
        assert again.returncode == 1 and "already up" in again.stderr and "down" in again.stderr
    finally:
        assert dev("down", "a b", cwd=tmp_path).returncode == 0
    assert dev("down", "a b", cwd=tmp_path).returncode == 0  # nothing left to stop is no mistake
    more = dev("up", "a b", "--certs", 9, "--workers", 2, cwd=tmp_path)
    assert more.returncode == 0 and "--certs" in more.stderr  # it says that this is for a new DIR
    try:
        assert int(sourced(env, 'ps --no-headers --ppid "$RESPONDER_PID" | wc -l')) >= 2
    finally:
        assert dev("down", tmp_path / "a b").returncode == 0


def test_dev_up_touches_no_folder_that_it_did_not_make(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "mine").touch()
    (tmp_path / "other").touch()
    done = dev("up", tmp_path)
    assert done.returncode == 1 and "not empty" in done.stderr
    assert (tmp_path / "store" / "mine").exists() and (tmp_path / "other").exists()


def test_dev_up_names_an_address_that_is_taken_before_it_makes_anything(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = dev("up", tmp_path / "d", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert done.returncode == 1 and "--listen" in done.stderr and "in use" in done.stderr
    assert not list((tmp_path / "d").iterdir())


@pytest.mark.parametrize("words, told", [
    (("up",), "usage"), (("up", "-x"), "usage"), (("up", "d", "--certs"), "wants a value"), (("up", "d", "--bad", "1"), "--bad"),
    (("up", "d", "--certs", "x"), "numbers"), (("up", "d", "--certs", "5", "--revoked", "6"), "more than"), (("up", "d", "--key", "x"), "p256"),
    (("up", "d", "--listen", "8080"), "ADDR:PORT"), (("down",), "usage"), (("down", "/nonexistent"), "./dev up"), (("nothing",), "./dev help"),
    (("help", "nothing"), "./dev help"), (("test", "-k"), "usage"), (("test", "--bad"), "usage"), (("bench",), "./dev help bench"), (("build", "--bad"), "--bad"),
    (("setup", "bad"), "build, test, bench"),
])
def test_dev_says_what_is_wrong_with_the_words(tmp_path, words, told):
    done = dev(*words, cwd=tmp_path)
    assert done.returncode in (1, 2) and told in done.stderr and "unbound" not in done.stderr
    assert not list(tmp_path.iterdir())


def test_dev_says_what_to_do_without_root_and_sudo(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("needs root to become nobody")
    script = ROOT / "dev"
    bare = tmp_path / "bin"
    bare.mkdir()
    for name in ("bash", "env", "dirname", "readlink", "realpath", "id", "getent", "dpkg-query", "grep", "useradd"):
        for folder in ("/usr/bin", "/usr/sbin", "/bin"):
            if pathlib.Path(folder, name).exists():
                (bare / name).symlink_to(f"{folder}/{name}")
                break
    (bare / "getent").unlink()
    (bare / "getent").write_text("#!/bin/sh\nexit 2\n")  # a machine without the daemons' users
    (bare / "getent").chmod(0o755)
    for folder in (tmp_path, *tmp_path.parents):
        if folder != pathlib.Path("/tmp") and str(folder).startswith("/tmp"):
            folder.chmod(0o755)
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", f"PATH={bare}", script, "setup", "build"],
                          text=True, capture_output=True, cwd="/")
    assert done.returncode == 1 and "root" in done.stderr and "sudo" in done.stderr


# ---- tocsin: words that are wrong, and what to do next ----

@pytest.fixture(scope="module")
def software_ca(house):
    """A CA whose key is here, so that any certificate can be made; configured as `soft` with an OCSP key of the token."""
    key = ec.generate_private_key(ec.SECP256R1())
    ca = signed(builder("Soft CA", key.public_key(), "Soft CA")
                .add_extension(x509.BasicConstraints(True, 0), True)
                .add_extension(usage(digital_signature=True, key_cert_sign=True, crl_sign=True), True)
                .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False), key)
    write(house.dir / "soft.pem", ca)
    house.tocsin("key", "new", "--label", "soft-ocsp")
    house.tocsin("key", "csr", "--label", "soft-ocsp", "--subject", "/CN=soft ocsp", "--out", house.dir / "soft.csr")
    house.tocsin("issuer", "add", "soft", "--cert", house.dir / "soft.pem", "--ocsp-key", "soft-ocsp", "--profile", "cabf-tls")
    yield key, x509.load_pem_x509_csr((house.dir / "soft.csr").read_bytes()).public_key()
    shutil.rmtree(house.dir / "issuers" / "soft")
    house.tocsin("reload")


def usage(**bits):
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign",
             "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: bits.get(name, False) for name in names})


def named(text):
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


def builder(subject, public_key, issuer, since=-1, until=30):
    now = datetime.datetime.utcnow().replace(microsecond=0)
    return (x509.CertificateBuilder().subject_name(named(subject)).issuer_name(named(issuer)).public_key(public_key)
            .serial_number(x509.random_serial_number()).not_valid_before(now + datetime.timedelta(days=since))
            .not_valid_after(now + datetime.timedelta(days=until)))


def signed(made, key):
    return made.sign(key, hashes.SHA256())


def write(path, certificate):
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return path


def signer_certificate(ca_key, public_key, ekus=(x509.ExtendedKeyUsageOID.OCSP_SIGNING,), nocheck=True, issuer="Soft CA", until=30, san=False,
                       **bits):
    made = builder("soft ocsp", public_key, issuer, since=-40 if until < 0 else -1, until=until)
    made = made.add_extension(usage(**(bits or {"digital_signature": True})), True)
    made = made.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), False)
    if ekus:
        made = made.add_extension(x509.ExtendedKeyUsage(ekus), False)
    if nocheck:
        made = made.add_extension(x509.OCSPNoCheck(), False)
    if san:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("ocsp.example")]), False)
    return signed(made, ca_key)


BAD_SIGNERS = {
    "no EKU": (dict(ekus=()), "OCSPSigning"),
    "an extra EKU": (dict(ekus=(x509.ExtendedKeyUsageOID.OCSP_SIGNING, x509.ExtendedKeyUsageOID.SERVER_AUTH)), "OCSPSigning"),
    "another EKU": (dict(ekus=(x509.ExtendedKeyUsageOID.SERVER_AUTH,)), "OCSPSigning"),
    "no nocheck": (dict(nocheck=False), "nocheck"),
    "another issuer's name": (dict(issuer="Other CA"), "issue"),
    "expired": (dict(until=-2), "expired"),
    "no digitalSignature": (dict(key_encipherment=True), "digitalSignature"),
    "more than digitalSignature": (dict(digital_signature=True, key_encipherment=True), "digitalSignature"),
    "a SAN": (dict(san=True), "subjectAltName"),
}


@pytest.mark.parametrize("what", BAD_SIGNERS)
def test_key_install_refuses_a_signer_that_does_not_fit_with_the_reason(house, software_ca, what):
    """BR 7.1.2.8, RFC 6960 4.2.2.2 (req 2.14, 2.15)."""
    ca_key, public_key = software_ca
    options, told = BAD_SIGNERS[what]
    path = write(house.dir / "bad-signer.pem", signer_certificate(ca_key, public_key, **options))
    done = house.tocsin("key", "install", "soft", path, check=False)
    assert done.returncode == 1 and told in done.stderr and "next:" in done.stderr, done.stderr
    assert not (house.dir / "issuers" / "soft" / "ocsp-signer.pem").exists()


def test_key_install_refuses_a_signature_of_another_key_and_takes_the_right_one(house, software_ca):
    ca_key, public_key = software_ca
    forged = signer_certificate(ec.generate_private_key(ec.SECP256R1()), public_key)
    done = house.tocsin("key", "install", "soft", write(house.dir / "forged.pem", forged), check=False)
    assert done.returncode == 1 and "next:" in done.stderr
    other = signer_certificate(ca_key, ec.generate_private_key(ec.SECP256R1()).public_key())
    done = house.tocsin("key", "install", "soft", write(house.dir / "other-key.pem", other), check=False)
    assert done.returncode == 1 and "soft-ocsp" in done.stderr and "next:" in done.stderr, done.stdout + done.stderr
    house.tocsin("key", "install", "soft", write(house.dir / "right.pem", signer_certificate(ca_key, public_key)))
    [soft] = [i for i in house.tocsin_json("issuer", "list")["issuers"] if i["name"] == "soft"]
    assert soft["served"]


def test_key_install_warns_of_what_only_the_private_profile_lets_pass(house, software_ca):
    yaml = house.dir / "issuers" / "soft" / "issuer.yaml"
    strict = yaml.read_text()
    yaml.write_text(strict.replace("profile: cabf-tls", "profile: private"))
    ca_key, public_key = software_ca
    done = house.tocsin("key", "install", "soft", write(house.dir / "lenient.pem", signer_certificate(ca_key, public_key, nocheck=False)))
    assert "nocheck" in done.stderr
    yaml.write_text(strict)


def test_an_issuer_is_added_once_and_only_if_it_could_be_served(house):
    for words, code, told in (
            (("demo-ca", "--cert", house.dir / "issuer.pem"), 1, "already"),
            (("again", "--cert", house.dir / "issuer.pem", "--crl-key", "x"), 1, "'demo-ca' has this name and key"),
            (("root", "--cert", house.dir / "root.pem"), 2, "--ocsp-key"),
            (("root", "--cert", house.dir / "root.pem", "--crl-key", "root"), 1, "digitalSignature"),
            (("leaf", "--cert", house.dir / "cert-good.pem", "--crl-key", "x"), 1, "cA"),
            (("none", "--cert", "/nonexistent", "--crl-key", "x"), 7, "no such file"),
            (("a/b", "--cert", house.dir / "issuer.pem"), 2, "letters"),
            (("x",), 2, "--cert")):
        done = house.tocsin("issuer", "add", *words, check=False)
        assert done.returncode == code and told in done.stderr and "next:" in done.stderr, (words, done.stderr)
    assert {p.name for p in (house.dir / "issuers").iterdir()} <= {"demo-ca", "soft"}
