/* extension: see extension.h. */
#include "pki/extension.h"

#include "pki/der.h"

static enum err read_critical(struct bytes *in, bool *ret_critical)
{
        if (!der_next_is(*in, DER_BOOLEAN)) {
                *ret_critical = false;
                return OK;
        }
        if (der_read_bool(in, ret_critical) != OK || !*ret_critical)
                return ERR_INVALID;
        return OK;
}

enum err extension_read(struct bytes *in, struct extension *ret)
{
        struct bytes rest = *in, content;
        struct extension x;

        if (der_read(&rest, DER_SEQUENCE, &content) != OK || der_read_oid(&content, &x.oid) != OK)
                return ERR_INVALID;
        if (read_critical(&content, &x.critical) != OK || der_read_only(content, DER_OCTET_STRING, &x.value) != OK)
                return ERR_INVALID;
        *in = rest;
        *ret = x;
        return OK;
}

void extension_put(struct builder *b, struct bytes oid, bool critical, struct bytes value)
{
        size_t mark = der_begin(b, DER_SEQUENCE);

        der_put(b, DER_OID, oid);
        if (critical)
                der_put_bool(b, true);
        der_put(b, DER_OCTET_STRING, value);
        der_end(b, mark);
}

static enum err dispatch(const struct extension *x, const struct extension_row *rows, size_t n_rows, void *context)
{
        for (size_t i = 0; i < n_rows; i++)
                if (bytes_equal(x->oid, rows[i].oid))
                        return rows[i].read ? rows[i].read(x->value, context) : OK;
        return x->critical ? ERR_UNSUPPORTED : OK;
}

static bool was_seen(const struct bytes *seen, size_t n_seen, struct bytes oid)
{
        for (size_t i = 0; i < n_seen; i++)
                if (bytes_equal(seen[i], oid))
                        return true;
        return false;
}

enum err extension_list_read(struct bytes list, const struct extension_row *rows, size_t n_rows, void *context)
{
        struct bytes seen[EXTENSION_LIST_MAX], in;
        size_t n_seen = 0;
        struct extension x;
        enum err e;

        if (der_read_only(list, DER_SEQUENCE, &in) != OK || in.len == 0) /* SIZE (1..MAX) */
                return ERR_INVALID;
        while (in.len > 0) {
                if (n_seen == EXTENSION_LIST_MAX || extension_read(&in, &x) != OK)
                        return ERR_INVALID;
                if (was_seen(seen, n_seen, x.oid))
                        return ERR_INVALID;
                seen[n_seen++] = x.oid;
                e = dispatch(&x, rows, n_rows, context);
                if (e != OK)
                        return e;
        }
        return OK;
}
