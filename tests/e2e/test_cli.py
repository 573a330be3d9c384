"""The commands as people meet them: ./dev from anywhere, every tocsin command with good and bad words, on a terminal and without."""
import contextlib
import datetime
import json
import os
import pathlib
import pty
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import threading
import time

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


def test_the_private_profile_takes_no_lesser_signer(house, software_ca):
    yaml = house.dir / "issuers" / "soft" / "issuer.yaml"
    before = yaml.read_text()
    yaml.write_text(before.replace("profile: cabf-tls", "profile: private"))
    ca_key, public_key = software_ca
    path = write(house.dir / "lenient.pem", signer_certificate(ca_key, public_key, nocheck=False))
    done = house.tocsin("key", "install", "soft", path, check=False)
    yaml.write_text(before)
    assert done.returncode == 1 and "nocheck" in done.stderr


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


# ---- configuration: file, line, and what would be right ----

def spoiled(house, old, new, name="spoiled.yaml"):
    path = house.dir / name
    text = (house.dir / "tocsin.yaml").read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


@pytest.mark.parametrize("old, new, told", [
    ("  workers:", "  wrokers:", ("wrokers", "workers")),
    ("  workers: 1", "  workers: many", ("many", "0..256")),
    ("  workers: 1", "  workers: 5000", ("5000", "0..256")),
    ("responder:", "respnder:", ("respnder", "responder")),
    ("  label: tocsin", "  label: [a, b]", ("label",)),
    ('  listen: ["', '  listen: ["nowhere", "', ("127.0.0.1:8080",)),
    ("token:", "token:\n  timeout: 5", ("timeout", "10s")),
    ("token:", "token:\n  timeout: 5x", ("timeout", "5x")),
    ("token:", "token:\n  label: twice", ("label",)),
    ("users:", "users: {", ()),
])
def test_a_mistake_in_the_configuration_is_named_with_file_and_line(house, old, new, told):
    path = spoiled(house, old, new)
    for words in (("check",), ("status",)):
        done = house.tocsin("--config", path, *words, check=False)
        assert done.returncode == 3, done.stdout + done.stderr
        assert re.search(r"spoiled\.yaml:\d+: ", done.stderr) and "next:" in done.stderr, done.stderr
        assert all(word in done.stderr for word in told), done.stderr


def test_missing_files_and_open_permissions_are_found_by_check(house):
    done = house.tocsin("--config", "/nonexistent.yaml", "status", check=False)
    assert done.returncode == 3 and "/nonexistent.yaml" in done.stderr and "tocsin init" in done.stderr
    for old, new, told in (("pin_file: pin", "pin_file: nopin", "nopin"), ("libsofthsm2.so", "libnothing.so", "libnothing.so")):
        done = house.tocsin("--config", spoiled(house, old, new), "check", check=False)
        assert done.returncode == 3 and told in done.stderr, done.stderr
    (house.dir / "openpin").write_text("1234\n")
    (house.dir / "openpin").chmod(0o644)
    done = house.tocsin("--config", spoiled(house, "pin_file: pin", "pin_file: openpin"), "check", check=False)
    assert done.returncode == 3 and "openpin" in done.stderr and "chmod 600" in done.stderr


def test_an_engine_that_is_down_is_told_with_what_to_start(one_issuer):
    house = one_issuer
    path = spoiled(house, "token:\n", "control:\n  socket: nosuch.sock\ntoken:\n")
    for words in (("status",), ("show", "01"), ("release", "01"), ("issuer", "list"), ("crl", "list"), ("crl", "issue"), ("reload",),
                  ("revoke", "--issuer", "demo-ca", "--reason", "superseded", "01"), ("import", "--issuer", "demo-ca", house.dir / "cert-good.pem")):
        done = house.tocsin("--config", path, *words, check=False)
        assert done.returncode == 4 and "tocsin-signer" in done.stderr and "nosuch.sock" in done.stderr, (words, done.stderr)
        done = house.tocsin("--json", "--config", path, *words, check=False)
        assert done.returncode == 4 and json.loads(done.stdout)["ok"] is False, words


# ---- words ----

@pytest.mark.parametrize("words, code, told", [
    ((), 2, "usage"), (("foo",), 2, "tocsin help"), (("revok",), 2, "tocsin revoke"), (("issuer",), 2, "issuer list"),
    (("issuer", "lst"), 2, "issuer list"), (("status", "--wtch"), 2, "--watch"), (("status", "more"), 2, "usage"), (("show",), 2, "usage"),
    (("show", "zz"), 2, "0A1B2C"), (("show", "99"), 1, "import"), (("release", "zz"), 2, "0A1B2C"), (("release", "01"), 1, "hold"),
    (("import",), 2, "usage"), (("import", "/nope"), 7, "next:"), (("import", "/dev/null"), 1, "nothing to import"),
    (("import", "--format", "foo", "/dev/null"), 2, "ndjson"), (("revoke",), 2, "--file"), (("revoke", "01"), 2, "keyCompromise"),
    (("revoke", "--reason", "foo", "01"), 2, "keyCompromise"), (("revoke", "--reason", "removeFromCRL", "01"), 2, "release"),
    (("revoke", "--reason", "superseded", "--at", "foo", "01"), 2, "--at"), (("revoke", "--reason", "superseded", "zz"), 1, "next:"),
    (("revoke", "--reason", "superseded", "--at", "2099-01-01", "01"), 2, "future"), (("revoke", "--reason", "superseded", "99"), 1, "issued by"),
    (("crl", "issue", "--issuer", "nobody"), 2, "demo-ca"), (("key", "new"), 2, "--label"), (("key", "new", "--label", "ocsp-1"), 1, "key list"),
    (("key", "new", "--label", "x", "--algorithm", "rsa1024"), 2, "rsa2048"), (("key", "csr", "--label", "x"), 2, "--subject"),
    (("key", "csr", "--label", "nope", "--subject", "/CN=x", "--out", "/tmp/nope.csr"), 1, "key list"), (("key", "install"), 2, "usage"),
    (("key", "install", "nobody", "/x"), 2, "demo-ca"), (("key", "install", "demo-ca", "/x"), 7, "next:"),
    (("key", "install", "demo-ca", "/dev/null"), 1, "no certificate"), (("key", "new", "--label", ""), 2, "empty"),
    (("key", "csr", "--label", "ocsp-1", "--subject", "/CN=x", "--out", "/nope/x.csr"), 7, "/nope/x.csr"),
    (("key", "csr", "--label", "ocsp-1", "--subject", "CN=x", "--out", "/tmp/nope.csr"), 1, "/CN="),
    (("purge-tags",), 2, "--file"), (("purge-tags", "zz"), 2, "hex"), (("purge-tags", "--file", "/dev/null"), 1, "no serial"),
    (("purge-tags", "--file", "/nope"), 7, "No such file"), (("help", "foo"), 2, "tocsin help"),
    (("--config",), 2, "FILE"), (("init", "/proc/x"), 7, "init DIR"),
])
def test_each_refusal_has_its_code_and_says_what_to_do_next(one_issuer, words, code, told):
    done = one_issuer.tocsin(*words, check=False)
    assert done.returncode == code and told in done.stderr, (done.returncode, done.stderr)
    assert "next:" in done.stderr or not words or told == "usage" or words[:1] == ("revoke",), done.stderr
    assert not done.stdout


@pytest.fixture
def one_issuer(house):
    """The house, with demo-ca alone, so that --issuer may be left out."""
    aside = house.dir / "soft-aside"
    soft = house.dir / "issuers" / "soft"
    if soft.exists():
        soft.rename(aside)
    yield house
    if aside.exists():
        aside.rename(soft)


def test_the_reason_of_the_vaults_program_stands_in_the_json_too(one_issuer):
    done = one_issuer.tocsin("--json", "key", "new", "--label", "ocsp-1", check=False)
    told = json.loads(done.stdout)
    assert done.returncode == 1 and told["ok"] is False and "ocsp-1" in told["error"] and "key list" in told["hint"], told
    assert json.loads(one_issuer.tocsin("--json", "key", "new", "--label", "told-in-json").stdout)["label"] == "told-in-json"
    assert one_issuer.tocsin("--quiet", "key", "new", "--label", "told-quietly").stdout == ""


def test_a_request_that_is_not_made_leaves_no_file_and_spoils_none(one_issuer):
    house = one_issuer
    path = house.dir / "never.csr"
    words = ("key", "csr", "--subject", "/CN=x", "--out", path, "--label")
    assert house.tocsin(*words, "nope", check=False).returncode == 1 and not path.exists()
    house.tocsin(*words, "ocsp-1")
    before = path.read_bytes()
    assert house.tocsin(*words, "nope", check=False).returncode == 1 and path.read_bytes() == before


def test_a_token_without_keys_says_so_and_which_command_makes_one(one_issuer, tmp_path):
    house = one_issuer
    tmp_path.chmod(0o755)
    for folder in tmp_path.parents:
        if folder.stat().st_uid == os.getuid() and folder != pathlib.Path("/tmp") and folder.is_relative_to("/tmp"):
            folder.chmod(0o755)
    tokens = tmp_path / "tokens"
    tokens.mkdir()
    (tmp_path / "softhsm2.conf").write_text(f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n")
    pin = (house.dir / "pin").read_text()
    env = {**os.environ, "SOFTHSM2_CONF": str(tmp_path / "softhsm2.conf")}
    subprocess.run(["softhsm2-util", "--init-token", "--free", "--label", "tocsin", "--so-pin", pin, "--pin", pin], env=env, check=True,
                   capture_output=True, timeout=60)
    if os.getuid() == 0:
        subprocess.run(["chown", "-R", f"--reference={house.dir / 'pin'}", tokens], check=True)
    for words, told in ((("key", "list"), "tocsin key new --label LABEL"), (("--json", "key", "list"), '{"keys":[]}')):
        done = subprocess.run([house.env["TOCSIN"], *words], text=True, capture_output=True, timeout=60, env={**env, **{
            k: v for k, v in house.env.items() if k != "SOFTHSM2_CONF"}})
        assert done.returncode == 0 and told in done.stdout, done.stdout + done.stderr


def test_a_list_that_was_revoked_before_is_told_to_have_changed_nothing(one_issuer):
    listing = one_issuer.dir / "twice.txt"
    listing.write_text("\n".join(one_issuer.serials("good")[-3:]) + "\n")
    words = ("revoke", "--issuer", "demo-ca", "--reason", "superseded", "--file", listing, "--yes")
    assert "true since" in one_issuer.tocsin(*words).stdout
    assert "nothing was changed" in one_issuer.tocsin(*words).stdout


def test_a_refusal_is_told_though_its_rejects_cannot_be_written_down(one_issuer):
    listing = one_issuer.dir / "bad-list.txt"
    listing.write_text("zz\n")
    for words in (("revoke", "--reason", "superseded", "--file", listing), ("import", listing)):
        done = one_issuer.tocsin(*words, "--rejects", "/nope/rejects", check=False)
        assert done.returncode == 7 and "'zz'" in done.stderr and "/nope/rejects" in done.stderr, done.stderr


def test_a_long_list_of_unknown_serials_is_not_told_to_be_mostly_right(one_issuer):
    listing = one_issuer.dir / "unknown.txt"
    listing.write_text("".join(f"77{i:010X}\n" for i in range(1500)))
    done = one_issuer.tocsin("revoke", "--reason", "superseded", "--file", listing, "--yes", check=False)
    assert done.returncode == 1 and "at least 1000 of 1500" in done.stderr, done.stderr[:300]


def test_status_tells_what_a_batch_was_for(one_issuer):
    listing = one_issuer.dir / "why.txt"
    listing.write_text("\n".join(one_issuer.serials("good")[-9:-6]) + "\n")
    words = ("revoke", "--issuer", "demo-ca", "--file", listing, "--yes", "--reason")
    one_issuer.tocsin(*words, "superseded")
    one_issuer.tocsin(*words, "keyCompromise", "--incident", "INC-77")
    told = [line.split()[-1] for line in one_issuer.tocsin("status").stdout.split("batches\n")[1].splitlines()[1:3]]
    assert told == ["INC-77", "superseded"], told


@pytest.mark.parametrize("words, told", [(("extra",), "'extra'"), (("--foo",), "--foo"), (("--config", "/nonexistent.yaml"), "tocsin init"),
                                         (("--config", "/dev/null/x"), "tocsin init"), (("--config", "/etc/passwd"), "tocsin check")])
def test_the_signer_says_what_is_wrong_with_how_it_is_started(house, words, told):
    signer = pathlib.Path(house.env["TOCSIN"]).resolve().parents[1] / "signer" / "tocsin-signer"
    done = subprocess.run([signer, *words], text=True, capture_output=True, timeout=60)
    assert done.returncode == 2 and told in done.stderr and not done.stdout, done.stderr


def test_no_file_at_all_is_told_with_how_to_make_one(house, tmp_path):
    done = subprocess.run([house.env["TOCSIN"], "status"], text=True, capture_output=True, cwd=tmp_path, env={"PATH": os.environ["PATH"]})
    if os.path.exists("/etc/tocsin/tocsin.yaml"):
        pytest.skip("there is one")
    assert done.returncode == 3 and "tocsin init" in done.stderr and "--config" in done.stderr


# ---- on a terminal ----

def on_terminal(house, words, typed="", env=(), seconds=30, until=None):
    """What a person sees, both streams, and the exit code; `until` it is seen, then interrupted."""
    pid, terminal = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a background job of a shell may have it ignored
        os.execve(house.env["TOCSIN"], [house.env["TOCSIN"], *map(str, words)], {**os.environ, **house.env, "TERM": "xterm", **dict(env)})
    os.write(terminal, typed.encode())
    readable = select.poll()
    readable.register(terminal, select.POLLIN)
    seen = b""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not readable.poll(200):
            continue
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        seen += piece
        if until and until(seen.decode(errors="replace")):
            os.kill(pid, signal.SIGINT)
            until = None
    os.close(terminal)
    return seen.decode(errors="replace"), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_list_is_asked_for_on_a_terminal_and_only_its_number_is_consent(house):
    serials = house.serials("good")[10:13]
    (house.dir / "ask.txt").write_text("".join(f"{s}\n" for s in serials))
    words = ("revoke", "--issuer", "demo-ca", "--reason", "superseded", "--file", house.dir / "ask.txt")
    for typed in ("y\n", "\n", "2\n"):
        seen, code = on_terminal(house, words, typed)
        assert code == 1 and "3 serials" in seen and "nothing was revoked" in seen, seen
    assert house.status_of(serials[0]) == "good"
    seen, code = on_terminal(house, words, "3\n")
    assert code == 0 and "done for 3 serials" in seen
    assert all(house.status_of(s) == "revoked" for s in serials)


def test_dry_run_changes_nothing_and_asks_nothing(house):
    serial = house.serials("good")[20]
    before = house.status()["store"]["event"]
    seen, code = on_terminal(house, ("revoke", "--issuer", "demo-ca", "--reason", "superseded", "--dry-run", serial))
    assert code == 0 and "nothing was changed" in seen
    assert house.status()["store"]["event"] == before and house.status_of(serial) == "good"


def test_colours_on_a_terminal_only_and_not_with_no_color(house):
    assert "\033[" in on_terminal(house, ("status",))[0]
    assert "\033[" not in on_terminal(house, ("status",), env={"NO_COLOR": "1"}.items())[0]
    assert "\033[" not in on_terminal(house, ("status",), env={"TERM": "dumb"}.items())[0]
    assert "\033[" not in house.tocsin("status").stdout


def test_status_watch_draws_again_until_it_is_interrupted(house):
    seen, code = on_terminal(house, ("status", "--watch"), until=lambda text: text.count("issuers") >= 2)
    assert seen.count("issuers") >= 2 and code == -signal.SIGINT


@contextlib.contextmanager
def held_back(pid):
    """The process runs only now and then: what it does lasts longer than the second after which progress is shown."""
    over = threading.Event()

    def hold():
        while not over.is_set():
            os.kill(pid, signal.SIGSTOP)
            over.wait(0.3)
            os.kill(pid, signal.SIGCONT)
            over.wait(0.02)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_a_long_import_shows_its_progress_on_a_terminal(house):
    path = house.dir / "long.csv"
    path.write_text("serial,not_after\n" + "".join(f"5D{i:030X},2027-06-01\n" for i in range(600_000)))
    with held_back(house.status()["engine"]["pid"]):
        seen, code = on_terminal(house, ("import", "--issuer", "demo-ca", path), seconds=120)
    assert code == 0 and "[#" in seen and "left" in seen and "600000" in seen, seen[-2000:]


# ---- help, completion, manual pages, installation ----

def commands(house):
    lines = house.tocsin("help").stdout.split("\n\n")[2].splitlines()
    return [re.match(r"  ([a-z-]+(?: [a-z-]+)?)(?= {2,}| [A-Z\[])", line)[1] for line in lines]


def test_every_command_has_help_and_completion(house):
    assert len(commands(house)) >= 17
    firsts = house.tocsin("complete", "").stdout.split()
    for command in commands(house):
        words = command.split()
        said = house.tocsin("help", *words).stdout
        assert said.startswith(f"tocsin {command}") and said == house.tocsin(*words, "--help").stdout
        assert words[0] in firsts
        assert "--json" in house.tocsin("complete", *words, "--").stdout.split()


def test_bash_completes_words_and_options(house):
    script = f'''
PATH=$PATH:{pathlib.Path(house.env["TOCSIN"]).parent}
. {ROOT}/tools/completion/tocsin.bash
COMP_WORDS=(tocsin iss); COMP_CWORD=1; COMP_LINE="tocsin iss"; COMP_POINT=10
$(complete -p tocsin | sed 's/.*-F \\([^ ]*\\).*/\\1/') tocsin iss tocsin
echo "${{COMPREPLY[@]}}"
'''
    done = subprocess.run(["bash", "-c", script], text=True, capture_output=True, env={**os.environ, **house.env})
    assert done.stdout.split() == ["issuer"], done.stderr


def test_manual_pages_are_well_formed():
    for page in sorted((ROOT / "man").glob("*.[158]")):
        done = subprocess.run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page], capture_output=True, text=True,
                              env={**os.environ, "MANWIDTH": "100", "LC_ALL": "C.UTF-8"})
        assert done.returncode == 0 and not done.stderr, (page, done.stderr)


def test_what_is_installed_finds_its_parts(house, tmp_path):
    build = pathlib.Path(house.env["TOCSIN"]).parents[1]
    done = subprocess.run(["meson", "install", "-C", build, "--no-rebuild"], text=True, capture_output=True,
                          env={**os.environ, "DESTDIR": str(tmp_path)})
    assert done.returncode == 0, done.stdout + done.stderr
    files = {p.name: p for p in tmp_path.rglob("*") if p.is_file()}
    assert {"tocsin", "tocsin-signer", "tocsin-responder", "tocsin-vault", "tocsin.1", "tocsin.yaml.5", "tocsin-signer.8", "tocsin-responder.8",
            "tocsin.yaml", "issuer.yaml", "tocsin-signer.service", "tocsin-responder.service", "_tocsin"} <= files.keys()
    for name in ("tocsin-signer", "tocsin-responder"):
        [program] = re.findall(r"^ExecStart=(\S+)", files[name + ".service"].read_text(), re.M)
        assert (tmp_path / program.lstrip("/")) == files[name]
    programs = [p for p in tmp_path.rglob("bin/tocsin")]
    environment = {k: v for k, v in {**os.environ, **house.env}.items() if k not in ("TOCSIN_VAULT", "TOCSIN_SIGNER")}
    listed = subprocess.run([programs[0], "key", "list"], text=True, capture_output=True, env=environment)
    assert listed.returncode == 0 and "ocsp-1" in listed.stdout, listed.stderr
