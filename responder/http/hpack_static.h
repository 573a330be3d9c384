/* hpack_static: the table that every connection begins with. */
#pragma once

#include "responder/http/http2_field.h"

/* RFC 7541 Appendix A, from index 1 on. */
static const struct hpack_static {
        struct bytes name, value;
        /* as http2_field has it of name and value (a test holds it) */
        enum http2_field field;
        bool is_sound;
} HPACK_STATIC[] = {
        {BYTES_LIT(":authority"), BYTES_LIT(""), FIELD_AUTHORITY, true},
        {BYTES_LIT(":method"), BYTES_LIT("GET"), FIELD_METHOD, true},
        {BYTES_LIT(":method"), BYTES_LIT("POST"), FIELD_METHOD, true},
        {BYTES_LIT(":path"), BYTES_LIT("/"), FIELD_PATH, true},
        {BYTES_LIT(":path"), BYTES_LIT("/index.html"), FIELD_PATH, true},
        {BYTES_LIT(":scheme"), BYTES_LIT("http"), FIELD_SCHEME, true},
        {BYTES_LIT(":scheme"), BYTES_LIT("https"), FIELD_SCHEME, true},
        {BYTES_LIT(":status"), BYTES_LIT("200"), FIELD_BAD, false},
        {BYTES_LIT(":status"), BYTES_LIT("204"), FIELD_BAD, false},
        {BYTES_LIT(":status"), BYTES_LIT("206"), FIELD_BAD, false},
        {BYTES_LIT(":status"), BYTES_LIT("304"), FIELD_BAD, false},
        {BYTES_LIT(":status"), BYTES_LIT("400"), FIELD_BAD, false},
        {BYTES_LIT(":status"), BYTES_LIT("404"), FIELD_BAD, false},
        {BYTES_LIT(":status"), BYTES_LIT("500"), FIELD_BAD, false},
        {BYTES_LIT("accept-charset"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("accept-encoding"), BYTES_LIT("gzip, deflate"), FIELD_OTHER, true},
        {BYTES_LIT("accept-language"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("accept-ranges"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("accept"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("access-control-allow-origin"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("age"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("allow"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("authorization"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("cache-control"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("content-disposition"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("content-encoding"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("content-language"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("content-length"), BYTES_LIT(""), FIELD_CONTENT_LENGTH, false},
        {BYTES_LIT("content-location"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("content-range"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("content-type"), BYTES_LIT(""), FIELD_CONTENT_TYPE, true},
        {BYTES_LIT("cookie"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("date"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("etag"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("expect"), BYTES_LIT(""), FIELD_EXPECT, true},
        {BYTES_LIT("expires"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("from"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("host"), BYTES_LIT(""), FIELD_HOST, true},
        {BYTES_LIT("if-match"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("if-modified-since"), BYTES_LIT(""), FIELD_IF_MODIFIED_SINCE, true},
        {BYTES_LIT("if-none-match"), BYTES_LIT(""), FIELD_IF_NONE_MATCH, true},
        {BYTES_LIT("if-range"), BYTES_LIT(""), FIELD_IF_RANGE, true},
        {BYTES_LIT("if-unmodified-since"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("last-modified"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("link"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("location"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("max-forwards"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("proxy-authenticate"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("proxy-authorization"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("range"), BYTES_LIT(""), FIELD_RANGE, true},
        {BYTES_LIT("referer"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("refresh"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("retry-after"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("server"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("set-cookie"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("strict-transport-security"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("transfer-encoding"), BYTES_LIT(""), FIELD_BAD, false},
        {BYTES_LIT("user-agent"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("vary"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("via"), BYTES_LIT(""), FIELD_OTHER, true},
        {BYTES_LIT("www-authenticate"), BYTES_LIT(""), FIELD_OTHER, true},
};

#define HPACK_N_STATIC (sizeof HPACK_STATIC / sizeof HPACK_STATIC[0])
