"""A CA for the peers that need one: certificates that exist only to be asked about, and OCSP answers signed before the run.

Made with python3-cryptography, so that nothing of Tocsin's own makes what it is compared with.
"""
import base64
import datetime
import os

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.utcnow().replace(microsecond=0)
DAY = datetime.timedelta(days=1)


def _name(common_name):
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Bench"), x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(subject, issuer, key):
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + 90 * DAY)
    )


def _serial():
    return int.from_bytes(bytes([os.urandom(1)[0] & 0x7F | 0x40]) + os.urandom(15), "big")


def _write(path, data):
    with open(path, "wb") as f:
        f.write(data)


def _pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _make_ca(key):
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    return (
        _builder("CA", "CA", key)
        .serial_number(_serial())
        .add_extension(x509.BasicConstraints(True, 0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )


def _make_signer(key, ca_key):
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    return (
        _builder("OCSP", "CA", key)
        .serial_number(_serial())
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), critical=False)
        .add_extension(x509.OCSPNoCheck(), critical=False)
        .sign(ca_key, hashes.SHA256())
    )


def _answer(certificate, ca, signer, signer_key):
    return (
        ocsp.OCSPResponseBuilder()
        .add_response(certificate, ca, hashes.SHA1(), ocsp.OCSPCertStatus.GOOD, NOW, NOW + 4 * DAY, None, None)
        .responder_id(ocsp.OCSPResponderEncoding.HASH, signer)
        .certificates([signer])
        .sign(signer_key, hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
    )


def _signer_key(kind):
    return rsa.generate_private_key(65537, 2048) if kind == "rsa2048" else ec.generate_private_key(ec.SECP256R1())


def make(folder, n=1000, signer="p256"):
    """Writes ca.pem ca.key signer.pem signer.key serials.txt responses.txt index.txt answer.der into `folder`."""
    ca_key, signer_key = ec.generate_private_key(ec.SECP256R1()), _signer_key(signer)
    ca, signer = _make_ca(ca_key), _make_signer(signer_key, ca_key)
    certificates = [_builder("leaf", "CA", signer_key).serial_number(_serial()).sign(ca_key, hashes.SHA256()) for _ in range(n)]
    answers = [_answer(certificate, ca, signer, signer_key) for certificate in certificates]
    serials = [f"{certificate.serial_number:032X}" for certificate in certificates]
    _write(folder / "ca.pem", _pem(ca))
    _write(folder / "signer.pem", _pem(signer))
    _write(folder / "ca.key", _private(ca_key))
    _write(folder / "signer.key", _private(signer_key))
    _write(folder / "serials.txt", "".join(f"{serial} good\n" for serial in serials).encode())
    _write(folder / "responses.txt", b"".join(base64.b64encode(answer) + b"\n" for answer in answers))
    expiry = (NOW + 90 * DAY).strftime("%y%m%d%H%M%SZ")
    _write(folder / "index.txt", "".join(f"V\t{expiry}\t\t{serial}\tunknown\t/CN=leaf\n" for serial in serials).encode())
    _write(folder / "index.txt.attr", b"unique_subject = no\n")
    _write(folder / "answer.der", answers[0])
