"""What an adversary can do to the responder over the network: little. Everything is bounded in time and connections, and on the loopback.

Latencies are compared within one run and with room to spare; the strict figures are bench/attack.py's.
"""
import hashlib
import http.client
import os
import pathlib
import random
import socket
import ssl
import struct
import subprocess
import time
import urllib.parse

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp

from conftest import cert_id, free_port, ocsp_request, open_house, tlv, wait_for
from store_place import CA_PATH, CRL_PATH, StorePlace

SLOWLORIS = 2000
EXTRAS_RATE = 5
HEADER_TIMEOUT_S = 5
GROWTH_KB = 8 * 1024  # of a worker's own memory, whatever is thrown at it
GROWTH_ASAN_KB = 128 * 1024  # AddressSanitizer keeps what was freed


def configure(house, responder="", sign="", issuer=()):
    """Daemons stopped, options added, daemons started."""
    house.down()
    config = house.dir / "tocsin.yaml"
    config.write_text(config.read_text() + responder + sign)
    policy = house.dir / "issuers" / "demo-ca" / "issuer.yaml"
    text = policy.read_text()
    for line in issuer:
        name = line.strip().split(":")[0]
        default = next(old for old in text.splitlines() if old.startswith(f"  #{name}:"))
        text = text.replace(default, "  " + line, 1)
    policy.write_text(text)
    house.up()


@pytest.fixture(scope="module")
def attacked():
    """A house with short timeouts, that echoes nonces and signs few of them."""
    with open_house(2000, 100) as h:
        configure(h, f"  header_timeout: {HEADER_TIMEOUT_S}s\n", f"sign:\n  extras_rate: {EXTRAS_RATE}\n", ["nonce: echo"])
        h.settle()
        yield h


def address(house):
    host, port = urllib.parse.urlparse(house.env["OCSP_URL"]).netloc.split(":")
    return host, int(port)


def connect(house, receive_buffer=None):
    s = socket.socket()
    if receive_buffer:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    s.settimeout(20)
    s.connect(address(house))
    return s


def read_all(s):
    """Until the other side closes; a reset is an end, too."""
    data = b""
    try:
        while piece := s.recv(65536):
            data += piece
    except ConnectionResetError:
        pass
    return data


def worker_of(house):
    [worker] = house.children(house.pid("responder"))
    return worker


def anon_kb(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("RssAnon:")).split()[1])


def has_grown(pid, before_kb):
    asan = "libasan" in pathlib.Path(f"/proc/{pid}/maps").read_text()
    return anon_kb(pid) - before_kb > (GROWTH_ASAN_KB if asan else GROWTH_KB)


def established(house):
    """Connections the kernel keeps at the responder's port."""
    _, port = address(house)
    lines = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "01" for line in lines)


def honest_p99(house, n=1000):
    """One client that keeps its connection: seconds."""
    connection = http.client.HTTPConnection(*address(house), timeout=20)
    bodies = [house.request(serial) for serial in house.serials("good")[:50]]
    times = []
    for i in range(n):
        begun = time.monotonic()
        connection.request("POST", "/", bodies[i % len(bodies)], {"Content-Type": "application/ocsp-request"})
        answer = connection.getresponse()
        body = answer.read()
        times.append(time.monotonic() - begun)
        assert answer.status == 200 and ocsp.load_der_ocsp_response(body).response_status == ocsp.OCSPResponseStatus.SUCCESSFUL
    connection.close()
    return sorted(times)[int(n * 0.99)]


# ---- slow ones ----


@pytest.mark.slow
def test_two_thousand_slowloris_connections_leave_honest_clients_their_answers(attacked):
    before = honest_p99(attacked)
    attack = subprocess.Popen(["slowhttptest", "-H", "-c", str(SLOWLORIS), "-r", str(SLOWLORIS), "-i", "1", "-l", "30", "-v", "0", "-u",
                               attacked.env["OCSP_URL"]], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: established(attacked) > SLOWLORIS * 0.5, 15, "the attack to be under way")
        meanwhile = honest_p99(attacked, 300)
        assert established(attacked) > SLOWLORIS * 0.25, "the attack was over too early to tell"
    finally:
        attack.terminate()
        attack.wait(10)
    assert meanwhile < 5 * before + 0.25, (before, meanwhile)
    wait_for(lambda: established(attacked) < 10, 20, "the attackers' connections to be gone")


def test_a_connection_that_says_a_byte_at_a_time_is_closed_all_the_same(attacked):
    der = attacked.request(attacked.serials("good")[0])
    head = f"POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/ocsp-request\r\nContent-Length: {len(der) * 40}\r\n\r\n".encode()
    said_at_once = {"request line": b"", "fields": b"GET / HTTP/1.1\r\nHost: h\r\n", "body": head}
    trickled = {"request line": b"GET /" + b"a" * 4000, "fields": b"X-A: b\r\n" * 500, "body": der * 40}
    open_ones, answers = {name: connect(attacked) for name in trickled}, {}
    for name, s in open_ones.items():
        s.sendall(said_at_once[name])
        s.setblocking(False)
    for n in range(60 * 10):
        for name in open_ones.keys() - answers.keys():
            try:
                open_ones[name].send(trickled[name][n:n + 1])
                answers[name] = open_ones[name].recv(1000)
            except BlockingIOError:
                continue
            except (BrokenPipeError, ConnectionResetError):
                answers[name] = b""
        if answers.keys() == open_ones.keys():
            break
        time.sleep(0.1)
    assert answers.keys() == open_ones.keys(), "still open after a minute"
    assert n > 0 and all(answer == b"" or b" 408 " in answer.split(b"\r\n")[0] for answer in answers.values()), answers
    for s in open_ones.values():
        s.close()

# ---- trickled, whatever the protocol ----


TRICKLE_S = 0.2
TIMEOUT_S = 3
SIP = 16 * 1024  # enough for the server to send more all the time, and far from what a reader must take in the timeout


@pytest.fixture(scope="module")
def impatient(tmp_path_factory):
    """A responder with short timeouts, TLS, and a CRL larger than sockets hold."""
    place = StorePlace(tmp_path_factory.mktemp("impatient"), header_timeout=f"{TIMEOUT_S}s", write_timeout=f"{TIMEOUT_S}s",
                       idle_timeout=f"{TIMEOUT_S}s")
    try:
        place.issue(200_000)
        place.start(cpu=None)
        yield place
        place.stop()
        place.expect_all_well()
    finally:
        place.stop()


def knock(port, receive_buffer=4096):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    s.settimeout(20)
    s.connect(("127.0.0.1", port))
    return s


def client_hello():
    """As OpenSSL says it."""
    context, out = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.MemoryBIO()
    try:
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="h").do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def octets(data):
    return [data[i:i + 1] for i in range(len(data))]


def frame(kind, flags, stream, content=b""):
    return struct.pack(">I", len(content))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + content


def field(name, value):
    return bytes([0x10, len(name)]) + name + bytes([len(value)]) + value  # RFC 7541 6.2.3: never indexed


def h2_head(method, path):
    return field(b":method", method) + field(b":path", path.encode()) + field(b":scheme", b"http") + field(b":authority", b"h")


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
NO_WINDOW = struct.pack(">HI", 4, 0)
ENDLESS = 1000
# what is said at once, and what then piece by piece; the last: whether it is for the port with TLS
SAID = {
    "TLS handshake": (b"", octets(client_hello()), True),
    "HTTP/2 preface": (b"", octets(PREFACE), False),
    "HTTP/2 field block": (PREFACE + frame(4, 0, 0) + frame(1, 0, 1, h2_head(b"GET", "/healthz")), [frame(9, 0, 1, field(b"a", b"b"))] * ENDLESS,
                           False),
    "HTTP/2 body": (PREFACE + frame(4, 0, 0) + frame(1, 4, 1, h2_head(b"POST", "/")), [frame(0, 0, 1, b"x")] * ENDLESS, False),
    "HTTP/2 pings": (PREFACE + frame(4, 0, 0), [frame(6, 0, 0, bytes(8))] * ENDLESS, False),
    "HTTP/2 windows": (PREFACE + frame(4, 0, 0, NO_WINDOW) + frame(1, 5, 1, h2_head(b"GET", CRL_PATH)),
                       [frame(8, 0, 1, struct.pack(">I", 1))] * ENDLESS, False),
    "empty lines": (b"", [b"\r\n"] * ENDLESS, False),
}


def is_open(s):
    """At the other side: the server's socket of this connection."""
    peer = f":{s.getsockname()[1]:04X}"
    rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(row[2].endswith(peer) and row[3] == "01" for row in rows)


def leftovers(place):
    """Sockets that are closed and have something unsent (FIN_WAIT1): nobody counts them any more."""
    ports = {f":{port:04X}" for port in (place.port, place.tls_port)}
    rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [row for row in rows if row[1][-5:] in ports and row[3] == "04"]


def drip(s, piece):
    try:
        s.sendall(piece)
    except (BrokenPipeError, ConnectionResetError):
        pass


def take(s, n):
    try:
        s.recv(n)
    except (BlockingIOError, ConnectionResetError, ssl.SSLError):
        pass


def wait_until_closed(trickles):
    """`trickles`: name -> (socket, what is done each time)"""
    left = dict(trickles)
    for n in range(int(60 / TRICKLE_S)):
        for name, (s, step) in list(left.items()):
            step(n)
            if not is_open(s):
                left.pop(name)
        if not left:
            return
        time.sleep(TRICKLE_S)
    pytest.fail(f"still open after a minute: {sorted(left)}")


def closing(sockets):
    for s in sockets:
        s.close()


def test_who_says_a_little_at_a_time_is_closed_in_every_protocol(impatient):
    trickles = {}
    for name, (at_once, pieces, is_tls) in SAID.items():
        s = knock(impatient.tls_port if is_tls else impatient.port)
        s.sendall(at_once)
        assert is_open(s), name
        trickles[name] = s, lambda n, s=s, pieces=pieces: drip(s, pieces[n]) if n < len(pieces) else None
    wait_until_closed(trickles)
    closing(s for s, _ in trickles.values())


def test_who_reads_a_little_at_a_time_is_closed_in_every_protocol(impatient):
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    open_windows = frame(4, 0, 0, struct.pack(">HI", 4, 0x7FFFFFFF)) + frame(8, 0, 0, struct.pack(">I", 0x7FFF0000))
    roomy = 256 * 1024  # so that the kernel has no reason to pause
    ask = {
        "HTTP/1.1": (knock(impatient.port, roomy), f"GET {CRL_PATH} HTTP/1.1\r\nHost: h\r\n\r\n".encode()),
        "TLS": (tls.wrap_socket(knock(impatient.tls_port, roomy)), f"GET {CRL_PATH} HTTP/1.1\r\nHost: h\r\n\r\n".encode()),
        "HTTP/2": (knock(impatient.port, roomy), PREFACE + open_windows + frame(1, 5, 1, h2_head(b"GET", CRL_PATH))),
    }
    trickles = {}
    for name, (s, request) in ask.items():
        s.sendall(request)
        assert s.recv(1), name
        s.setblocking(False)
        trickles[name] = s, lambda n, s=s: take(s, SIP)
    wait_until_closed(trickles)
    wait_for(lambda: not leftovers(impatient), 5, "nothing left in the kernel of what they did not read")
    closing(s for s, _ in trickles.values())


def test_handshakes_begun_and_left_keep_nobody_out_and_no_memory(impatient):
    hello, worker = client_hello(), impatient.worker
    storms = ([hello[:n] for n in range(1, len(hello), 25)], [hello] * 20)
    closing(knock(impatient.tls_port) for _ in range(50))
    for said in storms * 10:
        open_ones = [knock(impatient.tls_port) for _ in said]
        for s, words in zip(open_ones, said):
            s.sendall(words)
        closing(open_ones)
    begun = impatient.anon_kb()
    for said in storms * 20:
        open_ones = [knock(impatient.tls_port) for _ in said]
        for s, words in zip(open_ones, said):
            s.sendall(words)
        closing(open_ones)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    honest = http.client.HTTPSConnection("127.0.0.1", impatient.tls_port, timeout=20, context=context)
    honest.request("GET", CA_PATH)
    assert honest.getresponse().status == 200
    honest.close()
    assert impatient.worker == worker
    assert impatient.is_asan() or impatient.anon_kb() - begun <= GROWTH_KB  # AddressSanitizer keeps what was freed, and finds leaks itself


def test_a_client_that_has_said_all_and_ends_its_side_gets_its_answers(impatient):  # half-open is not gone
    s = knock(impatient.port)
    s.sendall(f"GET {CA_PATH} HTTP/1.1\r\nHost: h\r\n\r\n".encode() * 3)
    s.shutdown(socket.SHUT_WR)
    assert read_all(s).count(b"HTTP/1.1 200 ") == 3
    s.close()


# ---- many ones ----


STORM = 500
LIMIT = 100


@pytest.fixture
def narrow(fresh_house):
    """A worker that holds few connections open."""
    house = fresh_house.up("--certs", 200, "--revoked", 10, "--listen", f"127.0.0.1:{free_port()}")
    configure(house, f"  max_connections: {LIMIT}\n")
    yield house
    house.down()


def test_after_storms_above_the_limit_honest_clients_are_served_at_once_by_the_same_worker(narrow):
    worker, serial = worker_of(narrow), narrow.serials("good")[0]
    for _ in range(3):
        for s in [connect(narrow) for _ in range(STORM)]:
            s.close()
        assert narrow.status_of(serial) == "good"
    assert worker_of(narrow) == worker
    wait_for(lambda: established(narrow) == 0, 20, "no connection left")


@pytest.mark.slow
def test_silent_connections_above_the_limit_do_not_keep_honest_clients_out(narrow):
    storm = [connect(narrow) for _ in range(STORM)]
    try:
        assert narrow.status_of(narrow.serials("good")[0]) == "good"
    finally:
        for s in storm:
            s.close()


# ---- large ones ----


@pytest.mark.slow
def test_readers_of_a_crl_that_do_not_read_cost_no_memory_and_are_closed(fresh_house):
    house = fresh_house.up("--certs", 150_200, "--revoked", 150_000, "--listen", f"127.0.0.1:{free_port()}")
    configure(house, "  write_timeout: 5s\n")
    house.tocsin("crl", "issue", "--issuer", "demo-ca", "--full", timeout=300)
    _, fields, old = house.http(house.env["CRL_URL"])
    assert len(old) > 4_000_000  # more than a socket's buffers take
    worker, path = worker_of(house), urllib.parse.urlparse(house.env["CRL_URL"]).path
    before = anon_kb(worker)
    ask = f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode()
    readers = [connect(house, receive_buffer=4096) for _ in range(200)]
    for s in readers:
        s.sendall(ask)
    steady = connect(house, receive_buffer=65536)
    steady.sendall(ask)
    first = steady.recv(1000)
    assert house.status_of(house.serials("good")[0]) == "good"
    assert not has_grown(worker, before)
    # it is replaced while being sent: who began to read it gets it whole
    house.revoke(house.serials("good")[:5])
    house.tocsin("crl", "issue", "--issuer", "demo-ca", "--full", timeout=300)
    wait_for(lambda: house.http(house.env["CRL_URL"])[1]["ETag"] != fields["ETag"], 20, "the new CRL")
    body = first.partition(b"\r\n\r\n")[2]
    while len(body) < len(old) and (piece := steady.recv(1 << 20)):
        body += piece
    assert hashlib.sha256(body).digest() == hashlib.sha256(old).digest()
    steady.close()
    wait_for(lambda: established(house) == 0, 60, "the ones that do not read to be closed")
    assert all(len(read_all(s)) < len(old) for s in readers[:3])
    house.down()


# ---- questions that would cost signatures ----


def lanes(house):
    return {name: (lane["signed"], lane["refused"]) for name, lane in house.status()["lanes"].items()}


def flood(house, requests):
    """Each on one of a few connections; bodies of the answers."""
    connection, bodies = http.client.HTTPConnection(*address(house), timeout=20), []
    for method, path, data in requests:
        connection.request(method, path, data, {"Content-Type": "application/ocsp-request"} if data else {})
        answer = connection.getresponse()
        bodies.append((answer.status, answer.read()))
    connection.close()
    return bodies


def said(body):
    return ocsp.load_der_ocsp_response(body).response_status.name


def test_random_serials_foreign_issuers_and_random_paths_reach_no_token_and_grow_nothing(attacked):
    chance = random.Random(1)
    issuer = attacked.issuer

    def foreign():
        real = cert_id(issuer, attacked.serials("good")[0], hashes.SHA1())
        head, digest = real[:15], bytes(chance.randbytes(18))  # the name hash's octets are others
        return tlv(0x30, tlv(0x30, tlv(0x30, tlv(0x30, head + digest + real[33:]))))

    kinds = {
        "serials": lambda: ("POST", "/", ocsp_request(issuer, chance.getrandbits(126) | 1 << 126, hashes.SHA1())),
        "issuers": lambda: ("POST", "/", foreign()),
        "paths": lambda: ("GET", "/" + urllib.parse.quote(chance.randbytes(chance.randrange(1, 200))), None),
    }
    flood(attacked, [make() for make in kinds.values() for _ in range(100)])  # what is allocated once
    worker, lanes_before = worker_of(attacked), lanes(attacked)
    memory = anon_kb(worker)
    for kind, make in kinds.items():
        answers = flood(attacked, [make() for _ in range(700)])
        if kind == "paths":
            assert {status for status, _ in answers} <= {200, 400, 404}, kind
        else:
            assert {(status, said(body)) for status, body in answers} == {(200, "UNAUTHORIZED")}, kind
    assert lanes(attacked) == lanes_before
    assert worker_of(attacked) == worker
    assert not has_grown(worker, memory)


def preferring(request, oid):
    """The request with preferred signature algorithms of one (RFC 6960 4.4.7.1)."""
    algorithms = tlv(0x30, tlv(0x30, tlv(0x30, oid)))
    extension = tlv(0x30, bytes.fromhex("06092b0601050507300108"), tlv(4, algorithms))
    return tlv(0x30, tlv(0x30, inside(inside(request)) + tlv(0xA2, tlv(0x30, extension))))


def inside(der):
    """A SEQUENCE's contents."""
    return der[2:] if der[1] < 0x80 else der[2 + (der[1] & 0x7F):]


ECDSA_SHA512 = bytes.fromhex("06082a8648ce3d040304")
FLOODS = {  # each question different from all others, so that no answer serves two
    "nonces": lambda house, serial, i: house.request(serial, nonce=os.urandom(16)),
    "uncommon hashes": lambda house, serial, i: house.request(serial, algorithm=hashes.SHA384()),
    "several certificates": lambda house, serial, i: ocsp_request(house.issuer, [serial, house.serials("good")[i - 1]], hashes.SHA1()),
    "preferred algorithms": lambda house, serial, i: preferring(house.request(serial), ECDSA_SHA512),
}


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_of_what_costs_signatures_gets_no_more_of_them_than_its_budget(attacked, kind):
    serials = attacked.serials("good")
    requests = [("POST", "/", FLOODS[kind](attacked, serial, i)) for i, serial in enumerate(serials[:600])]
    flood(attacked, requests[:20])  # what is allocated once
    worker, memory = worker_of(attacked), anon_kb(worker_of(attacked))
    signed_before, refused_before = lanes(attacked)["extras"]
    truth_before = lanes(attacked)["truth"]
    begun = time.monotonic()
    answers = flood(attacked, requests)
    seconds = time.monotonic() - begun
    signed, refused = lanes(attacked)["extras"]
    # a second's worth may be spent at once
    assert signed - signed_before <= EXTRAS_RATE * (seconds + 2), (signed - signed_before, seconds)
    answered = [said(body) for _, body in answers]
    assert set(answered) <= {"SUCCESSFUL", "TRY_LATER"}
    assert answered.count("SUCCESSFUL") == signed - signed_before
    assert refused > refused_before
    assert lanes(attacked)["truth"] == truth_before
    assert attacked.status_of(serials[60]) == "good"  # what is signed already is served meanwhile
    assert worker_of(attacked) == worker and not has_grown(worker, memory)


# ---- what smuggles requests (RFC 9112 11.2), and other nonsense ----

HOST = b"Host: h\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Type: application/ocsp-request\r\n"
MALFORMED = {
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
    "two different Hosts": b"GET / HTTP/1.1\r\n" + HOST + b"Host: i\r\n\r\n",
    "a Host that is no host": b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "Content-Length and Transfer-Encoding": POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding and Content-Length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "two Content-Lengths": POST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    "two equal Content-Lengths": POST + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
    "a list of Content-Lengths": POST + b"Content-Length: 4, 4\r\n\r\nabcd",
    "a signed Content-Length": POST + b"Content-Length: +4\r\n\r\nabcd",
    "a negative Content-Length": POST + b"Content-Length: -4\r\n\r\nabcd",
    "a hexadecimal Content-Length": POST + b"Content-Length: 0x4\r\n\r\nabcd",
    "an enormous Content-Length": POST + b"Content-Length: 18446744073709551620\r\n\r\nabcd",
    "two Transfer-Encodings": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
    "chunked not last": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "an unknown Transfer-Encoding": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a Transfer-Encoding in disguise": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "Transfer-Encoding in HTTP/1.0": b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a bare LF after the request line": b"GET / HTTP/1.1\n" + HOST + b"\r\n",
    "a bare LF after a field": b"GET / HTTP/1.1\r\nHost: h\n\r\n",
    "a bare LF at the end": b"GET / HTTP/1.1\r\n" + HOST + b"\n",
    "bare LFs only": b"GET / HTTP/1.1\nHost: h\n\n",
    "a bare CR in a field": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\rb\r\n\r\n",
    "CR LF CR and another octet": b"GET / HTTP/1.1\r\n" + HOST + b"\rX: a\r\n\r\n",
    "CR LF CR and another octet at the end": b"GET / HTTP/1.1\r\n" + HOST + b"\rX",
    "an obsolete fold": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n",
    "a fold before the first field": b"GET / HTTP/1.1\r\n Host: h\r\n\r\n",
    "white space before a colon": b"GET / HTTP/1.1\r\nHost : h\r\n\r\n",
    "white space before Content-Length's colon": POST + b"Content-Length : 4\r\n\r\nabcd",
    "a tab before a colon": b"GET / HTTP/1.1\r\nHost\t: h\r\n\r\n",
    "a field without a name": b"GET / HTTP/1.1\r\n" + HOST + b": a\r\n\r\n",
    "a field without a colon": b"GET / HTTP/1.1\r\n" + HOST + b"nonsense\r\n\r\n",
    "NUL in a field": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n",
    "NUL in the target": b"GET /\0 HTTP/1.1\r\n" + HOST + b"\r\n",
    "an octet above 127 in a name": b"GET / HTTP/1.1\r\n" + HOST + b"X\xff: a\r\n\r\n",
    "an odd version": b"GET / HTTP/1.2x\r\n" + HOST + b"\r\n",
    "HTTP/3 as text": b"GET / HTTP/3.0\r\n" + HOST + b"\r\n",
    "HTTP/0.9": b"GET /\r\n\r\n",
    "a small version": b"GET / http/1.1\r\n" + HOST + b"\r\n",
    "a version of many digits": b"GET / HTTP/1.10\r\n" + HOST + b"\r\n",
    "two spaces": b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n",
    "a tab for a space": b"GET\t/ HTTP/1.1\r\n" + HOST + b"\r\n",
    "a space in the target": b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n",
    "a target without a slash": b"GET a HTTP/1.1\r\n" + HOST + b"\r\n",
    "a method of odd characters": b"GE(T / HTTP/1.1\r\n" + HOST + b"\r\n",
    "too many fields": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n" * 2000 + b"\r\n",
    "too long a field": b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 100_000 + b"\r\n\r\n",
    "too long a target": b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "a chunk size that is no number": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabcd\r\n0\r\n\r\n",
    "an enormous chunk size": POST + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabcd\r\n0\r\n\r\n",
    "a chunk longer than it says": POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
    "a chunk ended by a bare LF": POST + b"Transfer-Encoding: chunked\r\n\r\n4\nabcd\n0\n\n",
    "a chunk size with a sign": POST + b"Transfer-Encoding: chunked\r\n\r\n+4\r\nabcd\r\n0\r\n\r\n",
    "an answer for a request": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "TLS": bytes.fromhex("16030100c5010000c10303") + bytes(200),
    "a proxy's preface": b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\nGET / HTTP/1.1\r\n" + HOST + b"\r\n",
}
SMUGGLED = b"GET /ca/demo-ca.cer HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_malformed_is_refused_and_nothing_behind_it_is_read_as_a_request(attacked, name):
    s = connect(attacked)
    try:
        s.sendall(MALFORMED[name] + SMUGGLED)
        s.shutdown(socket.SHUT_WR)
    except (BrokenPipeError, ConnectionResetError):
        pass  # refused before its end
    answer = read_all(s)
    s.close()
    assert answer.count(b"HTTP/1.1 ") == (1 if answer else 0) and b"application/pkix-cert" not in answer, answer
    assert not answer or answer.split(b" ", 2)[1][:1] in (b"4", b"5"), answer


def test_after_all_that_the_same_worker_serves(attacked):
    worker = worker_of(attacked)
    for malformed in MALFORMED.values():
        s = connect(attacked)
        try:
            s.sendall(malformed)
        except (BrokenPipeError, ConnectionResetError):
            pass
        s.close()
    assert attacked.status_of(attacked.serials("good")[0]) == "good"
    assert worker_of(attacked) == worker
