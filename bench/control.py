"""The engine's control socket and row file (docs/formats.md, base/rowfile.h), so that a bench can ask without starting a process for each
question: starting `tocsin` takes longer than many of the things to be timed."""
import array
import json
import os
import socket
import struct
import time

REVOKE = 2
SUPERSEDED = 4  # CRLReason


def serial_octets(serial_hex):
    value = int(serial_hex, 16)
    return value.to_bytes(value.bit_length() // 8 + 1, "big")


def revoke_file(serials_hex, reason=SUPERSEDED):
    """A descriptor of a row file; the caller closes it."""
    rows = sorted((serial_octets(serial), line + 1) for line, serial in enumerate(serials_hex))
    tail = struct.pack(">BIBIIHH", 0, 0, reason, 0, 0, 0, 0)
    parts = [b"TOCROW01", struct.pack(">BI", REVOKE, len(rows))]
    parts += [struct.pack(">IB", line, len(serial)) + serial + tail for serial, line in rows]
    fd = os.memfd_create("rows")
    with os.fdopen(os.dup(fd), "wb") as f:
        f.write(b"".join(parts))
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def ask(path, question, fd=None, timeout=600):
    """The final packet, and (monotonic time, packet) of every packet that came."""
    packets = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.settimeout(timeout)
        s.connect(path)
        passed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))] if fd is not None else []
        s.sendmsg([json.dumps(question).encode()], passed)
        while True:
            data = s.recv(65536)
            if not data:
                raise ConnectionError("the engine closed the control socket")
            packet = json.loads(data)
            packets.append((time.monotonic(), packet))
            if "ok" in packet:
                return packet, packets


def revoke(path, issuer, serials_hex):
    """Revokes; (final packet, packets). RuntimeError when the engine refuses."""
    fd = revoke_file(serials_hex)
    try:
        final, packets = ask(path, {"command": "revoke", "issuer": issuer, "dry_run": False}, fd)
    finally:
        os.close(fd)
    if not final["ok"]:
        raise RuntimeError(f"revoke: {final.get('error')}")
    return final, packets
