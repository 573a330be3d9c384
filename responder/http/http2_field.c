#include "responder/http/http2_field.h"

enum { C_NAME = 1, C_TOKEN = 2, C_VALUE = 4, C_AUTHORITY = 8 };

#define ALL (C_NAME | C_TOKEN | C_VALUE | C_AUTHORITY)

/* Names: tokens in lower case (RFC 9113 8.2, RFC 9110 5.6.2). Values: no control octets but HTAB (RFC 9110 5.5). Authority:
 * RFC 3986 3.2. */
static const uint8_t CLASS[256] = {
        ['\t'] = C_VALUE,
        [' '] = C_VALUE,
        ['!'] = ALL,
        ['"'] = C_VALUE,
        ['#'] = C_NAME | C_TOKEN | C_VALUE,
        ['$' ... '\''] = ALL,
        ['(' ... ')'] = C_VALUE | C_AUTHORITY,
        ['*' ... '+'] = ALL,
        [','] = C_VALUE | C_AUTHORITY,
        ['-' ... '.'] = ALL,
        ['/'] = C_VALUE,
        ['0' ... '9'] = ALL,
        [':' ... ';'] = C_VALUE | C_AUTHORITY,
        ['<'] = C_VALUE,
        ['='] = C_VALUE | C_AUTHORITY,
        ['>' ... '?'] = C_VALUE,
        ['@'] = C_VALUE | C_AUTHORITY,
        ['A' ... 'Z'] = C_TOKEN | C_VALUE | C_AUTHORITY,
        ['['] = C_VALUE | C_AUTHORITY,
        ['\\'] = C_VALUE,
        [']'] = C_VALUE | C_AUTHORITY,
        ['^'] = C_NAME | C_TOKEN | C_VALUE,
        ['_'] = ALL,
        ['`'] = C_NAME | C_TOKEN | C_VALUE,
        ['a' ... 'z'] = ALL,
        ['{'] = C_VALUE,
        ['|'] = C_NAME | C_TOKEN | C_VALUE,
        ['}'] = C_VALUE,
        ['~'] = ALL,
        [0x80 ... 0xff] = C_VALUE,
};

static const struct row {
        struct bytes name;
        enum http2_field field;
} ROWS[] = {
        {BYTES_LIT(":method"), FIELD_METHOD},
        {BYTES_LIT(":scheme"), FIELD_SCHEME},
        {BYTES_LIT(":path"), FIELD_PATH},
        {BYTES_LIT(":authority"), FIELD_AUTHORITY},
        {BYTES_LIT("host"), FIELD_HOST},
        {BYTES_LIT("content-length"), FIELD_CONTENT_LENGTH},
        {BYTES_LIT("content-type"), FIELD_CONTENT_TYPE},
        {BYTES_LIT("if-none-match"), FIELD_IF_NONE_MATCH},
        {BYTES_LIT("if-modified-since"), FIELD_IF_MODIFIED_SINCE},
        {BYTES_LIT("range"), FIELD_RANGE},
        {BYTES_LIT("if-range"), FIELD_IF_RANGE},
        {BYTES_LIT("expect"), FIELD_EXPECT},
        {BYTES_LIT("te"), FIELD_TE},
        /* of the connection (RFC 9113 8.2.2) */
        {BYTES_LIT("connection"), FIELD_BAD},
        {BYTES_LIT("keep-alive"), FIELD_BAD},
        {BYTES_LIT("proxy-connection"), FIELD_BAD},
        {BYTES_LIT("transfer-encoding"), FIELD_BAD},
        {BYTES_LIT("upgrade"), FIELD_BAD},
};

static bool all_are(struct bytes text, unsigned class)
{
        for (size_t i = 0; i < text.len; i++)
                if (!(CLASS[text.data[i]] & class))
                        return false;
        return true;
}

enum http2_field http2_field_find(struct bytes name)
{
        for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
                if (bytes_equal(name, ROWS[i].name))
                        return ROWS[i].field;
        return name.len > 0 && all_are(name, C_NAME) ? FIELD_OTHER
                                                     : FIELD_BAD; /* an unknown pseudo-field, too: RFC 9113 8.3 */
}

static bool is_blank(uint8_t octet)
{
        return octet == ' ' || octet == '\t';
}

bool http2_field_is_value(struct bytes value)
{
        if (value.len > 0 && (is_blank(value.data[0]) || is_blank(value.data[value.len - 1])))
                return false;
        return all_are(value, C_VALUE);
}

static bool is_number(struct bytes value)
{
        bool is_well = value.len > 0 && value.len < 19;

        for (size_t i = 0; i < value.len; i++)
                is_well &= value.data[i] >= '0' && value.data[i] <= '9';
        return is_well;
}

static bool is_token(struct bytes value)
{
        return value.len > 0 && all_are(value, C_TOKEN);
}

static bool is_authority(struct bytes value)
{
        return all_are(value, C_AUTHORITY);
}

/* RFC 9113 8.2.2 */
static bool is_trailers(struct bytes value)
{
        return bytes_equal(value, BYTES_LIT("trailers"));
}

static bool is_any(struct bytes value)
{
        (void)value;
        return true;
}

static bool is_none(struct bytes value)
{
        (void)value;
        return false;
}

bool http2_field_is_sound(enum http2_field field, struct bytes value)
{
        static bool (*const checks[])(struct bytes) = {
                [FIELD_METHOD] = is_token,
                [FIELD_SCHEME] = is_token,
                [FIELD_PATH] = is_any,
                [FIELD_AUTHORITY] = is_authority,
                [FIELD_HOST] = is_authority,
                [FIELD_CONTENT_LENGTH] = is_number, /* RFC 9110 8.6 */
                [FIELD_CONTENT_TYPE] = http2_field_is_value,
                [FIELD_IF_NONE_MATCH] = http2_field_is_value,
                [FIELD_IF_MODIFIED_SINCE] = http2_field_is_value,
                [FIELD_RANGE] = http2_field_is_value,
                [FIELD_IF_RANGE] = http2_field_is_value,
                [FIELD_EXPECT] = http2_field_is_value,
                [FIELD_TE] = is_trailers,
                [FIELD_OTHER] = http2_field_is_value,
                [FIELD_BAD] = is_none,
        };

        return checks[field](value);
}
