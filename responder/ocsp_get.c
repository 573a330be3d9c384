#include "responder/ocsp_get.h"

#define NOT_BASE64 0xff
#define ESCAPE 0xfe
#define PAD 0xfd

/* Values plus one, so that everything not named is 0: no base64. */
static const uint8_t VALUES[256] = {
#define RUN4(c, v) [c] = (v) + 1, [(c) + 1] = (v) + 2, [(c) + 2] = (v) + 3, [(c) + 3] = (v) + 4
        RUN4('A', 0), RUN4('E', 4), RUN4('I', 8), RUN4('M', 12), RUN4('Q', 16), RUN4('U', 20), ['Y'] = 25, ['Z'] = 26,
        RUN4('a', 26), RUN4('e', 30), RUN4('i', 34), RUN4('m', 38), RUN4('q', 42), RUN4('u', 46), ['y'] = 51, ['z'] = 52,
        RUN4('0', 52), RUN4('4', 56), ['8'] = 61, ['9'] = 62, ['+'] = 63, ['/'] = 64,
        ['%'] = ESCAPE, ['='] = PAD,
#undef RUN4
};

static int hex_value(uint8_t c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        c |= 0x20;
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The octet that the %-escape at the front of `in` stands for, which is taken. A space means '+': somebody's form decoder was
 * at work (req 1.3). */
static enum err take_escape(struct bytes *in, uint8_t *ret_octet)
{
        int high, low;

        if (in->len < 3)
                return ERR_INVALID;
        high = hex_value(in->data[1]);
        low = hex_value(in->data[2]);
        if (high < 0 || low < 0)
                return ERR_INVALID;
        *ret_octet = (uint8_t)(high << 4 | low);
        if (*ret_octet == ' ')
                *ret_octet = '+';
        if (*ret_octet == '%') /* encoded twice */
                return ERR_INVALID;
        *in = bytes_make(&in->data[3], in->len - 3);
        return OK;
}

/* The next base64 digit's value, PAD, or ERR_INVALID. */
static enum err take_digit(struct bytes *in, uint8_t *ret_value)
{
        uint8_t octet = in->data[0], value;

        if (octet == '%') {
                enum err e = take_escape(in, &octet);

                if (e != OK)
                        return e;
        } else {
                *in = bytes_make(&in->data[1], in->len - 1);
        }
        value = VALUES[octet];
        if (value == 0)
                return ERR_INVALID;
        *ret_value = value == PAD ? PAD : value - 1;
        return OK;
}

/* Padding, and perhaps one '/' that a client put at the end of the URL: behind the padding, or as the odd digit out, it cannot be data
 * (req 1.4: where the length is a multiple of 4 it is). */
static enum err check_end(struct bytes in, size_t n_digits, size_t n_pads)
{
        uint8_t value;

        while (in.len > 0) {
                enum err e = take_digit(&in, &value);

                if (e != OK)
                        return e;
                if (value == PAD && ++n_pads <= 2)
                        continue;
                if (value != 63 || in.len > 0)
                        return ERR_INVALID;
        }
        return n_pads > 0 && (n_digits + n_pads) % 4 != 0 ? ERR_INVALID : OK;
}

/* What is left over behind the last whole group of four. */
static enum err finish(uint32_t group, size_t n_digits, uint8_t *der, size_t *len)
{
        switch (n_digits % 4) {
        case 0:
                return OK;
        case 1: /* one digit is no octet: only a trailing '/' may stand there */
                return (group & 63) == 63 ? OK : ERR_INVALID;
        case 2:
                der[(*len)++] = (uint8_t)(group >> 4);
                return OK;
        default:
                der[(*len)++] = (uint8_t)(group >> 10);
                der[(*len)++] = (uint8_t)(group >> 2);
                return OK;
        }
}

/* Four plain digits at once: nearly all of every request. False: something else stands there. */
static bool take_group(struct bytes *in, uint32_t *ret_group)
{
        uint32_t a = VALUES[in->data[0]] - 1u, b = VALUES[in->data[1]] - 1u, c = VALUES[in->data[2]] - 1u, d = VALUES[in->data[3]] - 1u;

        if ((a | b | c | d) > 63)
                return false;
        *in = bytes_make(&in->data[4], in->len - 4);
        *ret_group = a << 18 | b << 12 | c << 6 | d;
        return true;
}

static void put_group(uint32_t group, uint8_t *der, size_t *len)
{
        der[*len] = (uint8_t)(group >> 16);
        der[*len + 1] = (uint8_t)(group >> 8);
        der[*len + 2] = (uint8_t)group;
        *len += 3;
}

enum err ocsp_get_decode(struct bytes text, uint8_t *ret_der, size_t *ret_len)
{
        uint32_t group = 0;
        size_t n_digits = 0, len = 0;
        enum err e;

        if (text.len > 0 && text.data[0] == '/') /* req 1.3 */
                text = bytes_make(&text.data[1], text.len - 1);
        if (text.len == 0)
                return ERR_INVALID;
        while (text.len > 0) {
                uint8_t value;

                if (n_digits % 4 == 0 && text.len >= 4 && take_group(&text, &group)) {
                        put_group(group, ret_der, &len);
                        n_digits += 4;
                        continue;
                }
                e = take_digit(&text, &value);
                if (e != OK)
                        return e;
                if (value == PAD) {
                        e = check_end(text, n_digits, 1);
                        if (e != OK)
                                return e;
                        break;
                }
                group = group << 6 | value;
                if (++n_digits % 4 == 0)
                        put_group(group, ret_der, &len);
        }
        e = finish(group, n_digits, ret_der, &len);
        if (e == OK)
                *ret_len = len;
        return e;
}
