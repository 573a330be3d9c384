"""HTTP/2 to the letter: what a connection of odd octets gets, section by section of h2spec's list (its numbers are those of RFC 7540 and
7541), with RFC 9113's section beside each. One row: what is said after the preface, and which outcomes are allowed."""
import re
import ssl
import struct
from typing import NamedTuple

import pytest

import h2raw as h2
from h2raw import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HAS_PRIORITY, HEADERS, PADDED, PING, PRIORITY, PUSH_PROMISE,
                   RST_STREAM, SETTINGS, WINDOW_UPDATE, block, clear, data, frame, goaway, headers, house, indexed, literal, priority, request, rst,
                   secure, settings, table_size, window)
from h2raw import COMPRESSION_ERROR, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, NO_ERROR, PROTOCOL_ERROR, STREAM_CLOSED

CERTIFICATE = "/ca/demo-ca.cer"
NONSENSE = bytes.fromhex("30030a0101")  # what the responder says of a body that is no OCSP request: malformedRequest, with 200
GET = request("GET", CERTIFICATE)
OCSP = ("content-type", "application/ocsp-request")
POST = request("POST", "/", OCSP)


# ---- what may come of it ----

class dies(NamedTuple):
    """Connection error (RFC 9113 5.4.1): GOAWAY, and the connection is closed."""
    codes: tuple

    def __str__(self):
        return f"GOAWAY {self.codes} and the end"

    def holds(self, line):
        n_last = max((stream for stream, answer in line.answers.items() if answer.heads), default=0)
        return line.is_closed and line.goaway in self.codes and line.last_stream >= n_last


class resets(NamedTuple):
    """Stream error (5.4.2), no answer but one that says so (8.1.1), and the connection goes on."""
    stream: int
    codes: tuple

    def __str__(self):
        return f"RST_STREAM {self.codes} on {self.stream}"

    def holds(self, line):
        answer = line.answer(self.stream)
        return is_well(line) and answer.rst in self.codes and answer.status in (None, 400)


class answers(NamedTuple):
    stream: int
    status: int = 200
    body: bytes = None

    def __str__(self):
        return f"{self.status} on {self.stream}"

    def holds(self, line):
        answer = line.answer(self.stream)
        return is_well(line) and answer.is_whole and answer.status == self.status and self.body in (None, answer.body)


class ignores(NamedTuple):
    """Nothing comes of it, at least on that stream; 0: on any."""
    stream: int = 0

    def __str__(self):
        return "nothing"

    def holds(self, line):
        return is_well(line) and all(answer.rst is None for stream, answer in line.answers.items() if self.stream in (0, stream))


class parts(NamedTuple):
    """What was asked on that stream is answered, if there is one, then the connection is closed in peace."""
    stream: int = 0

    def __str__(self):
        return "an answer and the end"

    def holds(self, line):
        answer = line.answer(self.stream)
        return line.is_closed and line.goaway in (None, NO_ERROR) and (self.stream == 0 or answer.is_whole and answer.rst is None)


def is_well(line):
    return not line.is_closed and line.goaway is None


def fails(stream, *codes):
    """A stream error, which may be made one of the connection (5.4.1)."""
    return resets(stream, codes), dies(codes)


class wait(NamedTuple):
    """Until the answer on that stream is whole or the stream was reset."""
    stream: int


class Row(NamedTuple):
    section: str  # of h2spec
    rfc: str      # of RFC 9113
    name: str
    said: tuple   # octets, and what is waited for between them
    allowed: tuple


ROWS = []


def row(section, rfc, name, *said, allowed):
    ROWS.append(Row(section, rfc, name, said, allowed if type(allowed) is tuple else (allowed,)))


OPEN_BLOCK = frame(HEADERS, END_STREAM, 1, GET[:10])
REST = frame(CONTINUATION, END_HEADERS, 1, GET[10:])
OPEN_POST = headers(1, POST, end=False)
DONE = (headers(1, GET), wait(1))

# ---- generic: what must simply work ----

row("generic/1", "3.4", "a preface and nothing else", allowed=ignores())
row("generic/2", "5.1", "PRIORITY on an idle stream", priority(1), allowed=ignores())
row("generic/2", "5.1", "WINDOW_UPDATE while the answer is under way", settings((h2.INITIAL_WINDOW_SIZE, 0)), headers(1, GET), window(1, 1 << 20),
    wait(1), allowed=answers(1))
row("generic/2", "5.1", "PRIORITY while the answer is under way", settings((h2.INITIAL_WINDOW_SIZE, 0)), headers(1, GET), priority(1, 3),
    window(1, 1 << 20), wait(1), allowed=answers(1))
row("generic/2", "5.1", "RST_STREAM while the answer is under way", settings((h2.INITIAL_WINDOW_SIZE, 0)), headers(1, GET), rst(1), headers(3, GET),
    window(3, 1 << 20), wait(3), allowed=answers(3))
row("generic/2", "5.1", "PRIORITY on a closed stream", *DONE, priority(1), allowed=answers(1))
row("generic/2", "5.1", "WINDOW_UPDATE on a closed stream", *DONE, window(1, 100), allowed=answers(1))
row("generic/2", "5.1", "RST_STREAM on a closed stream", *DONE, rst(1), headers(3, GET), wait(3), allowed=answers(3))
row("generic/3.1", "6.1", "DATA in one frame", OPEN_POST, data(1, b"nonsense"), wait(1), allowed=answers(1, 200, NONSENSE))
row("generic/3.1", "6.1", "DATA in several frames", OPEN_POST, data(1, b"non", end=False), data(1, b"sense"), wait(1),
    allowed=answers(1, 200, NONSENSE))
row("generic/3.1", "6.1", "DATA with padding", OPEN_POST, frame(DATA, END_STREAM | PADDED, 1, b"\x06nonsense" + bytes(6)), wait(1),
    allowed=answers(1, 200, NONSENSE))
row("generic/3.1", "6.1", "DATA that is padding only", OPEN_POST, frame(DATA, PADDED, 1, b"\xff" + bytes(255)), data(1, b"nonsense"), wait(1),
    allowed=answers(1, 200, NONSENSE))
row("generic/3.1", "6.1", "DATA with a pad length of nought", OPEN_POST, frame(DATA, END_STREAM | PADDED, 1, b"\0nonsense"), wait(1),
    allowed=answers(1, 200, NONSENSE))
row("generic/3.2", "6.2", "HEADERS", headers(1, GET), wait(1), allowed=answers(1))
row("generic/3.2", "6.2", "HEADERS with padding", frame(HEADERS, END_STREAM | END_HEADERS | PADDED, 1, b"\x08" + GET + bytes(8)), wait(1),
    allowed=answers(1))
row("generic/3.2", "6.2", "HEADERS with a priority", frame(HEADERS, END_STREAM | END_HEADERS | HAS_PRIORITY, 1, struct.pack(">IB", 0, 255) + GET),
    wait(1), allowed=answers(1))
row("generic/3.2", "6.2", "HEADERS with padding and a priority",
    frame(HEADERS, END_STREAM | END_HEADERS | HAS_PRIORITY | PADDED, 1, b"\x03" + struct.pack(">IB", 3 | 1 << 31, 0) + GET + bytes(3)), wait(1),
    allowed=answers(1))
for weight, on in ((0, 0), (255, 0), (15, 3), (15, 3 | 1 << 31)):
    row("generic/3.3", "6.3", f"PRIORITY of weight {weight + 1} on {on:#x}", priority(1, on, weight), headers(1, GET), wait(1), allowed=answers(1))
row("generic/3.3", "5.3.2", "PRIORITY on an idle stream, then a request on a lower one", priority(5), headers(3, GET), wait(3),
    allowed=answers(3))
row("generic/3.4", "6.4", "RST_STREAM of a request that is not whole", OPEN_POST, rst(1), headers(3, GET), wait(3), allowed=answers(3))
row("generic/3.5", "6.5", "SETTINGS", settings((h2.MAX_CONCURRENT_STREAMS, 100)), allowed=ignores())
row("generic/3.7", "6.7", "PING", frame(PING, 0, 0, b"\0\1\2\3\4\5\6\7"), allowed=ignores())
row("generic/3.8", "6.8", "GOAWAY with requests under way: they are answered", headers(1, GET), goaway(), wait(1),
    allowed=(answers(1), parts(1)))
row("generic/3.9", "6.9", "WINDOW_UPDATE of the connection", window(0, 1), allowed=ignores())
row("generic/3.9", "6.9", "WINDOW_UPDATE of a stream", OPEN_POST, window(1, 1), data(1, b"nonsense"), wait(1), allowed=answers(1, 200, NONSENSE))
row("generic/3.10", "6.10", "one CONTINUATION", OPEN_BLOCK, REST, wait(1), allowed=answers(1))
row("generic/3.10", "6.10", "five CONTINUATIONs", frame(HEADERS, END_STREAM, 1, GET[:1]), *(frame(CONTINUATION, 0, 1, GET[n:n + 1]) for n in range(1, 5)),
    frame(CONTINUATION, END_HEADERS, 1, GET[5:]), wait(1), allowed=answers(1))
row("generic/3.10", "6.10", "an empty HEADERS before and an empty CONTINUATION after", frame(HEADERS, END_STREAM, 1), frame(CONTINUATION, 0, 1, GET),
    frame(CONTINUATION, END_HEADERS, 1), wait(1), allowed=answers(1))
row("generic/4", "8.1", "GET", headers(1, GET), wait(1), allowed=answers(1))
row("generic/4", "8.1", "HEAD", headers(1, request("HEAD", CERTIFICATE)), wait(1), allowed=answers(1, 200, b""))
row("generic/4", "8.1", "POST", OPEN_POST, data(1, b"nonsense"), wait(1), allowed=answers(1, 200, NONSENSE))
row("generic/4", "8.1", "POST with trailers", OPEN_POST, data(1, b"nonsense", end=False), headers(1, block(("x-trailer", "a"))), wait(1),
    allowed=answers(1, 200, NONSENSE))
row("generic/4", "8.1", "POST with empty trailers", OPEN_POST, data(1, b"nonsense", end=False), headers(1, b""), wait(1),
    allowed=answers(1, 200, NONSENSE))
row("generic/4", "8.1", "an unknown method", headers(1, request("BREW", "/")), wait(1), allowed=answers(1, 501))

# ---- generic/5: HPACK's representations (RFC 7541 6) ----

PSEUDO = [(2, ":method", "GET"), (6, ":scheme", "http"), (4, ":path", CERTIFICATE), (1, ":authority", "h")]


def spelled(how, prefix, by_index, huffman):
    return b"".join(literal(index if by_index else name, value, how, prefix, huffman) for index, name, value in PSEUDO)


for what, how, prefix in (("with incremental indexing", 0x40, 6), ("without indexing", 0, 4), ("never indexed", 0x10, 4)):
    for by_index in (True, False):
        for huffman in (True, False):
            row("generic/5", "4.3", f"literals {what}, {'indexed' if by_index else 'new'} name{', Huffman' * huffman}",
                headers(1, spelled(how, prefix, by_index, huffman)), wait(1), allowed=answers(1))
row("generic/5", "4.3", "indexed fields of the static table", headers(1, indexed(2) + indexed(6) + literal(4, CERTIFICATE) + literal(1, "h")), wait(1),
    allowed=answers(1))
row("generic/5", "4.3", "indexed fields of the dynamic table", headers(1, spelled(0x40, 6, True, False)), wait(1),
    headers(3, indexed(65) + indexed(64) + indexed(63) + indexed(62)), wait(3), allowed=answers(3))
row("generic/5", "4.3", "a table size update", headers(1, table_size(128) + GET), wait(1), allowed=answers(1))
row("generic/5", "4.3", "two table size updates", headers(1, table_size(0) + table_size(4096) + GET), wait(1), allowed=answers(1))
row("generic/5", "4.3", "a table of size nought keeps nothing", headers(1, table_size(0) + spelled(0x40, 6, True, False)), wait(1),
    headers(3, indexed(62)), allowed=dies((COMPRESSION_ERROR,)))
row("generic/5", "4.3", "what is put into the table pushes out the oldest", headers(1, table_size(64) + GET + literal("x-a", "a" * 20, 0x40)
    + literal("x-b", "b" * 20, 0x40)), wait(1), headers(3, GET + indexed(62)), wait(3), headers(5, GET + indexed(63)),
    allowed=dies((COMPRESSION_ERROR,)))

# ---- 3: the preface ----

row("http2/3.5", "3.4", "another frame before SETTINGS", h2.PREFACE + frame(PING, 0, 0, bytes(8)), allowed=dies((PROTOCOL_ERROR,)))
row("http2/3.5", "3.4", "a request before SETTINGS", h2.PREFACE + headers(1, GET), allowed=dies((PROTOCOL_ERROR,)))
row("http2/3.5", "3.4", "an acknowledgement for SETTINGS", h2.PREFACE + frame(SETTINGS, ACK, 0), allowed=dies((PROTOCOL_ERROR,)))

# ---- 4: frames ----

row("http2/4.1", "5.5", "an unknown type", frame(0x16, 0, 0, bytes(8)), allowed=ignores())
row("http2/4.1", "5.5", "an unknown type on an idle stream", frame(0xFF, 0xFF, 5, bytes(100)), headers(1, GET), wait(1), allowed=answers(1))
row("http2/4.1", "4.1", "PING with undefined flags", frame(PING, 0x16, 0, bytes(8)), allowed=ignores())
row("http2/4.1", "4.1", "the reserved bit set", frame(PING, 0, 1 << 31, bytes(8)), allowed=ignores())
row("http2/4.1", "4.1", "a request with the reserved bit and undefined flags", frame(HEADERS, 0xD2 | END_HEADERS | END_STREAM, 1 | 1 << 31, GET), wait(1),
    allowed=answers(1))
row("http2/4.1", "5.1.1", "a WINDOW_UPDATE's reserved bit", frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 31 | 1)), allowed=ignores())
row("http2/4.2", "4.2", "DATA of 16,384 octets", OPEN_POST, data(1, bytes(16384)), wait(1), allowed=answers(1, 413))
row("http2/4.2", "4.2", "DATA of 16,385 octets", OPEN_POST, data(1, bytes(16385)), allowed=fails(1, FRAME_SIZE_ERROR))
row("http2/4.2", "4.2", "HEADERS of 16,385 octets", headers(1, GET + literal("x", "a" * (16385 - len(GET) - 6))), allowed=dies((FRAME_SIZE_ERROR,)))
for name, kind in (("SETTINGS", SETTINGS), ("PING", PING), ("an unknown type", 0x20)):
    row("http2/4.2", "4.2", f"{name} of 16,386 octets", frame(kind, 0, 0, bytes(16386)), allowed=dies((FRAME_SIZE_ERROR,)))
row("http2/4.3", "4.3", "a field block that is none", headers(1, b"\x82\x86\x84\x41\x8a\x08\x9d\x5c\x0b\x81\x70\xdc\x78\x0f\x8b\x40\xff\xff\xff\xff"),
    allowed=dies((COMPRESSION_ERROR,)))
row("http2/4.3", "4.3", "a field block that ends in the middle of a field", headers(1, GET + b"\x00\x05ab"), allowed=dies((COMPRESSION_ERROR,)))
row("http2/4.3", "6.10", "PRIORITY inside a field block", OPEN_BLOCK, priority(1), REST, allowed=dies((PROTOCOL_ERROR,)))
row("http2/4.3", "6.10", "HEADERS of another stream inside a field block", OPEN_BLOCK, headers(3, GET), REST, allowed=dies((PROTOCOL_ERROR,)))
row("http2/4.3", "4.3", "the table is kept in step by a refused request", headers(1, request("GET", "a" * 9) + literal("x-a", CERTIFICATE, 0x40)), wait(1),
    headers(3, block((":method", "GET"), (":scheme", "http"), (":authority", "h")) + literal(4, CERTIFICATE, 0x40) + indexed(63)), wait(3),
    allowed=answers(3))
row("http2/4.3", "4.3", "the table is kept in step by trailers", OPEN_POST, data(1, b"x", end=False), headers(1, literal("x-a", "b", 0x40)), wait(1),
    headers(3, GET + indexed(62)), wait(3), allowed=answers(3))

# ---- 5.1: each state and each frame ----

ANY = {
    "DATA": data(1, b"test"), "HEADERS": headers(1, GET), "PRIORITY": priority(1), "RST_STREAM": rst(1), "WINDOW_UPDATE": window(1, 100),
    "CONTINUATION": frame(CONTINUATION, END_HEADERS, 1, GET), "PUSH_PROMISE": frame(PUSH_PROMISE, END_HEADERS, 1, struct.pack(">I", 2) + GET),
}
HALF_CLOSED = (settings((h2.INITIAL_WINDOW_SIZE, 0)), headers(1, GET))  # its answer waits for a window
AFTER_RESET = (*HALF_CLOSED, rst(1))
BAD = (dies((PROTOCOL_ERROR,)),)
LATE = (dies((STREAM_CLOSED,)), dies((PROTOCOL_ERROR,)), resets(1, (STREAM_CLOSED,)))
STATES = {
    # state: (what leads there, what each frame may cause)
    "idle": ((), {
        "DATA": (*BAD, *fails(1, STREAM_CLOSED)), "HEADERS": answers(1), "PRIORITY": ignores(), "RST_STREAM": BAD, "WINDOW_UPDATE": BAD,
        "CONTINUATION": BAD, "PUSH_PROMISE": BAD}),
    "half-closed (remote)": (HALF_CLOSED, {
        "DATA": fails(1, STREAM_CLOSED), "HEADERS": fails(1, STREAM_CLOSED), "PRIORITY": ignores(), "RST_STREAM": ignores(),
        "WINDOW_UPDATE": ignores(), "CONTINUATION": (*BAD, *fails(1, STREAM_CLOSED)), "PUSH_PROMISE": BAD}),
    "closed by its client's RST_STREAM": (AFTER_RESET, {
        "DATA": LATE, "HEADERS": LATE, "PRIORITY": ignores(), "RST_STREAM": (*LATE, ignores()),
        "WINDOW_UPDATE": (*LATE, ignores()), "CONTINUATION": BAD, "PUSH_PROMISE": BAD}),
    "closed by END_STREAM": (DONE, {
        "DATA": LATE, "HEADERS": dies((STREAM_CLOSED,)), "PRIORITY": ignores(), "RST_STREAM": ignores(), "WINDOW_UPDATE": ignores(),
        "CONTINUATION": (*BAD, dies((STREAM_CLOSED,))), "PUSH_PROMISE": BAD}),
    "closed by our RST_STREAM": ((headers(1, request("GET", CERTIFICATE, ("Upper", "a")), end=False), wait(1)), {
        "DATA": (*LATE, resets(1, (PROTOCOL_ERROR,))), "HEADERS": (*LATE, resets(1, (PROTOCOL_ERROR,))), "PRIORITY": resets(1, (PROTOCOL_ERROR,)),
        "RST_STREAM": resets(1, (PROTOCOL_ERROR,)), "WINDOW_UPDATE": resets(1, (PROTOCOL_ERROR,)), "CONTINUATION": BAD, "PUSH_PROMISE": BAD}),
}
for state, (before, outcomes) in STATES.items():
    for name, allowed in outcomes.items():
        until = (wait(1),) if allowed == answers(1) else ()
        row("http2/5.1", "5.1", f"{state}: {name}", *before, ANY[name], *until, allowed=allowed)
row("http2/5.1", "5.1", "open: HEADERS without END_STREAM", OPEN_POST, headers(1, block(("x-a", "b")), end=False), allowed=fails(1, PROTOCOL_ERROR))
row("http2/5.1", "5.1", "open: CONTINUATION", OPEN_POST, frame(CONTINUATION, END_HEADERS, 1, GET), allowed=BAD)
row("http2/5.1", "5.1", "DATA after our RST_STREAM counts for the connection's window only", headers(1, request("GET", CERTIFICATE, ("Upper", "a")), end=False),
    wait(1), *(data(1, bytes(16384), end=False) for _ in range(8)), headers(3, POST, end=False), data(3, b"nonsense"), wait(3),
    allowed=answers(3, 200, NONSENSE))
row("http2/5.1.1", "5.1.1", "an even stream", headers(2, GET), allowed=BAD)
row("http2/5.1.1", "5.1.1", "the highest stream", headers((1 << 31) - 1, GET), wait((1 << 31) - 1), allowed=answers((1 << 31) - 1))
row("http2/5.1.1", "5.1.1", "a stream below the last that was never opened", headers(5, GET), wait(5), headers(3, GET),
    allowed=(*BAD, dies((STREAM_CLOSED,))))
row("http2/5.3.1", "RFC 7540 5.3.1", "HEADERS that depends on itself", frame(HEADERS, END_STREAM | END_HEADERS | HAS_PRIORITY, 1,
    struct.pack(">IB", 1, 255) + GET), wait(1), allowed=fails(1, PROTOCOL_ERROR))
row("http2/5.3.1", "RFC 7540 5.3.1", "HEADERS with padding that depends on itself", frame(HEADERS, END_STREAM | END_HEADERS | HAS_PRIORITY | PADDED, 1,
    b"\x03" + struct.pack(">IB", 1 | 1 << 31, 255) + GET + bytes(3)), wait(1), allowed=fails(1, PROTOCOL_ERROR))
row("http2/5.3.1", "RFC 7540 5.3.1", "PRIORITY that depends on itself", priority(3, 3), allowed=fails(3, PROTOCOL_ERROR))
row("http2/5.4.1", "5.4.1", "a PING of the wrong length ends the connection", frame(PING, 0, 0, bytes(6)), allowed=dies((FRAME_SIZE_ERROR,)))
row("http2/5.4.1", "5.4.1", "after an error no request is answered", frame(SETTINGS, 0, 1), headers(1, GET), allowed=BAD)
row("http2/5.5", "5.5", "an unknown frame", frame(0x16, 0, 0, bytes(8)), allowed=ignores())
row("http2/5.5", "5.5", "an unknown frame inside a field block", OPEN_BLOCK, frame(0x16, 0, 0, bytes(8)), REST, allowed=BAD)

# ---- 6: each frame ----

row("http2/6.1", "6.1", "DATA on stream 0", OPEN_POST, data(0, b"test"), allowed=BAD)
row("http2/6.1", "6.1", "DATA on a stream that is half closed", *HALF_CLOSED, data(1, b"test"), allowed=fails(1, STREAM_CLOSED))
row("http2/6.1", "6.1", "a pad length as long as the frame", OPEN_POST, frame(DATA, END_STREAM | PADDED, 1, b"\x05test"), allowed=BAD)
row("http2/6.1", "6.1", "padded DATA without a pad length", OPEN_POST, frame(DATA, END_STREAM | PADDED, 1), allowed=dies((PROTOCOL_ERROR, FRAME_SIZE_ERROR)))
row("http2/6.2", "6.2", "PRIORITY in place of CONTINUATION", OPEN_BLOCK, priority(1), REST, allowed=BAD)
row("http2/6.2", "6.2", "HEADERS in place of CONTINUATION", OPEN_BLOCK, headers(3, GET), REST, allowed=BAD)
row("http2/6.2", "6.2", "DATA in place of CONTINUATION", frame(HEADERS, 0, 1, POST[:10]), data(1, b"x"), frame(CONTINUATION, END_HEADERS, 1, POST[10:]),
    allowed=BAD)
row("http2/6.2", "6.2", "HEADERS on stream 0", headers(0, GET), allowed=BAD)
row("http2/6.2", "6.2", "a pad length as long as the frame", frame(HEADERS, END_STREAM | END_HEADERS | PADDED, 1, bytes([len(GET) + 1]) + GET),
    allowed=fails(1, PROTOCOL_ERROR))
row("http2/6.2", "6.2", "padded HEADERS without a pad length", frame(HEADERS, END_STREAM | END_HEADERS | PADDED, 1),
    allowed=dies((PROTOCOL_ERROR, FRAME_SIZE_ERROR)))
row("http2/6.2", "6.2", "HEADERS too short for its priority", frame(HEADERS, END_STREAM | END_HEADERS | HAS_PRIORITY, 1, bytes(4)),
    allowed=dies((PROTOCOL_ERROR, FRAME_SIZE_ERROR)))
row("http2/6.3", "6.3", "PRIORITY on stream 0", priority(0), allowed=BAD)
for length in (4, 6):
    row("http2/6.3", "6.3", f"PRIORITY of {length} octets", frame(PRIORITY, 0, 1, bytes(length)), allowed=fails(1, FRAME_SIZE_ERROR))
row("http2/6.4", "6.4", "RST_STREAM on stream 0", rst(0), allowed=BAD)
row("http2/6.4", "6.4", "RST_STREAM on an idle stream", rst(1), allowed=BAD)
for length in (3, 5):
    row("http2/6.4", "6.4", f"RST_STREAM of {length} octets", OPEN_POST, frame(RST_STREAM, 0, 1, bytes(length)), allowed=dies((FRAME_SIZE_ERROR,)))
row("http2/6.5", "6.5", "an acknowledgement with a payload", frame(SETTINGS, ACK, 0, bytes(6)), allowed=dies((FRAME_SIZE_ERROR,)))
row("http2/6.5", "6.5", "SETTINGS on a stream", frame(SETTINGS, 0, 1, bytes(6)), allowed=BAD)
row("http2/6.5", "6.5", "SETTINGS of three octets", frame(SETTINGS, 0, 0, bytes(3)), allowed=dies((FRAME_SIZE_ERROR,)))
row("http2/6.5", "6.5", "SETTINGS of seven octets", frame(SETTINGS, 0, 0, bytes(7)), allowed=dies((FRAME_SIZE_ERROR,)))
row("http2/6.5.2", "6.5.2", "ENABLE_PUSH of 2", settings((h2.ENABLE_PUSH, 2)), allowed=BAD)
row("http2/6.5.2", "6.5.2", "INITIAL_WINDOW_SIZE of 2^31", settings((h2.INITIAL_WINDOW_SIZE, 1 << 31)), allowed=dies((FLOW_CONTROL_ERROR,)))
row("http2/6.5.2", "6.5.2", "MAX_FRAME_SIZE of 16,383", settings((h2.MAX_FRAME_SIZE, 16383)), allowed=BAD)
row("http2/6.5.2", "6.5.2", "MAX_FRAME_SIZE of 2^24", settings((h2.MAX_FRAME_SIZE, 1 << 24)), allowed=BAD)
row("http2/6.5.2", "6.5.2", "an unknown setting", settings((0xFF, 1)), headers(1, GET), wait(1), allowed=answers(1))
row("http2/6.5.2", "6.5.2", "the extremes that are allowed", settings((h2.HEADER_TABLE_SIZE, (1 << 32) - 1), (h2.ENABLE_PUSH, 1), (h2.MAX_CONCURRENT_STREAMS, 0),
    (h2.INITIAL_WINDOW_SIZE, (1 << 31) - 1), (h2.MAX_FRAME_SIZE, (1 << 24) - 1), (h2.MAX_HEADER_LIST_SIZE, (1 << 32) - 1)), headers(1, GET), wait(1),
    allowed=answers(1))
row("http2/6.5.2", "6.5.2", "no table at the client's", settings((h2.HEADER_TABLE_SIZE, 0)), headers(1, GET), wait(1), allowed=answers(1))
row("http2/6.5.3", "6.5.3", "of one setting twice the last one counts", settings((h2.INITIAL_WINDOW_SIZE, 0), (h2.INITIAL_WINDOW_SIZE, 1000)),
    headers(1, GET), wait(1), allowed=answers(1))
row("http2/6.5.3", "6.5.3", "an acknowledgement that nobody asked for", frame(SETTINGS, ACK, 0), frame(SETTINGS, ACK, 0), allowed=(ignores(), *BAD))
row("http2/6.6", "8.4", "PUSH_PROMISE", frame(PUSH_PROMISE, END_HEADERS, 1, struct.pack(">I", 2) + GET), allowed=BAD)
row("http2/6.7", "6.7", "PING with ACK is not answered", frame(PING, ACK, 0, b"unasked!"), allowed=ignores())
row("http2/6.7", "6.7", "PING on a stream", frame(PING, 0, 1, bytes(8)), allowed=BAD)
for length in (0, 6, 9):
    row("http2/6.7", "6.7", f"PING of {length} octets", frame(PING, 0, 0, bytes(length)), allowed=dies((FRAME_SIZE_ERROR,)))
row("http2/6.8", "6.8", "GOAWAY on a stream", frame(GOAWAY, 0, 1, bytes(8)), allowed=BAD)
row("http2/6.8", "6.8", "GOAWAY of seven octets", frame(GOAWAY, 0, 0, bytes(7)), allowed=dies((FRAME_SIZE_ERROR,)))
row("http2/6.8", "6.8", "GOAWAY with debug data", goaway(0, NO_ERROR, b"why" * 100), allowed=(ignores(), parts()))
row("http2/6.9", "6.9", "an increment of 0 on the connection", window(0, 0), allowed=BAD)
row("http2/6.9", "6.9", "an increment of 0 on a stream", OPEN_POST, window(1, 0), allowed=fails(1, PROTOCOL_ERROR))
for length in (3, 5):
    row("http2/6.9", "6.9", f"WINDOW_UPDATE of {length} octets", frame(WINDOW_UPDATE, 0, 0, bytes(length)), allowed=dies((FRAME_SIZE_ERROR,)))
row("http2/6.9.1", "6.9.1", "the connection's window above 2^31-1", window(0, (1 << 31) - 1), window(0, (1 << 31) - 1), allowed=dies((FLOW_CONTROL_ERROR,)))
row("http2/6.9.1", "6.9.1", "the connection's window above 2^31-1 by one", window(0, (1 << 31) - 65535), allowed=dies((FLOW_CONTROL_ERROR,)))
row("http2/6.9.1", "6.9.1", "the connection's window at 2^31-1", window(0, (1 << 31) - 65536), headers(1, GET), wait(1), allowed=answers(1))
row("http2/6.9.1", "6.9.1", "a stream's window above 2^31-1", OPEN_POST, window(1, (1 << 31) - 1), window(1, (1 << 31) - 1), allowed=fails(1, FLOW_CONTROL_ERROR))
row("http2/6.9.2", "6.9.2", "INITIAL_WINDOW_SIZE that puts a stream's window above 2^31-1", OPEN_POST, window(1, (1 << 31) - 1 - 65535),
    settings((h2.INITIAL_WINDOW_SIZE, 65536)), allowed=dies((FLOW_CONTROL_ERROR,)))
row("http2/6.10", "6.10", "several CONTINUATIONs", OPEN_BLOCK, frame(CONTINUATION, 0, 1, GET[10:12]), frame(CONTINUATION, END_HEADERS, 1, GET[12:]), wait(1),
    allowed=answers(1))
row("http2/6.10", "6.10", "DATA between CONTINUATIONs", frame(HEADERS, 0, 1, POST[:9]), frame(CONTINUATION, 0, 1, POST[9:10]), data(1, b"x"),
    frame(CONTINUATION, END_HEADERS, 1, POST[10:]), allowed=BAD)
row("http2/6.10", "6.10", "CONTINUATION on stream 0", OPEN_BLOCK, frame(CONTINUATION, END_HEADERS, 0, GET[10:]), allowed=BAD)
row("http2/6.10", "6.10", "CONTINUATION on another stream", OPEN_BLOCK, frame(CONTINUATION, END_HEADERS, 3, GET[10:]), allowed=BAD)
row("http2/6.10", "6.10", "CONTINUATION after END_HEADERS", OPEN_POST, frame(CONTINUATION, END_HEADERS, 1, b""), allowed=BAD)
row("http2/6.10", "6.10", "CONTINUATION after a CONTINUATION with END_HEADERS", frame(HEADERS, 0, 1, POST[:9]), frame(CONTINUATION, END_HEADERS, 1, POST[9:]),
    frame(CONTINUATION, END_HEADERS, 1, b""), allowed=BAD)
row("http2/6.10", "6.10", "CONTINUATION after DATA", OPEN_POST, data(1, b"x", end=False), frame(CONTINUATION, END_HEADERS, 1, b""), allowed=BAD)

# ---- 7: error codes ----

row("http2/7", "7", "GOAWAY with an unknown code", goaway(0, 0xFF), allowed=(ignores(), parts()))
row("http2/7", "7", "RST_STREAM with an unknown code", OPEN_POST, rst(1, 0xFF), headers(3, GET), wait(3), allowed=answers(3))

# ---- 8.1: requests that are malformed (8.1.1) ----

MALFORMED = {
    # section of h2spec, of RFC 9113: {name: field block}
    ("http2/8.1.2", "8.2.1"): {
        "a name in upper case": request("GET", CERTIFICATE, ("X-TEST", "ok")),
        "an empty name": request("GET", CERTIFICATE, ("", "ok")),
        "a name with a space": request("GET", CERTIFICATE, ("x test", "ok")),
        "a name with a colon": request("GET", CERTIFICATE, ("x:test", "ok")),
        "a name with an octet above 127": request("GET", CERTIFICATE, (b"x\xff", "ok")),
        "NUL in a value": request("GET", CERTIFICATE, ("x-test", "a\0b")),
        "LF in a value": request("GET", CERTIFICATE, ("x-test", "a\nb")),
        "CR in a value": request("GET", CERTIFICATE, ("x-test", "a\rb")),
        "a value that begins with a space": request("GET", CERTIFICATE, ("x-test", " ok")),
        "a value that ends with a tab": request("GET", CERTIFICATE, ("x-test", "ok\t")),
    },
    ("http2/8.1.2.1", "8.3"): {
        "an unknown pseudo-field": request("GET", CERTIFICATE) + block((":test", "ok")),
        "a pseudo-field of answers": request("GET", CERTIFICATE) + block((":status", "200")),
        "a pseudo-field after another field": block(("x-test", "ok")) + GET,
        "a pseudo-field among the others": block((":method", "GET"), (":scheme", "http"), (":path", CERTIFICATE), ("x", "y"), (":authority", "h")),
        ":protocol, which was not offered": block((":method", "CONNECT"), (":protocol", "websocket"), (":scheme", "http"), (":path", "/"), (":authority", "h")),
    },
    ("http2/8.1.2.2", "8.2.2"): {
        **{f"the field {name}": request("GET", CERTIFICATE, (name, value)) for name, value in (
            ("connection", "keep-alive"), ("connection", "close"), ("proxy-connection", "keep-alive"), ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"), ("upgrade", "foo/2"))},
        "TE other than trailers": request("GET", CERTIFICATE, ("te", "trailers, deflate;q=0.5")),
    },
    ("http2/8.1.2.3", "8.3.1"): {
        "an empty :path": request("GET", ""),
        "no :method": block((":scheme", "http"), (":path", CERTIFICATE), (":authority", "h")),
        "no :scheme": block((":method", "GET"), (":path", CERTIFICATE), (":authority", "h")),
        "no :path": block((":method", "GET"), (":scheme", "http"), (":authority", "h")),
        "two :method": block((":method", "GET")) + GET,
        "two :scheme": block((":scheme", "http")) + GET,
        "two :path": block((":path", CERTIFICATE)) + GET,
        "two :authority": block((":authority", "h")) + GET,
        "no field at all": b"",
        "an empty :method": request("", CERTIFICATE),
        "a :path that does not begin with a slash": request("GET", "ca/demo-ca.cer"),
        "a :path that is a whole URL": request("GET", "http://h" + CERTIFICATE),
        "the asterisk with another method": request("GET", "*"),
        "CONNECT with a :path": request("CONNECT", CERTIFICATE),
    },
}
for (section, rfc), blocks in MALFORMED.items():
    for name, octets in blocks.items():
        row(section, rfc, name, headers(1, octets), wait(1), allowed=resets(1, (PROTOCOL_ERROR,)))
for status, name, octets in (
    (200, "TE: trailers", request("GET", CERTIFICATE, ("te", "trailers"))),
    (200, "Host for :authority", block((":method", "GET"), (":scheme", "http"), (":path", CERTIFICATE), ("host", "h"))),
    (200, "Host as :authority, in other letters", request("GET", CERTIFICATE, ("host", "H"))),
    (400, "Host other than :authority", request("GET", CERTIFICATE, ("host", "evil"))),
    (400, "user information in :authority", request("GET", CERTIFICATE, authority="u@h")),
    (200, "pseudo-fields in another order", block((":authority", "h"), (":path", CERTIFICATE), (":scheme", "http"), (":method", "GET"))),
    (200, "octets above 127 in a value", request("GET", CERTIFICATE, ("x", b"\xc3\xa4"))),
    (405, "CONNECT", block((":method", "CONNECT"), (":authority", "h:443"))),
    (404, "OPTIONS of the asterisk", request("OPTIONS", "*")),
):
    row("http2/8.1.2.3", "8.3.1", name, headers(1, octets), wait(1), allowed=answers(1, status))
row("http2/8.1.2.1", "8.1", "a pseudo-field in the trailers", OPEN_POST, data(1, b"x", end=False), headers(1, block((":method", "POST"))), wait(1),
    allowed=resets(1, (PROTOCOL_ERROR,)))
row("http2/8.1.2.2", "8.1", "a field of the connection in the trailers", OPEN_POST, data(1, b"x", end=False), headers(1, block(("connection", "close"))), wait(1),
    allowed=resets(1, (PROTOCOL_ERROR,)))
row("http2/8.1", "8.1", "trailers without END_STREAM", OPEN_POST, data(1, b"x", end=False), headers(1, block(("x-a", "b")), end=False), wait(1),
    allowed=fails(1, PROTOCOL_ERROR))
LONG_POST = headers(1, request("POST", "/", OCSP, ("content-length", "5")), end=False)
for name, frames in {
    "shorter than one DATA": (data(1, b"longer than that"),), "shorter than the sum of DATA": (data(1, b"abc", end=False), data(1, b"def")),
    "longer than DATA": (data(1, b"abc"),), "not reached before trailers": (data(1, b"abc", end=False), headers(1, block(("x-a", "b")))),
}.items():
    row("http2/8.1.2.6", "8.1.1", f"content-length {name}", LONG_POST, *frames, wait(1), allowed=resets(1, (PROTOCOL_ERROR,)))
row("http2/8.1.2.6", "8.1.1", "content-length without DATA", headers(1, request("POST", "/", OCSP, ("content-length", "5"))), wait(1),
    allowed=resets(1, (PROTOCOL_ERROR,)))
row("http2/8.1.2.6", "8.1.1", "two content-lengths", headers(1, request("POST", "/", OCSP, ("content-length", "5"), ("content-length", "6")), end=False),
    data(1, b"abcde"), wait(1), allowed=resets(1, (PROTOCOL_ERROR,)))
row("http2/8.1.2.6", "8.1.1", "a content-length that is no number", headers(1, request("POST", "/", OCSP, ("content-length", "+5")), end=False),
    data(1, b"abcde"), wait(1), allowed=resets(1, (PROTOCOL_ERROR,)))
row("http2/8.1.2.6", "8.1.1", "a content-length that is right", LONG_POST, data(1, b"abc", end=False), data(1, b"de"), wait(1),
    allowed=answers(1, 200, NONSENSE))
row("http2/8.2", "8.4", "PUSH_PROMISE of a client", headers(1, GET), wait(1), frame(PUSH_PROMISE, END_HEADERS, 3, struct.pack(">I", 2) + GET), allowed=BAD)

# ---- HPACK's errors (RFC 7541) ----

for section, rfc, name, octets in (
    ("hpack/2.3.3", "RFC 7541 2.3.3", "an index beyond the tables", GET + indexed(70)),
    ("hpack/2.3.3", "RFC 7541 2.3.3", "an index beyond any table", GET + b"\xff" + b"\xff" * 9 + b"\x7f"),
    ("hpack/2.3.3", "RFC 7541 2.3.3", "a literal with an index beyond the tables", GET + literal(70, "empty", 0x40, 6)),
    ("hpack/4.2", "RFC 7541 4.2", "a table size update at the end of the block", GET + table_size(1)),
    ("hpack/5.2", "RFC 7541 5.2", "Huffman padding of more than 7 bits", GET + b"\x00\x85\xf2\xb2\x4a\x84\xff\x84\x49\x50\x9f\xff"),
    ("hpack/5.2", "RFC 7541 5.2", "Huffman padding of noughts", GET + b"\x00\x85\xf2\xb2\x4a\x84\xff\x83\x49\x50\x90"),
    ("hpack/5.2", "RFC 7541 5.2", "Huffman with EOS inside", GET + b"\x00\x85\xf2\xb2\x4a\x84\xff\x87\x49\x51\xff\xff\xff\xfa\x7f"),
    ("hpack/5.1", "RFC 7541 5.1", "an integer without an end", GET + b"\x00\x7f" + b"\x80" * 20 + b"\x01"),
    ("hpack/5.1", "RFC 7541 5.1", "a string longer than its block", GET + b"\x00\x7f\xff\xff\x7f"),
    ("hpack/6.1", "RFC 7541 6.1", "index 0", GET + indexed(0)),
    ("hpack/6.3", "RFC 7541 6.3", "a table size above what was offered", table_size(4097) + GET),
    ("hpack/6.3", "RFC 7541 6.3", "a table size far above", table_size((1 << 31)) + GET),
):
    row(section, rfc, name, headers(1, octets), allowed=dies((COMPRESSION_ERROR,)))


# ---- the tests ----

def told(line):
    streams = {n: (a.status, a.is_whole, a.rst) for n, a in line.answers.items()}
    return f"GOAWAY {line.goaway}, closed {line.is_closed}, streams {streams}, {len(line.pongs)} PINGs answered"


def play(line, one, say):
    """Octets up to where something is waited for are said in one go."""
    octets = b"" if one.section == "http2/3.5" else h2.PREFACE + settings()
    for piece in (*one.said, None):
        if type(piece) is bytes:
            octets += piece
            continue
        say(octets)
        octets = b""
        if piece and not line.wait(piece.stream):
            break
    line.sync()
    assert any(outcome.holds(line) for outcome in one.allowed), f"{told(line)}; allowed: {', '.join(map(str, one.allowed))}"


def identify(one):
    return f"{one.section} {one.name} (RFC 9113 {one.rfc})".replace("RFC 9113 RFC", "RFC")


@pytest.mark.parametrize("one", ROWS, ids=identify)
def test_each_frame_has_the_outcome_that_the_rfc_allows(house, one):
    with h2.Line(clear(house), greets=False) as line:
        play(line, one, line.say)


@pytest.mark.parametrize("one", [one for one in ROWS if sum(len(said) for said in one.said if type(said) is bytes) < 2000], ids=identify)
def test_the_outcome_is_the_same_where_frames_come_octet_by_octet(house, one):
    def trickle(octets):
        for n in range(len(octets)):
            line.say(octets[n:n + 1])

    with h2.Line(clear(house), greets=False) as line:
        play(line, one, trickle)


SECURE = ("generic/3.1 ", "generic/3.10", "http2/4.2", "http2/5.4.1", "http2/6.1 ", "http2/6.5 ")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"])
@pytest.mark.parametrize("one", [one for one in ROWS if identify(one).startswith(SECURE)], ids=identify)
def test_the_outcome_is_the_same_over_tls(house, one, version):
    with h2.Line(secure(house, "h2", most=version), greets=False) as line:
        play(line, one, line.say)


PREFACES = {
    "another text": b"INVALID CONNECTION PREFACE\r\n\r\n",
    "one octet wrong at the end": h2.PREFACE[:-1] + b"X",
    "its first half only": h2.PREFACE[:16] + b"\r\n\r\n",
    "HTTP/1.1 by its version": h2.PREFACE.replace(b"2.0", b"1.1"),
    "bare line feeds": h2.PREFACE.replace(b"\r", b""),
}


@pytest.mark.parametrize("name", PREFACES)
def test_a_preface_that_is_none_is_refused_and_no_frame_behind_it_is_read(house, name):
    """RFC 9113 3.4; h2spec http2/3.5. What does not begin as HTTP/2 is HTTP/1."""
    with clear(house) as s:
        s.settimeout(20)
        s.sendall(PREFACES[name] + settings() + headers(1, GET))
        said = b""
        while piece := s.recv(65536):
            said += piece
    assert re.match(rb"HTTP/1.1 (400|505) ", said) and said.count(b"HTTP/1.1") == 1


def test_over_tls_http2_is_spoken_only_where_alpn_agreed_on_it(house):
    """RFC 9113 3.2"""
    for protocols, agreed in (("h2",), "h2"), (("http/1.1", "h2"), "h2"), (("http/1.1",), "http/1.1"), ((), None):
        with secure(house, *protocols) as s:
            assert s.selected_alpn_protocol() == agreed
    with pytest.raises(ssl.SSLError):
        secure(house, "h3")
    with secure(house, "http/1.1") as s:
        s.settimeout(20)
        s.sendall(h2.PREFACE + settings())
        assert re.match(rb"HTTP/1.1 (400|505) ", s.recv(1000))
    with secure(house, "h2") as s:
        s.settimeout(20)
        s.sendall(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert b"HTTP/1.1" not in s.recv(1000)
