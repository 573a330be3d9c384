"""Metrics, health and the access log of real daemons, as an operator's machines see them."""
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import urllib.parse

import pytest
from cryptography.hazmat.primitives import hashes

from conftest import ROOT, UNLIKELY, free_port, open_house, wait_for

SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*",?)*\})? ([0-9.]+|\+Inf|NaN)$')


@pytest.fixture(scope="module")
def house():
    with open_house(500, 50, "--workers", 2) as h:
        h.admin = free_port()
        h.configure("responder", f"admin_listen: 127.0.0.1:{h.admin}", f"access_log: {h.dir / 'access.log'}")
        h.settle()
        wait_for(lambda: ask(h, "/healthz")[0] == 200, what="the admin process")
        yield h


def ask(house, path, method="GET"):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", house.admin, timeout=10)
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    except OSError:
        return 0, {}, ""


def scrape(house):
    status, fields, text = ask(house, "/metrics")
    assert status == 200 and fields["Content-Type"].startswith("text/plain; version=0.0.4")
    return parse(text)


def metrics(house):
    return {name + labels: value for family in scrape(house).values() for (name, labels), value in family["samples"].items()}


def parse(text):
    """Prometheus' text format as strictly as its own parser and `promtool check metrics`: name -> {help, type, samples}"""
    assert text.endswith("\n")
    families = {}
    for line in text.splitlines():
        if line.startswith("# HELP "):
            _, _, name, words = line.split(" ", 3)
            assert name not in families and words and "\\" not in words, line
            family = families[name] = {"help": words, "samples": {}}
        elif line.startswith("# TYPE "):
            _, _, told, kind = line.split(" ")
            assert told == name and "type" not in family and not family["samples"], line
            family["type"] = kind
        else:
            found = SAMPLE.match(line)
            assert found, line
            sample = found[1], found[2] or ""
            assert found[1] in series_of(name, family["type"]) and sample not in family["samples"], line
            family["samples"][sample] = float(found[3])
    for name, family in families.items():
        check_family(name, family)
    return families


def series_of(name, kind):
    return [name + end for end in ("_bucket", "_sum", "_count")] if kind == "histogram" else [name]


def check_family(name, family):
    assert family["type"] in ("counter", "gauge", "histogram") and name.startswith("tocsin_")
    assert name.endswith("_total") == (family["type"] == "counter"), name  # promtool: lint
    assert not name.endswith(("_count", "_sum", "_bucket", "_info")), name
    assert all(value >= 0 for value in family["samples"].values()), name
    if family["type"] == "histogram":
        buckets = [(labels, value) for (series, labels), value in family["samples"].items() if series.endswith("_bucket")]
        ends = [float(re.fullmatch(r'\{le="([^"]+)"\}', labels)[1]) for labels, _ in buckets]
        counts = [value for _, value in buckets]
        assert ends == sorted(set(ends)) and ends[-1] == float("inf"), name
        assert counts == sorted(counts) and counts[-1] == family["samples"][name + "_count", ""], name


ASKED_FOR = {  # what an operator must be able to see, and by which labels
    "tocsin_http_requests_total": ("counter", {"method", "protocol", "status"}),
    "tocsin_ocsp_answers_total": ("counter", {"issuer", "outcome"}),
    "tocsin_ocsp_cert_id_hashes_total": ("counter", {"hash"}),
    "tocsin_request_turn_seconds": ("histogram", {"le"}),
    "tocsin_sign_wait_seconds": ("histogram", {"le"}),
    "tocsin_sign_asked_total": ("counter", set()),
    "tocsin_sign_coalesced_total": ("counter", set()),
    "tocsin_sign_refused_total": ("counter", set()),
    "tocsin_connections_total": ("counter", set()),
    "tocsin_connections_open": ("gauge", set()),
    "tocsin_store_turn_longest_seconds": ("gauge", set()),
    "tocsin_store_commit_age_seconds": ("gauge", set()),
}


def test_all_that_is_asked_for_is_there_with_its_labels(house):
    before = metrics(house)
    house.ask(house.serials("good")[0])
    grows(house, 'tocsin_http_requests_total{method="POST",protocol="http1",status="2xx"}', 1, before)
    families = scrape(house)
    for name, (kind, labels) in ASKED_FOR.items():
        assert families[name]["type"] == kind and families[name]["samples"], name
        found = {label for _, text in families[name]["samples"] for label in re.findall(r'([a-z_]+)="', text)}
        assert found == labels, name


def test_the_alerts_are_about_metrics_that_are_there(house):
    series = {name for family, content in scrape(house).items() for name in series_of(family, content["type"])}
    rules = (ROOT / "conf" / "prometheus-alerts.yaml").read_text()
    named = set(re.findall(r"tocsin_[a-z_]+", rules))
    assert named and named <= series, named - series


def grows(house, name, by, before):
    wait_for(lambda: metrics(house).get(name, 0) == before.get(name, 0) + by, what=f"{name} to grow by {by}")


def test_questions_are_counted_by_what_they_were(house):
    before = metrics(house)
    for serial in house.serials("good")[:7]:
        house.ask(serial)
    for serial in house.serials("revoked")[:3]:
        house.get(house.request(serial))
    house.ask(UNLIKELY)
    house.http("/no/such/thing%20", method="DELETE")
    grows(house, 'tocsin_ocsp_answers_total{issuer="demo-ca",outcome="good"}', 7, before)
    grows(house, 'tocsin_ocsp_answers_total{issuer="demo-ca",outcome="revoked"}', 3, before)
    grows(house, 'tocsin_ocsp_answers_total{issuer="demo-ca",outcome="unauthorized"}', 1, before)
    grows(house, 'tocsin_http_requests_total{method="POST",protocol="http1",status="2xx"}', 8, before)
    grows(house, 'tocsin_http_requests_total{method="GET",protocol="http1",status="2xx"}', 3, before)
    grows(house, 'tocsin_http_requests_total{method="other",protocol="http1",status="4xx"}', 1, before)
    grows(house, 'tocsin_ocsp_cert_id_hashes_total{hash="sha1"}', 11, before)
    grows(house, "tocsin_request_turn_seconds_count", 12, before)


def test_each_protocol_method_and_status_is_counted_apart(house):
    before, url = metrics(house), house.env["OCSP_URL"]
    crl, etag = house.env["CRL_URL"], house.http(house.env["CRL_URL"])[1]["ETag"]
    for options in ([], ["--http2-prior-knowledge"]):
        for more in (["--head", crl], ["--header", f"If-None-Match: {etag}", crl], [crl + "/none"], [url + "healthz"]):
            subprocess.run(["curl", "--silent", "--output", "/dev/null", *options, *more], check=True, timeout=30)
    for protocol in ("http1", "http2"):
        for method, status, n in (("HEAD", "2xx", 1), ("GET", "3xx", 1), ("GET", "4xx", 1)):
            grows(house, f'tocsin_http_requests_total{{method="{method}",protocol="{protocol}",status="{status}"}}', n, before)
    grows(house, 'tocsin_http_requests_total{method="GET",protocol="http2",status="2xx"}', 1, before)


def test_questions_that_wait_together_are_counted_as_one_asked_and_others_that_joined(house):
    signer = house.pid("signer")
    [vault] = [p for p in house.children(signer) if b"tocsin-vault" in pathlib.Path(f"/proc/{p}/cmdline").read_bytes()]
    before, n = metrics(house), 8
    request = house.request(house.serials("good")[7], algorithm=hashes.SHA512())
    connections = [http.client.HTTPConnection(urllib.parse.urlparse(house.env["OCSP_URL"]).netloc, timeout=20) for _ in range(n)]
    os.kill(vault, signal.SIGSTOP)  # so that all of them wait
    try:
        for connection in connections:
            connection.request("POST", "/", request, {"Content-Type": "application/ocsp-request"})

        def waiting():  # a question of each worker's at most; what was asked before may be counted only now
            now = metrics(house)
            joined = now["tocsin_sign_coalesced_total"] - before["tocsin_sign_coalesced_total"]
            return joined >= n - 2 and now["tocsin_sign_asked_total"] > before["tocsin_sign_asked_total"] and now["tocsin_sign_open"] >= 1

        wait_for(waiting, 4, "the questions to be counted")
    finally:
        os.kill(vault, signal.SIGCONT)
    assert all(connection.getresponse().status == 200 for connection in connections)
    wait_for(lambda: metrics(house)["tocsin_sign_open"] == 0, what="no question open")


def test_signatures_on_demand_are_counted(house):
    before = metrics(house)
    house.ask(house.serials("good")[0], algorithm=hashes.SHA384())
    grows(house, "tocsin_sign_asked_total", 1, before)
    grows(house, "tocsin_ocsp_live_total", 1, before)
    grows(house, "tocsin_sign_wait_seconds_count", 1, before)


def test_a_commit_makes_the_newest_commit_young(house):
    before = metrics(house)["tocsin_store_commit"]
    house.revoke([house.serials("good")[100]])
    wait_for(lambda: metrics(house)["tocsin_store_commit"] > before, what="the commit")
    assert metrics(house)["tocsin_store_commit_age_seconds"] < 60


def test_a_worker_that_is_killed_takes_no_counts_with_it(house):
    for serial in house.serials("good")[:20]:
        house.ask(serial)
    name = "tocsin_connections_total"
    before = wait_for(lambda: metrics(house).get(name), what="counts")
    workers = [p for p in house.children(house.pid("responder")) if p]
    n = house.log("responder").count("died and is replaced")
    os.kill(workers[0], signal.SIGKILL)
    wait_for(lambda: house.log("responder").count("died and is replaced") > n, what="the replacement")
    wait_for(lambda: metrics(house)["tocsin_workers"] == 2, what="two workers")
    assert metrics(house)[name] >= before


def test_the_admin_process_is_replaced_and_keeps_its_address(house):
    log = house.log("responder")
    admin = int(re.findall(r"admin started pid=(\d+)", log)[-1])
    os.kill(admin, signal.SIGKILL)
    wait_for(lambda: house.log("responder").count("admin started") > log.count("admin started"), what="another one")
    assert wait_for(lambda: ask(house, "/healthz")[0] == 200)


def test_it_answers_nothing_else(house):
    assert ask(house, "/")[0] == 404
    assert ask(house, "/metrics", "POST")[0] == 405
    assert house.http("/metrics")[0] != 200 or "tocsin_" not in house.http("/metrics")[2].decode(errors="replace")  # not for the world


def test_metrics_survive_a_reload(house):
    before = metrics(house)["tocsin_connections_total"]
    house.configure("responder", "idle_timeout: 50s")
    assert wait_for(lambda: metrics(house).get("tocsin_connections_total", 0) >= before, what="the counts")


def test_the_access_log_names_the_serial_and_is_reopened_by_a_reload(house):
    path = house.dir / "access.log"
    wait_for(path.exists, what="the access log")
    serial = house.serials("revoked")[5]

    def lines():
        return [json.loads(line) for line in path.read_text().splitlines()]

    def is_logged():
        house.ask(serial)
        return any(line.get("serial") == serial.upper() for line in lines())

    wait_for(is_logged, what="the line")
    line = next(line for line in lines() if line.get("serial") == serial.upper())
    assert (line["client"], line["method"], line["protocol"], line["status"]) == ("127.0.0.1", "POST", "http1", 200)
    assert (line["outcome"], line["issuer"]) == ("revoked", "demo-ca") and line["octets"] > 100 and line["us"] >= 0
    path.rename(house.dir / "access.log.1")  # as logrotate does
    house.configure("responder", "header_timeout: 11s")
    wait_for(lambda: path.exists() and is_logged(), what="the new file")
    assert metrics(house)["tocsin_access_log_lines_total"] > 0


def test_the_access_log_names_each_ones_own_address_when_many_are_answered_together(house):
    path = house.dir / "access.log"
    wait_for(path.exists, what="the access log")
    where = urllib.parse.urlsplit(house.env["OCSP_URL"])
    fine, wrong = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"
    asked = {f"127.0.0.{i}": fine if i % 2 else wrong for i in range(10, 18)}
    sockets = {address: socket.create_connection((where.hostname, where.port), 10, (address, 0)) for address in asked}
    for s in sockets.values():  # from now on each is known to speak HTTP/1.1
        s.sendall(fine)
        assert s.recv(4096).startswith(b"HTTP/1.1 200 ")
    workers = house.children(house.pid("responder"))
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    try:
        for address, s in sockets.items():
            s.sendall(asked[address])
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
    for address, s in sockets.items():
        assert s.recv(4096).startswith(b"HTTP/1.1 200 " if asked[address] is fine else b"HTTP/1.1 400 ")
        s.close()

    def statuses():
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        return {address: sorted(line["status"] for line in lines if line.get("client") == address) for address in asked}

    wait_for(lambda: all(len(found) == 2 for found in statuses().values()), what="two lines of each")
    assert statuses() == {address: [200, 200] if sent is fine else [200, 400] for address, sent in asked.items()}
