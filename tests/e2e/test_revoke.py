"""A revocation is true at once, whole, and never by halves (promises 1 and 2)."""
import json
import threading

from conftest import UNLIKELY


def test_single_revocation_is_answered_at_once(house):
    serial = house.serials("good")[100]
    assert house.status_of(serial) == "good"  # signed and perhaps cached somewhere of ours
    said = house.tocsin_json("revoke", "--issuer", "demo-ca", "--reason", "keyCompromise", serial, "--yes")
    assert said["batch"] == 0 and said["effects"]["new"] == 1
    response = house.ask(serial)
    assert response.certificate_status.name == "REVOKED"
    assert response.revocation_reason.name == "key_compromise"


def test_a_batch_is_true_for_every_serial_on_the_next_query(house):
    serials = house.serials("good")[200:1200]
    said = house.revoke(serials, "superseded")
    assert said["effects"]["new"] == 1000 and said["batch"] > 0
    for serial in serials[::40] + [serials[0], serials[-1]]:
        assert house.status_of(serial) == "revoked"


def test_no_good_after_the_commit_while_clients_keep_asking(house):
    """Clients hammer the same serials before, during and after; once the command has returned nothing says good."""
    serials = house.serials("good")[1200:1400]
    stop, wrong = threading.Event(), []
    returned = threading.Event()

    def client(offset):
        i = offset
        while not stop.is_set():
            serial = serials[i % len(serials)]
            after = returned.is_set()  # read before asking
            status = house.status_of(serial)
            if after and status != "revoked":
                wrong.append((serial, status))
            i += 7

    threads = [threading.Thread(target=client, args=(n * 31,)) for n in range(3)]
    for t in threads:
        t.start()
    house.revoke(serials)
    returned.set()
    for serial in serials[::10]:
        assert house.status_of(serial) == "revoked"
    stop.set()
    for t in threads:
        t.join()
    assert not wrong


def test_one_bad_line_applies_nothing_and_is_named(house):
    good = house.serials("good")[1400:1403]
    listing = house.dir / "bad.txt"
    listing.write_text(f"{good[0]}\nnot a serial\n{good[1]}\n{UNLIKELY:X}\n{good[2]}\n")
    done = house.tocsin("revoke", "--issuer", "demo-ca", "--reason", "superseded", "--file", listing, "--yes", check=False)
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "2" in said and "not a serial" in said
    for serial in good:
        assert house.status_of(serial) == "good"
    listing.write_text(f"{good[0]}\n# a comment\n\n{good[1]}\n{UNLIKELY:X}\n")
    done = house.tocsin("revoke", "--issuer", "demo-ca", "--reason", "superseded", "--file", listing, "--yes", check=False)
    assert done.returncode == 1 and "5" in done.stdout + done.stderr
    for serial in good:
        assert house.status_of(serial) == "good"


def test_dry_run_changes_nothing(house):
    serial = house.serials("good")[1410]
    said = house.tocsin_json("revoke", "--issuer", "demo-ca", "--reason", "superseded", serial, "--dry-run")
    assert said["dry_run"] and said["effects"]["new"] == 1
    assert house.status_of(serial) == "good"


def test_without_yes_and_without_a_terminal_nothing_happens(house):
    serials = house.serials("good")[1420:1422]
    listing = house.dir / "ask.txt"
    listing.write_text("\n".join(serials) + "\n")
    done = house.tocsin("revoke", "--issuer", "demo-ca", "--reason", "superseded", "--file", listing, check=False, stdin="")
    assert done.returncode != 0 and "--yes" in done.stdout + done.stderr
    assert house.status_of(serials[0]) == "good"


def test_a_revocation_is_never_weakened_but_may_become_key_compromise(house):  # req 4.10
    serial = house.serials("good")[1430]
    run = lambda reason: house.tocsin("--json", "revoke", "--issuer", "demo-ca", "--reason", reason, serial, "--yes", check=False)
    assert run("superseded").returncode == 0
    assert run("cessationOfOperation").returncode == 1
    assert house.ask(serial).revocation_reason.name == "superseded"
    assert json.loads(run("keyCompromise").stdout)["effects"]["upgrade"] == 1
    assert house.ask(serial).revocation_reason.name == "key_compromise"


def test_hold_and_release(house):  # req 2.11
    serial = house.serials("good")[1440]
    house.tocsin("revoke", "--issuer", "demo-ca", "--reason", "certificateHold", serial, "--yes")
    response = house.ask(serial)
    assert response.certificate_status.name == "REVOKED" and response.revocation_reason.name == "certificate_hold"
    house.tocsin("release", "--issuer", "demo-ca", serial)
    assert house.status_of(serial) == "good"


def test_show_tells_the_whole_story(house):
    serial = house.serials("good")[1450]
    house.tocsin("revoke", "--issuer", "demo-ca", "--reason", "keyCompromise", serial, "--yes")
    [certificate] = house.tocsin_json("show", serial)["certificates"]
    assert certificate["status"] == "revoked" and certificate["reason"] == "keyCompromise"
    assert certificate["issuer"] == "demo-ca" and certificate["events"]


def test_an_import_never_unrevokes(house):
    serial = house.serials("revoked")[1]
    listing = house.dir / "again.csv"
    listing.write_text(f"serial,status\n{serial},good\n")
    said = house.tocsin_json("import", "--issuer", "demo-ca", listing)
    assert said["kept"] == 1 and said["new"] == 0
    assert house.status_of(serial) == "revoked"


def test_a_newly_imported_certificate_is_good_and_signed(house):  # req 2.4
    serial = "4A" * 16
    listing = house.dir / "new.csv"
    listing.write_text(f"serial,notAfter\n{serial},2027-12-31T00:00:00Z\n")
    assert house.tocsin_json("import", "--issuer", "demo-ca", listing)["new"] == 1
    assert house.status_of(serial) == "good"
