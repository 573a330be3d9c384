"""HTTP/2 by hand (RFC 9113, RFC 7541): frames as octets, so that a test can say what no well-behaved client would. Nothing here checks
what is sent; what comes back is read strictly."""
import socket
import ssl
import struct
import subprocess
import time
import urllib.parse

import pytest

from conftest import free_port, open_house

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
ACK, END_STREAM, END_HEADERS, PADDED, HAS_PRIORITY = 1, 1, 4, 8, 32
(NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL,
 COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM, INADEQUATE_SECURITY, HTTP_1_1_REQUIRED) = range(14)
HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE = range(1, 7)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
PATIENCE_S = 20  # a bound on waiting, never a measurement


def frame(kind, flags, stream, payload=b"", length=None):
    """`length`: what the frame says of its payload, if it lies."""
    length = len(payload) if length is None else length
    return struct.pack(">BHBBI", length >> 16, length & 0xFFFF, kind, flags, stream) + payload


def settings(*pairs):
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *pair) for pair in pairs))


def headers(stream, block, end=True, flags=END_HEADERS):
    return frame(HEADERS, flags | (END_STREAM if end else 0), stream, block)


def long_headers(stream, octets, end=True):
    """In as many frames as it takes."""
    pieces = [octets[n:n + 16384] for n in range(0, len(octets), 16384)]
    kinds = [(HEADERS, END_STREAM if end else 0)] + [(CONTINUATION, 0)] * (len(pieces) - 1)
    return b"".join(frame(kind, flags | (END_HEADERS if n == len(pieces) - 1 else 0), stream, pieces[n]) for n, (kind, flags) in enumerate(kinds))


def data(stream, content, end=True):
    return frame(DATA, END_STREAM if end else 0, stream, content)


def rst(stream, code=CANCEL):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def window(stream, increment):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


def priority(stream, on=0, weight=15):
    return frame(PRIORITY, 0, stream, struct.pack(">IB", on, weight))


def goaway(last=0, code=NO_ERROR, debug=b""):
    return frame(GOAWAY, 0, 0, struct.pack(">II", last, code) + debug)


# ---- HPACK (RFC 7541) ----

# Appendix A
STATIC = [(":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"), (":path", "/index.html"), (":scheme", "http"),
          (":scheme", "https"), *((":status", code) for code in ("200", "204", "206", "304", "400", "404", "500")), ("accept-charset", ""),
          ("accept-encoding", "gzip, deflate"), *((name, "") for name in (
              "accept-language accept-ranges accept access-control-allow-origin age allow authorization cache-control content-disposition "
              "content-encoding content-language content-length content-location content-range content-type cookie date etag expect "
              "expires from host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified link location "
              "max-forwards proxy-authenticate proxy-authorization range referer refresh retry-after server set-cookie "
              "strict-transport-security transfer-encoding user-agent vary via www-authenticate").split())]
# Appendix B is a canonical code: its short codes, in order, by length. No longer ones are used here.
HUFFMAN = {5: "012aceiost", 6: " %-./3456789=A_bdfghlmnpru", 7: ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz", 8: "&*,;XZ", 10: "!\"()?", 11: "'+|",
           12: "#>", 13: "\0$@[]~", 14: "^}", 15: "<`{"}


def huffman_codes():
    code, previous = 0, 5
    for length, characters in HUFFMAN.items():
        for character in characters:
            code <<= length - previous
            previous = length
            yield f"{code:0{length}b}", character
            code += 1


SYMBOL_OF = dict(huffman_codes())
CODE_OF = {character: code for code, character in SYMBOL_OF.items()}


def integer(value, prefix, first=0):
    """RFC 7541 5.1; `first`: the bits before the prefix."""
    most = (1 << prefix) - 1
    if value < most:
        return bytes([first | value])
    out, value = [first | most], value - most
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def string(text, huffman=False):
    raw = text if isinstance(text, bytes) else text.encode("latin-1")
    if not huffman:
        return integer(len(raw), 7) + raw
    bits = "".join(CODE_OF[character] for character in raw.decode())
    bits += "1" * (-len(bits) % 8)
    return integer(len(bits) // 8, 7, 0x80) + int(bits, 2).to_bytes(len(bits) // 8, "big")


def literal(name, value, how=0, prefix=4, huffman=False):
    """A field not put into the table, unless how = 0x40, prefix = 6. A number for a name is an index."""
    if isinstance(name, int):
        return integer(name, prefix, how) + string(value, huffman)
    return bytes([how]) + string(name, huffman) + string(value, huffman)


def indexed(index):
    return integer(index, 7, 0x80)


def table_size(size):
    return integer(size, 5, 0x20)


def block(*fields):
    return b"".join(literal(name, value) for name, value in fields)


def request(method="GET", path="/", *fields, scheme="http", authority="h"):
    return block((":method", method), (":scheme", scheme), (":path", path), (":authority", authority), *fields)


class Decoder:
    """Of field blocks that a server sends."""

    def __init__(self, limit=4096):
        self.table, self.limit, self.most, self.must_shrink, self.least = [], limit, limit, False, limit

    def entry(self, index):
        return STATIC[index - 1] if index <= len(STATIC) else self.table[index - len(STATIC) - 1]

    def set_most(self, size):
        """Our SETTINGS_HEADER_TABLE_SIZE, now that it is acknowledged: a table that is larger must be made smaller first (4.2)."""
        self.most = size
        self.must_shrink |= size < self.limit
        self.least = min(self.least, size)

    def evict(self):
        while sum(len(name) + len(value) + 32 for name, value in self.table) > self.limit:
            self.table.pop()

    def integer(self, prefix):
        value = self.block[self.at] & ((1 << prefix) - 1)
        self.at += 1
        if value < (1 << prefix) - 1:
            return value
        shift = 0
        while True:
            octet = self.block[self.at]
            self.at += 1
            value += (octet & 127) << shift
            shift += 7
            if octet < 128:
                return value

    def string(self):
        is_huffman = self.block[self.at] & 0x80
        length = self.integer(7)
        raw = self.block[self.at:self.at + length]
        assert len(raw) == length
        self.at += length
        return unfold(raw) if is_huffman else raw.decode("latin-1")

    def literal(self, prefix):
        index = self.integer(prefix)
        name = self.entry(index)[0] if index else self.string()
        return name, self.string()

    def decode(self, octets):
        self.block, self.at, fields = octets, 0, []
        while self.at < len(octets):
            first = octets[self.at]
            if first & 0x80:
                fields.append(self.entry(self.integer(7)))
            elif first & 0x40:
                fields.append(self.literal(6))
                self.table.insert(0, fields[-1])
                self.evict()
            elif first & 0x20:
                self.resize(self.integer(5), fields)
            else:
                fields.append(self.literal(4))
        assert not self.must_shrink
        self.least = self.limit
        check_fields([name for name, _ in fields])
        return fields

    def resize(self, size, fields):
        assert size <= self.most and not fields  # RFC 7541 4.2, 6.3
        self.must_shrink &= size > self.least
        self.limit = size
        self.evict()


def check_fields(names):
    """RFC 9113 8.2, 8.3.2: of an answer."""
    assert names[0] == ":status" and not any(name.startswith(":") for name in names[1:])
    assert all(name == name.lower() for name in names) and len(set(names)) == len(names)
    assert not {"connection", "keep-alive", "transfer-encoding", "upgrade", "proxy-connection"} & set(names)


def unfold(raw):
    text, code = "", ""
    for bit in "".join(f"{octet:08b}" for octet in raw):
        code += bit
        if code in SYMBOL_OF:
            text += SYMBOL_OF[code]
            code = ""
    assert len(code) < 8 and "0" not in code  # RFC 7541 5.2
    return text


# ---- a connection ----

class Answer:
    def __init__(self):
        self.heads, self.body, self.is_whole, self.rst = [], b"", False, None

    @property
    def fields(self):
        return dict(self.heads[-1])

    @property
    def status(self):
        return int(self.fields[":status"]) if self.heads else None


class Line:
    """Says octets and keeps what the other side says."""

    def __init__(self, sock, *pairs, preface=PREFACE, greets=True, table_limit=4096):
        self.sock, self.input, self.is_closed = sock, b"", False
        self.goaway, self.last_stream, self.settings, self.n_acks = None, None, None, 0
        self.pongs, self.answers, self.windows, self.decoder = [], {}, [], Decoder(table_limit)
        self.fragments, self.is_acking = None, True
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if greets:
            self.say(preface + settings(*pairs))

    def say(self, octets):
        try:
            self.sock.sendall(octets)
        except (BrokenPipeError, ConnectionResetError):
            pass  # what it said before can still be read

    def answer(self, stream):
        return self.answers.setdefault(stream, Answer())

    # what came

    def on_frame(self, kind, flags, stream, payload):
        assert self.fragments is None or kind == CONTINUATION
        handler = {DATA: self.on_data, HEADERS: self.on_headers, CONTINUATION: self.on_continuation, RST_STREAM: self.on_rst,
                   SETTINGS: self.on_settings, PING: self.on_ping, GOAWAY: self.on_goaway, WINDOW_UPDATE: self.on_window}[kind]
        handler(flags, stream, payload)

    def on_data(self, flags, stream, payload):
        answer = self.answer(stream)
        assert answer.heads and not answer.is_whole and not flags & PADDED
        answer.body += payload
        answer.is_whole = bool(flags & END_STREAM)

    def on_headers(self, flags, stream, payload):
        assert not flags & (PADDED | HAS_PRIORITY) and not self.answer(stream).is_whole
        self.fragments = payload
        self.ends_stream = bool(flags & END_STREAM)
        self.end_block(flags, stream)

    def on_continuation(self, flags, stream, payload):
        self.fragments += payload
        self.end_block(flags, stream)

    def end_block(self, flags, stream):
        if flags & END_HEADERS:
            self.answer(stream).heads.append(self.decoder.decode(self.fragments))
            self.answer(stream).is_whole = self.ends_stream
            self.fragments = None

    def on_rst(self, flags, stream, payload):
        self.answer(stream).rst = struct.unpack(">I", payload)[0]

    def on_settings(self, flags, stream, payload):
        assert stream == 0 and len(payload) % 6 == 0
        if flags & ACK:
            self.n_acks += 1
            return
        self.settings = dict(struct.unpack_from(">HI", payload, at) for at in range(0, len(payload), 6))
        if self.is_acking:
            self.say(frame(SETTINGS, ACK, 0))

    def on_ping(self, flags, stream, payload):
        assert flags == ACK and len(payload) == 8
        self.pongs.append(payload)

    def on_goaway(self, flags, stream, payload):
        last, code = struct.unpack_from(">II", payload)
        self.last_stream, self.goaway = last, code

    def on_window(self, flags, stream, payload):
        self.windows.append((stream, struct.unpack(">I", payload)[0]))

    def read_frame(self):
        """False: no whole frame is there."""
        if len(self.input) < 9 or len(self.input) < 9 + int.from_bytes(self.input[:3], "big"):
            return False
        length = int.from_bytes(self.input[:3], "big")
        kind, flags, stream = struct.unpack_from(">BBI", self.input, 3)
        assert length <= 16384 and stream < 1 << 31
        payload, self.input = self.input[9:9 + length], self.input[9 + length:]
        self.on_frame(kind, flags, stream, payload)
        return True

    def read_until(self, condition, patience_s=PATIENCE_S):
        """False: the connection closed before that. It fails when nothing comes any more."""
        deadline = time.monotonic() + patience_s
        while not condition():
            if self.read_frame():
                continue
            if self.is_closed:
                return False
            self.sock.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                piece = self.sock.recv(1 << 17)
            except ConnectionResetError:
                piece = b""
            self.input += piece
            self.is_closed = piece == b""
        return True

    # what tests do

    def sync(self):
        """All that was said so far has had its effect when the second PING is answered. False: it closed."""
        for _ in range(2):
            n = len(self.pongs)
            self.say(frame(PING, 0, 0, b"sync%04d" % n))
            if not self.read_until(lambda: b"sync%04d" % n in self.pongs or self.goaway is not None):
                return False
        if self.goaway is not None:
            self.read_until(lambda: False)
        return not self.is_closed

    def wait(self, *streams):
        return self.read_until(lambda: all(self.answer(s).is_whole or self.answer(s).rst is not None for s in streams))

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# ---- whom to speak to ----

def make_certificate(house):
    """For TLS, at a port of its own."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=h", "-keyout",
                    house.dir / "tls.key", "-out", house.dir / "tls.pem"], check=True, capture_output=True)
    (house.dir / "tls.key").chmod(0o600)
    house.tls_port = free_port()


@pytest.fixture(scope="module")
def house():
    """CRLs of more than a window's 65,535 octets, surrogate tags, and TLS."""
    with open_house(2400, 2200) as h:
        make_certificate(h)
        h.configure("responder", f'tls_listen: ["127.0.0.1:{h.tls_port}"]', "tags: Surrogate-Key")
        h.settle()  # two that ask the same shall get the same
        yield h


def clear(house):
    host, port = urllib.parse.urlparse(house.env["OCSP_URL"]).netloc.split(":")
    return socket.create_connection((host, int(port)))


def secure(house, *protocols, most=None):
    context = ssl.create_default_context(cafile=str(house.dir / "tls.pem"))
    context.check_hostname = False
    if protocols:
        context.set_alpn_protocols(list(protocols))
    if most:
        context.maximum_version = most
    return context.wrap_socket(socket.create_connection(("127.0.0.1", house.tls_port)))
