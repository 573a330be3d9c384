/* serial: see serial.h. The one place that knows how people write serial numbers. */
#include "pki/serial.h"

#include "pki/der.h"

enum err serial_from_der(struct bytes content, struct serial *ret_serial)
{
        if (!der_integer_is_minimal(content) || content.data[0] & 0x80)
                return ERR_INVALID;
        if (content.len > SERIAL_MAX) /* RFC 5280 4.1.2.2 */
                return ERR_RANGE;
        *ret_serial = (struct serial){.len = (uint8_t)content.len};
        memcpy(ret_serial->data, content.data, content.len);
        return OK;
}

static int nibble_of(uint8_t c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        c |= 0x20;
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Colons stand after every pair or nowhere. */
static bool colons_are_fine(struct bytes text)
{
        if (!memchr(text.data, ':', text.len))
                return true;
        for (size_t i = 0; i < text.len; i++)
                if ((text.data[i] == ':') != (i % 3 == 2))
                        return false;
        return text.len % 3 == 2;
}

static struct bytes strip_prefix(struct bytes text)
{
        if (text.len > 2 && text.data[0] == '0' && (text.data[1] | 0x20) == 'x')
                return bytes_make(text.data + 2, text.len - 2);
        return text;
}

/* The digits' values without leading zeroes. */
static enum err read_nibbles(struct bytes text, uint8_t ret_nibbles[2 * SERIAL_MAX], size_t *ret_n)
{
        size_t n = 0;

        for (size_t i = 0; i < text.len; i++) {
                int v = nibble_of(text.data[i]);

                if (text.data[i] == ':')
                        continue;
                if (v < 0)
                        return ERR_INVALID;
                if (n == 0 && v == 0)
                        continue;
                if (n < 2 * SERIAL_MAX)
                        ret_nibbles[n] = (uint8_t)v;
                n++;
        }
        *ret_n = n;
        return OK;
}

enum err serial_from_text(struct bytes text, struct serial *ret_serial)
{
        uint8_t nibbles[2 * SERIAL_MAX];
        struct serial s = {0};
        size_t n, len, pad;

        text = strip_prefix(text);
        if (text.len == 0 || !colons_are_fine(text))
                return ERR_INVALID;
        if (read_nibbles(text, nibbles, &n) != OK)
                return ERR_INVALID;
        pad = n == 0 || (n % 2 == 0 && nibbles[0] & 8) ? 1 : 0; /* the sign octet, or the one octet of zero */
        len = (n + 1) / 2 + pad;
        if (len > SERIAL_MAX)
                return ERR_RANGE;
        for (size_t i = 0; i < n; i++) {
                size_t from_end = n - 1 - i;

                s.data[len - 1 - from_end / 2] |= (uint8_t)(nibbles[i] << (from_end % 2 * 4));
        }
        s.len = (uint8_t)len;
        *ret_serial = s;
        return OK;
}

char *serial_to_text(struct bytes serial, char *ret_text)
{
        static const char digits[] = "0123456789ABCDEF";
        size_t skip = serial.len > 1 && serial.data[0] == 0;
        char *at = ret_text;

        for (size_t i = skip; i < serial.len; i++) {
                *at++ = digits[serial.data[i] >> 4];
                *at++ = digits[serial.data[i] & 15];
        }
        *at = '\0';
        return ret_text;
}
