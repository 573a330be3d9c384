#include "responder/answer/ocsp_get.h"

#include <endian.h>

/* A digit's value at its place in a group of four, with a bit that says so: four of them make 15 in the top octet, whatever is no digit
 * leaves one out. */
#define PLACE(v, place) ((uint32_t)(v) << (18 - 6 * (place)) | UINT32_C(1) << (24 + (place)))
#define RUN4(c, v, p) [c] = PLACE(v, p), [(c) + 1] = PLACE((v) + 1, p), [(c) + 2] = PLACE((v) + 2, p), [(c) + 3] = PLACE((v) + 3, p)
#define DIGITS(p)                                                                                                                       \
        {                                                                                                                               \
                RUN4('A', 0, p), RUN4('E', 4, p), RUN4('I', 8, p), RUN4('M', 12, p), RUN4('Q', 16, p), RUN4('U', 20, p),                \
                        ['Y'] = PLACE(24, p), ['Z'] = PLACE(25, p), RUN4('a', 26, p), RUN4('e', 30, p), RUN4('i', 34, p),               \
                        RUN4('m', 38, p), RUN4('q', 42, p), RUN4('u', 46, p), ['y'] = PLACE(50, p), ['z'] = PLACE(51, p),               \
                        RUN4('0', 52, p), RUN4('4', 56, p), ['8'] = PLACE(60, p), ['9'] = PLACE(61, p), ['+'] = PLACE(62, p),           \
                        ['/'] = PLACE(63, p),                                                                                           \
        }
static const uint32_t PLACES[4][256] = {DIGITS(0), DIGITS(1), DIGITS(2), DIGITS(3)};
#undef DIGITS
#undef RUN4
#undef PLACE

/* The octet that the %-escape at the front of `in` stands for, which is taken. A space means '+': somebody's form decoder was
 * at work (req 1.3). */
static enum err take_escape(struct bytes *in, uint8_t *ret_octet)
{
        int high, low;

        if (in->len < 3)
                return ERR_INVALID;
        high = bytes_hex_value(in->data[1]);
        low = bytes_hex_value(in->data[2]);
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

static enum err take_octet(struct bytes *in, uint8_t *ret_octet)
{
        if (in->data[0] == '%')
                return take_escape(in, ret_octet);
        *ret_octet = in->data[0];
        *in = bytes_make(&in->data[1], in->len - 1);
        return OK;
}

/* As many digits as come, four at most, one by one. */
static enum err take_digits(struct bytes *in, uint8_t ret_digits[4], size_t *ret_n)
{
        size_t n = 0;

        while (n < 4 && in->len > 0) {
                struct bytes rest = *in;
                enum err e = take_octet(&rest, &ret_digits[n]);

                if (e != OK)
                        return e;
                if (!PLACES[0][ret_digits[n]])
                        break;
                *in = rest;
                n++;
        }
        *ret_n = n;
        return OK;
}

/* Padding, and perhaps one '/' that a client put at the end of the URL: behind the padding, or as the odd digit out, it cannot be data
 * (req 1.4: where the length is a multiple of 4 it is). `n_digits` of the last group came before. */
static enum err check_end(struct bytes in, size_t n_digits)
{
        size_t n_pads = 0;

        while (in.len > 0) {
                uint8_t octet = 0;
                enum err e = take_octet(&in, &octet);

                if (e != OK)
                        return e;
                if (octet == '=' && ++n_pads <= 2)
                        continue;
                if (octet != '/' || in.len > 0)
                        return ERR_INVALID;
        }
        return n_pads > 0 && (n_digits + n_pads) % 4 != 0 ? ERR_INVALID : OK;
}

/* What is left over behind the last whole group of four. */
static enum err finish(const uint8_t *digits, size_t n_digits, uint8_t *ret_der, size_t *len)
{
        uint32_t group = 0;

        for (size_t i = 0; i < n_digits; i++)
                group |= PLACES[i][digits[i]];
        if (n_digits == 1) /* one digit is no octet: only a trailing '/' may stand there */
                return digits[0] == '/' ? OK : ERR_INVALID;
        if (n_digits >= 2)
                ret_der[(*len)++] = (uint8_t)(group >> 16);
        if (n_digits == 3)
                ret_der[(*len)++] = (uint8_t)(group >> 8);
        return OK;
}

/* Three octets and their four digits' bits; see PLACE. */
static inline uint32_t group_of(const uint8_t *digits)
{
        return PLACES[0][digits[0]] | PLACES[1][digits[1]] | PLACES[2][digits[2]] | PLACES[3][digits[3]];
}

/* Writes an octet too many, which the next group writes over, or which is not counted: four were read for three. */
static inline void write_group(uint8_t *at, uint32_t group)
{
        group = htobe32(group << 8);
        memcpy(at, &group, sizeof group);
}

/* Four octets as they stand; false: not all are digits. */
static inline bool put_group(const uint8_t *digits, uint8_t *ret_der, size_t *len)
{
        uint32_t group = group_of(digits);

        if (group >> 24 != 15)
                return false;
        write_group(&ret_der[*len], group);
        *len += 3;
        return true;
}

/* Two groups at a time, for it is most of the work. */
static size_t put_plain_groups(struct bytes *in, uint8_t *ret_der, size_t len)
{
        const uint8_t *digits = in->data;
        size_t at = 0;

        while (in->len - at >= 8) {
                uint32_t first = group_of(&digits[at]), second = group_of(&digits[at + 4]);

                if ((first & second) >> 24 != 15)
                        break;
                write_group(&ret_der[len], first);
                write_group(&ret_der[len + 3], second);
                at += 8;
                len += 6;
        }
        while (in->len - at >= 4 && put_group(&digits[at], ret_der, &len))
                at += 4;
        *in = bytes_make(&digits[at], in->len - at);
        return len;
}

/* ---- texts that begin alike ---- */

/* The groups that are the memo's are not decoded again. */
static void begin_as_before(struct ocsp_get_memo *memo, struct bytes in, uint8_t *ret_der)
{
        size_t n = memo->n_groups, most = memo->at[n];
        size_t common = bytes_common(memo->text, in.data, in.len < most ? in.len : most);

        while (memo->at[n] > common)
                n--;
        memcpy(ret_der, memo->der, 3 * n);
        memo->n_groups = (uint8_t)n;
}

/* `len` octets have come of the text before `end`. What the memo has not of it yet is groups without escapes, or one group. */
static void note_groups(struct ocsp_get_memo *memo, size_t end, size_t len)
{
        size_t n = memo->n_groups, rest = len / 3 - n, at;

        for (; rest > 0 && (at = end - 4 * (rest - 1)) <= OCSP_GET_MEMO_TEXT; rest--)
                memo->at[++n] = (uint8_t)at;
        memo->n_groups = (uint8_t)n;
}

/* Whole groups, as many as come. Of what then stands in the way, an escape or the end, *ret_n digits come. */
static enum err take_groups(
        struct ocsp_get_memo *memo, struct bytes *in, uint8_t *ret_der, size_t *ret_len, uint8_t ret_digits[4], size_t *ret_n)
{
        struct bytes whole = *in;
        size_t begun, len, at;
        enum err e;

        begin_as_before(memo, whole, ret_der);
        begun = len = 3u * memo->n_groups;
        at = memo->at[memo->n_groups];
        *in = bytes_make(&whole.data[at], whole.len - at);
        do {
                len = put_plain_groups(in, ret_der, len);
                note_groups(memo, whole.len - in->len, len);
                e = take_digits(in, ret_digits, ret_n);
        } while (e == OK && *ret_n == 4 && put_group(ret_digits, ret_der, &len));
        memcpy(&memo->text[at], &whole.data[at], memo->at[memo->n_groups] - at);
        memcpy(&memo->der[begun], &ret_der[begun], 3u * memo->n_groups - begun);
        *ret_len = len;
        return e;
}

enum err ocsp_get_decode(struct ocsp_get_memo *memo, struct bytes text, uint8_t *ret_der, size_t *ret_len)
{
        uint8_t digits[4];
        size_t n = 0, len;
        enum err e;

        if (text.len > 0 && text.data[0] == '/') /* req 1.3 */
                text = bytes_make(&text.data[1], text.len - 1);
        if (text.len == 0)
                return ERR_INVALID;
        e = take_groups(memo, &text, ret_der, &len, digits, &n);
        if (e == OK)
                e = check_end(text, n);
        if (e == OK)
                e = finish(digits, n, ret_der, &len);
        if (e == OK)
                *ret_len = len;
        return e;
}
