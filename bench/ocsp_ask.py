"""A minimal OCSP client over a raw socket, for benches that ask one question again and again: the request is made once, the answer is only
looked at for its status. (The load generator reads answers whole; python3-cryptography is too slow to poll with.)"""
import hashlib
import pathlib
import socket

from cryptography import x509
from cryptography.hazmat.primitives import serialization

SHA1 = bytes.fromhex("300906052b0e03021a0500")
GOOD, REVOKED = 0x80, 0xA1  # [0] NULL, [1] RevokedInfo (RFC 6960 4.2.1)


def tlv(tag, content):
    n = len(content)
    if n < 0x80:
        return bytes([tag, n]) + content
    length = n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def _integer(value):
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big"))


class Issuer:
    def __init__(self, path):
        certificate = x509.load_pem_x509_certificate(pathlib.Path(path).read_bytes())
        key = certificate.public_key()
        spki = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.head = SHA1
        self.head += tlv(0x04, hashlib.sha1(certificate.subject.public_bytes()).digest())
        self.head += tlv(0x04, hashlib.sha1(_bit_string_of(spki)).digest())

    def cert_id(self, serial_hex):
        return tlv(0x30, self.head + _integer(int(serial_hex, 16)))

    def request(self, serial_hex):
        return tlv(0x30, tlv(0x30, tlv(0x30, tlv(0x30, self.cert_id(serial_hex)))))


def _content(der):
    """(content, rest) of the first element."""
    n, at = der[1], 2
    if n & 0x80:
        at += n & 0x7F
        n = int.from_bytes(der[2:at], "big")
    return der[at : at + n], der[at + n :]


def _bit_string_of(spki):
    inner, _ = _content(spki)
    _, rest = _content(inner)
    return _content(rest)[0][1:]


class Connection:
    """Keep-alive; one question at a time."""

    def __init__(self, host, port):
        self.host = f"{host}:{port}"
        self.socket = socket.create_connection((host, port), 10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.left = b""

    def close(self):
        self.socket.close()

    def _answer(self):
        data = self.left
        while b"\r\n\r\n" not in data:
            data += self._more()
        head, _, body = data.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:])
        length = int(fields[b"content-length"])
        while len(body) < length:
            body += self._more()
        self.left = body[length:]
        return int(head.split(b" ", 2)[1]), body[:length]

    def _more(self):
        piece = self.socket.recv(65536)
        if not piece:
            raise ConnectionError("the responder closed the connection")
        return piece

    def post(self, request):
        head = f"POST / HTTP/1.1\r\nHost: {self.host}\r\nContent-Type: application/ocsp-request\r\nContent-Length: {len(request)}\r\n\r\n"
        self.socket.sendall(head.encode() + request)
        return self._answer()


def cert_status(body, cert_id):
    """"good", "revoked", "other", or "refused:N" when it is no answer about this CertID (an OCSPResponse status N, RFC 6960 4.2.1)."""
    at = body.find(cert_id)
    if at < 0:
        return f"refused:{body[4] if len(body) == 5 else '?'}"
    return {GOOD: "good", REVOKED: "revoked"}.get(body[at + len(cert_id)], "other")
