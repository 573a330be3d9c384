/* test_conf: what is written is what holds; what is wrong is refused with file, line and what would be right. */
#include "tests/unit/base/test.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/conf.h"
#include "base/log.h"
#include "tests/unit/base/fail_alloc.h"

static char folder[64], main_file[96];

static int set_up(void **state)
{
        (void)state;
        strcpy(folder, "/tmp/tocsin-conf-XXXXXX");
        if (!mkdtemp(folder))
                return -1;
        snprintf(main_file, sizeof(main_file), "%s/tocsin.yaml", folder);
        return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
        (void)st;
        (void)flag;
        (void)ftw;
        return remove(path);
}

static int tear_down(void **state)
{
        (void)state;
        return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Writes folder/name; returns its path until the next call. */
static const char *put_file(const char *name, const char *content)
{
        static char path[256];
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s", folder, name);
        file = fopen(path, "w");
        assert_non_null(file);
        fputs(content, file);
        fclose(file);
        return path;
}

static void put_folder(const char *name)
{
        char path[256];

        snprintf(path, sizeof(path), "%s/%s", folder, name);
        assert_int_equal(mkdir(path, 0700), 0);
}

static void put_issuer(const char *name, const char *content)
{
        char path[192];

        snprintf(path, sizeof(path), "issuers/%s", name);
        put_folder(path);
        snprintf(path, sizeof(path), "issuers/%s/ca.pem", name);
        put_file(path, "a certificate");
        snprintf(path, sizeof(path), "issuers/%s/issuer.yaml", name);
        put_file(path, content);
}

static struct conf *load(const char *content)
{
        struct conf_problem problem = {{0}};
        struct conf *conf = NULL;

        put_file("tocsin.yaml", content);
        if (conf_load(main_file, &conf, &problem) != OK)
                fail_msg("%s", problem.text);
        return conf;
}

static const char *in_folder(const char *name)
{
        static char path[256];

        snprintf(path, sizeof(path), "%s/%s", folder, name);
        return path;
}

static void assert_defaults(const struct conf *c)
{
        assert_string_equal(c->store_path, in_folder("store"));
        assert_true(c->store_map_size == 1ULL << 40 && c->store_reserve == 64 << 20);
        assert_string_equal(c->crl_path, in_folder("crl"));
        assert_string_equal(c->issuers_path, in_folder("issuers"));
        assert_string_equal(c->run_path, in_folder("run"));
        assert_string_equal(c->control_socket, in_folder("run/control.sock"));
        assert_string_equal(c->sign_socket, in_folder("run/sign.sock"));
        assert_string_equal(c->control_group, "");
        assert_string_equal(c->engine_user, "tocsin");
        assert_string_equal(c->vault_user, "tocsin-vault");
        assert_string_equal(c->responder_user, "tocsin-responder");
        assert_string_equal(c->token_module, "/usr/lib/softhsm/libsofthsm2.so");
        assert_string_equal(c->token_label, "tocsin");
        assert_string_equal(c->token_pin_file, in_folder("pin"));
        assert_true(c->token_sessions == 2 && c->token_timeout_s == 10);
        assert_true(c->sign_in_flight == 256 && c->sign_extras_rate == 500 && c->sign_per_worker == 128);
        assert_int_equal(c->listen.n, 1);
        assert_string_equal(c->listen.items[0], "127.0.0.1:8080");
        assert_int_equal(c->tls_listen.n, 0);
        assert_true(c->max_connections_per_address == 1000 && c->max_requests_per_address == 0);
        assert_int_equal(c->trusted_addresses.n, 2);
        assert_string_equal(c->trusted_addresses.items[0], "127.0.0.0/8");
        assert_string_equal(c->tls_certificate, in_folder("tls.pem"));
        assert_string_equal(c->tls_key, in_folder("tls.key"));
        assert_string_equal(c->ocsp_path, "/");
        assert_true(c->workers == 0 && c->max_connections == 20000 && c->max_memory == 1ull << 30 && c->max_body == 10000 && c->max_uri == 8192 &&
                    c->max_cert_ids == 8);
        assert_true(
                c->header_timeout_s == 10 && c->idle_timeout_s == 60 && c->write_timeout_s == 30 && c->park_timeout_s == 5);
        assert_string_equal(c->log_target, "stderr");
        assert_int_equal(c->log_level, LEVEL_INFO);
}

static void assert_issuer_defaults(const struct conf_issuer *i)
{
        char path[256];

        assert_true(i->profile == CONF_PROFILE_PRIVATE && !i->offline && i->certificates.n == 1);
        snprintf(path, sizeof(path), "%s/ca.pem", i->folder);
        assert_string_equal(i->certificates.items[0], path);
        snprintf(path, sizeof(path), "%s/ocsp-signer.pem", i->folder);
        assert_string_equal(i->ocsp_certificate, path);
        assert_string_equal(i->ocsp_key, "");
        assert_true(i->ocsp_hash == CONF_HASH_SHA256 && i->ocsp_responder_id == CONF_RESPONDER_BY_KEY &&
                    i->ocsp_cert_id == CONF_HASH_SHA1);
        assert_true(i->ocsp_allow_sha1_cert_id && i->ocsp_nonce == CONF_NONCE_IGNORE && !i->ocsp_extended_revoked);
        assert_true(i->ocsp_validity_s == 4 * 86400 && i->ocsp_refresh_s == 0 && i->ocsp_max_age_good_s == 3600);
        assert_true(i->ocsp_max_age_revoked_s == 300 && i->crl_hash == CONF_HASH_SHA256 && i->crl_validity_s == 7 * 86400);
        assert_true(i->crl_period_s == 86400 && i->crl_delta_period_s == 0 && i->crl_after_revocation_s == 60);
        assert_true(i->crl_shards == 0 && i->crl_max_age_s == 3600);
        assert_string_equal(i->crl_key, "");
        assert_string_equal(i->crl_url, "");
        assert_string_equal(i->crl_delta_url, "");
}

static void an_empty_file_means_the_defaults(void **state)
{
        _cleanup_(conf_freep) struct conf *conf = load("");

        (void)state;
        assert_string_equal(conf->file, main_file);
        assert_int_equal(conf->n_issuers, 0);
        assert_defaults(conf);
}

/* The text that a printer prints. */
static char *print(void (*printer)(FILE *, const char *const *), const char *const *set)
{
        char *text = NULL;
        size_t len;
        FILE *out = open_memstream(&text, &len);

        printer(out, set);
        fclose(out);
        return text;
}

static char *slurp(const char *name)
{
        char path[512];
        char *text = calloc(1, 1 << 16);
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s", getenv("TOCSIN_CONF"), name);
        file = fopen(path, "r");
        assert_non_null(file);
        assert_true(fread(text, 1, (1 << 16) - 1, file) > 0);
        fclose(file);
        return text;
}

static void the_samples_in_conf_are_what_the_table_prints(void **state)
{
        _cleanup_free_
        char *main_sample = print(conf_print_sample, NULL), *issuer_sample = print(conf_print_issuer_sample, NULL);
        _cleanup_free_
        char *main_kept = slurp("tocsin.yaml"), *issuer_kept = slurp("issuer.yaml");

        (void)state;
        assert_string_equal(main_sample, main_kept);
        assert_string_equal(issuer_sample, issuer_kept);
}

static void the_samples_load_and_mean_the_defaults(void **state)
{
        _cleanup_free_
        char *main_sample = print(conf_print_sample, NULL), *issuer_sample = print(conf_print_issuer_sample, NULL);
        _cleanup_(conf_freep) struct conf *conf = NULL;

        (void)state;
        put_folder("issuers");
        put_issuer("one", issuer_sample);
        conf = load(main_sample);
        assert_defaults(conf);
        assert_int_equal(conf->n_issuers, 1);
        assert_issuer_defaults(&conf->issuers[0]);
}

/* "#name: value" -> "name: value" for every option, which stands behind the indentation of its group. */
static void uncomment(char *text)
{
        for (char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
                char *hash = line + strspn(line, " ");

                if (hash[0] == '#' && hash[1] >= 'a' && hash[1] <= 'z')
                        memmove(hash, hash + 1, strlen(hash));
        }
}

static void every_default_can_be_written_as_it_is_shown(void **state)
{
        _cleanup_free_
        char *main_sample = print(conf_print_sample, NULL), *issuer_sample = print(conf_print_issuer_sample, NULL);
        _cleanup_(conf_freep) struct conf *conf = NULL;

        (void)state;
        uncomment(main_sample);
        uncomment(issuer_sample);
        assert_non_null(strstr(main_sample, "\n  workers: 0\n"));
        put_folder("issuers");
        put_issuer("one", issuer_sample);
        conf = load(main_sample);
        assert_defaults(conf);
        assert_issuer_defaults(&conf->issuers[0]);
}

static void a_sample_holds_what_was_set(void **state)
{
        static const char *const set[] = {"run.path=/srv/x", "responder.workers=3", "responder.listen=[::1]:80,10.0.0.1:81",
                "control.group=a \"b\" \\c", "issuers=pki", NULL};
        _cleanup_free_
        char *sample = print(conf_print_sample, set);
        _cleanup_(conf_freep) struct conf *conf = load(sample);

        (void)state;
        assert_non_null(strstr(sample, "#socket: /srv/x/control.sock\n"));
        assert_string_equal(conf->control_socket, "/srv/x/control.sock");
        assert_int_equal(conf->workers, 3);
        assert_int_equal(conf->listen.n, 2);
        assert_string_equal(conf->listen.items[1], "10.0.0.1:81");
        assert_string_equal(conf->control_group, "a \"b\" \\c");
        assert_string_equal(conf->issuers_path, in_folder("pki"));
}

static void values_of_every_type_are_read(void **state)
{
        _cleanup_(conf_freep) struct conf *conf =
                load("store: {path: /abs/store, map_size: 2G, reserve: 1048576}\n"
                     "issuers: ../issuers\n"
                     "run:\n  path: sockets\n"
                     "users: {engine: '', vault: \"\"}\n"
                     "token:\n  timeout: 1m30s\n  sessions: 64\n"
                     "responder:\n  listen:\n    - 0.0.0.0:80\n    - '[::]:65535'\n  idle_timeout: 1d\n"
                     "log:\n  target: logs/x.log\n  level: debug\n");

        (void)state;
        assert_string_equal(conf->store_path, "/abs/store");
        assert_true(conf->store_map_size == 2ULL << 30 && conf->store_reserve == 1 << 20);
        assert_string_equal(conf->issuers_path, in_folder("../issuers"));
        assert_string_equal(conf->control_socket, in_folder("sockets/control.sock"));
        assert_string_equal(conf->engine_user, "");
        assert_string_equal(conf->vault_user, "");
        assert_true(conf->token_timeout_s == 90 && conf->token_sessions == 64 && conf->idle_timeout_s == 86400);
        assert_int_equal(conf->listen.n, 2);
        assert_string_equal(conf->listen.items[1], "[::]:65535");
        assert_string_equal(conf->log_target, in_folder("logs/x.log"));
        assert_int_equal(conf->log_level, LEVEL_DEBUG);
}

static void issuers_are_sorted_and_found_by_name(void **state)
{
        _cleanup_(conf_freep) struct conf *conf = NULL;

        (void)state;
        put_folder("issuers");
        put_folder("issuers/not-an-issuer");
        put_issuer("b", "profile: cabf-tls\ncrl: {shards: 2, url: 'http://x/{shard}.crl'}\n");
        put_issuer("a", "ocsp: {validity: 1d12h, nonce: echo, certificate: ''}");
        put_issuer(".being-made", "nonsense");
        conf = load("");
        assert_int_equal(conf->n_issuers, 2);
        assert_string_equal(conf->issuers[0].name, "a");
        assert_string_equal(conf->issuers[0].folder, in_folder("issuers/a"));
        assert_string_equal(conf->issuers[0].ocsp_certificate, "");
        assert_true(conf->issuers[0].ocsp_validity_s == 129600 && conf->issuers[0].ocsp_nonce == CONF_NONCE_ECHO);
        assert_ptr_equal(conf_find_issuer(conf, "b"), &conf->issuers[1]);
        assert_true(conf->issuers[1].profile == CONF_PROFILE_CABF_TLS && conf->issuers[1].crl_shards == 2);
        assert_null(conf_find_issuer(conf, "c"));
}

struct bad {
        const char *content;
        enum err err;
        const char *where; /* ends the file's name: ".yaml:3: option" */
        const char *hint;  /* what would be right */
};

static const struct bad bad_mains[] = {
        /* names */
        {"responder:\n  workes: 2\n", ERR_INVALID, ".yaml:2: responder.workes:", "did you mean responder.workers?"},
        {"workers: 2\n", ERR_INVALID, ".yaml:1: workers:", "did you mean responder.workers?"},
        {"# x\n\nrespnder:\n  workers: 2\n", ERR_INVALID, ".yaml:3: respnder:", "did you mean responder?"},
        {"store:\n  path: x\n  sessions: 2\n", ERR_INVALID, ".yaml:3: store.sessions:", "did you mean token.sessions?"},
        {"store.path: x\n", ERR_INVALID, ".yaml:1: store.path:", "no such option"},
        {"qwertzuiop: x\n", ERR_INVALID, ".yaml:1: qwertzuiop:", "sample lists all"},
        /* numbers */
        {"responder:\n  workers: 900\n", ERR_RANGE, ".yaml:2: responder.workers: 900 is not a number in 0..256",
                "\"workers: 1\" (default 0)"},
        {"responder:\n  workers: 257\n", ERR_RANGE, ".yaml:2: responder.workers: 257", "0..256"},
        {"responder:\n  workers: -1\n", ERR_INVALID, ".yaml:2: responder.workers: -1", "0..256"},
        {"responder:\n  workers: many\n", ERR_INVALID, ".yaml:2: responder.workers: many", "0..256"},
        {"responder:\n  workers: 4294967297\n", ERR_RANGE, ".yaml:2: responder.workers: 4294967297", "0..256"},
        {"responder:\n  workers: 99999999999999999999999\n", ERR_RANGE, ".yaml:2: responder.workers", "0..256"},
        {"responder:\n  max_cert_ids: 17\n", ERR_RANGE, ".yaml:2: responder.max_cert_ids: 17", "1..16"},
        {"responder:\n  max_cert_ids: 0\n", ERR_RANGE, ".yaml:2: responder.max_cert_ids: 0",
                "\"max_cert_ids: 8\" (default 8)"},
        {"token:\n  sessions: 65\n", ERR_RANGE, ".yaml:2: token.sessions: 65", "1..64"},
        /* sizes */
        {"store:\n  map_size: 1X\n", ERR_INVALID, ".yaml:2: store.map_size: 1X", "16M..16T"},
        {"store:\n  map_size: 17T\n", ERR_RANGE, ".yaml:2: store.map_size: 17T", "16M..16T"},
        {"store:\n  map_size: 99999999999T\n", ERR_RANGE, ".yaml:2: store.map_size", "16M..16T"},
        {"store:\n  reserve: 1G1M\n", ERR_INVALID, ".yaml:2: store.reserve: 1G1M", "default 64M"},
        /* durations */
        {"responder:\n  idle_timeout: 90\n", ERR_INVALID, ".yaml:2: responder.idle_timeout: 90", "1s..1d"},
        {"responder:\n  idle_timeout: 1s1m\n", ERR_INVALID, ".yaml:2: responder.idle_timeout", "1s..1d"},
        {"responder:\n  idle_timeout: 1m1m\n", ERR_INVALID, ".yaml:2: responder.idle_timeout", "1s..1d"},
        {"responder:\n  idle_timeout: 1 m\n", ERR_INVALID, ".yaml:2: responder.idle_timeout", "1s..1d"},
        {"responder:\n  idle_timeout: 25h\n", ERR_RANGE, ".yaml:2: responder.idle_timeout: 25h", "1s..1d"},
        {"responder:\n  idle_timeout: 0\n", ERR_RANGE, ".yaml:2: responder.idle_timeout: 0", "default 60s"},
        {"responder:\n  idle_timeout: 999999999999999999999d\n", ERR_RANGE, ".yaml:2: responder.idle_timeout", "1s..1d"},
        {"responder:\n  park_timeout: 11s\n", ERR_RANGE, ".yaml:2: responder.park_timeout: 11s", "1s..10s"},
        /* words, paths, lists */
        {"log:\n  level: loud\n", ERR_INVALID, ".yaml:2: log.level: loud", "one of error, warning, info, debug"},
        {"store:\n  path: \"\"\n", ERR_RANGE, ".yaml:2: store.path: \"\"", "a path, not empty"},
        {"store:\n  path: \"a\\nb\"\n", ERR_INVALID, ".yaml:2: store.path: a?b is not", "a path"},
        {"store:\n  path: \"a\\0b\"\n", ERR_INVALID, ".yaml:2: store.path: a text with a NUL", "a path"},
        {"store:\n  path:\n", ERR_INVALID, ".yaml:2: store.path: no value at all", "\"path: store\" (default store)"},
        {"store:\n  path: [a]\n", ERR_INVALID, ".yaml:2: store.path: a list", "a path"},
        {"store:\n  path: {a: b}\n", ERR_INVALID, ".yaml:2: store.path: a group", "a path"},
        {"responder:\n  listen: 127.0.0.1:80\n", ERR_INVALID, ".yaml:2: responder.listen",
                "\"listen: [\"127.0.0.1:8080\"]\" (default 127.0.0.1:8080)"},
        {"responder:\n  listen: []\n", ERR_RANGE, ".yaml:2: responder.listen: an empty list", "at least one"},
        {"responder:\n  listen: ['127.0.0.1:80']\n  tls_listen: ['127.0.0.1:80']\n", ERR_RANGE, ".yaml:3: responder.tls_listen",
                "with TLS or without it"},
        {"responder:\n  trusted_addresses: [10.0.0.0/8, 10.0.0.0/33]\n", ERR_RANGE, ".yaml:2: responder.trusted_addresses", "2001:db8::/32"},
        {"responder:\n  tls_listen: ['127.0.0.1:443', localhost:80]\n", ERR_RANGE, ".yaml:2: responder.tls_listen", "[::1]:8080"},
        {"responder:\n  listen: [localhost:80]\n", ERR_RANGE, ".yaml:2: responder.listen", "127.0.0.1:8080 or [::1]:8080"},
        {"responder:\n  listen: ['[::1:80']\n", ERR_RANGE, ".yaml:2: responder.listen", "127.0.0.1:8080"},
        {"responder:\n  listen: ['::1:80']\n", ERR_RANGE, ".yaml:2: responder.listen", "127.0.0.1:8080"},
        {"responder:\n  listen: ['127.0.0.1:0']\n", ERR_RANGE, ".yaml:2: responder.listen", "1..65535"},
        {"responder:\n  listen: ['127.0.0.1:65536']\n", ERR_RANGE, ".yaml:2: responder.listen", "1..65535"},
        {"responder:\n  listen: ['127.0.0.1']\n", ERR_RANGE, ".yaml:2: responder.listen", "1..65535"},
        {"responder:\n  ocsp_path: ocsp\n", ERR_RANGE, ".yaml:2: responder.ocsp_path", "begins with \"/\""},
        {"sign:\n  socket: "
         "/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345/s\n",
                ERR_RANGE, ".yaml:2: sign.socket", "at most 107 bytes"},
        /* the file's shape */
        {"log:\n  level: info\n  level: debug\n", ERR_INVALID, ".yaml:3: log.level: set twice, first on line 2", "keep one"},
        {"log:\n  level: info\ncrl:\nlog:\n  target: stderr\n", ERR_INVALID, ".yaml:4: log: set twice, first on line 1",
                "put all"},
        {"log: debug\n", ERR_INVALID, ".yaml:1: log: a group", "indented below"},
        {"- a\n", ERR_INVALID, ".yaml:1: options are expected", "name: value"},
        {"log:\n  [a]: b\n", ERR_INVALID, ".yaml:2: an option's name", "expected"},
        {"a: &x b\n", ERR_INVALID, ".yaml:1: a: no such option", ""},
        {"store:\n  path: &x b\nissuers: *x\n", ERR_INVALID, ".yaml:3: issuers: aliases are not taken", "write the value"},
        {"issuers: a\n---\nissuers: b\n", ERR_INVALID, ".yaml:2: a second document", "one only"},
        {"store:\n\tpath: x\n", ERR_INVALID, ".yaml:2: not YAML", "token"},
        {"store: {path: x\n", ERR_INVALID, ".yaml:2: not YAML", "expected"},
};

static const struct bad bad_issuers[] = {
        {"profile: cabf-tls\nocsp:\n  validity: 7h\n", ERR_RANGE, ".yaml:3: ocsp.validity", "8h..10d"},
        {"profile: cabf-tls\nocsp:\n  validity: 10d1s\n", ERR_RANGE, ".yaml:3: ocsp.validity", "8h..10d"},
        {"profile: cabf-tls\nocsp:\n  validity: 10d\n", ERR_RANGE, ".yaml: ocsp.refresh", "within 4d"},
        {"profile: cabf-tls\nocsp:\n  validity: 10h\n  refresh: 6h\n", ERR_RANGE, ".yaml:4: ocsp.refresh", "by its half"},
        {"profile: cabf-tls\nocsp:\n  validity: 1d\n  refresh: 17h\n", ERR_RANGE, ".yaml:4: ocsp.refresh",
                "8h before its nextUpdate"},
        {"profile: cabf-tls\nocsp:\n  extended_revoked: true\n", ERR_RANGE, ".yaml:3: ocsp.extended_revoked", "write false"},
        {"profile: cabf-tls\nocsp:\n  responder_id: by-name\n", ERR_RANGE, ".yaml:3: ocsp.responder_id", "write by-key"},
        {"profile: cabf-tls\ncrl:\n  validity: 11d\n", ERR_RANGE, ".yaml:3: crl.validity", "at most 10d"},
        {"profile: cabf-tls\ncrl:\n  validity: 10d\n  period: 8d\n", ERR_RANGE, ".yaml:4: crl.period", "at most 7d"},
        {"profile: cabf-tls\ncrl:\n  after_revocation: 25h\n", ERR_RANGE, ".yaml:3: crl.after_revocation", "at most 1d"},
        {"profile: public\n", ERR_INVALID, ".yaml:1: profile: public", "one of private, cabf-tls"},
        {"ocsp:\n  validity: 1h\n  refresh: 1h\n", ERR_RANGE, ".yaml:3: ocsp.refresh", "less than ocsp.validity"},
        {"ocsp:\n  hash: sha1\n", ERR_RANGE, ".yaml:2: ocsp.hash: sha1", "one of sha256, sha384, sha512"},
        {"ocsp:\n  hash: md5\n", ERR_INVALID, ".yaml:2: ocsp.hash: md5", "one of sha256, sha384, sha512"},
        {"ocsp:\n  allow_sha1_cert_id: false\n", ERR_RANGE, ".yaml: ocsp.cert_id", "sha256"},
        {"ocsp:\n  allow_sha1_cert_id: no\n", ERR_INVALID, ".yaml:2: ocsp.allow_sha1_cert_id: no", "true or false"},
        {"offline: true\ncrl:\n  key: root\n", ERR_RANGE, ".yaml:1: offline", "leave crl.key out"},
        {"crl:\n  period: 7d\n", ERR_RANGE, ".yaml:2: crl.period", "less than crl.validity"},
        {"crl:\n  shards: 4\n", ERR_RANGE, ".yaml: crl.url", "{shard}"},
        {"crl:\n  shards: 4\n  url: http://x/ca.crl\n", ERR_RANGE, ".yaml:3: crl.url", "{shard}"},
        {"crl:\n  url: 'http://x/{shard}.crl'\n", ERR_RANGE, ".yaml:2: crl.url", "crl.shards is 0"},
        {"crl:\n  delta_period: 1h\n", ERR_RANGE, ".yaml: crl.delta_url", "delta_url: http"},
        {"crl: {shards: 2, url: 'http://x/{shard}', delta_period: 1h, delta_url: 'http://x/d'}\n", ERR_RANGE,
                ".yaml:1: crl.delta_url", "{shard}"},
        {"crl:\n  delta_period: 1d\n  delta_url: http://x/d\n", ERR_RANGE, ".yaml:2: crl.delta_period",
                "less than crl.period"},
        {"# ours\ncertificates: [ca.pem, gone.pem]\n", ERR_NOT_FOUND, ".yaml:2: certificates", "gone.pem does not exist"},
        {"certificates: ca.pem\n", ERR_INVALID, ".yaml:1: certificates", "a list of paths"},
        {"ocps:\n", ERR_INVALID, ".yaml:1: ocps", "did you mean ocsp?"},
};

static void assert_refused(const struct bad *b, const char *file)
{
        struct conf_problem problem = {{0}};
        struct conf *conf = NULL;
        enum err e = conf_load(main_file, &conf, &problem);
        size_t len = strlen(file) - strlen(".yaml");

        if (e != b->err || conf || strncmp(problem.text, file, len) != 0 ||
                strncmp(problem.text + len, b->where, strlen(b->where)) != 0 || !strstr(problem.text, b->hint))
                fail_msg("%s: error %d (want %d): \"%s\" (want \"%s\" and \"%s\")", b->content, e, b->err, problem.text,
                        b->where, b->hint);
}

static void what_is_wrong_is_refused_with_line_and_hint(void **state)
{
        (void)state;
        for (size_t i = 0; i < sizeof(bad_mains) / sizeof(*bad_mains); i++) {
                put_file("tocsin.yaml", bad_mains[i].content);
                assert_refused(&bad_mains[i], main_file);
        }
}

static void an_issuer_that_breaks_its_profile_is_refused_with_line_and_hint(void **state)
{
        char file[256];

        (void)state;
        put_folder("issuers");
        put_issuer("one", "");
        put_file("tocsin.yaml", "");
        snprintf(file, sizeof(file), "%s/issuers/one/issuer.yaml", folder);
        for (size_t i = 0; i < sizeof(bad_issuers) / sizeof(*bad_issuers); i++) {
                put_file("issuers/one/issuer.yaml", bad_issuers[i].content);
                assert_refused(&bad_issuers[i], file);
        }
}

/* BR 4.9.9, req 2.6: the bounds themselves are allowed. */
static void the_bounds_of_cabf_tls_are_inclusive(void **state)
{
        static const char *const good[] = {
                "profile: cabf-tls\nocsp: {validity: 8h}\n",
                "profile: cabf-tls\nocsp: {validity: 10d, refresh: 4d}\n",
                "profile: cabf-tls\nocsp: {validity: 16h, refresh: 8h}\n",
                "profile: cabf-tls\ncrl: {validity: 10d, period: 7d, after_revocation: 1d}\n",
                "ocsp: {validity: 11d, responder_id: by-name, extended_revoked: true}\ncrl: {validity: 30d, period: 29d}\n",
        };

        (void)state;
        put_folder("issuers");
        put_issuer("one", "");
        for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
                put_file("issuers/one/issuer.yaml", good[i]);
                conf_free(load(""));
        }
}

static void an_issuer_with_a_strange_name_is_refused(void **state)
{
        struct conf_problem problem = {{0}};
        struct conf *conf = NULL;

        (void)state;
        put_folder("issuers");
        put_issuer("my ca", "");
        put_file("tocsin.yaml", "");
        assert_int_equal(conf_load(main_file, &conf, &problem), ERR_INVALID);
        assert_non_null(strstr(problem.text, "letters, digits"));
}

static void a_file_that_is_not_there_is_not_found(void **state)
{
        struct conf_problem problem = {{0}};
        struct conf *conf = NULL;

        (void)state;
        assert_int_equal(conf_load("/nowhere/tocsin.yaml", &conf, &problem), ERR_NOT_FOUND);
        assert_non_null(strstr(problem.text, "/nowhere/tocsin.yaml: cannot be read"));
        assert_int_equal(conf_load(main_file, &conf, &problem), ERR_NOT_FOUND);
        assert_null(conf);
}

/* The complaints, a line each. */
static char found[4096];
static unsigned n_found;

static void note_found(void *arg, const char *text)
{
        size_t len = strlen(found);

        (void)arg;
        snprintf(found + len, sizeof(found) - len, "%s\n", text);
        n_found++;
}

static enum err look_for_files(const struct conf *conf)
{
        found[0] = '\0';
        n_found = 0;
        return conf_check_files(conf, note_found, NULL);
}

static void all_files_made_later_are_missed_with_how_to_make_them(void **state)
{
        _cleanup_(conf_freep) struct conf *conf = NULL;

        (void)state;
        put_file("module.so", "");
        put_folder("issuers");
        put_issuer("one", "ocsp:\n  certificate: signer.pem\n  key: ocsp\n");
        put_issuer("two", "ocsp:\n  key: ocsp\n");
        conf = load("token:\n  module: module.so\n  pin_file: secret\n");
        assert_int_equal(look_for_files(conf), ERR_NOT_FOUND);
        assert_int_equal(n_found, 3);
        assert_non_null(strstr(found, "tocsin.yaml:3: token.pin_file"));
        assert_non_null(strstr(found, "issuers/one/issuer.yaml:2: ocsp.certificate"));
        assert_non_null(strstr(found, "issuers/two/issuer.yaml: ocsp.certificate"));
        assert_non_null(strstr(found, "tocsin key install"));
        put_file("secret", "1234");
        put_file("issuers/two/ocsp-signer.pem", "");
        assert_int_equal(look_for_files(conf), ERR_NOT_FOUND);
        assert_int_equal(n_found, 1);
        put_file("issuers/one/signer.pem", "");
        assert_int_equal(look_for_files(conf), OK);
        assert_int_equal(n_found, 0);
}

static void no_ocsp_certificate_is_missed_where_the_ca_key_signs(void **state)
{
        _cleanup_(conf_freep) struct conf *conf = NULL;

        (void)state;
        put_file("module.so", "");
        put_file("pin", "1234");
        put_folder("issuers");
        put_issuer("one", "crl:\n  key: ca\n");
        conf = load("token:\n  module: module.so\n");
        assert_int_equal(look_for_files(conf), OK);
}

static void no_failed_allocation_leaks_or_crashes(void **state)
{
        (void)state;
        put_folder("issuers");
        put_issuer("one", "ocsp: {validity: 1d}\ncertificates: [ca.pem]\n");
        put_file("tocsin.yaml", "responder: {listen: ['127.0.0.1:1', '127.0.0.1:2']}\n");
        for (int n = 0;; n++) {
                struct conf_problem problem = {{0}};
                struct conf *conf = NULL;
                bool happened;
                enum err e;

                fail_alloc_after(n);
                e = conf_load(main_file, &conf, &problem);
                happened = fail_alloc_happened();
                fail_alloc_after(-1);
                if (!happened) {
                        assert_int_equal(e, OK);
                        conf_free(conf);
                        break;
                }
                assert_int_equal(e, ERR_NOMEM);
                assert_null(conf);
                assert_string_not_equal(problem.text, "");
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(an_empty_file_means_the_defaults, set_up, tear_down),
                cmocka_unit_test_setup_teardown(the_samples_in_conf_are_what_the_table_prints, set_up, tear_down),
                cmocka_unit_test_setup_teardown(the_samples_load_and_mean_the_defaults, set_up, tear_down),
                cmocka_unit_test_setup_teardown(every_default_can_be_written_as_it_is_shown, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_sample_holds_what_was_set, set_up, tear_down),
                cmocka_unit_test_setup_teardown(values_of_every_type_are_read, set_up, tear_down),
                cmocka_unit_test_setup_teardown(issuers_are_sorted_and_found_by_name, set_up, tear_down),
                cmocka_unit_test_setup_teardown(what_is_wrong_is_refused_with_line_and_hint, set_up, tear_down),
                cmocka_unit_test_setup_teardown(
                        an_issuer_that_breaks_its_profile_is_refused_with_line_and_hint, set_up, tear_down),
                cmocka_unit_test_setup_teardown(the_bounds_of_cabf_tls_are_inclusive, set_up, tear_down),
                cmocka_unit_test_setup_teardown(an_issuer_with_a_strange_name_is_refused, set_up, tear_down),
                cmocka_unit_test_setup_teardown(a_file_that_is_not_there_is_not_found, set_up, tear_down),
                cmocka_unit_test_setup_teardown(all_files_made_later_are_missed_with_how_to_make_them, set_up, tear_down),
                cmocka_unit_test_setup_teardown(no_ocsp_certificate_is_missed_where_the_ca_key_signs, set_up, tear_down),
                cmocka_unit_test_setup_teardown(no_failed_allocation_leaks_or_crashes, set_up, tear_down),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
