"""serials N M OUT_CSV OUT_LIST: N random serials of 16 octets, M of them revoked, as a CSV to import and a list to ask from."""
import os
import sys
import time


def main():
    n, m, csv_path, list_path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    now = int(time.time())
    not_after = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + 90 * 86400))
    revoked_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now - 3600))
    every = n / m if m else 0
    revoked = {int(i * every) for i in range(m)}
    with open(csv_path, "w") as csv, open(list_path, "a") as listing:
        csv.write("serial,notAfter,status,reason,revoked_at\n")
        for i in range(n):
            raw = bytearray(os.urandom(16))
            raw[0] = raw[0] & 0x7F | 0x40  # positive and 16 octets whatever comes
            serial = raw.hex().upper()
            if i in revoked:
                csv.write(f"{serial},{not_after},revoked,superseded,{revoked_at}\n")
                listing.write(f"{serial} revoked\n")
            else:
                csv.write(f"{serial},{not_after},good,,\n")
                listing.write(f"{serial} good\n")


main()
