/* answer: HTTP/1.1 answers with Content-Length, and OCSP responses read by the same strict reader that the vault uses. */
#include "bench/load/answer.h"

#include <stdlib.h>
#include <strings.h>

#include "pki/ocsp_response.h"

#define OCSP_BODY_MIN 64
#define OCSP_BODY_MAX 16384
#define CLOCK_SLACK_S 5

const char *verdict_name(enum verdict v)
{
        static const char *const names[VERDICT_N] = {
                [VERDICT_RIGHT] = "right",
                [VERDICT_HTTP_STATUS] = "http_status",
                [VERDICT_LENGTH] = "length",
                [VERDICT_OCSP_STATUS] = "ocsp_status",
                [VERDICT_UNREADABLE] = "unreadable",
                [VERDICT_WRONG_SERIAL] = "wrong_serial",
                [VERDICT_WRONG_STATUS] = "wrong_status",
                [VERDICT_STALE] = "stale",
                [VERDICT_WRONG_BODY] = "wrong_body",
                [VERDICT_CLOSED] = "closed",
                [VERDICT_UNANSWERED] = "unanswered",
                [VERDICT_NO_CONNECTION] = "no_connection",
        };

        return names[v];
}

/* The value of the field on this line, without the blanks before it; empty when the line is another field's. */
static struct bytes field_value(struct bytes line, const char *name)
{
        size_t name_len = strlen(name);
        struct bytes head, value = line;

        if (line.len <= name_len || strncasecmp((const char *)line.data, name, name_len) != 0)
                return BYTES_NONE;
        if (line.data[name_len] != ':' || bytes_take(&value, name_len + 1, &head) != OK)
                return BYTES_NONE;
        while (value.len > 0 && value.data[0] == ' ' && bytes_take(&value, 1, &head) == OK)
                ;
        return value;
}

static bool value_is(struct bytes value, const char *word)
{
        return value.len == strlen(word) && strncasecmp((const char *)value.data, word, value.len) == 0;
}

struct head {
        struct answer answer;
        bool has_length;
        size_t body_len;
};

static void read_field(struct bytes line, struct head *h)
{
        uint8_t first = line.len > 0 ? line.data[0] | 0x20 : 0;
        struct bytes value;

        if (first != 'c')
                return;
        value = field_value(line, "content-length");
        if (value.len > 0) {
                h->has_length = true;
                h->body_len = strtoul((const char *)value.data, NULL, 10);
        }
        value = field_value(line, "connection");
        if (value_is(value, "close"))
                h->answer.closes = true;
        else if (value_is(value, "keep-alive"))
                h->answer.closes = false;
}

static enum err read_status_line(struct bytes line, struct head *h)
{
        static const char version[] = "HTTP/1.";

        if (line.len < 12 || memcmp(line.data, version, sizeof(version) - 1) != 0)
                return ERR_INVALID;
        h->answer.closes = line.data[7] == '0';
        h->answer.status = (unsigned)strtoul((const char *)&line.data[9], NULL, 10);
        return OK;
}

static enum err take_line(struct bytes *in, struct bytes *ret_line)
{
        const uint8_t *end = memmem(in->data, in->len, "\r\n", 2);
        struct bytes crlf;

        if (!end || bytes_take(in, (size_t)(end - in->data), ret_line) != OK)
                return ERR_AGAIN;
        return bytes_take(in, 2, &crlf);
}

static enum err take_head(struct bytes *in, struct head *ret)
{
        struct bytes line;
        enum err e = take_line(in, &line);

        *ret = (struct head){0};
        if (e == OK)
                e = read_status_line(line, ret);
        while (e == OK) {
                e = take_line(in, &line);
                if (e == OK && line.len == 0)
                        return OK;
                if (e == OK)
                        read_field(line, ret);
        }
        return e;
}

enum err answer_take(struct bytes *in, struct answer *ret)
{
        struct bytes rest = *in;
        struct head h;
        enum err e = take_head(&rest, &h);

        if (e != OK)
                return e;
        if (!h.has_length && h.answer.status >= 200 && h.answer.status != 204 && h.answer.status != 304)
                return ERR_INVALID;
        if (bytes_take(&rest, h.body_len, &h.answer.body) != OK)
                return ERR_AGAIN;
        *ret = h.answer;
        *in = rest;
        return OK;
}

/* OCSPResponse ::= SEQUENCE { responseStatus ENUMERATED, ... }: the ENUMERATED's value, or -1 (RFC 6960 4.2.1). */
static int ocsp_status_of(struct bytes body)
{
        size_t at = body.len > 1 && body.data[1] > 0x80 ? 2 + (size_t)(body.data[1] & 0x7f) : 2;

        if (body.len < at + 3 || body.data[0] != 0x30 || body.data[at] != 0x0a || body.data[at + 1] != 1)
                return -1;
        return body.data[at + 2];
}

static enum verdict check_ocsp(struct bytes body)
{
        int status = ocsp_status_of(body);

        if (status < 0)
                return VERDICT_UNREADABLE;
        if (status != OCSP_SUCCESSFUL)
                return VERDICT_OCSP_STATUS;
        return body.len >= OCSP_BODY_MIN && body.len <= OCSP_BODY_MAX ? VERDICT_RIGHT : VERDICT_LENGTH;
}

enum verdict answer_check(const struct answer *a, const struct answer_rule *rule)
{
        if (a->status != 200)
                return VERDICT_HTTP_STATUS;
        if (rule->is_ocsp)
                return check_ocsp(a->body);
        return rule->expected_body.len == 0 || a->body.len == rule->expected_body.len ? VERDICT_RIGHT : VERDICT_LENGTH;
}

static enum verdict check_single(const struct ocsp_single_read *single, const struct question *asked, int64_t now_s)
{
        if (!bytes_equal(single->serial, serial_bytes(&asked->serial)))
                return VERDICT_WRONG_SERIAL;
        if (asked->expected == EXPECT_GOOD && single->status.cert_status != OCSP_GOOD)
                return VERDICT_WRONG_STATUS;
        if (asked->expected == EXPECT_REVOKED && single->status.cert_status != OCSP_REVOKED)
                return VERDICT_WRONG_STATUS;
        if (single->this_update_s > now_s + CLOCK_SLACK_S || single->next_update_s < now_s - CLOCK_SLACK_S)
                return VERDICT_STALE;
        return VERDICT_RIGHT;
}

enum verdict answer_check_whole(const struct answer *a, const struct answer_rule *rule, const struct question *asked)
{
        struct bytes tbs, signature, certs;
        struct ocsp_response_data data;
        struct ocsp_single_read single;
        enum sig_alg alg;

        if (!rule->is_ocsp)
                return rule->expected_body.len == 0 || bytes_equal(a->body, rule->expected_body) ? VERDICT_RIGHT : VERDICT_WRONG_BODY;
        if (ocsp_response_read(a->body, &tbs, &alg, &signature, &certs) != OK || ocsp_response_data_read(tbs, &data) != OK ||
                ocsp_single_read(&data.responses, &single) != OK || data.responses.len != 0)
                return VERDICT_UNREADABLE;
        return check_single(&single, asked, rule->now_s);
}
