/* pem: see pem.h. */
#include "tools/pem.h"

static const char begin_mark[] = "-----BEGIN ", end_mark[] = "-----END ", dashes[] = "-----";

static const uint8_t *find(struct bytes text, const char *mark)
{
        return text.data && text.len ? memmem(text.data, text.len, mark, strlen(mark)) : NULL;
}

bool pem_has_begin(struct bytes text)
{
        return find(text, begin_mark) != NULL;
}

void pem_init(struct pem *p, struct bytes text)
{
        *p = (struct pem){text, 1};
}

/* What stands before `end`; `rest` goes on there, and the line with it. */
static struct bytes take_to(struct pem *p, const uint8_t *end)
{
        size_t len = (size_t)(end - p->rest.data);
        struct bytes taken = BYTES_NONE;

        if (bytes_take(&p->rest, len, &taken) != OK)
                return BYTES_NONE;
        for (size_t i = 0; i < taken.len; i++)
                p->line += taken.data[i] == '\n';
        return taken;
}

/* The end of the END line of that label, in `rest`; *ret_body_end is where it begins. NULL: none before the next BEGIN. */
static const uint8_t *find_end(struct bytes rest, struct bytes label, const uint8_t **ret_body_end)
{
        const uint8_t *end = find(rest, end_mark), *next = find(rest, begin_mark);
        size_t tail = strlen(end_mark) + label.len + strlen(dashes);

        if (!end || (next && next < end) || (size_t)(rest.data + rest.len - end) < tail ||
                memcmp(end + strlen(end_mark), label.data, label.len) != 0)
                return NULL;
        *ret_body_end = end;
        return end + tail;
}

bool pem_next(struct pem *p, struct pem_block *ret)
{
        const uint8_t *begin = find(p->rest, begin_mark), *close, *end, *body_end;
        struct pem_block b = {.is_whole = true};

        if (!begin)
                return false;
        take_to(p, begin);
        b.line = p->line;
        take_to(p, begin + strlen(begin_mark));
        close = find(p->rest, dashes);
        if (!close)
                return false;
        b.label = take_to(p, close);
        take_to(p, close + strlen(dashes));
        end = find_end(p->rest, b.label, &body_end);
        if (!end) {
                const uint8_t *next = find(p->rest, begin_mark);

                b.is_whole = false;
                body_end = end = next ? next : p->rest.data + p->rest.len;
        }
        b.base64 = bytes_make(p->rest.data, (size_t)(body_end - p->rest.data));
        b.text = bytes_make(begin, (size_t)(end - begin));
        take_to(p, end);
        *ret = b;
        return true;
}

static int value_of(uint8_t c)
{
        if (c >= 'A' && c <= 'Z')
                return c - 'A';
        if (c >= 'a' && c <= 'z')
                return c - 'a' + 26;
        if (c >= '0' && c <= '9')
                return c - '0' + 52;
        return c == '+' ? 62 : c == '/' ? 63 : -1;
}

enum err pem_decode(struct bytes base64, struct builder *ret_der)
{
        uint32_t bits = 0;
        unsigned n_bits = 0, n_padding = 0;
        size_t n_digits = 0;

        for (size_t i = 0; i < base64.len; i++) {
                uint8_t c = base64.data[i];
                int v = value_of(c);

                if (c == '\n' || c == '\r' || c == ' ' || c == '\t')
                        continue;
                if (c == '=') {
                        n_padding++;
                        continue;
                }
                if (v < 0 || n_padding > 0)
                        return ERR_INVALID;
                n_digits++;
                bits = bits << 6 | (uint32_t)v;
                n_bits += 6;
                if (n_bits >= 8) {
                        n_bits -= 8;
                        builder_put_u8(ret_der, (uint8_t)(bits >> n_bits));
                }
        }
        if (builder_failed(ret_der))
                return ERR_NOMEM;
        return n_padding <= 2 && (n_digits + n_padding) % 4 == 0 && (bits & ((1u << n_bits) - 1)) == 0 ? OK : ERR_INVALID;
}
