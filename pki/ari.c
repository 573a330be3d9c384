#include "pki/ari.h"

#include "base/clock.h"

#define SHORTEST_WINDOW_S 60

/* ---- the certificate's name ---- */

static int digit_of(uint8_t c)
{
        if (c >= 'A' && c <= 'Z')
                return c - 'A';
        if (c >= 'a' && c <= 'z')
                return c - 'a' + 26;
        if (c >= '0' && c <= '9')
                return c - '0' + 52;
        return c == '-' ? 62 : c == '_' ? 63 : -1; /* RFC 4648 5 */
}

/* Octets that many digits stand for, or 0 for a count that no octets have. */
static size_t decoded_len(size_t n_digits)
{
        return n_digits % 4 == 1 ? 0 : n_digits * 3 / 4;
}

/* One spelling for each value: bits left over must be 0 (RFC 4648 3.5). */
static enum err read_base64url(struct bytes text, uint8_t *ret_data, size_t cap, size_t *ret_len)
{
        size_t len = decoded_len(text.len), n = 0;
        uint32_t bits = 0;
        unsigned n_bits = 0;

        if (len == 0)
                return ERR_INVALID;
        if (len > cap)
                return ERR_RANGE;
        for (size_t i = 0; i < text.len; i++) {
                int digit = digit_of(text.data[i]);

                if (digit < 0)
                        return ERR_INVALID;
                bits = bits << 6 | (uint32_t)digit;
                n_bits += 6;
                if (n_bits < 8)
                        continue;
                n_bits -= 8;
                ret_data[n++] = (uint8_t)(bits >> n_bits);
                bits &= (1u << n_bits) - 1;
        }
        if (bits != 0)
                return ERR_INVALID;
        *ret_len = n;
        return OK;
}

static enum err read_serial(struct bytes text, struct serial *ret_serial)
{
        uint8_t content[SERIAL_MAX];
        size_t len;
        enum err e = read_base64url(text, content, sizeof content, &len);

        return e == OK ? serial_from_der(bytes_make(content, len), ret_serial) : e;
}

enum err ari_read_id(struct bytes text, struct ari_id *ret_id)
{
        const uint8_t *dot = text.len > 0 ? memchr(text.data, '.', text.len) : NULL;
        struct ari_id id;
        struct bytes aki, serial;
        size_t len;
        enum err e;

        if (!dot)
                return ERR_INVALID;
        aki = bytes_make(text.data, (size_t)(dot - text.data));
        serial = bytes_make(&text.data[aki.len + 1], text.len - aki.len - 1);
        e = read_base64url(aki, id.aki, sizeof id.aki, &len);
        if (e == OK)
                e = read_serial(serial, &id.serial);
        if (e != OK)
                return e;
        id.aki_len = (uint8_t)len;
        *ret_id = id;
        return OK;
}

/* ---- the window ---- */

static struct ari_window window_of(int64_t start_s, int64_t len_s)
{
        return (struct ari_window){start_s, start_s + (len_s > SHORTEST_WINDOW_S ? len_s : SHORTEST_WINDOW_S)};
}

struct ari_window ari_plan(int64_t not_before_s, int64_t not_after_s)
{
        int64_t lifetime_s = not_after_s - not_before_s;

        if (not_before_s <= 0 || lifetime_s <= 0)
                return window_of(not_after_s - 3 * CLOCK_DAY_S, CLOCK_DAY_S);
        return window_of(not_before_s + lifetime_s / 3 * 2, lifetime_s / 50);
}

/* An hour to spare, for clocks that are behind. */
struct ari_window ari_plan_at_once(int64_t event_s)
{
        return window_of(event_s - 2 * CLOCK_HOUR_S, CLOCK_HOUR_S);
}

/* ---- JSON ---- */

static void put_time(struct builder *b, int64_t time_s)
{
        char text[CLOCK_TEXT_LEN];

        builder_put_str(b, clock_to_text(time_s, text));
}

static void put_quoted(struct builder *b, struct bytes text)
{
        builder_put_u8(b, '"');
        for (size_t i = 0; i < text.len; i++) {
                if (text.data[i] < ' ') {
                        builder_printf(b, "\\u%04x", text.data[i]);
                        continue;
                }
                if (text.data[i] == '"' || text.data[i] == '\\')
                        builder_put_u8(b, '\\');
                builder_put_u8(b, text.data[i]);
        }
        builder_put_u8(b, '"');
}

void ari_put_json(struct builder *b, const struct ari_window *window, struct bytes explanation_url)
{
        builder_put_str(b, "{\"suggestedWindow\":{\"start\":\"");
        put_time(b, window->start_s);
        builder_put_str(b, "\",\"end\":\"");
        put_time(b, window->end_s);
        builder_put_str(b, "\"}");
        if (explanation_url.len > 0) {
                builder_put_str(b, ",\"explanationURL\":");
                put_quoted(b, explanation_url);
        }
        builder_put_str(b, "}\n");
}
