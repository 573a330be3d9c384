"""What a worker can be made to hold: each kind of connection filled to its limit, and held to the formula of docs/configuration.md (Memory); and what
happens when memory or descriptors run out.
"""
import http.client
import os
import pathlib
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import time

import pytest

from conftest import wait_for
from store_place import CA_PATH, CRL_PATH, StorePlace

N = 50
MAX_BODY, MAX_URI = 10_000, 8_192  # the defaults
STREAMS = 128

# docs/configuration.md, Memory: kB of a worker's own that a connection takes at most
HTTP1, TLS, HTTP2 = 1, 48, 4
UNANSWERED = 2 * (MAX_URI + MAX_BODY + 14 * 1024) / 1024
LARGER = 20  # times max_body, and three times max_uri: for the formula's sake
UNTAKEN = 192
UNTAKEN_HTTP2 = 256
STREAM = 1.5
BODIES = 64 + 2 * MAX_BODY / 1024
FIELDS = 64 + (MAX_URI + 8192) / 1024


@pytest.fixture(scope="module")
def place():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tocsin-e2e-"))
    place = StorePlace(folder, header_timeout="5m", write_timeout="5m", idle_timeout="5m")
    try:
        place.issue(100_000)
        yield place
        place.expect_all_well()
    finally:
        place.stop()
        shutil.rmtree(folder, ignore_errors=True)


# ---- clients that take up what they can ----


def connect(place, tls=None):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.settimeout(20)
    s.connect(("127.0.0.1", place.tls_port if tls else place.port))
    return tls.wrap_socket(s) if tls else s


def client_tls():
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    return tls


def send_until_full(s, data, rounds):
    """As much of it as is taken: its other side reads no more than it wants to."""
    s.settimeout(0.2)
    try:
        for _ in range(rounds):
            s.sendall(data)
    except (socket.timeout, ssl.SSLWantWriteError, BrokenPipeError, ConnectionResetError):
        pass


def nothing(place, tls=None):
    return connect(place, tls)


def idle(place, tls=None):
    s = connect(place, tls)
    s.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n")
    assert s.recv(4096)
    return s


def half_a_request(place, tls=None, max_uri=MAX_URI, max_body=MAX_BODY):
    """All but the last octet of the longest there may be."""
    head = f"POST /{'a' * (max_uri - 1)} HTTP/1.1\r\nHost: h\r\nContent-Length: {max_body}\r\n".encode()
    head += b"X: " + b"x" * (max_uri + 8192 - len(head) - 7) + b"\r\n\r\n"
    s = connect(place, tls)
    for piece in (head, b"x" * (max_body - 1)):
        s.sendall(piece)
    return s


def answers_not_taken(place, tls=None):
    s = connect(place, tls)
    send_until_full(s, f"GET {CA_PATH} HTTP/1.1\r\nHost: h\r\n\r\n".encode() * 400, 40)
    return s


def crl_not_taken(place, tls=None):
    s = connect(place, tls)
    s.sendall(f"GET {CRL_PATH} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
    return s


def frame(kind, flags, stream, content=b""):
    return struct.pack(">I", len(content))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + content


def field(name, value):
    """Never indexed, not Huffman-coded (RFC 7541 6.2.3)."""
    assert len(name) < 127 and len(value) < 127
    return bytes([0x10, len(name)]) + name + bytes([len(value)]) + value


def head(method, path):
    return field(b":method", method) + field(b":path", path.encode()) + field(b":scheme", b"http") + field(b":authority", b"h")


WINDOW = frame(4, 0, 0, struct.pack(">HI", 4, 0x7FFFFFFF)) + frame(8, 0, 0, struct.pack(">I", 0x7FFF0000))
BEGIN = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + WINDOW


def h2_idle(place):
    s = connect(place)
    s.sendall(BEGIN)
    if not s.recv(9):
        raise ConnectionError("refused")
    return s


def h2_bodies_without_end(place):
    s = h2_idle(place)
    for i in range(STREAMS):
        s.sendall(frame(1, 4, 2 * i + 1, head(b"POST", "/")) + frame(0, 0, 2 * i + 1, b"x" * (MAX_BODY - 1)))
    return s


def h2_crls_not_taken(place):
    s = h2_idle(place)
    for i in range(STREAMS):
        s.sendall(frame(1, 5, 2 * i + 1, head(b"GET", CRL_PATH)))
    return s


def h2_answers_not_taken(place):
    s = h2_idle(place)
    try:
        s.settimeout(0.2)
        for i in range(2000):
            s.sendall(frame(1, 5, 2 * i + 1, head(b"GET", CA_PATH)))
    except (socket.timeout, BrokenPipeError, ConnectionResetError):
        pass
    return s


KINDS = {
    "nothing said": (nothing, HTTP1),
    "idle": (idle, HTTP1),
    "half a request": (half_a_request, HTTP1 + UNANSWERED),
    "answers not taken": (answers_not_taken, HTTP1 + UNANSWERED + UNTAKEN),
    "a CRL not taken": (crl_not_taken, HTTP1),
}
KINDS_HTTP2 = {
    "idle": (h2_idle, HTTP1 + HTTP2),
    "bodies without end": (h2_bodies_without_end, HTTP1 + HTTP2 + FIELDS + STREAMS * STREAM + BODIES),
    "CRLs not taken": (h2_crls_not_taken, HTTP1 + HTTP2 + FIELDS + STREAMS * STREAM + UNTAKEN_HTTP2),
    "answers not taken": (h2_answers_not_taken, HTTP1 + HTTP2 + FIELDS + STREAMS * STREAM + UNTAKEN_HTTP2),
}


def grown_kb(place, open_one, n=N):
    """RssAnon for each of so many such connections, of a worker that has done nothing else."""
    place.start(cpu=None)
    open_ones = []
    try:
        before = place.anon_kb()
        open_ones += [open_one(place) for _ in range(n)]
        time.sleep(0.5)  # until all that was sent is read
        return (place.anon_kb() - before) / n
    finally:
        for s in open_ones:
            s.close()
        place.stop()


@pytest.mark.slow  # and what AddressSanitizer adds is no promise of ours
@pytest.mark.parametrize("kind", KINDS)
def test_a_connection_of_http1_takes_no_more_than_the_formula(place, kind):
    open_one, most = KINDS[kind]
    assert grown_kb(place, open_one) <= most
    assert grown_kb(place, lambda place: open_one(place, client_tls())) <= most + TLS


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS_HTTP2)
def test_a_connection_of_http2_takes_no_more_than_the_formula(place, kind):
    open_one, most = KINDS_HTTP2[kind]
    assert grown_kb(place, open_one) <= most


@pytest.mark.slow
def test_the_formula_holds_for_other_limits(own_place):
    max_uri, max_body = 3 * MAX_URI, LARGER * MAX_BODY
    place = own_place(max_uri=max_uri, max_body=max_body, header_timeout="5m")
    grown = grown_kb(place, lambda place: half_a_request(place, None, max_uri, max_body))
    assert max_body / 1024 < grown <= HTTP1 + 2 * (max_uri + max_body + 14 * 1024) / 1024


# ---- when there is no more ----


def data_kb(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmData:")).split()[1])


def get(place, path, *options):
    """The HTTP status; "000": no answer."""
    words = ["curl", "--silent", "--max-time", "10", "--output", "/dev/null", "--write-out", "%{http_code}", *options, place.url + path]
    return subprocess.run(words, text=True, capture_output=True, timeout=20).stdout


def ask_on(s, path):
    """The status of an answer, which is read whole."""
    s.sendall(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
    answer = http.client.HTTPResponse(s)
    answer.begin()
    answer.read()
    return answer.status


@pytest.fixture
def own_place(tmp_path):
    """For settings of a test's own: own_place(more of the configuration, words before the responder's)."""
    places = []

    def make(**settings):
        places.append(StorePlace(tmp_path, **settings))
        places[0].issue(1000)
        return places[0]

    yield make
    for place in places:
        place.stop()
        place.expect_all_well()


@pytest.mark.slow  # AddressSanitizer has no such limit
def test_a_worker_without_memory_drops_who_wants_more_and_serves_on(own_place):
    most_mb = 64
    place = own_place(max_memory=f"{most_mb}M", header_timeout="5m", idle_timeout="5m")
    place.start(cpu=None)
    worker, honest, paths = place.worker, idle(place), (CA_PATH, CRL_PATH, "/healthz")
    assert [ask_on(honest, path) for path in paths] == [200] * 3
    attackers = []
    try:
        for _ in range(2500):  # each wants 30 kB
            try:
                attackers.append(half_a_request(place))
            except OSError:
                continue
        assert data_kb(worker) > most_mb * 1024 * 0.8, "it was not full"
        assert data_kb(worker) <= most_mb * 1024
        assert [ask_on(honest, path) for path in paths] == [200] * 3
    finally:
        for s in attackers:
            s.close()
    wait_for(lambda: get(place, CA_PATH) == get(place, CA_PATH, "--http2-prior-knowledge") == "200", what="new clients to be served")
    assert place.worker == worker


def start_with_few_descriptors(place, n):
    """As root, too: the right to raise the limit is given up."""
    drop = ["setpriv", "--bounding-set", "-sys_resource", "--inh-caps", "-sys_resource"] if os.geteuid() == 0 else []
    place.start(cpu=None, before=["prlimit", f"--nofile={n}:{n}", *drop])


def test_without_descriptors_idle_connections_end_and_honest_clients_are_served(own_place):
    place = own_place(idle_timeout="5m", header_timeout="5m")
    start_with_few_descriptors(place, 400)
    worker = place.worker
    silent = [connect(place) for _ in range(600)]
    for _ in range(3):
        assert get(place, CA_PATH) == "200"
        assert get(place, CRL_PATH) == "200"
        assert get(place, CRL_PATH, "--http2-prior-knowledge") == "200"
    assert place.worker == worker
    log = (place.folder / "responder.log").read_text()
    assert "max_connections=200" in log
    for s in silent:
        s.close()
