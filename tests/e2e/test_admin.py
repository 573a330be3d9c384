"""Metrics, health and the access log of real daemons, as an operator's machines see them."""
import http.client
import json
import os
import re
import shutil
import signal

import pytest
from cryptography.hazmat.primitives import hashes

from conftest import UNLIKELY, free_port, make_house, wait_for

SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*",?)*\})? ([0-9.]+|\+Inf|NaN)$')


@pytest.fixture(scope="module")
def house():
    h = make_house()
    h.up("--certs", 500, "--revoked", 50, "--workers", 2, "--listen", f"127.0.0.1:{free_port()}")
    h.admin = free_port()
    h.configure("responder", f"admin_listen: 127.0.0.1:{h.admin}")
    h.settle()
    wait_for(lambda: ask(h, "/healthz")[0] == 200, what="the admin process")
    yield h
    h.down()
    shutil.rmtree(h.dir, ignore_errors=True)


def ask(house, path, method="GET"):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", house.admin, timeout=10)
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    except OSError:
        return 0, {}, ""


def metrics(house):
    status, fields, text = ask(house, "/metrics")
    assert status == 200 and fields["Content-Type"].startswith("text/plain; version=0.0.4")
    assert text.endswith("\n")
    values = {}
    for line in text.splitlines():
        if line.startswith("# "):
            continue
        found = SAMPLE.match(line)
        assert found, line
        assert (found[1], found[2]) not in values, line
        values[found[1] + (found[2] or "")] = float(found[3])
    return values


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


def test_signatures_on_demand_are_counted(house):
    before = metrics(house)
    house.ask(house.serials("good")[0], algorithm=hashes.SHA384())
    grows(house, "tocsin_sign_asked_total", 1, before)
    grows(house, "tocsin_ocsp_live_total", 1, before)


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
    house.configure("responder", f"access_log: {path}")
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
