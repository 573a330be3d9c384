#!/usr/bin/python3
"""Makes a folder for the vault's tests: a SoftHSM token with keys, issuers with certificates, tocsin.yaml.

    token_fixture.py FOLDER

alpha  P-256 CA, delegated P-256 signer; two CRL shards and the whole CRL
beta   RSA-2048 CA that signs its own OCSP answers; deltas
gamma  its delegate's key is not in the token, but in the file gamma-ocsp.key
delta  its delegate's key has the right label, but is another key
"""
import datetime
import pathlib
import subprocess
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PIN = "pin-4-tests-only"
NOW = datetime.datetime.utcnow()


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def usage(**allowed):
    bits = dict.fromkeys(["digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
                          "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"], False)
    return x509.KeyUsage(**{**bits, **allowed})


def builder(subject, issuer, key):
    return (x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name(issuer))
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(NOW - datetime.timedelta(days=1)).not_valid_after(NOW + datetime.timedelta(days=1000))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False))


def make_ca(subject, key):
    return (builder(subject, subject, key).add_extension(x509.BasicConstraints(True, None), critical=True)
            .add_extension(usage(key_cert_sign=True, crl_sign=True, digital_signature=True), critical=True)
            .sign(key, hashes.SHA256()))


def make_delegate(subject, key, issuer, issuer_key):
    return (builder(subject, issuer, key)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), critical=False)
            .add_extension(x509.OCSPNoCheck(), critical=False)
            .add_extension(usage(digital_signature=True), critical=True).sign(issuer_key, hashes.SHA256()))


def write_pem(path, certificate):
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


class Token:
    def __init__(self, folder):
        self.folder = folder
        self.n_keys = 0
        (folder / "tokens").mkdir()
        (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
        self.util("--init-token", "--free", "--label", "tocsin", "--so-pin", "12345678", "--pin", PIN)

    def util(self, *arguments):
        subprocess.run(["softhsm2-util", *arguments], check=True, stdout=subprocess.DEVNULL,
                       env={"SOFTHSM2_CONF": str(self.folder / "softhsm2.conf"), "PATH": "/usr/bin:/bin"})

    def write_key(self, label, key):
        pem = self.folder / f"{label}.key"
        pem.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                          serialization.NoEncryption()))
        return pem

    def put(self, label, key):
        pem = self.write_key(label, key)
        self.n_keys += 1
        self.util("--import", str(pem), "--token", "tocsin", "--label", label, "--id", f"{self.n_keys:02x}", "--pin", PIN)
        pem.unlink()


def make_issuer(folder, issuer, ca_key, delegate_key, yaml):
    path = folder / "issuers" / issuer
    path.mkdir(parents=True)
    write_pem(path / "ca.pem", make_ca(f"{issuer} CA", ca_key))
    if delegate_key:
        write_pem(path / "ocsp-signer.pem", make_delegate(f"{issuer} OCSP", delegate_key, f"{issuer} CA", ca_key))
    (path / "issuer.yaml").write_text(yaml)


def p256():
    return ec.generate_private_key(ec.SECP256R1())


def main():
    folder = pathlib.Path(sys.argv[1])
    token = Token(folder)
    alpha_ca, alpha_ocsp, gamma_ocsp, delta_ocsp = p256(), p256(), p256(), p256()
    beta_ca = rsa.generate_private_key(65537, 2048)
    token.put("alpha-ca", alpha_ca)
    token.put("alpha-ocsp", alpha_ocsp)
    token.put("beta-ca", beta_ca)
    token.put("delta-ocsp", p256())
    make_issuer(folder, "alpha", alpha_ca, alpha_ocsp, "ocsp:\n  key: alpha-ocsp\ncrl:\n  key: alpha-ca\n  shards: 2\n"
                "  url: \"http://crl.test/alpha-{shard}.crl\"\n")
    make_issuer(folder, "beta", beta_ca, None, "ocsp:\n  certificate: \"\"\ncrl:\n  key: beta-ca\n  delta_period: 1h\n"
                "  url: http://crl.test/beta.crl\n  delta_url: http://crl.test/beta-delta.crl\n")
    token.write_key("gamma-ocsp", gamma_ocsp)
    make_issuer(folder, "gamma", p256(), gamma_ocsp, "ocsp:\n  key: gamma-ocsp\n")
    make_issuer(folder, "delta", p256(), delta_ocsp, "ocsp:\n  key: delta-ocsp\n")
    (folder / "pin").write_text(PIN + "\n")
    (folder / "tocsin.yaml").write_text("users:\n  engine: \"\"\n  vault: \"\"\n  responder: \"\"\n"
                                        "token:\n  sessions: 1\n  module: @MODULE@\nlog:\n  target: vault.log\n".replace(
                                            "@MODULE@", sys.argv[2] if len(sys.argv) > 2 else "/usr/lib/softhsm/libsofthsm2.so"))


main()
