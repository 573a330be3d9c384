/* Fuzz: the DER reader. Each element read, written again, is the same octets; a read that fails moves nothing. */
#include "pki/der.h"
#include "tests/fuzz/fuzz.h"

static void rewrite(uint8_t tag, struct bytes content, struct bytes tlv)
{
        struct builder b = {0};
        size_t mark = der_begin(&b, tag);

        builder_put(&b, content);
        der_end(&b, mark);
        HOLDS(bytes_equal(builder_bytes(&b), tlv));
        builder_done(&b);
}

static void read_typed(struct bytes tlv)
{
        struct bytes in = tlv, content;
        struct builder b = {0};
        uint64_t value;
        int64_t time_s;
        bool flag;

        if (der_read_uint(&in, tlv.data[0], &value) == OK) {
                der_put_uint(&b, tlv.data[0], value);
                HOLDS(in.len == 0 && bytes_equal(builder_bytes(&b), tlv));
        }
        builder_reset(&b);
        in = tlv;
        if (der_read_bool(&in, &flag) == OK) {
                der_put_bool(&b, flag);
                HOLDS(in.len == 0 && bytes_equal(builder_bytes(&b), tlv));
        }
        builder_reset(&b);
        in = tlv;
        if (der_read_bit_string(&in, &content) == OK) {
                der_put_bit_string(&b, content);
                HOLDS(in.len == 0 && bytes_equal(builder_bytes(&b), tlv));
        }
        builder_reset(&b);
        in = tlv;
        if (der_read_time(&in, &time_s) == OK) {
                if (tlv.data[0] == DER_GENERALIZED_TIME)
                        der_put_generalized_time(&b, time_s);
                else
                        der_put_time(&b, time_s);
                HOLDS(in.len == 0 && bytes_equal(builder_bytes(&b), tlv));
        }
        builder_done(&b);
}

static void walk(struct bytes in, unsigned depth)
{
        struct bytes content = BYTES_NONE, tlv = BYTES_NONE, before = in;
        uint8_t tag;

        while (in.len > 0) {
                before = in;
                if (der_read_any(&in, &tag, &content, &tlv) != OK) {
                        HOLDS(in.data == before.data && in.len == before.len);
                        return;
                }
                HOLDS(lies_within(tlv, before) && lies_within(content, tlv) && in.len + tlv.len == before.len);
                rewrite(tag, content, tlv);
                read_typed(tlv);
                if (depth < 16)
                        walk(content, depth + 1);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (size <= 4096) /* each level is written again: quadratic */
                walk(bytes_make(data, size), 0);
        return 0;
}
