"""The engine and the vault through their configuration's life: reloads, new issuers and signers, other algorithms, shards, clocks."""
import datetime
import os
import re
import signal
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp

from conftest import free_port, ocsp_request, wait_for
from test_ari import identifier

EXTENSIONS = """
[issuer]
basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,digitalSignature,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[ocsp]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = OCSPSigning
noCheck = ignored
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


def open_house(fresh_house, certs=300, revoked=5, **options):
    words = [w for k, v in options.items() for w in (f"--{k}", v)]
    return fresh_house.up("--certs", certs, "--revoked", revoked, "--listen", f"127.0.0.1:{free_port()}", *words)


# ---- keys and certificates in the token ----

def key_uri(house, label):
    return f"pkcs11:token=tocsin;object={label};type=private;pin-source=file:{house.dir / 'pin'}"


def make_key(house, label, algorithm):
    house.tocsin("key", "new", "--label", label, "--algorithm", algorithm)


def make_csr(house, label, subject):
    path = house.dir / f"{label}.csr"
    house.tocsin("key", "csr", "--label", label, "--subject", subject, "--out", path)
    return path


def openssl(house, *words):
    done = subprocess.run(["openssl", *map(str, words)], text=True, capture_output=True, timeout=60,
                          env={**os.environ, **house.env, "PKCS11_MODULE_PATH": "/usr/lib/softhsm/libsofthsm2.so"})
    assert done.returncode == 0, done.stderr


def certify(house, csr, ca_label, ca, extensions, serial, out):
    (house.dir / "ext.cnf").write_text(EXTENSIONS)
    by = ["-CA", house.dir / ca] if ca else ["-signkey", key_uri(house, ca_label), "-keyform", "engine"]
    key = ["-CAkeyform", "engine", "-CAkey", key_uri(house, ca_label)] if ca else []
    openssl(house, "x509", "-req", "-in", csr, "-engine", "pkcs11", *key, *by, "-sha256", "-extfile", house.dir / "ext.cnf",
            "-extensions", extensions, "-set_serial", serial, "-days", 60, "-out", house.dir / out)
    return house.dir / out


def new_signer_certificate(house, label, serial, ca=("issuing-ca", "issuer.pem")):
    csr = make_csr(house, label, f"/O=Tocsin Demo/CN=OCSP signer {serial}")
    return certify(house, csr, *ca, "ocsp", serial, f"ocsp-{serial}.pem")


# ---- configuration ----

def set_option(house, path, value, issuer="demo-ca"):
    """`ocsp.validity` of an issuer's policy; takes effect with reload()."""
    group, name = path.split(".")
    file = house.dir / "issuers" / issuer / "issuer.yaml"
    head, rest = file.read_text().split(f"\n{group}:\n")
    rest, n = re.subn(rf"(?m)^  #?{name}: .*$", f"  {name}: {value}", rest, count=1)
    assert n == 1
    file.write_text(f"{head}\n{group}:\n{rest}")


def reload(house):
    """Returns when the new configuration counts everywhere: a fresh vault is up, the responder has its new workers."""
    vault = vault_of(house)
    house.tocsin("reload")
    wait_for(lambda: vault_of(house) not in (None, vault) and house.status()["token"]["state"] == "up", 20, "a fresh vault")
    n = house.log("responder").count(" reloaded ")
    os.kill(house.pid("responder"), signal.SIGHUP)
    wait_for(lambda: house.log("responder").count(" reloaded ") > n, what="the responder's reload")


def vault_of(house):
    for pid in house.children(house.pid("signer")):
        try:
            if b"tocsin-vault" in open(f"/proc/{pid}/cmdline", "rb").read():
                return pid
        except OSError:
            pass
    return None


def validity(response):
    return response.next_update - response.this_update


# ---- reload ----

def test_a_tightened_policy_takes_effect_with_the_reload(fresh_house):
    house = open_house(fresh_house)
    house.settle()
    old, new = house.serials("good")[:2]
    before = house.ask(old)
    assert validity(before) == datetime.timedelta(days=4)
    set_option(house, "ocsp.validity", "20h")
    reload(house)
    house.tocsin("revoke", "--issuer", "demo-ca", "--reason", "superseded", new, "--yes")
    assert validity(house.ask(new)) == datetime.timedelta(hours=20)
    assert house.ask(old).signature == before.signature
    house.settle()
    assert "not signed" not in house.log("signer")  # engine and vault changed together: nothing was refused
    house.down()


def test_no_question_fails_while_a_fresh_vault_takes_over(fresh_house):
    house = open_house(fresh_house)
    serials = house.serials("good")
    vault = vault_of(house)
    for i in range(3):
        house.revoke(serials[i * 20:(i + 1) * 20])
        house.tocsin("reload")
        assert {house.status_of(s) for s in serials[i * 20:(i + 1) * 20]} == {"revoked"}
    assert vault_of(house) != vault
    house.down()


def test_a_mistake_in_the_configuration_leaves_everything_as_it_was(fresh_house):
    house = open_house(fresh_house)
    vault = vault_of(house)
    set_option(house, "ocsp.validity", "many")
    done = house.tocsin("reload", check=False)
    assert done.returncode != 0 and "validity" in done.stderr
    os.kill(house.pid("signer"), signal.SIGHUP)
    wait_for(lambda: "reload refused" in house.log("signer"), what="the refusal in the log")
    assert vault_of(house) == vault
    assert house.status_of(house.serials("good")[0]) == "good"
    house.down()


def test_a_renewed_certificate_of_the_same_key_leaves_older_answers_valid(fresh_house):
    house = open_house(fresh_house)
    house.settle()
    old, new = house.serials("good")[:2]
    before = house.ask(old)
    house.tocsin("key", "install", "demo-ca", new_signer_certificate(house, "ocsp-1", 0x3001))
    reload(house)
    assert house.ask(old).signature == before.signature
    house.tocsin("revoke", "--issuer", "demo-ca", "--reason", "superseded", new, "--yes")
    assert house.ask(new).certificates[0].serial_number == 0x3001
    house.settle()
    assert house.ask(old).signature == before.signature
    house.down()


def test_a_signer_that_is_gone_from_the_configuration_is_never_served_again(fresh_house):
    house = open_house(fresh_house)
    house.settle()
    serials = house.serials("good")
    assert house.ask(serials[0]).certificates[0].serial_number == 0x2001
    make_key(house, "ocsp-2", "p256")
    certificate = new_signer_certificate(house, "ocsp-2", 0x3002)
    set_option(house, "ocsp.key", "ocsp-2")
    house.tocsin("key", "install", "demo-ca", certificate)
    for serial in serials[:20]:  # from the reload's commit on, whatever is signed anew already
        assert house.ask(serial).certificates[0].serial_number == 0x3002
    house.settle()
    assert {house.ask(s).certificates[0].serial_number for s in serials[::20]} == {0x3002}
    assert "signer disabled" in house.log("signer")
    house.down()


# ---- two issuers ----

def add_second_issuer(house, algorithm="p256", *options):
    make_key(house, "second-ca", algorithm)
    make_key(house, "second-ocsp", algorithm)
    certify(house, make_csr(house, "second-ca", "/O=Tocsin Demo/CN=Second CA"), "second-ca", None, "issuer", 0x4001, "second.pem")
    signer = new_signer_certificate(house, "second-ocsp", 0x4002, ("second-ca", "second.pem"))
    house.tocsin("issuer", "add", "second-ca", "--cert", house.dir / "second.pem", "--ocsp-key", "second-ocsp", "--ocsp-cert", signer,
                 "--crl-key", "second-ca", *options)
    reload(house)


def import_serials(house, issuer, serials, shard=None):
    column = "" if shard is None else ",shard"
    rows = "".join(f"{s},2027-06-01T00:00:00Z,good{'' if shard is None else f',{shard(i)}'}\n" for i, s in enumerate(serials))
    return house.tocsin("import", "--issuer", issuer, "-", "--format", "csv", stdin=f"serial,notAfter,status{column}\n{rows}")


def ask_of(house, certificate, serial):
    return ocsp.load_der_ocsp_response(house.post(ocsp_request(certificate, serial, hashes.SHA1())))


def verify_with(certificate, response):
    from cryptography.hazmat.primitives.asymmetric import ec
    certificate.public_key().verify(response.signature, response.tbs_response_bytes, ec.ECDSA(response.signature_hash_algorithm))


def test_an_issuer_added_to_a_running_house_is_signed_for_and_each_answers_for_its_own(fresh_house):
    house = open_house(fresh_house)
    serials = house.serials("good")
    add_second_issuer(house)
    second = house.certificate("second")
    import_serials(house, "second-ca", serials[:50])  # the same serials, of another CA
    house.tocsin("revoke", "--issuer", "second-ca", "--reason", "superseded", serials[0], "--yes")
    response = ask_of(house, second, serials[0])
    assert response.certificate_status == ocsp.OCSPCertStatus.REVOKED
    assert response.certificates[0].serial_number == 0x4002
    verify_with(response.certificates[0], response)
    assert house.status_of(serials[0]) == "good"
    assert ask_of(house, second, serials[60]).response_status == ocsp.OCSPResponseStatus.UNAUTHORIZED
    house.settle()
    assert {i["name"]: i["records"] for i in house.status()["issuers"]}["second-ca"] == 50
    house.down()


def test_an_issuer_whose_ocsp_signer_has_no_certificate_yet_has_its_crls_and_is_told_what_it_lacks(fresh_house):
    """RFC 6960 2.3: tryLater for what is known, unauthorized for what is not (req 2.2, 2.3); CRLs are mandatory, OCSP is not."""
    house = open_house(fresh_house)
    make_key(house, "second-ca", "p256")
    make_key(house, "second-ocsp", "p256")
    certify(house, make_csr(house, "second-ca", "/O=Tocsin Demo/CN=Second CA"), "second-ca", None, "issuer", 0x4001, "second.pem")
    house.tocsin("issuer", "add", "second-ca", "--cert", house.dir / "second.pem", "--ocsp-key", "second-ocsp", "--crl-key", "second-ca",
                 "--crl-url", crl_url(house, "second-ca"))
    reload(house)
    second = house.certificate("second")
    serials = house.serials("good")
    import_serials(house, "second-ca", serials[:5])
    wait_for(lambda: house.http("/crl/second-ca.crl")[0] == 200, what="its first CRL")
    assert house.http("/ca/second-ca.cer")[0] == 200
    assert ask_of(house, second, serials[0]).response_status == ocsp.OCSPResponseStatus.TRY_LATER
    assert ask_of(house, second, serials[60]).response_status == ocsp.OCSPResponseStatus.UNAUTHORIZED
    assert house.http("/renewal-info/" + identifier(second, serials[0]))[0] == 200

    told = house.tocsin("status").stdout
    assert "second-ca GETS NO OCSP ANSWERS SIGNED" in told and "tocsin key install second-ca" in told, told
    done = house.tocsin("check", check=False)
    assert done.returncode == 3 and "tocsin key install" in done.stderr, done.stderr

    house.tocsin("key", "install", "second-ca", new_signer_certificate(house, "second-ocsp", 0x4002, ("second-ca", "second.pem")))
    wait_for(lambda: ask_of(house, second, serials[0]).response_status == ocsp.OCSPResponseStatus.SUCCESSFUL, what="an answer")
    assert "GETS NO" not in house.tocsin("status").stdout
    house.tocsin("check")
    house.down()


def test_a_p384_issuer_answers_and_lists_with_p384(fresh_house):
    house = open_house(fresh_house)
    add_second_issuer(house, "p384", "--set", "ocsp.hash=sha384", "--set", "crl.hash=sha384", "--crl-url", crl_url(house, "second-ca"))
    second = house.certificate("second")
    serials = house.serials("good")[:30]
    import_serials(house, "second-ca", serials)
    house.settle()
    response = ask_of(house, second, serials[3])
    assert response.signature_hash_algorithm.name == "sha384" and response.certificates[0].public_key().curve.name == "secp384r1"
    verify_with(response.certificates[0], response)
    house.tocsin("revoke", "--issuer", "second-ca", "--reason", "superseded", serials[3], "--yes")
    house.tocsin("crl", "issue", "--issuer", "second-ca", "--full")
    crl = pull(house, crl_url(house, "second-ca"))
    assert crl.is_signature_valid(second.public_key()) and crl.signature_hash_algorithm.name == "sha384"
    assert [e.serial_number for e in crl] == [int(serials[3], 16)]
    house.down()


def test_an_rsa_2048_house_signs_answers_and_lists(fresh_house):
    house = open_house(fresh_house, certs=100, key="rsa2048")
    house.settle()
    good, revoked = house.serials("good")[0], house.serials("revoked")[0]
    assert house.status_of(good) == "good" and house.status_of(revoked) == "revoked"  # ask() verifies the signatures
    assert len(house.ask(good).signature) == 256
    crl = pull(house, house.env["CRL_URL"])
    assert crl.is_signature_valid(house.issuer.public_key())
    house.down()


# ---- CRLs ----

def crl_url(house, name, kind=""):
    return f"{house.env['OCSP_URL']}crl/{name}{kind}.crl"


def pull(house, url):
    status, _, body = house.http(url)
    assert status == 200, (url, status)
    return x509.load_der_x509_crl(body)


def test_the_union_of_the_shards_is_the_full_set_and_each_names_itself(fresh_house):  # req 4.12, 4.13; BR 7.2.2.1
    house = open_house(fresh_house)
    pattern = crl_url(house, "second-ca", "/{shard}")
    add_second_issuer(house, "p256", "--shards", "4", "--crl-url", pattern)
    serials = house.serials("good")[:200]
    import_serials(house, "second-ca", serials, lambda i: i % 4 + 1)
    listing = house.dir / "list.txt"
    listing.write_text("".join(f"{s}\n" for s in serials[:120]))
    house.tocsin("revoke", "--issuer", "second-ca", "--reason", "superseded", "--file", listing, "--yes")
    house.tocsin("crl", "issue", "--issuer", "second-ca", "--full")
    union = []
    for shard in range(1, 5):
        url = pattern.replace("{shard}", str(shard))
        crl = pull(house, url)
        idp = crl.extensions.get_extension_for_class(x509.IssuingDistributionPoint)
        assert idp.critical and [n.value for n in idp.value.full_name] == [url]
        assert crl.is_signature_valid(house.certificate("second").public_key())
        assert {e.serial_number for e in crl} == {int(s, 16) for s in serials[shard - 1:120:4]}
        union += [e.serial_number for e in crl]
    assert sorted(union) == sorted(int(s, 16) for s in serials[:120])
    house.down()


def test_a_hold_and_its_release_reach_answers_and_deltas(fresh_house):  # req 2.11, 4.5
    house = open_house(fresh_house)
    serial = house.serials("good")[0]
    number = int(serial, 16)
    house.tocsin("crl", "issue", "--issuer", "demo-ca", "--full")
    house.tocsin("revoke", "--issuer", "demo-ca", "--reason", "certificateHold", serial, "--yes")
    assert house.ask(serial).revocation_reason == x509.ReasonFlags.certificate_hold
    house.tocsin("crl", "issue", "--issuer", "demo-ca", "--full", "--delta")
    assert entry_of(pull(house, house.env["CRL_URL"]), number) == x509.ReasonFlags.certificate_hold
    house.tocsin("release", "--issuer", "demo-ca", serial)
    assert house.status_of(serial) == "good"
    house.tocsin("crl", "issue", "--issuer", "demo-ca", "--delta")
    assert entry_of(pull(house, house.env["DELTA_URL"]), number) == x509.ReasonFlags.remove_from_crl
    house.tocsin("revoke", "--issuer", "demo-ca", "--reason", "keyCompromise", serial, "--yes")
    assert house.ask(serial).revocation_reason == x509.ReasonFlags.key_compromise
    house.tocsin("crl", "issue", "--issuer", "demo-ca", "--full", "--delta")
    assert entry_of(pull(house, house.env["DELTA_URL"]), number) == x509.ReasonFlags.key_compromise
    assert entry_of(pull(house, house.env["CRL_URL"]), number) == x509.ReasonFlags.key_compromise
    house.down()


def entry_of(crl, number):
    entry = crl.get_revoked_certificate_by_serial_number(number)
    assert entry is not None
    return entry.extensions.get_extension_for_class(x509.CRLReason).value.reason


# ---- the disk ----

@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: mounts")
def test_on_a_full_disk_batches_are_refused_whole_and_single_revocations_commit(fresh_house):
    store = fresh_house.dir / "store"
    store.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m,mode=755", "tmpfs", store], check=True)
    try:
        house = open_house(fresh_house, certs=3000)
        house.settle()
        serials = house.serials("good")
        fill(store / "ballast")
        events = house.status()["store"]["event"]
        listing = house.dir / "list.txt"
        listing.write_text("".join(f"{s}\n" for s in serials[:2000]))
        batch = ["revoke", "--issuer", "demo-ca", "--reason", "superseded", "--file", listing, "--yes"]
        done = house.tocsin(*batch, check=False)
        assert done.returncode != 0 and "no room" in done.stderr
        assert house.status()["store"]["event"] == events  # not even staged
        for serial in serials[-3:]:
            house.tocsin("revoke", "--issuer", "demo-ca", "--reason", "keyCompromise", serial, "--yes")
            assert house.status_of(serial) == "revoked"
        assert house.status_of(serials[0]) == "good"
        assert house.tocsin("check", check=False).returncode == 0
        os.unlink(store / "ballast")
        wait_for(lambda: house.tocsin(*batch, check=False).returncode == 0, 30, "the batch with room again")
        assert house.status_of(serials[0]) == "revoked"
        house.down()
    finally:
        subprocess.run(["umount", "-l", store], check=False)


def fill(path):
    with open(path, "wb", buffering=0) as ballast:
        for size in (1 << 20, 4096):
            try:
                while ballast.write(b"\0" * size) == size:
                    pass
            except OSError:
                pass


def test_an_offline_issuer_is_unauthorized_and_check_says_what_that_means(fresh_house):
    """RFC 6960 2.3: nothing here can answer for it with authority (req 2.2, 4.19)."""
    house = open_house(fresh_house)
    make_key(house, "second-ca", "p256")
    certify(house, make_csr(house, "second-ca", "/O=Tocsin Demo/CN=Second CA"), "second-ca", None, "issuer", 0x4001, "second.pem")
    house.tocsin("issuer", "add", "second-ca", "--cert", house.dir / "second.pem", "--set", "offline=true")
    reload(house)
    serials = house.serials("good")
    import_serials(house, "second-ca", serials[:5])
    for serial in (serials[0], serials[60]):
        assert ask_of(house, house.certificate("second"), serial).response_status == ocsp.OCSPResponseStatus.UNAUTHORIZED
    assert house.http("/crl/second-ca.crl")[0] == 404
    assert house.http("/ca/second-ca.cer")[0] == 200
    done = house.tocsin("check")
    assert "second-ca is offline" in done.stdout + done.stderr
    house.down()
