/* conf_table: every option of every program, one row each.
 *
 * Adding an option: a field in base/conf.h, a row here, and the samples in conf/ printed anew.
 */
#include "base/conf_table.h"

#include "base/log.h"

#define ROWS(table) (sizeof(table) / sizeof(*(table)))
#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define TIB ((uint64_t)1 << 40)
#define MINUTE 60
#define HOUR 3600
#define DAY 86400
#define YEAR (366 * DAY)

static const char *const profile_names[] = {[CONF_PROFILE_PRIVATE] = "private", [CONF_PROFILE_CABF_TLS] = "cabf-tls", NULL};
static const char *const nonce_names[] = {[CONF_NONCE_IGNORE] = "ignore", [CONF_NONCE_ECHO] = "echo", NULL};
static const char *const responder_id_names[] = {
        [CONF_RESPONDER_BY_KEY] = "by-key", [CONF_RESPONDER_BY_NAME] = "by-name", NULL};
static const char *const tags_names[] = {
        [CONF_TAGS_OFF] = "off",
        [CONF_TAGS_SURROGATE_KEY] = "Surrogate-Key",
        [CONF_TAGS_CACHE_TAG] = "Cache-Tag",
        [CONF_TAGS_XKEY] = "xkey",
        NULL,
};
static const char *const hash_names[] = {
        [CONF_HASH_SHA1] = "sha1",
        [CONF_HASH_SHA256] = "sha256",
        [CONF_HASH_SHA384] = "sha384",
        [CONF_HASH_SHA512] = "sha512",
        NULL,
};
static const char *const log_targets[] = {"stderr", "syslog", NULL};
static const char *const level_names[] = {
        [LEVEL_ERROR] = "error",
        [LEVEL_WARNING] = "warning",
        [LEVEL_INFO] = "info",
        [LEVEL_DEBUG] = "debug",
        NULL,
};

#define AT(field) .offset = offsetof(struct conf, field)

/* clang-format off */
static const struct conf_option main_options[] = {
        {"store.path", CONF_PATH, AT(store_path), .def = "store", .min = 1,
         .help = "Folder of the store. Only the engine may write here."},
        {"store.map_size", CONF_SIZE, AT(store_map_size), .def = "1T", .min = 16 * MIB, .max = 16 * TIB,
         .help = "Address space of the store, not disk: so large that it never has to grow."},
        {"store.reserve", CONF_SIZE, AT(store_reserve), .def = "64M", .min = 0, .max = TIB,
         .help = "Disk kept allocated, so that revocations still commit when the disk is full."},

        {"crl.path", CONF_PATH, AT(crl_path), .def = "crl", .min = 1,
         .help = "Folder of the published CRLs."},

        {"issuers", CONF_PATH, AT(issuers_path), .def = "issuers", .min = 1,
         .help = "Folder of the issuers: one subfolder with an issuer.yaml for each."},

        {"run.path", CONF_PATH, AT(run_path), .def = "run", .min = 1,
         .help = "Folder of the sockets between the programs."},

        {"control.socket", CONF_PATH, AT(control_socket), .def = "control.sock", .min = 1, .under = "run.path",
         .help = "The tocsin command speaks to the engine here."},
        {"control.group", CONF_STRING, AT(control_group), .def = "",
         .help = "Group that may use the tocsin command. Empty: only root and the engine's user."},

        {"users.engine", CONF_STRING, AT(engine_user), .def = "tocsin",
         .help = "The engine, which writes the store, runs as this user. Empty: as whoever starts it (needs no root)."},
        {"users.vault", CONF_STRING, AT(vault_user), .def = "tocsin-vault",
         .help = "The vault, which alone can read the PIN and reach the token, runs as this user."},
        {"users.responder", CONF_STRING, AT(responder_user), .def = "tocsin-responder",
         .help = "The workers, which face the network, run as this user."},

        {"token.module", CONF_PATH, AT(token_module), .def = "/usr/lib/softhsm/libsofthsm2.so", .min = 1, .presence = CONF_WHEN_STARTED,
         .missing = "install the HSM's PKCS#11 module (Debian's softhsm2 has this one), or name another",
         .help = "PKCS#11 module of the HSM."},
        {"token.label", CONF_STRING, AT(token_label), .def = "tocsin", .min = 1,
         .help = "The token is found by this label."},
        {"token.pin_file", CONF_PATH, AT(token_pin_file), .def = "pin", .min = 1, .presence = CONF_WHEN_STARTED,
         .missing = "write the token's PIN there: one line, owned by the vault's user, chmod 600",
         .help = "File with the token's PIN on one line. Only the vault's user may be able to read it."},
        {"token.sessions", CONF_UNSIGNED, AT(token_sessions), .def = "2", .min = 1, .max = 64, .unit = "sessions",
         .help = "Sessions that sign in parallel. More than the HSM has cores for gains nothing."},
        {"token.timeout", CONF_DURATION, AT(token_timeout_s), .def = "10s", .min = 1, .max = 10 * MINUTE,
         .help = "When one call takes longer than this, the vault is killed and started again."},

        {"sign.socket", CONF_PATH, AT(sign_socket), .def = "sign.sock", .min = 1, .under = "run.path",
         .help = "The workers ask the engine for signatures here."},
        {"sign.in_flight", CONF_UNSIGNED, AT(sign_in_flight), .def = "256", .min = 1, .max = 65536, .unit = "signings",
         .help = "On-demand signings under way at once. Beyond it: tryLater."},
        {"sign.extras_rate", CONF_UNSIGNED, AT(sign_extras_rate), .def = "500", .min = 0, .max = 1000000, .unit = "a second",
         .help = "Signings for nonces, uncommon hashes and several certificates in one question. Beyond it: tryLater."},
        {"sign.per_worker", CONF_UNSIGNED, AT(sign_per_worker), .def = "128", .min = 1, .max = 65536, .unit = "questions",
         .help = "Questions that one worker may have open."},

        {"responder.listen", CONF_STRINGS, AT(listen), .def = "127.0.0.1:8080",
         .help = "Addresses to serve: IPv4:PORT or [IPv6]:PORT."},
        {"responder.tls_listen", CONF_STRINGS, AT(tls_listen), .def = "",
         .help = "Addresses to serve with TLS, HTTP/2 or HTTP/1.1 as the client prefers: IPv4:PORT or [IPv6]:PORT."},
        {"responder.tls_certificate", CONF_PATH, AT(tls_certificate), .def = "tls.pem", .min = 1,
         .help = "Certificate for tls_listen and its chain, PEM. Read anew on SIGHUP."},
        {"responder.tls_key", CONF_PATH, AT(tls_key), .def = "tls.key", .min = 1,
         .help = "Its private key, PEM without a passphrase. The workers need not be able to read the file."},
        {"responder.admin_listen", CONF_STRING, AT(admin_listen), .def = "",
         .help = "Address of /metrics (Prometheus) and /healthz; not for the world. Empty: none."},
        {"responder.sandbox", CONF_BOOL, AT(sandbox), .def = "true",
         .help = "Workers are killed when they make a system call that serving does not need. false: only to find out what kills them."},
        {"responder.access_log", CONF_PATH, AT(access_log), .def = "",
         .help = "File that requests are logged to, a JSON object on a line. Opened anew by a reload. Empty: none."},
        {"responder.access_log_sample", CONF_UNSIGNED, AT(access_log_sample), .def = "1", .min = 1, .max = 1000000, .unit = "requests",
         .help = "One request in so many is logged."},
        {"responder.workers", CONF_UNSIGNED, AT(workers), .def = "0", .min = 0, .max = 256, .unit = "processes",
         .help = "Worker processes. 0: one for each core."},
        {"responder.ocsp_path", CONF_STRING, AT(ocsp_path), .def = "/", .min = 1,
         .help = "OCSP is answered below this URL path."},
        {"responder.ari_path", CONF_STRING, AT(ari_path), .def = "/renewal-info",
         .help = "ACME renewal information (RFC 9773) is answered below this URL path. Empty: not at all."},
        {"responder.ari_retry_after", CONF_DURATION, AT(ari_retry_after_s), .def = "6h", .min = MINUTE, .max = DAY,
         .help = "How soon ACME clients ask again when to renew."},
        {"responder.tags", CONF_ENUM, AT(tags), .def = "off", .names = tags_names,
         .help = "The field that carries tags, by which a CDN is purged (docs/caching.md)."},
        {"responder.tags_buckets", CONF_UNSIGNED, AT(tags_buckets), .def = "65536", .min = 1, .max = 16 * MIB, .unit = "buckets",
         .help = "An issuer's serials are purged in so many parts. A CDN with a tag limit wants fewer."},
        {"responder.max_connections", CONF_UNSIGNED, AT(max_connections), .def = "20000", .min = 1, .max = 1000000,
         .unit = "connections", .help = "Connections that one worker holds open. Beyond it the idle ones are closed first. What each takes: docs/configuration.md."},
        {"responder.max_connections_per_address", CONF_UNSIGNED, AT(max_connections_per_address), .def = "1000", .min = 0, .max = 1000000,
         .unit = "connections",
         .help = "Of these: that one client may hold (an IPv4 address or an IPv6 /64). Beyond it they are closed. 0: no limit."},
        {"responder.max_requests_per_address", CONF_UNSIGNED, AT(max_requests_per_address), .def = "0", .min = 0, .max = 1000000,
         .unit = "requests", .help = "That one client may send a worker in a second, in bursts of twice as many. Beyond it: 429. 0: no limit."},
        {"responder.trusted_addresses", CONF_STRINGS, AT(trusted_addresses), .def = "127.0.0.0/8,::1",
         .help = "Addresses or ranges (192.0.2.0/24) that have no such limits: proxies, CDNs."},
        {"responder.max_memory", CONF_SIZE, AT(max_memory), .def = "1G", .min = 64 * MIB, .max = TIB,
         .help = "A worker's own memory, beside the store and the CRLs. Beyond it whoever wants more is dropped (docs/configuration.md)."},
        {"responder.max_body", CONF_UNSIGNED, AT(max_body), .def = "10000", .min = 64, .max = MIB, .unit = "bytes",
         .help = "Longest body of a POST. Beyond it: 413."},
        {"responder.max_uri", CONF_UNSIGNED, AT(max_uri), .def = "8192", .min = 64, .max = 64 * KIB, .unit = "bytes",
         .help = "Longest request target. Beyond it: 414."},
        {"responder.max_cert_ids", CONF_UNSIGNED, AT(max_cert_ids), .def = "8", .min = 1, .max = 16, .unit = "certificates",
         .help = "Certificates that one OCSP request may ask about."},
        {"responder.header_timeout", CONF_DURATION, AT(header_timeout_s), .def = "10s", .min = 1, .max = HOUR,
         .help = "From the first byte of a request to its last. Beyond it: 408."},
        {"responder.idle_timeout", CONF_DURATION, AT(idle_timeout_s), .def = "60s", .min = 1, .max = DAY,
         .help = "Between two requests of one connection. Beyond it: closed."},
        {"responder.write_timeout", CONF_DURATION, AT(write_timeout_s), .def = "30s", .min = 1, .max = HOUR,
         .help = "A client that has not taken its answer by then is closed."},
        {"responder.park_timeout", CONF_DURATION, AT(park_timeout_s), .def = "5s", .min = 1, .max = 10,
         .help = "A request waits this long for a signature, then gets tryLater. Every answer comes within 10 seconds."},

        {"log.target", CONF_PATH, AT(log_target), .def = "stderr", .min = 1, .names = log_targets,
         .help = "stderr, syslog, or a file to append to."},
        {"log.level", CONF_ENUM, AT(log_level), .def = "info", .names = level_names,
         .help = "The least important lines that are still written."},
};

#undef AT
#define AT(field) .offset = offsetof(struct conf_issuer, field)

static const struct conf_option issuer_options[] = {
        {"profile", CONF_ENUM, AT(profile), .def = "private", .names = profile_names,
         .help = "cabf-tls: publicly trusted, with the bounds of the TLS Baseline Requirements. private: your own rules."},
        {"offline", CONF_BOOL, AT(offline), .def = "false",
         .help = "true: its CA key is in no token here, so nothing is signed for it. Its certificate is served, revocations are kept."},
        {"certificates", CONF_PATHS, AT(certificates), .def = "ca.pem", .presence = CONF_WHEN_LOADED,
         .missing = "put the CA's certificate there, PEM; `tocsin issuer add` does so for a new issuer",
         .help = "The CA's certificates, PEM: all of one name and one key."},

        {"ocsp.key", CONF_STRING, AT(ocsp_key), .def = "",
         .help = "Label of the OCSP signing key in the token. Empty: the CA key signs (crl.key)."},
        {"ocsp.certificate", CONF_PATH, AT(ocsp_certificate), .def = "ocsp-signer.pem", .presence = CONF_WHEN_STARTED,
         .missing = "have the CA sign what `tocsin key csr` makes, then `tocsin key install ISSUER CERT` puts it there",
         .goes_with = "ocsp.key",
         .help = "Certificate of the delegated OCSP signer, PEM. Empty: the CA key signs."},
        {"ocsp.hash", CONF_ENUM, AT(ocsp_hash), .def = "sha256", .names = hash_names, .min = CONF_HASH_SHA256,
         .help = "Digest of the signatures."},
        {"ocsp.responder_id", CONF_ENUM, AT(ocsp_responder_id), .def = "by-key", .names = responder_id_names,
         .help = "How the signer is named in an answer. by-name: private profile only."},
        {"ocsp.cert_id", CONF_ENUM, AT(ocsp_cert_id), .def = "sha1", .names = hash_names,
         .help = "CertID digest of the answers that are signed ahead. Nearly all clients ask with sha1."},
        {"ocsp.allow_sha1_cert_id", CONF_BOOL, AT(ocsp_allow_sha1_cert_id), .def = "true",
         .help = "false: a question with SHA-1 CertIDs gets unauthorized."},
        {"ocsp.nonce", CONF_ENUM, AT(ocsp_nonce), .def = "ignore", .names = nonce_names,
         .help = "ignore: answers signed ahead, without a nonce. echo: an answer is signed for each nonce."},
        {"ocsp.validity", CONF_DURATION, AT(ocsp_validity_s), .def = "4d", .min = 1, .max = YEAR,
         .help = "From thisUpdate to nextUpdate. cabf-tls: 8h..10d."},
        {"ocsp.refresh", CONF_DURATION, AT(ocsp_refresh_s), .def = "0", .min = 0, .max = YEAR,
         .help = "Age at which an answer is signed anew. 0: half the validity."},
        {"ocsp.max_age_good", CONF_DURATION, AT(ocsp_max_age_good_s), .def = "1h", .min = 0, .max = YEAR,
         .help = "How long caches keep good. Never past nextUpdate."},
        {"ocsp.max_age_revoked", CONF_DURATION, AT(ocsp_max_age_revoked_s), .def = "5m", .min = 0, .max = YEAR,
         .help = "How long caches keep revoked."},
        {"ocsp.extended_revoked", CONF_BOOL, AT(ocsp_extended_revoked), .def = "false",
         .help = "true: a serial never issued is answered revoked (RFC 6960 2.2). private profile only."},

        {"crl.key", CONF_STRING, AT(crl_key), .def = "",
         .help = "Label of the CA key in the token, which signs CRLs. Empty: no CRLs are made here."},
        {"crl.hash", CONF_ENUM, AT(crl_hash), .def = "sha256", .names = hash_names, .min = CONF_HASH_SHA256,
         .help = "Digest of the signatures."},
        {"crl.validity", CONF_DURATION, AT(crl_validity_s), .def = "7d", .min = 1, .max = 10 * (uint64_t)YEAR,
         .help = "From thisUpdate to nextUpdate of a full CRL. cabf-tls: at most 10d."},
        {"crl.period", CONF_DURATION, AT(crl_period_s), .def = "1d", .min = 1, .max = 10 * (uint64_t)YEAR,
         .help = "A full CRL is issued this often. cabf-tls: at least every 7d."},
        {"crl.delta_period", CONF_DURATION, AT(crl_delta_period_s), .def = "0", .min = 0, .max = YEAR,
         .help = "A delta CRL is issued this often. 0: no delta CRLs."},
        {"crl.after_revocation", CONF_DURATION, AT(crl_after_revocation_s), .def = "1m", .min = 0, .max = YEAR,
         .help = "A CRL is issued at most this long after a revocation. cabf-tls: at most 1d."},
        {"crl.shards", CONF_UNSIGNED, AT(crl_shards), .def = "0", .min = 0, .max = 65535, .unit = "shards",
         .help = "0: one full CRL. N: shards 1..N, each with a critical IssuingDistributionPoint."},
        {"crl.url", CONF_STRING, AT(crl_url), .def = "",
         .help = "CRL distribution point, byte for byte as in the certificates. With shards, {shard} stands for the number."},
        {"crl.delta_url", CONF_STRING, AT(crl_delta_url), .def = "",
         .help = "Where delta CRLs are found: goes into the full CRL as FreshestCRL. With shards it holds {shard}."},
        {"crl.max_age", CONF_DURATION, AT(crl_max_age_s), .def = "1h", .min = 0, .max = YEAR,
         .help = "How long caches keep a CRL. Never past nextUpdate."},

        {"ari.explanation_url", CONF_STRING, AT(ari_explanation_url), .def = "",
         .help = "A page for people that ACME clients are shown with the renewal information. Empty: none."},
};
/* clang-format on */

const struct conf_scope conf_scope_main = {
        .title = "Tocsin's configuration: one file for all its programs.",
        .options = main_options,
        .n_options = ROWS(main_options),
        .checks = conf_main_checks,
};

const struct conf_scope conf_scope_issuer = {
        .title = "An issuer's policy: issuers/NAME/issuer.yaml.",
        .options = issuer_options,
        .n_options = ROWS(issuer_options),
        .checks = conf_issuer_checks,
};

int conf_option_find(const struct conf_scope *scope, struct bytes path)
{
        for (unsigned i = 0; i < scope->n_options; i++)
                if (bytes_equal(path, bytes_str(scope->options[i].path)))
                        return (int)i;
        return -1;
}

struct bytes conf_option_group(const struct conf_option *o)
{
        const char *dot = strchr(o->path, '.');

        return bytes_make(o->path, dot ? (size_t)(dot - o->path) : 0);
}

const char *conf_option_key(const struct conf_option *o)
{
        const char *dot = strchr(o->path, '.');

        return dot ? dot + 1 : o->path;
}
