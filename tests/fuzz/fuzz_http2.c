/* Fuzz: an HTTP/2 client's octets, through the session and the whole way of a request, over an empty store. Whatever comes and
 * however it is cut, what is kept of it is bounded, every stream ends by its timeouts, and the session can be ended. */
#include <unistd.h>

#include "responder/http/http2_session.h"
#include "tests/fuzz/fuzz.h"

#define FOLDER "/tmp/tocsin-fuzz-XXXXXX"

static char folder[] = FOLDER;
static struct conf conf = {.store_path = folder, .store_map_size = 1 << 30, .crl_path = folder, .ocsp_path = (char *)"/", .max_uri = 200,
        .max_body = 300, .max_cert_ids = 4, .header_timeout_s = 10, .park_timeout_s = 5, .write_timeout_s = 30};
static struct service service;
static struct http2_pool *pool;

static void on_event(void *owner)
{
        (void)owner;
}

static void remove_folder(void)
{
        static const char *const names[] = {"data.mdb", "lock.mdb", "engine.lock", "reserve"};
        char path[64];

        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
                snprintf(path, sizeof path, "%s/%s", folder, names[i]);
                unlink(path);
        }
        rmdir(folder);
}

static void set_up(void)
{
        static struct env *writer, *reader;
        struct env_config store = {.path = folder, .map_size = conf.store_map_size};
        struct http2_pool_config config = {.service = &service, .on_resumed = on_event, .on_settle = on_event};

        if (pool)
                return;
        HOLDS(mkdtemp(folder));
        atexit(remove_folder);
        HOLDS(env_open_writer(&store, &writer, NULL) == OK);
        HOLDS(env_open_reader(&store, &reader, NULL) == OK);
        HOLDS(service_init(&service, &conf, reader) == OK);
        pool = http2_pool_new(&config);
        HOLDS(pool);
}

static void check(const struct http2 *h)
{
        HOLDS(h->n_streams <= HTTP2_MAX_STREAMS + 1);
        HOLDS(h->n_kept <= 64 * 1024 + 2 * service.limits.max_head);
        HOLDS(h->n_held <= 64 * 1024 + SERVICE_OUT_SIZE);
        HOLDS(h->n_files == 0);
        HOLDS(h->hpack.size <= h->hpack.max && h->hpack.cap <= HPACK_TABLE_SIZE && h->hpack.end <= h->hpack.cap);
        HOLDS(h->block.octets.len <= service.limits.max_head + 2 * HTTP2_PAYLOAD_MAX);
        HOLDS(h->send_window <= HTTP2_WINDOW_MAX);
        HOLDS(h->current == NULL || h->current->session == h);
}

static void put_all(struct http2 *h)
{
        struct builder *out = http2_pool_out(pool);

        do {
                builder_reset(out);
                http2_put(h, out);
                HOLDS(!builder_failed(out));
                check(h);
        } while (out->len > 0);
}

/* `step` octets more each time, with what was not whole the last time. */
static void receive_all(struct http2 *h, struct bytes in, size_t step)
{
        size_t used = 0, seen = 0;

        while (seen < in.len && !http2_is_over(h)) {
                size_t n;

                seen = step < in.len - seen ? seen + step : in.len;
                n = http2_receive(h, bytes_make(&in.data[used], seen - used));
                HOLDS(n <= seen - used);
                used += n;
                HOLDS(seen - used < HTTP2_FRAME_HEAD + HTTP2_PAYLOAD_MAX);
                put_all(h);
        }
}

static void run(struct bytes in, size_t step, int64_t late_ms)
{
        struct http2 *h = http2_new(pool, NULL);

        HOLDS(h);
        http2_pool_set_time(pool, 1000);
        receive_all(h, in, step);
        if (late_ms > 0) {
                http2_pool_set_time(pool, 1000 + late_ms);
                http2_tick(h);
                http2_drain(h);
                put_all(h);
                HOLDS(h->n_streams == 0 || http2_is_over(h) || late_ms < 30000);
        }
        http2_end(h);
        put_all(h);
        HOLDS(http2_is_over(h));
        http2_free(h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct builder with_preface = {0};
        struct bytes in = bytes_make(data, size);

        set_up();
        builder_put(&with_preface, BYTES_LIT(HTTP2_PREFACE));
        builder_put(&with_preface, in);
        run(builder_bytes(&with_preface), SIZE_MAX / 2, 0);
        run(builder_bytes(&with_preface), 1, 31000);
        run(builder_bytes(&with_preface), 7, 6000);
        run(in, 11, 0);
        builder_done(&with_preface);
        return 0;
}
