"""`tocsin check` looks at what the responder will serve TLS with, before the responder does. No daemon runs here."""
import datetime
import json
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from conftest import ROOT

TOCSIN = pathlib.Path(os.environ.get("TOCSIN_BUILD", ROOT / "build")) / "tools" / "tocsin"
NOW = datetime.datetime.utcnow()
DAY = datetime.timedelta(days=1)


def certificate(name, key, issuer=None, issuer_key=None, begins=-DAY, ends=90 * DAY):
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    builder = x509.CertificateBuilder(issuer.subject if issuer else subject, subject, key.public_key(), x509.random_serial_number(), NOW + begins,
                                      NOW + ends)
    return builder.sign(issuer_key or key, hashes.SHA256())


def pem(*certificates):
    return b"".join(c.public_bytes(serialization.Encoding.PEM) for c in certificates)


def key_pem(key, passphrase=None):
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


KEY, OTHER, CA_KEY = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
CA = certificate("CA", CA_KEY)
LEAF = certificate("leaf", KEY, CA, CA_KEY)
OLD_CA = certificate("old CA", OTHER)
EXPIRED = certificate("leaf", KEY, CA, CA_KEY, begins=-9 * DAY, ends=-DAY)
EXPIRING = certificate("leaf", KEY, CA, CA_KEY, ends=2 * DAY)
FUTURE = certificate("leaf", KEY, CA, CA_KEY, begins=5 * DAY)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "tocsin.yaml").write_text('responder:\n  tls_listen: ["127.0.0.1:1"]\n')
    return tmp_path / "conf"


def findings(folder, certificate_text=pem(LEAF, CA), key_text=key_pem(KEY), mode=0o600):
    """Those about TLS: (level, text, next)"""
    for name, content in (("tls.pem", certificate_text), ("tls.key", key_text)):
        if content is not None:
            (folder / name).write_bytes(content)
            (folder / name).chmod(mode)
    done = subprocess.run([TOCSIN, "--config", folder / "tocsin.yaml", "--json", "check"], text=True, capture_output=True, timeout=60)
    found = json.loads(done.stdout)["findings"]
    found = [(f["level"], f["text"], f["next"]) for f in found if "responder.tls_" in f["text"] or "TLS certificate" in f["text"]]
    assert done.returncode != 0 or not any(level == "WRONG" for level, _, _ in found)
    return found


def test_what_fits_is_found_fine(folder):
    for chain in ((LEAF,), (LEAF, CA)):
        [(level, _, _)] = findings(folder, pem(*chain))
        assert level == "ok"


AMISS = {
    "no certificate": ({"certificate_text": None}, "WRONG", ["responder.tls_certificate", "does not exist"]),
    "no key": ({"key_text": None}, "WRONG", ["responder.tls_key", "does not exist"]),
    "not PEM": ({"certificate_text": b"nonsense"}, "WRONG", ["responder.tls_certificate", "certificate 1"]),
    "half a chain": ({"certificate_text": pem(LEAF, CA)[:-100]}, "WRONG", ["responder.tls_certificate", "certificate 2"]),
    "another's key": ({"key_text": key_pem(OTHER)}, "WRONG", ["responder.tls_key", "not the key of"]),
    "a certificate for a key": ({"key_text": pem(LEAF)}, "WRONG", ["responder.tls_key", "no private key"]),
    "a passphrase": ({"key_text": key_pem(KEY, b"secret")}, "WRONG", ["responder.tls_key", "passphrase"]),
    "a key open to others": ({"mode": 0o644}, "WRONG", ["responder.tls_key", "0644"]),
    "expired": ({"certificate_text": pem(EXPIRED, CA)}, "WRONG", ["certificate 1", "expired"]),
    "an expired one in the chain": ({"certificate_text": pem(LEAF, certificate("CA", CA_KEY, begins=-9 * DAY, ends=-DAY))}, "WRONG",
                                    ["certificate 2", "expired"]),
    "expires soon": ({"certificate_text": pem(EXPIRING, CA)}, "warning", ["certificate 1", "expires"]),
    "not valid yet": ({"certificate_text": pem(FUTURE, CA)}, "WRONG", ["certificate 1", "not valid before"]),
    "another's chain": ({"certificate_text": pem(LEAF, OLD_CA)}, "warning", ["certificate 2", "has not issued"]),
    "the chain upside down": ({"certificate_text": pem(CA, LEAF)}, "WRONG", ["responder.tls_key", "not the key of"]),
}


@pytest.mark.parametrize("name", AMISS)
def test_what_is_amiss_is_said_with_what_to_do(folder, name):
    files, level, words = AMISS[name]
    found = findings(folder, **files)
    [next_step] = [said for grade, text, said in found if grade == level and all(word in text for word in words)] or [None]
    assert next_step, found
    assert not any(grade == "ok" for grade, _, _ in found)


@pytest.mark.skipif(os.geteuid() != 0, reason="root only can become somebody else")
def test_files_that_one_may_not_read_are_named_as_not_checked(folder, request):
    open_to_all = pathlib.Path(tempfile.mkdtemp(prefix="tocsin-e2e-"))  # which a folder of pytest's is not
    request.addfinalizer(lambda: shutil.rmtree(open_to_all))
    open_to_all.chmod(0o755)
    folder = pathlib.Path(shutil.copy(folder / "tocsin.yaml", open_to_all)).parent
    findings(folder)
    words = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", TOCSIN, "--config", folder / "tocsin.yaml", "--json", "check"]
    done = subprocess.run(words, text=True, capture_output=True, timeout=60)
    found = [f for f in json.loads(done.stdout)["findings"] if "responder.tls_key" in f["text"]]
    assert [(f["level"], f["next"].split(",")[0]) for f in found] == [("warning", "run it as root")]


def test_without_tls_nothing_is_said_of_it(folder):
    config = folder / "tocsin.yaml"
    config.write_text(config.read_text().replace('["127.0.0.1:1"]', "[]"))
    assert findings(folder, None, None) == []
