"""HTTP/1.1 to the letter (RFC 9112): what a connection's octets get, answer by answer. One row: what is said, which statuses come back in
which order, and whether the connection goes on. What is malformed by itself: test_attack.py; the parser alone: test_http1.c."""
import os
import socket
from typing import NamedTuple

import pytest
from cryptography.x509 import ocsp

from conftest import open_house
from h2raw import clear, make_certificate, secure
from test_attack import configure

LINE = b"GET /healthz HTTP/1.1\r\n"
HOST = b"Host: h\r\n"
GET = LINE + HOST + b"\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Type: application/ocsp-request\r\n"
NONSENSE = POST + b"Content-Length: 8\r\n\r\nnonsense"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
SMUGGLED = b"GET /ca/demo-ca.cer HTTP/1.1\r\n" + HOST + b"\r\n"
N_FIELDS, MAX_HEAD, MAX_URI, MAX_BODY = 64, 16384, 8192, 10000


class Row(NamedTuple):
    rfc: str
    name: str
    said: bytes
    statuses: tuple
    closes: bool = False
    heads: tuple = ()  # which answers are to HEAD


def field(line, said=GET):
    return said.replace(HOST, HOST + line + b"\r\n", 1)


def of_length(n):
    """A head of n octets."""
    return field(b"X: " + b"a" * (n - len(GET) - 5))


LAST = True
ROWS = [
    # ---- messages ----
    Row("2.2", "an empty line before a request", b"\r\n" + GET, (200,)),
    Row("2.2", "an empty line behind content, as old clients send it", NONSENSE + b"\r\n" + GET, (200, 200)),
    Row("2.2", "two empty lines before a request", b"\r\n\r\n" + GET, (400,), LAST),
    Row("2.3", "HTTP/1.0", b"GET /healthz HTTP/1.0\r\n\r\n" + SMUGGLED, (200,), LAST),
    Row("2.3", "HTTP/1.2", GET.replace(b"1.1", b"1.2"), (505,), LAST),
    Row("2.3", "HTTP/2.0 without its preface", GET.replace(b"1.1", b"2.0"), (505,), LAST),
    # ---- the target ----
    Row("3.1", "a method that no route takes", GET.replace(b"GET", b"PUT"), (405,)),
    Row("3.1", "a method that nobody knows", GET.replace(b"GET", b"BREW"), (501,)),
    Row("3.1", "methods are case-sensitive", GET.replace(b"GET", b"get"), (501,)),
    Row("3.2.1", "a query", GET.replace(b"/healthz", b"/ca/demo-ca.cer?a=/b?c"), (200,)),
    Row("3.2.2", "absolute-form", GET.replace(b"/healthz", b"http://x.example:8080/healthz"), (200,)),
    Row("3.2.2", "absolute-form, its path empty", GET.replace(b"/healthz", b"http://x.example"), (400,)),
    Row("3.2.2", "absolute-form with user information", GET.replace(b"/healthz", b"http://u:p@h/healthz"), (400,), LAST),
    Row("3.2.2", "absolute-form does without no Host", GET.replace(b"/healthz", b"http://h/healthz").replace(HOST, b""), (400,), LAST),
    Row("3.2.3", "authority-form", b"CONNECT h:443 HTTP/1.1\r\n" + HOST + b"\r\n", (404,)),
    Row("3.2.4", "asterisk-form", b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", (404,)),
    Row("3.2.4", "asterisk-form with another method", b"GET * HTTP/1.1\r\n" + HOST + b"\r\n", (400,), LAST),
    Row("3.2", "Host with a port", GET.replace(b"Host: h", b"Host: h:8080"), (200,)),
    Row("3.2", "Host is an IPv6 address", GET.replace(b"Host: h", b"Host: [::1]:80"), (200,)),
    Row("3.2", "an empty Host", GET.replace(b"Host: h", b"Host:"), (200,)),
    Row("3.2", "Host with user information", GET.replace(b"Host: h", b"Host: u@h"), (400,), LAST),
    Row("3.2", "Host with a path", GET.replace(b"Host: h", b"Host: h/a"), (400,), LAST),
    Row("3.2", "Host twice, the second in disguise", field(b"hOsT: evil"), (400,), LAST),
    Row("3.2", "Host behind the fields", LINE + b"X: a\r\n" + HOST + b"\r\n", (200,)),
    # ---- fields ----
    Row("5", "white space around a value", GET.replace(b"Host: h", b"Host:\t h \t"), (200,)),
    Row("5", "no white space before a value", GET.replace(b"Host: h", b"Host:h"), (200,)),
    Row("5", "octets above 127 in a value", field(b"X: \xc3\xa4\xff"), (200,)),
    Row("5.1", "white space before a colon", field(b"X : a"), (400,), LAST),
    Row("5.2", "a fold with a tab", field(b"X: a\r\n\tb"), (400,), LAST),
    Row("5.2", "a fold of the last field, and nothing in it", field(b"X: a\r\n "), (400,), LAST),
    Row("5", "as many fields as are allowed", field(b"\r\n".join([b"X: a"] * (N_FIELDS - 1))), (200,)),
    Row("5", "one more", field(b"\r\n".join([b"X: a"] * N_FIELDS)) + SMUGGLED, (431,), LAST),
    Row("5", "a head as long as is allowed", of_length(MAX_HEAD), (200,)),
    Row("5", "a longer one", of_length(MAX_HEAD + 1) + SMUGGLED, (431,), LAST),
    Row("3", "a target longer than is allowed", GET.replace(b"/healthz", b"/" + b"a" * MAX_URI) + SMUGGLED, (414,), LAST),
    # ---- content ----
    Row("6", "GET with content: it is no request", field(b"Content-Length: %d" % len(SMUGGLED)) + SMUGGLED + GET, (200, 200)),
    Row("6", "HEAD with content", field(b"Content-Length: %d" % len(SMUGGLED), GET.replace(b"GET", b"HEAD")) + SMUGGLED + GET, (200, 200), heads=(0,)),
    Row("6", "GET with chunked content", field(b"Transfer-Encoding: chunked") + b"%x\r\n" % len(SMUGGLED) + SMUGGLED + b"\r\n0\r\n\r\n" + GET, (200, 200)),
    Row("6", "content of a method that is refused", NONSENSE.replace(b"POST /", b"PUT /") + GET, (405, 200)),
    Row("6", "content of a method that nobody knows", NONSENSE.replace(b"POST", b"BREW") + GET, (501, 200)),
    Row("6", "content of a wrong type", NONSENSE.replace(b"application/ocsp-request", b"text/plain") + GET, (415, 200)),
    Row("6.1", "chunked in other letters", CHUNKED.replace(b"chunked", b"CHUNKED") + b"8\r\nnonsense\r\n0\r\n\r\n" + GET, (200, 200)),
    Row("6.1", "chunked and white space", CHUNKED.replace(b": chunked", b":chunked \t") + b"8\r\nnonsense\r\n0\r\n\r\n" + GET, (200, 200)),
    *(Row("6.1", f"Transfer-Encoding: {coding.decode()!r}", CHUNKED.replace(b"chunked", coding) + b"0\r\n\r\n" + SMUGGLED, statuses, LAST)
      for coding, statuses in ((b"identity", (501,)), (b"gzip", (501,)), (b"chunked;q=1", (501,)), (b"\"chunked\"", (501,)), (b"chunked\x0b", (400,)))),
    Row("6.3", "no length: no content", POST + b"\r\n" + GET, (200, 200)),
    Row("6.3", "a length of nought", POST + b"Content-Length: 0\r\n\r\n" + GET, (200, 200)),
    Row("6.3", "content as long as is allowed", POST + b"Content-Length: %d\r\n\r\n" % MAX_BODY + bytes(MAX_BODY) + GET, (200, 200)),
    Row("6.3", "longer content, said at once", POST + b"Content-Length: %d\r\n\r\n" % (MAX_BODY + 1), (413,), LAST),
    Row("6.3", "a length of nothing but blanks", POST + b"Content-Length: \t\r\n\r\n" + SMUGGLED, (400,), LAST),
    Row("6.3", "a length in other digits", POST + "Content-Length: ٣\r\n\r\nabc".encode() + SMUGGLED, (400,), LAST),
    Row("6.3", "a length with a point", POST + b"Content-Length: 3.0\r\n\r\nabc" + SMUGGLED, (400,), LAST),
    # ---- chunks ----
    Row("7.1", "chunks, and what follows them", CHUNKED + b"3\r\nnon\r\n5\r\nsense\r\n0\r\n\r\n" + GET, (200, 200)),
    Row("7.1.1", "chunk extensions", CHUNKED + b"3;a\r\nnon\r\n5;b=c;d=\"e f\"\r\nsense\r\n0;x\r\n\r\n" + GET, (200, 200)),
    Row("7.1.2", "trailers", CHUNKED + b"8\r\nnonsense\r\n0\r\nX-Sum: a\r\nX-Other: b\r\n\r\n" + GET, (200, 200)),
    Row("7.1.2", "trailers change no framing", CHUNKED + b"8\r\nnonsense\r\n0\r\nContent-Length: 40\r\nHost: evil\r\nConnection: close\r\n\r\n" + GET, (200, 200)),
    Row("7.1.2", "a trailer that is no field", CHUNKED + b"8\r\nnonsense\r\n0\r\nX Sum: a\r\n\r\n" + SMUGGLED, (400,), LAST),
    Row("7.1", "chunks that are more than is allowed", CHUNKED + b"2000\r\n" + bytes(0x2000) + b"\r\n1000\r\n", (413,), LAST),
    Row("7.1", "a chunk size with a blank behind it", CHUNKED + b"8 \r\nnonsense\r\n0\r\n\r\n" + SMUGGLED, (400,), LAST),
    Row("7.1", "two last chunks", CHUNKED + b"0\r\n\r\n0\r\n\r\n" + SMUGGLED, (200, 400), LAST),
    # ---- the connection ----
    Row("9.3", "HTTP/1.0 that asks to be kept", b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + GET, (200, 200)),
    Row("9.3.2", "requests one behind the other", GET * 5 + NONSENSE + GET.replace(b"GET", b"HEAD") + GET, (200,) * 8, heads=(6,)),
    Row("9.3.2", "what is malformed ends it; what came before is answered", GET * 3 + LINE + b"\r\n" + SMUGGLED, (200, 200, 200, 400), LAST),
    Row("9.6", "close: what follows is not answered", GET + field(b"Connection: close") + SMUGGLED, (200, 200), LAST),
    Row("9.6", "close among other options, in other letters", field(b"Connection: foo ,ClOsE") + SMUGGLED, (200,), LAST),
    Row("9.6", "close in a second field", field(b"Connection: foo\r\nConnection: close") + SMUGGLED, (200,), LAST),
    Row("9.6", "what only begins like close", field(b"Connection: closed") + GET, (200, 200)),
    Row("9.8", "upgrades are not taken", field(b"Connection: upgrade\r\nUpgrade: websocket") + GET, (200, 200)),
    Row("RFC 9110 10.1.1", "Expect with the content at once", NONSENSE.replace(HOST, HOST + b"Expect: 100-continue\r\n") + GET, (200, 200)),
    Row("RFC 9110 10.1.1", "Expect of something else", NONSENSE.replace(HOST, HOST + b"Expect: 100-continue, x\r\n") + SMUGGLED, (417,), LAST),
    Row("RFC 9110 10.1.1", "Expect without content", field(b"Expect: 100-continue") + GET, (200, 200)),
]


@pytest.fixture(scope="module")
def house():
    """It echoes nonces, so that a request with one waits for a signature; and TLS."""
    with open_house(200, 20) as h:
        make_certificate(h)
        configure(h, f'  tls_listen: ["127.0.0.1:{h.tls_port}"]\n', "sign:\n  extras_rate: 1000\n", ["nonce: echo"])
        yield h


# ---- the client ----

class Reader:
    def __init__(self, sock):
        self.sock, self.input, self.is_closed, self.was_reset = sock, b"", False, False
        sock.settimeout(20)

    def more(self):
        try:
            piece = self.sock.recv(1 << 16)
        except ConnectionResetError:
            piece, self.was_reset = b"", True
        self.is_closed |= piece == b""
        self.input += piece

    def take_head(self):
        while b"\r\n\r\n" not in self.input and not self.is_closed:
            self.more()
        head, found, rest = self.input.partition(b"\r\n\r\n")
        assert found or not head, head
        if not found:
            return None, None
        self.input = rest
        lines = head.decode().split("\r\n")
        return int(lines[0].split()[1]), dict(line.lower().split(": ", 1) for line in lines[1:])

    def take(self, is_head=False):
        """(status, fields, body); None: it closed."""
        status, fields = self.take_head()
        while status == 100:
            status, fields = self.take_head()
        if status is None:
            return None
        n = 0 if is_head or status == 304 else int(fields["content-length"])
        while len(self.input) < n and not self.is_closed:
            self.more()
        body, self.input = self.input[:n], self.input[n:]
        assert len(body) == n
        return status, fields, body


def check(sock, one, say):
    with sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        say(sock, one.said)
        reader = Reader(sock)
        got = [reader.take(is_head=n in one.heads) for n in range(len(one.statuses))]
        assert tuple(answer and answer[0] for answer in got) == one.statuses
        assert (got[-1][1].get("connection") == "close") == one.closes
        if one.closes:
            assert reader.take() is None and not reader.was_reset
            return
        say(sock, GET)
        assert reader.take()[0] == 200 and reader.input == b""


def at_once(sock, octets):
    sock.sendall(octets)


def trickled(sock, octets):
    try:
        for n in range(0, len(octets), 3):
            sock.sendall(octets[n:n + 3])
    except (BrokenPipeError, ConnectionResetError):
        pass  # it was refused before its end


def identify(one):
    return f"{one.name} (RFC 9112 {one.rfc})".replace("RFC 9112 RFC", "RFC")


@pytest.mark.parametrize("one", ROWS, ids=identify)
def test_requests_are_answered_one_by_one_or_refused_as_the_rfc_has_it(house, one):
    check(clear(house), one, at_once)


@pytest.mark.parametrize("one", [one for one in ROWS if len(one.said) < 1000], ids=identify)
def test_the_outcome_is_the_same_where_octets_come_a_few_at_a_time(house, one):
    check(clear(house), one, trickled)


@pytest.mark.parametrize("one", ROWS, ids=identify)
def test_the_outcome_is_the_same_over_tls(house, one):
    check(secure(house, "http/1.1"), one, at_once)


def test_a_refusal_reaches_a_client_that_still_sends(house):
    """RFC 9112 9.6: to close at once would reset the connection, and the answer with it."""
    for sock in clear(house), secure(house, "http/1.1"):
        with sock:
            try:
                sock.sendall(POST + b"Content-Length: 10000000\r\n\r\n")
                sock.sendall(bytes(1 << 20))
            except (BrokenPipeError, ConnectionResetError):
                pass
            reader = Reader(sock)
            assert reader.take()[0] == 413 and reader.take() is None and not reader.was_reset


# ---- behind a request that waits for a signature ----

def ocsp_post(house, serial, nonce=None, more=b""):
    der = house.request(serial, nonce=nonce)
    return POST + more + b"Content-Length: %d\r\n\r\n" % len(der) + der


def test_answers_keep_their_order_behind_requests_that_wait(house):
    serials = house.serials("good")[:6]
    nonces = [os.urandom(16) for _ in serials]
    with clear(house) as s:
        s.sendall(b"".join(ocsp_post(house, serial, nonce) + ocsp_post(house, serial) + GET for serial, nonce in zip(serials, nonces)))
        reader = Reader(s)
        for serial, nonce in zip(serials, nonces):
            live, stored, health = reader.take(), reader.take(), reader.take()
            parsed = [ocsp.load_der_ocsp_response(answer[2]) for answer in (live, stored)]
            assert [one.serial_number for one in parsed] == [int(serial, 16)] * 2
            assert nonce in live[2] and nonce not in stored[2] and health[2] == b"ok\n"


def test_a_malformed_request_behind_one_that_waits_is_refused_in_its_turn(house):
    serial = house.serials("good")[7]
    with clear(house) as s:
        s.sendall(ocsp_post(house, serial, os.urandom(16)) + LINE + b"\r\n" + SMUGGLED)
        reader = Reader(s)
        assert ocsp.load_der_ocsp_response(reader.take()[2]).serial_number == int(serial, 16)
        assert reader.take()[0] == 400 and reader.take() is None


def test_close_on_a_request_that_waits_ends_the_connection_behind_its_answer(house):
    serial = house.serials("good")[8]
    with clear(house) as s:
        s.sendall(ocsp_post(house, serial, os.urandom(16), b"Connection: close\r\n") + SMUGGLED)
        reader = Reader(s)
        status, fields, body = reader.take()
        assert ocsp.load_der_ocsp_response(body).serial_number == int(serial, 16) and fields["connection"] == "close"
        assert reader.take() is None


def test_a_client_that_is_half_closed_gets_all_its_answers(house):
    """RFC 9112 9.6: it has said all it wants to say, not that it does not listen."""
    serial = house.serials("good")[9]
    with clear(house) as s:
        s.sendall(GET + ocsp_post(house, serial, os.urandom(16)) + GET)
        s.shutdown(socket.SHUT_WR)
        reader = Reader(s)
        assert [reader.take()[0] for _ in range(3)] == [200, 200, 200] and reader.take() is None


def test_continue_is_said_before_the_content_and_not_after(house):
    der = house.request(house.serials("good")[10])
    for version, wanted in (b"1.1", b"HTTP/1.1 100 Continue\r\n\r\n"), (b"1.0", b""):
        head = POST.replace(b"1.1", version) + b"Connection: keep-alive\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(der)
        with clear(house) as s:
            s.settimeout(20)
            s.sendall(GET + head)
            reader = Reader(s)
            assert reader.take()[0] == 200
            while len(reader.input) < len(wanted):
                reader.more()
            assert reader.input == wanted
            s.sendall(der)
            assert reader.take()[0] == 200
