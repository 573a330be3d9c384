"""Whole exchanges over HTTP/2 by a client of raw frames: contents, flow control, limits, floods. Single frames: test_h2_conformance.py."""
import base64
import http.client
import urllib.parse

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp

import h2raw as h2
from h2raw import (CONTINUATION, DATA, END_STREAM, HEADERS, PADDED, PING, block, clear, data, frame, headers, house, indexed, literal, priority, request,
                   rst, settings, window)
from test_attack import anon_kb, has_grown, worker_of

CERTIFICATE, CRL = "/ca/demo-ca.cer", "/crl/demo-ca.crl"
TYPE = ("content-type", "application/ocsp-request")
LARGE = (1 << 31) - 1 - 65535  # an increment that makes a window as large as it gets


def ask(line, stream, method, path, *fields, body=None):
    line.say(h2.long_headers(stream, request(method, path, *fields), end=body is None) + (b"" if body is None else data(stream, body)))
    assert line.wait(stream)
    return line.answer(stream)


def get_path(der):
    return "/" + base64.b64encode(der).decode().replace("+", "%2B").replace("=", "%3D").replace("/", "%2F")


# ---- contents: as by HTTP/1.1 ----

def by_http1(house, method, path, fields, body):
    connection = http.client.HTTPConnection(urllib.parse.urlparse(house.env["OCSP_URL"]).netloc, timeout=20)
    connection.request(method, path, body, dict(fields))
    answer = connection.getresponse()
    got = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    connection.close()
    return got


def by_http2(house, method, path, fields, body):
    with h2.Line(clear(house), (h2.INITIAL_WINDOW_SIZE, 1 << 20)) as line:
        line.say(window(0, 1 << 20))
        answer = ask(line, 1, method, path, *fields, body=body)
        return answer.status, answer.fields, answer.body


def comparable(answer):
    status, fields, body = answer
    return status, {name: value for name, value in fields.items() if name not in ("date", "connection", "keep-alive", ":status")}, body


EXCHANGES = {
    # name: (method, path, fields, body, status, tags); {..} stands for what the house knows
    "an OCSP answer by GET": ("GET", "{good}", (), None, 200, "issuer shard bucket"),
    "an OCSP answer by HEAD": ("HEAD", "{good}", (), None, 200, "issuer shard bucket"),
    "an OCSP answer by POST": ("POST", "/", (TYPE,), "{good}", 200, "issuer shard bucket"),
    "a revoked one": ("GET", "{revoked}", (), None, 200, "issuer shard bucket"),
    "one that is fresh at the client's, by its tag": ("GET", "{good}", (("if-none-match", "{etag}"),), None, 304, "issuer shard bucket"),
    "one that is fresh at the client's, by its date": ("GET", "{good}", (("if-modified-since", "{date}"),), None, 304, "issuer shard bucket"),
    "one that is not": ("GET", "{good}", (("if-none-match", '"other"'),), None, 200, "issuer shard bucket"),
    "a tag wins over a date": ("GET", "{good}", (("if-none-match", '"other"'), ("if-modified-since", "{date}")), None, 200, "issuer shard bucket"),
    "an unknown serial": ("GET", "{unknown}", (), None, 200, ""),
    "what is no OCSP request": ("POST", "/", (TYPE,), b"nonsense", 200, ""),
    "no content": ("POST", "/", (TYPE,), b"", 200, ""),
    "another content type": ("POST", "/", (("content-type", "text/plain"),), b"x", 415, ""),
    "the CA's certificate": ("GET", CERTIFICATE, (), None, 200, "issuer"),
    "a CRL": ("GET", CRL, (), None, 200, "issuer shard crl"),
    "a CRL by HEAD": ("HEAD", CRL, (), None, 200, "issuer shard crl"),
    "a part of a CRL": ("GET", CRL, (("range", "bytes=100-70099"),), None, 206, "issuer shard crl"),
    "the end of a CRL": ("GET", CRL, (("range", "bytes=-100"),), None, 206, "issuer shard crl"),
    "the last octet of a CRL": ("GET", CRL, (("range", "bytes=-1"),), None, 206, "issuer shard crl"),
    "a part of a CRL that is still the one": ("GET", CRL, (("range", "bytes=0-9"), ("if-range", "{crl etag}")), None, 206, "issuer shard crl"),
    "a part of a CRL that is another now": ("GET", CRL, (("range", "bytes=0-9"), ("if-range", '"other"')), None, 200, "issuer shard crl"),
    "a part that is not there": ("GET", CRL, (("range", "bytes=100000000-"),), None, 416, ""),
    "several parts": ("GET", CRL, (("range", "bytes=0-1,3-4"),), None, 200, "issuer shard crl"),
    "a CRL that is fresh at the client's": ("GET", CRL, (("if-none-match", "{crl etag}"),), None, 304, "issuer shard crl"),
    "a CRL by POST": ("POST", CRL, (TYPE,), b"x", 405, ""),
    "another method": ("DELETE", CRL, (), None, 405, ""),
    "nothing that is there": ("GET", "/crl/none.crl", (), None, 404, ""),
    "base64 that is none": ("GET", "/%21%21%21%21", (), None, 400, ""),
    "health": ("GET", "/healthz", (), None, 200, ""),
    "a path that is too long": ("GET", "/" + "a" * 8192, (), None, 414, ""),
    "too many fields": ("GET", CRL, tuple((f"x-{n}", "a") for n in range(70)), None, 431, ""),
    "too long fields": ("GET", CRL, (("x", "a" * 16000), ("y", "a" * 1000)), None, 431, ""),
    "too much content": ("POST", "/", (TYPE,), bytes(10001), 413, ""),
    "an expectation that nobody has": ("POST", "/", (TYPE, ("expect", "200-ok")), b"x", 417, ""),
}


@pytest.fixture(scope="module")
def known(house):
    good = house.request(house.serials("good")[0])
    words = {"good": good, "revoked": house.request(house.serials("revoked")[0]), "unknown": house.request(0x7E57 << 100)}
    _, fields, _ = by_http1(house, "GET", get_path(good), (), None)
    _, crl_fields, _ = by_http1(house, "GET", CRL, (), None)
    return {**words, "etag": fields["etag"], "date": fields["last-modified"], "crl etag": crl_fields["etag"]}


def filled(known, text, as_path=False):
    if type(text) is not str or not text.startswith("{"):
        return text
    value = known[text[1:-1]]
    return get_path(value) if as_path else value


@pytest.mark.parametrize("name", EXCHANGES)
def test_http2_gives_the_answer_that_http1_gives(house, known, name):
    method, path, fields, body, status, tags = EXCHANGES[name]
    one = (method, filled(known, path, True), [(key, filled(known, value)) for key, value in fields], filled(known, body))
    for _ in range(3):  # a max-age may tick in between
        got, want = by_http2(house, *one), by_http1(house, *one)
        if comparable(got) == comparable(want):
            break
    assert comparable(got) == comparable(want)
    assert got[0] == status and (method != "HEAD" or got[2] == b"")
    kinds = [tag.split("-")[0] for tag in got[1].get("surrogate-key", "").split()]
    assert tags is None or " ".join(kinds) in (tags, tags + " batch"), got[1]


def frames_of(der, how):
    middle = len(der) // 2
    return {
        "padded": frame(DATA, PADDED, 1, b"\xff" + der[:middle] + bytes(255)) + frame(DATA, PADDED | END_STREAM, 1, b"\x01" + der[middle:] + b"\0"),
        "octet by octet": b"".join(data(1, der[n:n + 1], end=False) for n in range(len(der))) + data(1, b""),
        "with trailers": data(1, der, end=False) + headers(1, block(("x-checksum", "none"))),
    }[how]


@pytest.mark.parametrize("how", ["padded", "octet by octet", "with trailers"])
def test_content_arrives_as_it_was_sent_however_it_is_framed(house, how):
    serial = house.serials("good")[1]
    der = house.request(serial)
    with h2.Line(clear(house)) as line:
        line.say(headers(1, request("POST", "/", TYPE, ("content-length", str(len(der)))), end=False) + frames_of(der, how))
        assert line.wait(1) and line.answer(1).status == 200
        response = ocsp.load_der_ocsp_response(line.answer(1).body)
        assert response.certificate_status == ocsp.OCSPCertStatus.GOOD and response.serial_number == int(serial, 16)


def test_each_of_many_streams_gets_its_own_answer(house):
    serials = house.serials("good")[:100]
    with h2.Line(clear(house), (h2.INITIAL_WINDOW_SIZE, 1 << 20)) as line:
        line.say(window(0, 1 << 20) + b"".join(headers(2 * n + 1, request("GET", get_path(house.request(s)))) for n, s in enumerate(serials)))
        assert line.wait(*(2 * n + 1 for n in range(100)))
        told = [ocsp.load_der_ocsp_response(line.answer(2 * n + 1).body).serial_number for n in range(100)]
    assert told == [int(serial, 16) for serial in serials]


def test_a_client_that_expects_100_continue_gets_it_then_the_answer(house):
    with h2.Line(clear(house)) as line:
        line.say(headers(1, request("POST", "/", TYPE, ("expect", "100-continue")), end=False))
        assert line.read_until(lambda: line.answer(1).heads) and line.answer(1).status == 100 and not line.answer(1).is_whole
        line.say(data(1, b"nonsense"))
        assert line.wait(1) and line.answer(1).status == 200


def test_an_upgrade_from_http1_is_not_taken(house):
    """RFC 9113 3.1: the Upgrade of RFC 7540 is gone."""
    with clear(house) as s:
        s.settimeout(20)
        s.sendall(f"GET {CERTIFICATE} HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\n"
                  "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n".encode())
        assert s.recv(100).startswith(b"HTTP/1.1 200 ")


def test_an_answer_that_comes_before_its_request_ended_is_whole_and_the_rest_is_not_minded(house):
    """RFC 9113 8.1: RST_STREAM with NO_ERROR behind it."""
    with h2.Line(clear(house)) as line:
        line.say(headers(1, request("POST", "/", TYPE), end=False) + data(1, bytes(10001), end=False))
        line.read_until(lambda: line.answer(1).rst is not None)
        assert line.answer(1).is_whole and line.answer(1).status == 413 and line.answer(1).rst == h2.NO_ERROR
        line.say(data(1, bytes(100), end=False) + data(1, b"the end") + headers(3, request("GET", CERTIFICATE)))
        assert line.wait(3) and line.answer(3).status == 200


# ---- field blocks (RFC 7541) ----

def pseudo(path):
    return literal(":method", "GET", 0x40) + literal(":scheme", "http", 0x40) + path + literal(":authority", "h", 0x40)


def answered(line, stream, octets):
    line.say(headers(stream, octets))
    assert line.wait(stream), line.goaway
    return line.answer(stream).status


def test_a_field_block_may_be_cut_anywhere(house):
    octets = b"".join(literal(name, value, 0x40, huffman=True) for name, value in (
        (":method", "GET"), (":scheme", "http"), (":path", CERTIFICATE), (":authority", "h"), ("x-long", "a" * 200)))
    with h2.Line(clear(house), (h2.INITIAL_WINDOW_SIZE, 1 << 20)) as line:
        line.say(window(0, 1 << 20))
        for n in range(len(octets) + 1):
            line.say(frame(HEADERS, END_STREAM, 2 * n + 1, octets[:n]) + frame(CONTINUATION, h2.END_HEADERS, 2 * n + 1, octets[n:]))
            assert line.wait(2 * n + 1), (n, line.goaway)
            assert line.answer(2 * n + 1).status == 200, n


def test_a_new_entry_may_take_the_name_of_the_one_that_it_pushes_out(house):
    """RFC 7541 4.4"""
    with h2.Line(clear(house)) as line:
        one = h2.table_size(32 + 5 + len(CERTIFICATE)) + block((":method", "GET"), (":scheme", "http"), (":authority", "h"))
        assert answered(line, 1, one + literal(":path", "/healthz", 0x40)) == 200
        rest = block((":method", "GET"), (":scheme", "http"), (":authority", "h"))
        assert answered(line, 3, rest + literal(62, CERTIFICATE, 0x40, 6)) == 200
        assert answered(line, 5, rest + indexed(62)) == 200
        assert line.answer(3).body == line.answer(5).body and line.answer(3).fields["content-type"] == "application/pkix-cert"


@pytest.mark.parametrize("limit, filling, rest", [(560, 0, 505), (4096, 3000, 3085)], ids=["the table grows", "what is left moves up"])
def test_it_may_also_where_the_memory_of_the_table_moves(house, limit, filling, rest):
    with h2.Line(clear(house)) as line:
        others = block((":method", "GET"), (":scheme", "http"), (":authority", "h"))
        assert answered(line, 1, h2.table_size(limit) + request("GET", CERTIFICATE) + literal("x-0", "a" * filling, 0x40)) == 200
        assert answered(line, 3, others + literal(":path", "/healthz", 0x40)) == 200
        more = literal("x-1", "b" * 900, 0x40) if filling else b""
        assert answered(line, 5, request("GET", CERTIFICATE) + more) == 200
        assert answered(line, 7, others + literal(63 if filling else 62, CERTIFICATE + "?" + "a" * rest, 0x40, 6)) == 200
        assert answered(line, 9, others + indexed(62)) == 200 and line.answer(9).body == line.answer(1).body


def test_an_entry_larger_than_the_table_empties_it(house):
    """RFC 7541 4.4: and is no error."""
    with h2.Line(clear(house)) as line:
        assert answered(line, 1, pseudo(literal(":path", CERTIFICATE, 0x40))) == 200
        assert answered(line, 3, indexed(65) + indexed(64) + indexed(63) + indexed(62) + literal("x", "a" * 4096, 0x40)) == 200
        line.say(headers(5, request("GET", CERTIFICATE) + indexed(62)))
        assert not line.sync() and line.goaway == h2.COMPRESSION_ERROR


@pytest.mark.parametrize("how", [0, 0x10], ids=["without indexing", "never indexed"])
def test_what_is_not_to_be_indexed_is_not(house, how):
    with h2.Line(clear(house)) as line:
        assert answered(line, 1, request("GET", CERTIFICATE) + literal("x-a", "b", how)) == 200
        line.say(headers(3, request("GET", CERTIFICATE) + indexed(62)))
        assert not line.sync() and line.goaway == h2.COMPRESSION_ERROR


def test_a_table_made_smaller_forgets_the_oldest_and_grows_again(house):
    with h2.Line(clear(house)) as line:
        assert answered(line, 1, pseudo(literal(":path", CERTIFICATE, 0x40))) == 200
        kept = 32 + len(":authority") + 1 + 32 + len(":path") + len(CERTIFICATE)
        rest = block((":method", "GET"), (":scheme", "http"))
        assert answered(line, 3, h2.table_size(kept) + h2.table_size(4096) + rest + indexed(63) + indexed(62)) == 200
        line.say(headers(5, request("GET", CERTIFICATE) + indexed(64)))
        assert not line.sync() and line.goaway == h2.COMPRESSION_ERROR


def test_many_entries_come_and_go(house):
    """More than a table's worth, again and again: the index of the newest is always 62."""
    with h2.Line(clear(house), (h2.INITIAL_WINDOW_SIZE, 1 << 20)) as line:
        line.say(window(0, 1 << 20))
        for n in range(300):
            path = CERTIFICATE if n % 3 else "/healthz"
            filling = literal(f"x-{n}", "a" * (n * 37 % 600), 0x40)
            rest = block((":method", "GET"), (":scheme", "http"), (":authority", "h"))
            assert answered(line, 4 * n + 1, rest + literal(":path", path, 0x40) + filling) == 200
            assert answered(line, 4 * n + 3, rest + indexed(63)) == 200
            assert line.answer(4 * n + 1).body == line.answer(4 * n + 3).body and (line.answer(4 * n + 3).body == b"ok\n") == (n % 3 == 0)


# RFC 7541 appendix B
LONG_CODES = {"backslash": (0x7FFF0, 19), "128": (0xFFFE6, 20), "255": (0x3FFFFEE, 26), "249": (0xFFFFFFE, 28)}
FORBIDDEN = {"LF": (0x3FFFFFFC, 30), "CR": (0x3FFFFFFD, 30), "NUL": (0x1FF8, 13)}


def huffman_value(code, length):
    bits = f"{code:0{length}b}" + h2.CODE_OF["a"]
    bits += "1" * (-len(bits) % 8)
    return h2.string("x") + h2.integer(len(bits) // 8, 7, 0x80) + int(bits, 2).to_bytes(len(bits) // 8, "big")


@pytest.mark.parametrize("name", [*LONG_CODES, *FORBIDDEN])
def test_long_huffman_codes_are_read_too(house, name):
    """Of an octet that no value may hold, too: it is the request that is malformed then, not the block (RFC 9113 8.2.1)."""
    value = huffman_value(*{**LONG_CODES, **FORBIDDEN}[name])
    with h2.Line(clear(house)) as line:
        status = answered(line, 1, request("GET", CERTIFICATE) + b"\0" + value)
        assert status == 200 if name in LONG_CODES else line.answer(1).rst == h2.PROTOCOL_ERROR
        assert answered(line, 3, request("GET", CERTIFICATE)) == 200


# ---- flow control (RFC 9113 5.2, 6.9) ----

def receives(line, wanted, *streams):
    """So many octets of these streams' bodies come, and no more."""
    def total():
        return sum(len(line.answer(stream).body) for stream in streams or (1,))
    line.read_until(lambda: total() >= wanted)
    line.sync()
    return total() == wanted


def test_of_a_body_goes_out_what_the_streams_window_lets_and_no_octet_more(house):
    _, _, crl = by_http1(house, "GET", CRL, (), None)
    for size in (0, 1, 1000, 16384, 16385):
        with h2.Line(clear(house), (h2.INITIAL_WINDOW_SIZE, size)) as line:
            line.say(headers(1, request("GET", CRL)))
            assert receives(line, size)
            line.say(window(1, 1))
            assert receives(line, size + 1)
            line.say(window(1, 2) + window(1, 3))
            assert receives(line, size + 6)
            line.say(window(0, LARGE) + window(1, 1 << 20))
            assert line.wait(1) and line.answer(1).body == crl


@pytest.mark.parametrize("kind", ["stored", "from the engine", "certificate"])
def test_a_small_body_goes_out_in_as_many_pieces_as_the_windows_want(house, kind):
    der = house.request(house.serials("good")[3], algorithm=hashes.SHA256() if kind == "from the engine" else None)
    path = CERTIFICATE if kind == "certificate" else get_path(der)
    with h2.Line(clear(house), (h2.INITIAL_WINDOW_SIZE, 7)) as line, h2.Line(clear(house)) as other:
        line.say(headers(1, request("GET", path)))
        line.read_until(lambda: len(line.answer(1).body) == 7)
        while not line.answer(1).is_whole:
            line.say(window(1, 50))
            line.sync()
        if kind == "certificate":
            assert line.answer(1).body == ask(other, 1, "GET", path).body
        else:
            assert ocsp.load_der_ocsp_response(line.answer(1).body).serial_number == int(house.serials("good")[3], 16)
            house.verify(ocsp.load_der_ocsp_response(line.answer(1).body))


def test_a_settings_frame_changes_the_windows_that_are_there(house):
    """RFC 9113 6.9.2: also to below nought."""
    with h2.Line(clear(house), (h2.INITIAL_WINDOW_SIZE, 3)) as line:
        line.say(headers(1, request("GET", CRL)))
        assert receives(line, 3)
        line.say(settings((h2.INITIAL_WINDOW_SIZE, 2)) + window(1, 1))
        assert receives(line, 3)
        line.say(window(1, 1))
        assert receives(line, 4)
        line.say(settings((h2.INITIAL_WINDOW_SIZE, 0)) + window(1, 2))
        assert receives(line, 4)
        line.say(settings((h2.INITIAL_WINDOW_SIZE, 10)))
        assert receives(line, 14)
        assert line.n_acks == 4


def test_the_connections_window_holds_for_all_streams_together(house):
    _, _, crl = by_http1(house, "GET", CRL, (), None)
    assert len(crl) > 65535
    with h2.Line(clear(house), (h2.INITIAL_WINDOW_SIZE, 1 << 20)) as line:
        line.say(headers(1, request("GET", CRL)) + headers(3, request("GET", CRL)))
        assert receives(line, 65535, 1, 3)
        line.say(headers(5, request("HEAD", CRL)))  # needs none
        assert line.wait(5) and line.answer(5).status == 200
        line.say(window(0, 1))
        assert receives(line, 65536, 1, 3)
        line.say(window(0, LARGE - 1))
        assert line.wait(1, 3) and line.answer(1).body == line.answer(3).body == crl


def test_windows_are_given_back_whatever_becomes_of_the_content(house):
    """Of answered, of refused and of reset streams (RFC 9113 5.1, 5.2.1, 6.9): half a megabyte, never more than is allowed."""
    cases = [(request("POST", "/", TYPE), 200), (request("POST", CRL), 405), (request("POST", "/", TYPE, ("Upper", "a")), None)]
    with h2.Line(clear(house), (h2.INITIAL_WINDOW_SIZE, 1 << 20)) as line:
        line.say(window(0, LARGE))
        used = 0
        for n in range(64):
            fields, status = cases[n % 3]
            line.read_until(lambda: 65535 + sum(more for stream, more in line.windows if stream == 0) - used >= 8000)
            line.say(headers(2 * n + 1, fields, end=False) + data(2 * n + 1, bytes(8000)))
            used += 8000
            assert line.wait(2 * n + 1) and line.answer(2 * n + 1).status == status


def test_a_streams_window_is_given_back_as_its_content_comes(house):
    """RFC 9113 6.9.1: padding counts, so that a small body may take more than a window."""
    der = house.request(house.serials("good")[4])
    with h2.Line(clear(house)) as line:
        line.say(headers(1, request("POST", "/", TYPE), end=False))
        for n in range(300):
            used = n * 257
            line.read_until(lambda: all(65535 + sum(more for stream, more in line.windows if stream == s) - used >= 257 for s in (0, 1)))
            piece = der[n:n + 1]
            line.say(frame(DATA, PADDED, 1, b"\xff" + piece + bytes(255)))
        line.say(data(1, der[300:]))
        assert line.wait(1) and ocsp.load_der_ocsp_response(line.answer(1).body).certificate_status == ocsp.OCSPCertStatus.GOOD


# ---- settings ----

def test_what_the_server_says_first_is_settings_that_allow_enough(house):
    with h2.Line(clear(house)) as line:
        line.sync()
        said = line.settings
        assert said.get(h2.MAX_CONCURRENT_STREAMS, 1 << 31) >= 100  # RFC 9113 6.5.2
        assert said.get(h2.ENABLE_PUSH, 0) == 0 and 65535 <= said.get(h2.INITIAL_WINDOW_SIZE, 65535) < 1 << 31
        assert 16384 <= said.get(h2.MAX_FRAME_SIZE, 16384) < 1 << 24
        assert line.n_acks == 1


def test_each_settings_frame_is_acknowledged_once(house):
    with h2.Line(clear(house)) as line:
        line.say(settings((h2.INITIAL_WINDOW_SIZE, 100)) * 3 + settings())
        line.sync()
        assert line.n_acks == 5


def test_a_ping_comes_back_with_its_octets(house):
    with h2.Line(clear(house)) as line:
        line.say(frame(PING, 0, 0, b"\0\xff12\r\n34") + frame(PING, 0x7E, 0, b"abcdefgh"))
        line.sync()
        assert line.pongs[:2] == [b"\0\xff12\r\n34", b"abcdefgh"]


@pytest.mark.parametrize("size", [0, 1, 100, 4096, 1 << 20])
def test_the_clients_table_is_as_large_as_it_says(house, size):
    """RFC 7541 4.2: a smaller table counts from our acknowledgement on, and is told at the next block's begin."""
    path = get_path(house.request(house.serials("good")[2]))
    with h2.Line(clear(house)) as line:
        assert ask(line, 1, "GET", path).status == 200
        line.say(settings((h2.HEADER_TABLE_SIZE, size)))
        line.read_until(lambda: line.n_acks == 2)
        line.decoder.set_most(size)
        for stream in (3, 5, 7):
            assert ask(line, stream, "GET", path).fields["content-type"] == "application/ocsp-response"
        line.say(settings((h2.HEADER_TABLE_SIZE, 0), (h2.HEADER_TABLE_SIZE, 4096)))
        line.read_until(lambda: line.n_acks == 3)
        line.decoder.set_most(0)
        line.decoder.set_most(4096)
        assert ask(line, 9, "GET", path).fields == {**line.answer(7).fields, "date": line.answer(9).fields["date"]}


def test_a_stream_too_many_is_refused_and_the_others_go_on(house):
    """RFC 9113 5.1.2, before our SETTINGS are acknowledged (6.5.3): the client could not know."""
    with h2.Line(clear(house)) as line:
        line.is_acking = False
        line.sync()
        limit = line.settings[h2.MAX_CONCURRENT_STREAMS]
        line.say(b"".join(headers(2 * n + 1, request("POST", "/", TYPE), end=False) for n in range(limit + 1)))
        line.sync()
        assert line.answer(2 * limit + 1).rst == h2.REFUSED_STREAM and all(line.answer(2 * n + 1).rst is None for n in range(limit))
        line.say(data(1, b"nonsense") + data(2 * limit - 1, b"nonsense"))
        assert line.wait(1, 2 * limit - 1) and line.answer(1).status == line.answer(2 * limit - 1).status == 200
        line.say(headers(2 * limit + 3, request("GET", CERTIFICATE)))
        assert line.wait(2 * limit + 3) and line.answer(2 * limit + 3).status == 200


def test_a_stream_too_many_of_a_client_that_knows_the_limit_is_an_error(house):
    with h2.Line(clear(house)) as line:
        line.sync()
        limit = line.settings[h2.MAX_CONCURRENT_STREAMS]
        line.say(b"".join(headers(2 * n + 1, request("POST", "/", TYPE), end=False) for n in range(limit + 1)))
        line.sync()
        assert line.goaway == h2.PROTOCOL_ERROR or line.answer(2 * limit + 1).rst in (h2.PROTOCOL_ERROR, h2.REFUSED_STREAM)


# ---- floods: what costs us more than them ends with GOAWAY (RFC 9113 10.5) ----

GET, POST = request("GET", CERTIFICATE), request("POST", "/", TYPE)


def of_streams(make):
    return b"".join(make(2 * n + 3) for n in range(600))  # fewer frames than a flood of frames is


BOMB = literal("x-a", "a" * 3900, 0x40)
FLOODS = {
    # name: (what opens it, what is said over and over, codes)
    "SETTINGS": (b"", settings() * 5000, (h2.ENHANCE_YOUR_CALM,)),
    "SETTINGS of many values": (b"", settings(*[(h2.INITIAL_WINDOW_SIZE, n) for n in range(2000)]) * 500, (h2.ENHANCE_YOUR_CALM,)),
    "PING": (b"", frame(PING, 0, 0, bytes(8)) * 5000, (h2.ENHANCE_YOUR_CALM,)),
    "PING acknowledgements": (b"", frame(PING, h2.ACK, 0, bytes(8)) * 5000, (h2.ENHANCE_YOUR_CALM,)),
    "PRIORITY": (b"", priority(3) * 5000, (h2.ENHANCE_YOUR_CALM,)),
    "unknown frames": (b"", frame(0x16, 0, 0) * 5000, (h2.ENHANCE_YOUR_CALM,)),
    "WINDOW_UPDATE": (b"", window(0, 1) * 5000, (h2.ENHANCE_YOUR_CALM,)),
    "empty DATA": (headers(1, POST, end=False), data(1, b"", end=False) * 5000, (h2.ENHANCE_YOUR_CALM,)),
    "DATA of padding": (headers(1, POST, end=False), frame(DATA, PADDED, 1, b"\0") * 5000, (h2.ENHANCE_YOUR_CALM,)),
    "empty CONTINUATION": (frame(HEADERS, END_STREAM, 1, GET), frame(CONTINUATION, 0, 1) * 5000, (h2.ENHANCE_YOUR_CALM, h2.PROTOCOL_ERROR)),
    "full CONTINUATION": (frame(HEADERS, END_STREAM, 1, GET), frame(CONTINUATION, 0, 1, literal("x-a", "a" * 16000)) * 100,
                          (h2.ENHANCE_YOUR_CALM, h2.PROTOCOL_ERROR)),
    "small fields": (frame(HEADERS, END_STREAM, 1, GET), frame(CONTINUATION, 0, 1, literal("x", "") * 4000) * 100,
                     (h2.ENHANCE_YOUR_CALM, h2.PROTOCOL_ERROR)),
    "rapid reset": (b"", of_streams(lambda n: headers(n, POST, end=False) + rst(n)), (h2.ENHANCE_YOUR_CALM,)),
    "rapid reset of whole requests, windows shut": (settings((h2.INITIAL_WINDOW_SIZE, 0)), of_streams(lambda n: headers(n, GET) + rst(n)),
                                                    (h2.ENHANCE_YOUR_CALM,)),
    "requests that we must reset": (b"", of_streams(lambda n: headers(n, request("GET", "/", ("Upper", "a")))), (h2.ENHANCE_YOUR_CALM,)),
    "streams that reset themselves by a window": (b"", of_streams(lambda n: headers(n, POST, end=False) + window(n, 0)),
                                                  (h2.ENHANCE_YOUR_CALM, h2.PROTOCOL_ERROR)),
    "an HPACK bomb": (headers(1, GET + BOMB), headers(3, GET + indexed(62) * 16000), (h2.ENHANCE_YOUR_CALM,)),
    "bombs below the limit": (headers(1, GET + BOMB), of_streams(lambda n: headers(n, GET + indexed(62) * 100)), (h2.ENHANCE_YOUR_CALM,)),
}


def flood(line, opens, repeated):
    """As fast as it goes, and reading nothing until all is said or it is closed."""
    line.sock.settimeout(10)
    line.say(opens)
    for at in range(0, len(repeated), 1 << 16):
        line.say(repeated[at:at + (1 << 16)])


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_ends_its_connection_and_nothing_else(house, name):
    opens, repeated, codes = FLOODS[name]
    worker, memory = worker_of(house), anon_kb(worker_of(house))
    with h2.Line(clear(house)) as line, h2.Line(clear(house)) as other:
        flood(line, opens, repeated)
        assert not line.sync() and line.goaway in codes, (line.goaway, line.is_closed)
        assert ask(other, 1, "GET", CERTIFICATE).status == 200
    assert worker_of(house) == worker and not has_grown(worker, memory)


def test_shut_windows_hold_no_memory_and_no_one_else(house):
    """128 streams on each of 30 connections ask for a CRL that they do not take."""
    worker = worker_of(house)
    memory = anon_kb(worker)
    lines = [h2.Line(clear(house), (h2.INITIAL_WINDOW_SIZE, 0)) for _ in range(30)]
    for line in lines:
        line.say(b"".join(headers(2 * n + 1, request("GET", CRL)) for n in range(128)))
    for line in lines:
        line.sync()
        assert line.goaway is None and not any(answer.body for answer in line.answers.values())
    with h2.Line(clear(house)) as other:
        assert ask(other, 1, "GET", CERTIFICATE).status == 200
    assert not has_grown(worker, memory)
    for line in lines:
        line.close()


def test_among_answers_pings_and_updates_are_no_flood(house):
    """A client that measures its round trips and gives its window back after each answer."""
    with h2.Line(clear(house)) as line:
        for n in range(1500):
            line.say(headers(2 * n + 1, GET) + frame(PING, 0, 0, bytes(8)) + window(0, 500) + priority(2 * n + 1))
            if n % 50 == 49:
                assert line.wait(*range(2 * n - 97, 2 * n + 2, 2))
        assert line.goaway is None and all(answer.status == 200 for answer in line.answers.values())
