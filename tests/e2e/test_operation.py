"""The responder while it is being operated: reloads, upgrades, dead workers, new issuers, drains. Nobody who asks notices."""
import http.client
import os
import pathlib
import signal
import socket
import struct
import threading
import time
import urllib.parse

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

from conftest import UNLIKELY, cert_id, free_port, tlv, wait_for


@pytest.fixture
def lone(fresh_house):
    """A house of its own: what these tests do to the responder outlives them."""
    fresh_house.up("--certs", 50, "--revoked", 5, "--listen", f"127.0.0.1:{free_port()}")
    fresh_house.settle()
    yield fresh_house


class Clients:
    """Clients that ask and ask: some on connections they keep, some on new ones. Every failure is kept."""

    def __init__(self, house, n_keeping=3, n_new=3):
        url = urllib.parse.urlsplit(house.env["OCSP_URL"])
        self.address = (url.hostname, url.port)
        self.request = house.request(house.serials("good")[0])
        self.failures, self.n_answers, self.stopping = [], 0, False
        self.threads = [threading.Thread(target=self.run, args=(keeps,)) for keeps in [True] * n_keeping + [False] * n_new]

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stopping = True
        for t in self.threads:
            t.join()

    def run(self, keeps):
        connection = http.client.HTTPConnection(*self.address, timeout=20)
        while not self.stopping:
            try:
                connection.request("POST", "/", self.request, {"Content-Type": "application/ocsp-request"})
                answer = connection.getresponse()
                body = answer.read()
                if answer.status != 200 or len(body) < 100:
                    self.failures.append((keeps, answer.status, body))
                self.n_answers += 1
                if not keeps:
                    connection.close()
            except (OSError, http.client.HTTPException) as problem:
                self.failures.append((keeps, repr(problem)))
                connection.close()
            time.sleep(0.001)
        connection.close()


def workers(house):
    return set(house.children(house.pid("responder")))


def change(house, sig):
    """One reload or upgrade; the new workers serve when this returns."""
    n = house.log("responder").count(" reloaded ")
    os.kill(house.pid("responder"), sig)
    wait_for(lambda: house.log("responder").count(" reloaded ") > n, what="the new workers")


def test_no_request_fails_while_ten_reloads_and_three_upgrades_happen(lone):
    before = workers(lone)
    with Clients(lone) as clients:
        wait_for(lambda: clients.n_answers > 50, what="the clients")
        for i in range(13):
            change(lone, signal.SIGUSR2 if i % 4 == 3 else signal.SIGHUP)
        n = clients.n_answers
        wait_for(lambda: clients.n_answers > n + 50, what="more answers")
    assert clients.failures == []
    assert lone.log("responder").count("upgrade: asking") == 3
    assert pathlib.Path(f"/proc/{lone.pid('responder')}").exists()
    wait_for(lambda: not workers(lone) & before, what="the old workers to end")


@pytest.mark.parametrize("sig", [signal.SIGHUP, signal.SIGUSR2])
def test_who_waits_to_be_accepted_is_accepted_by_the_new_workers(lone, sig):
    """The queue is the listener's, and the listener is the master's: it outlives workers and programs."""
    url = urllib.parse.urlsplit(lone.env["OCSP_URL"])
    body = lone.request(lone.serials("good")[0])
    old = workers(lone)
    for pid in old:
        os.kill(pid, signal.SIGSTOP)  # nobody accepts
    try:
        with socket.create_connection((url.hostname, url.port), timeout=20) as waiting:
            waiting.sendall(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/ocsp-request\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            change(lone, sig)
            assert waiting.recv(4096).startswith(b"HTTP/1.1 200 ")
    finally:
        for pid in old & workers(lone):
            os.kill(pid, signal.SIGCONT)


def test_an_upgrade_that_would_not_start_changes_nothing(lone):
    before = workers(lone)
    path = lone.dir / "tocsin.yaml"
    path.write_text(path.read_text() + "\nnonsense: 1\n")
    os.kill(lone.pid("responder"), signal.SIGUSR2)
    wait_for(lambda: "would not start" in lone.log("responder"), what="the refusal")
    assert workers(lone) == before
    assert lone.status_of(lone.serials("good")[0]) == "good"


def test_an_upgrade_whose_workers_do_not_come_up_leaves_the_old_ones(lone):
    """The store is away for the new ones only: they wait, and those before go on."""
    before = workers(lone)
    store, aside = lone.dir / "store", lone.dir / "aside"
    store.rename(aside)
    try:
        os.kill(lone.pid("responder"), signal.SIGUSR2)
        wait_for(lambda: len(workers(lone)) > len(before), what="the new workers")
        wait_for(lambda: "waiting for the store" in lone.log("responder"), what="them to wait")
        for _ in range(20):  # over ten looks of the master at how things stand
            assert lone.status_of(lone.serials("good")[0]) == "good"
            time.sleep(0.05)
        assert before <= workers(lone)
    finally:
        aside.rename(store)
    wait_for(lambda: not workers(lone) & before, what="the old workers to end")
    assert lone.status_of(lone.serials("good")[0]) == "good"


def test_a_listen_address_comes_and_goes_by_a_reload(lone):
    path, more = lone.dir / "tocsin.yaml", free_port()
    first = lone.env["OCSP_URL"].split("//")[1].strip("/")
    text = path.read_text()
    assert first in text
    listed = [line for line in text.splitlines() if line.strip().startswith("listen:")][0]
    with Clients(lone, 2, 2) as clients:
        path.write_text(text.replace(listed, f'  listen: ["{first}", "127.0.0.1:{more}"]').replace("workers: 1\n", "workers: 3\n"))
        change(lone, signal.SIGHUP)
        for _ in range(20):
            assert lone.http(f"http://127.0.0.1:{more}/healthz")[0] == 200
        path.write_text(text)
        change(lone, signal.SIGHUP)

        def is_gone():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", more)) != 0
        wait_for(is_gone, what="the address to go")
    assert clients.failures == []


def test_a_worker_that_is_killed_is_replaced(lone):
    for _ in range(3):
        before = workers(lone)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: len(workers(lone)) == len(before) and not workers(lone) & before, what="the successors")
        assert lone.status_of(lone.serials("good")[0]) == "good"


def test_a_request_that_is_under_way_at_sigterm_is_answered(lone):
    url = urllib.parse.urlsplit(lone.env["OCSP_URL"])
    der = lone.request(lone.serials("good")[0])
    head = f"POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/ocsp-request\r\nContent-Length: {len(der)}\r\n\r\n".encode()
    with socket.create_connection((url.hostname, url.port), timeout=20) as s:
        s.sendall(head + der[:10])
        wait_for(lambda: struct.unpack("B", s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1))[0] == 1, what="the connection")
        time.sleep(0.1)  # until it is read: then it is under way
        os.kill(lone.pid("responder"), signal.SIGTERM)
        wait_for(lambda: "draining" in lone.log("responder"), what="the drain")
        s.sendall(der[10:])
        answer = b""
        while chunk := s.recv(65536):
            answer += chunk
    assert answer.startswith(b"HTTP/1.1 200") and b"connection: close" in answer.lower()
    wait_for(lambda: not pathlib.Path(f"/proc/{lone.pid('responder')}").exists() or "stopped" in lone.log("responder"), what="the end")


def test_whoever_is_in_the_queue_at_sigterm_is_answered(lone):
    """More of them than a worker accepts at once."""
    url = urllib.parse.urlsplit(lone.env["OCSP_URL"])
    der = lone.request(lone.serials("good")[0])
    request = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Type: application/ocsp-request\r\nContent-Length: %d\r\n\r\n" % len(der) + der
    old = workers(lone)
    waiting = []
    for pid in old:
        os.kill(pid, signal.SIGSTOP)  # nobody accepts
    try:
        for _ in range(300):
            waiting.append(socket.create_connection((url.hostname, url.port), timeout=20))
            waiting[-1].sendall(request)
        os.kill(lone.pid("responder"), signal.SIGTERM)
        wait_for(lambda: "stopping" in lone.log("responder"), what="the master to stop")
        time.sleep(0.1)  # the signals it sends on are the next thing it does
    finally:
        for pid in old:
            os.kill(pid, signal.SIGCONT)
    answers = [s.recv(4096) for s in waiting]
    assert [a[:15] for a in answers if not a.startswith(b"HTTP/1.1 200 ")] == []
    for s in waiting:
        s.close()


def test_an_issuer_that_was_added_is_answered_for_without_a_signal(lone, monkeypatch):
    import test_signer
    monkeypatch.setattr(test_signer, "reload", lambda house: house.tocsin("reload"))
    test_signer.add_second_issuer(lone)
    serial = lone.serials("good")[0]
    test_signer.import_serials(lone, "second-ca", [serial])

    def answers():
        response = test_signer.ask_of(lone, lone.certificate("second"), serial)
        return response.response_status.name == "SUCCESSFUL" and response
    response = wait_for(answers, 10, "an answer for the new issuer")
    assert response.certificate_status.name == "GOOD" and response.certificates[0].serial_number == 0x4002
    assert "the issuers' folder has changed" in lone.log("responder")


# ---- floods (req 1.18) ----

def test_one_address_has_so_many_connections_and_others_are_served(lone):
    lone.configure("responder", "max_connections_per_address: 5", "trusted_addresses: [127.0.0.2]")
    url = urllib.parse.urlsplit(lone.env["OCSP_URL"])
    n_workers = len(workers(lone))

    def is_served(source):
        try:
            with socket.create_connection((url.hostname, url.port), 20, (source, 0)) as s:
                s.sendall(b"GET /healthz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
                return s.recv(100).startswith(b"HTTP/1.1 200")
        except OSError:
            return False
    held = [socket.create_connection((url.hostname, url.port), 20) for _ in range(60 * n_workers)]
    wait_for(lambda: not is_served("127.0.0.1"), what="the limit")
    assert is_served("127.0.0.2") and is_served("127.0.0.3")  # a trusted one, and another
    for s in held:
        s.close()
    wait_for(lambda: is_served("127.0.0.1"), what="room again")


def test_one_address_sends_so_many_requests_a_second(lone):
    lone.configure("responder", "max_requests_per_address: 1", "trusted_addresses: [127.0.0.2]")
    answers = [lone.http("/healthz") for _ in range(60)]
    assert answers[0][0] == 200 and {a[0] for a in answers} == {200, 429}
    assert [a for a in answers if a[0] == 429][0][1]["Retry-After"] == "1"
    wait_for(lambda: lone.http("/healthz")[0] == 200, what="the next second")


# ---- preferred signature algorithms (RFC 6960 4.4.7, req 1.13) ----

ALGORITHMS = {"ecdsa-sha1": "06072a8648ce3d0401", "ecdsa-sha256": "06082a8648ce3d040302", "ecdsa-sha384": "06082a8648ce3d040303",
              "ecdsa-sha512": "06082a8648ce3d040304", "rsa-sha256": "06092a864886f70d01010b0500"}


def ask_preferring(house, serial, *names):
    """The answer, its signature verified, to a request that prefers these algorithms."""
    listed = b"".join(tlv(0x30, tlv(0x30, bytes.fromhex(ALGORITHMS[name]))) for name in names)
    extension = tlv(0x30, bytes.fromhex("06092b0601050507300108"), tlv(4, tlv(0x30, listed)))
    der = tlv(0x30, tlv(0x30, tlv(0x30, tlv(0x30, cert_id(house.issuer, serial, hashes.SHA1()))), tlv(0xA2, tlv(0x30, extension))))
    response = ocsp.load_der_ocsp_response(house.post(der))
    house.verify(response)
    return response


def test_a_preferred_algorithm_is_signed_with_if_the_key_can_make_it_and_it_is_strong(lone):
    good, revoked = lone.serials("good")[0], lone.serials("revoked")[0]
    stored = lone.ask(good).signature
    for names, digest in ((["ecdsa-sha384"], "sha384"), (["rsa-sha256", "ecdsa-sha512", "ecdsa-sha384"], "sha512")):
        response = ask_preferring(lone, good, *names)
        assert response.signature_hash_algorithm.name == digest and response.certificate_status.name == "GOOD"
        assert response.signature != stored
        assert ask_preferring(lone, revoked, *names).certificate_status.name == "REVOKED"
    for names in (["ecdsa-sha1"], ["rsa-sha256"], ["ecdsa-sha1", "ecdsa-sha256"], ["ecdsa-sha384", "ecdsa-sha256"]):
        assert ask_preferring(lone, good, *names).signature == stored
    assert lone.ask(good).signature == stored  # what was signed for one client is not kept


# ---- extended revoked (RFC 6960 4.4.8, req 2.5) ----

def test_a_serial_that_was_never_issued_is_on_hold_since_1970_where_that_is_configured(lone):
    assert lone.status_of(UNLIKELY) == "unauthorized"
    path = lone.dir / "issuers" / "demo-ca" / "issuer.yaml"
    text = path.read_text()
    assert "\nocsp:\n" in text
    path.write_text(text.replace("\nocsp:\n", "\nocsp:\n  extended_revoked: true\n"))
    n = lone.log("responder").count(" reloaded ")
    lone.tocsin("reload")
    wait_for(lambda: lone.log("responder").count(" reloaded ") > n, what="the responder to follow")
    wait_for(lambda: lone.status_of(UNLIKELY) == "revoked", what="extended revoked")
    response = lone.ask(UNLIKELY)
    assert response.revocation_reason.name == "certificate_hold" and response.revocation_time.timestamp() <= 86400
    assert bytes.fromhex("06092b0601050507300109") in response.public_bytes(serialization.Encoding.DER)
    assert lone.status_of(lone.serials("good")[0]) == "good"
