"""Large CRLs over every protocol: what many slow readers cost, and that a CRL replaced meanwhile goes out whole (REQUIREMENTS 3.8).

Bounds are on memory; what is slow here is slow on purpose, and nothing is measured in time.
"""
import hashlib
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest
from cryptography import x509

from conftest import wait_for
from store_place import CRL_PATH, StorePlace

READERS = 200
ENTRIES = 410_000  # 20 MB
RECEIVE_BUFFER = 16 * 1024
PREFIX = 64 * 1024  # what each reader takes while it is slow
ANON_KB_EACH = 4  # of the worker's own memory, for each reader
ANON_KB_EACH_ASAN = 64
SOCKET_KB_EACH = 512  # 128 unsent, what is on its way, and the kernel's own account of both; a send buffer would hold megabytes


def sha256(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(scope="module")
def place():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tocsin-e2e-"))
    place = StorePlace(folder, write_timeout="5m")
    try:
        place.content = place.issue(ENTRIES)
        place.start(cpu=None)
        yield place
        place.stop()
        place.expect_all_well()
    finally:
        place.stop()
        shutil.rmtree(folder, ignore_errors=True)


def socket_kb():
    """What the kernel counts for TCP, of all processes."""
    line = next(line for line in pathlib.Path("/proc/net/sockstat").read_text().splitlines() if line.startswith("TCP:"))
    return int(line.split()[line.split().index("mem") + 1]) * 4


# ---- many slow readers ----


class Reader:
    def __init__(self, place):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self.socket.settimeout(30)
        self.socket.connect(("127.0.0.1", place.port))
        self.socket.sendall(f"GET {CRL_PATH} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
        self.digest, self.n, self.head = hashlib.sha256(), 0, b""

    def take(self, most):
        """Up to so many octets of the body; b"" at the end."""
        data = self.socket.recv(most)
        while data and b"\r\n\r\n" not in self.head:
            self.head += data
            data = self.head.partition(b"\r\n\r\n")[2] or self.socket.recv(most)
        self.digest.update(data)
        self.n += len(data)
        return data

    def close(self):
        self.socket.close()


@pytest.mark.slow
def test_many_slow_readers_cost_no_memory_and_get_every_octet_right(place):
    warm = Reader(place)  # what the first request of all allocates
    while warm.take(1 << 20):
        pass
    warm.close()
    worker, before_kb, sockets_before_kb = place.worker, place.anon_kb(), socket_kb()
    most_kb = before_kb + READERS * (ANON_KB_EACH_ASAN if place.is_asan() else ANON_KB_EACH)
    readers = [Reader(place) for _ in range(READERS)]
    try:
        for reader in readers:
            while reader.n < PREFIX:
                assert reader.take(8192)
        wait_for(lambda: socket_kb() - sockets_before_kb > READERS * 32, what="the readers' sockets to fill")
        time.sleep(0.5)  # as far as the server fills them
        assert place.anon_kb() <= most_kb
        assert socket_kb() - sockets_before_kb <= READERS * SOCKET_KB_EACH
        for reader in readers:  # one after the other; who waits is not given up within the write timeout
            while reader.take(1 << 20):
                pass
        assert {(reader.n, reader.digest.hexdigest()) for reader in readers} == {(len(place.content), sha256(place.content))}
        assert place.anon_kb() <= most_kb
        assert place.worker == worker
    finally:
        for reader in readers:
            reader.close()


# ---- replaced meanwhile ----


def ways(place):
    """Every protocol and transport: curl's options and the URL."""
    tls = ["--insecure"]
    return {"HTTP/1.1": (["--http1.1"], place.url + CRL_PATH), "h2c": (["--http2-prior-knowledge"], place.url + CRL_PATH),
            "TLS": ([*tls, "--http1.1"], place.tls_url + CRL_PATH), "TLS, h2": ([*tls, "--http2"], place.tls_url + CRL_PATH)}


def curl(options, url, *more):
    words = ["curl", "--silent", "--show-error", "--max-time", "100", *options, *more, url]
    return subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def fetch(options, url, *more):
    """(status, body)"""
    process = curl(options, url, "--write-out", "%{stderr}%{http_code}", *more)
    body, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return int(said), body


def begin_slowly(place, tmp_path):
    """Three of each way, stopped when they have a little: (way, process, its file)"""
    begun = []
    for name, (options, url) in ways(place).items():
        for i in range(3):
            path = tmp_path / f"{name.replace('/', '-')}.{i}"
            begun.append((name, curl(options, url, "--limit-rate", "2M", "--output", path), path))
    wait_for(lambda: all(path.exists() and path.stat().st_size > 0 for _, _, path in begun), what="octets of all")
    for _, process, _ in begun:
        process.send_signal(signal.SIGSTOP)
    return begun


def test_a_crl_replaced_while_it_is_sent_goes_out_whole_to_who_began_and_new_to_who_comes_then(place, tmp_path):
    old, old_file, begun = place.content, place.file, begin_slowly(place, tmp_path)
    try:
        new = place.content = place.issue(1000)
        assert len(new) > len(old) and number(new) > number(old)
        options, url = ways(place)["HTTP/1.1"]
        wait_for(lambda: fetch(options, url)[1] == new, what="the new CRL")
        old_file.unlink()  # the engine does that a day later
        for name, (options, url) in ways(place).items():
            assert fetch(options, url) == (200, new), name
        assert all(path.stat().st_size < len(old) for _, _, path in begun), "who was to be slow has it all"
        for name, process, path in begun:
            process.send_signal(signal.SIGCONT)
        for name, process, path in begun:
            assert process.wait(100) == 0, name
            assert sha256(path.read_bytes()) == sha256(old), name
    finally:
        for _, process, _ in begun:
            process.kill()


def number(der):
    return x509.load_der_x509_crl(der).extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def test_a_download_cut_in_two_is_never_put_together_of_two_crls(place):  # RFC 9110 13.1.5
    old, half = place.content, len(place.content) // 2
    first = {}
    for name, (options, url) in ways(place).items():
        status, first[name] = fetch(options, url, "--range", f"0-{half - 1}", "--header", f'If-Range: "{sha256(old)}"')
        assert (status, first[name]) == (206, old[:half]), name
        assert fetch(options, url, "--range", f"{half}-", "--header", f'If-Range: "{sha256(old)}"') == (206, old[half:]), name
    new = place.content = place.issue(1000)
    options, url = ways(place)["HTTP/1.1"]
    wait_for(lambda: fetch(options, url)[1] == new, what="the new CRL")
    for name, (options, url) in ways(place).items():
        assert fetch(options, url, "--range", f"{half}-", "--header", f'If-Range: "{sha256(old)}"') == (200, new), name
        assert fetch(options, url, "--range", f"{half}-", "--header", f'If-Range: "{sha256(new)}"') == (206, new[half:]), name
