/* serial: certificate serial numbers: the minimal content octets of a non-negative DER INTEGER, 1..20 of them (RFC 5280
 * 4.1.2.2). That form, with a leading 00 where the high bit is set, is what the store's keys and the messages hold. */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#define SERIAL_MAX 20

struct serial {
        uint8_t len; /* 1..20 */
        uint8_t data[SERIAL_MAX];
};

static inline struct bytes serial_bytes(const struct serial *s)
{
        return (struct bytes){s->data, s->len};
}

/* From DER content octets. ERR_INVALID: empty, negative or not minimal; ERR_RANGE: longer than 20. */
MUST_CHECK enum err serial_from_der(struct bytes content, struct serial *ret_serial);
/* From hex in either case, with or without "0x", colons between pairs, leading zeroes, an odd number of digits, as openssl,
 * browsers and CA databases print it. ERR_INVALID: no hex, or nothing; ERR_RANGE: over 20 octets. */
MUST_CHECK enum err serial_from_text(struct bytes text, struct serial *ret_serial);
/* Upper-case hex as openssl prints it ("0A1B": an even number of digits, no sign octet); ret_text holds SERIAL_TEXT_LEN. */
#define SERIAL_TEXT_LEN (2 * SERIAL_MAX + 1)
char *serial_to_text(struct bytes serial, char *ret_text);
