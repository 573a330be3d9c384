/* conf: the one configuration of all programs.
 *
 * `tocsin.yaml` and one `issuers/NAME/issuer.yaml` per issuer are read as libyaml events into these structs through the
 * tables in conf_table.c. A row of a table is an option: its YAML path, type, default, range, unit and help. From the
 * rows come the parser, the ranges, the defaults, the commented sample (conf_print_sample) and `tocsin check`. Adding an
 * option edits one row here and one field below.
 *
 * Relative paths are taken from the folder of the file that names them. Everything is validated when it loads; every
 * complaint names file, line and what would be right.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/err.h"

enum conf_profile { CONF_PROFILE_PRIVATE, CONF_PROFILE_CABF_TLS };
enum conf_nonce { CONF_NONCE_IGNORE, CONF_NONCE_ECHO };
enum conf_responder_id { CONF_RESPONDER_BY_KEY, CONF_RESPONDER_BY_NAME };
enum conf_tags { CONF_TAGS_OFF, CONF_TAGS_SURROGATE_KEY, CONF_TAGS_CACHE_TAG, CONF_TAGS_XKEY };
enum conf_hash { CONF_HASH_SHA1, CONF_HASH_SHA256, CONF_HASH_SHA384, CONF_HASH_SHA512 };

struct conf_list {
        char **items;
        unsigned n;
};

/* An issuer's policy: issuers/NAME/issuer.yaml. Its folder also holds the certificates, written by `tocsin issuer add`
 * and `tocsin key install`, and never writable by the processes that serve or sign. */
struct conf_issuer {
        char *name;                    /* the folder's name: letters, digits, '-', '_', '.', up to 64 */
        char *folder;                  /* absolute path of issuers/NAME */
        enum conf_profile profile;     /* default private */
        bool offline;                  /* no key in a token here: nothing is signed for it */
        struct conf_list certificates; /* CA certificates of one name and key, PEM; default [ca.pem] */

        char *ocsp_key;           /* label of the OCSP signing key in the token; "" = the CA key signs (crl_key) */
        char *ocsp_certificate;   /* PEM of the delegated signer; default ocsp-signer.pem; "" = the CA key signs */
        enum conf_hash ocsp_hash; /* digest of the signature; sha256 (default), sha384, sha512 */
        enum conf_responder_id ocsp_responder_id;
        enum conf_hash ocsp_cert_id;    /* CertID hash of pre-produced answers; sha1 default (what clients ask with) */
        bool ocsp_allow_sha1_cert_id;   /* default true; false: such requests get unauthorized (req 1.9) */
        enum conf_nonce ocsp_nonce;     /* default ignore */
        int64_t ocsp_validity_s;        /* nextUpdate - thisUpdate; default 4 d; cabf-tls 8 h .. 10 d */
        int64_t ocsp_refresh_s;         /* age at which an answer is signed anew; 0 = half the validity */
        int64_t ocsp_max_age_good_s;    /* default 1 h */
        int64_t ocsp_max_age_revoked_s; /* default 5 min */
        bool ocsp_extended_revoked;     /* private only (req 2.5) */

        char *crl_key; /* label of the CA key in the token, which signs CRLs; "" = no CRLs made here */
        enum conf_hash crl_hash;
        int64_t crl_validity_s;         /* nextUpdate - thisUpdate of a full CRL; default 7 d; cabf-tls <= 10 d */
        int64_t crl_period_s;           /* a full CRL is issued this often; default 1 d */
        int64_t crl_delta_period_s;     /* a delta is issued this often; 0 (default) = no deltas */
        int64_t crl_after_revocation_s; /* a CRL is issued at most this long after a revocation; default 1 min */
        unsigned crl_shards;            /* 0 (default) = one full CRL; N = shards 1..N, each with a critical IDP */
        char *crl_url;                  /* CDP as in the certificates, "{shard}" stands for the number; needed for shards */
        char *crl_delta_url;            /* FreshestCRL of the full CRL, when deltas are made */
        int64_t crl_max_age_s;          /* default 1 h */

        char *ari_explanation_url; /* RFC 9773 4.2; "" = none */

        unsigned *lines; /* base/conf's own: the line of each option, 0 = default */
};

struct conf {
        char *file; /* absolute path of tocsin.yaml */

        char *store_path;        /* folder of data.mdb; default store */
        uint64_t store_map_size; /* bytes of address space, default 1 TiB, so it never grows */
        uint64_t store_reserve;  /* bytes kept allocated so that revocations commit on a full disk; default 64 MiB */
        char *crl_path;          /* folder of published CRLs; default crl */
        char *issuers_path;      /* folder of issuers; default issuers */

        char *run_path;       /* folder of sockets; default run */
        char *control_socket; /* default run/control.sock */
        char *control_group;  /* group that may connect; "" = only root and the engine's user */
        char *sign_socket;    /* workers ask the engine here; default run/sign.sock */

        char *engine_user;    /* "" = stay who we are (needs no root); default tocsin */
        char *vault_user;     /* default tocsin-vault */
        char *responder_user; /* default tocsin-responder */

        char *token_module;      /* PKCS#11 module; default /usr/lib/softhsm/libsofthsm2.so */
        char *token_label;       /* the token is found by its label; default tocsin */
        char *token_pin_file;    /* one line; readable by the vault's user only; default pin */
        unsigned token_sessions; /* parallel sessions; 1..64, default 2 */
        int64_t token_timeout_s; /* a call that takes longer: the vault is killed and started again; default 10 s */

        unsigned sign_in_flight;   /* on-demand signings under way at once, beyond it tryLater; default 256 */
        unsigned sign_extras_rate; /* extras (nonces, other hashes, several CertIDs) a second; default 500 */
        unsigned sign_per_worker;  /* credit: questions one worker may have open; default 128 */

        struct conf_list listen;  /* "127.0.0.1:8080", "[::]:80"; default [127.0.0.1:8080] */
        struct conf_list tls_listen; /* addresses like these, with TLS; default none */
        char *tls_certificate;    /* PEM chain; default tls.pem; looked for only where tls_listen is used */
        char *tls_key;            /* PEM; default tls.key */
        char *admin_listen;       /* metrics and health, "127.0.0.1:9090"; "" (default) = none */
        bool sandbox;             /* of the workers and the admin process; default true */
        char *access_log;         /* a file; "" (default) = none */
        unsigned access_log_sample; /* one request in so many; default 1 */
        unsigned workers;         /* 0 = one per core */
        char *ocsp_path;          /* default "/" */
        char *ari_path;           /* default "/renewal-info"; "" = no ACME renewal information */
        int64_t ari_retry_after_s; /* default 6 h (req 7.3) */
        enum conf_tags tags;      /* the field that carries tags for CDNs; default off */
        unsigned tags_buckets;    /* parts of an issuer's serials that are purged apart; default 65536 */
        unsigned max_connections; /* per worker; default 20000 */
        unsigned max_connections_per_address; /* per worker and IPv4 address or IPv6 /64; 0 = no limit; default 1000 (req 1.18) */
        unsigned max_requests_per_address;    /* a second, likewise: 429; 0 (default) = no limit */
        struct conf_list trusted_addresses;   /* ranges without these limits; default loopback */
        uint64_t max_memory;      /* bytes of a worker's own memory, its heap and threads' stacks; default 1 GiB */
        unsigned max_body;        /* bytes of a POST; default 10000 (req 1.17: 413) */
        unsigned max_uri;         /* bytes of a request target; default 8192 (414) */
        unsigned max_cert_ids;    /* in one request; default 8, at most 16 (req 1.7) */
        int64_t header_timeout_s; /* from a request's first byte to its last; default 10 s (408) */
        int64_t idle_timeout_s;   /* between requests; default 60 s */
        int64_t write_timeout_s;  /* an answer not taken by then: closed; default 30 s */
        int64_t park_timeout_s;   /* waiting for a signature; beyond it tryLater; default 5 s */

        char *log_target; /* stderr, syslog or a file */
        int log_level;    /* enum log_level */

        struct conf_issuer *issuers; /* sorted by name */
        unsigned n_issuers;

        unsigned *lines; /* base/conf's own: the line of each option, 0 = default */
};

/* A complaint about a file: "tocsin.yaml:12: responder.workers: 900 is not in 0..256". */
struct conf_problem {
        char text[512];
};

/* Reads, fills defaults, checks ranges, profiles and that the CA certificates exist. An issuers folder that does not exist
 * yet holds no issuers. On failure (ERR_INVALID, ERR_NOT_FOUND, ERR_RANGE) *ret_problem says where and what would be right.
 * ret_conf is freed by conf_free. */
MUST_CHECK enum err conf_load(const char *file, struct conf **ret_conf, struct conf_problem *ret_problem);
void conf_free(struct conf *conf);
static inline void conf_freep(struct conf **conf)
{
        conf_free(*conf);
}

/* Told of one complaint: one line of text. */
typedef void (*conf_found_fn)(void *arg, const char *text);
/* That the files exist which are made after the configuration: token module, PIN file, OCSP signers' certificates. `found` is
 * called for each that is missing, with what to do. A file that this user may not look for is not missed. ERR_NOT_FOUND: at
 * least one is missing. */
MUST_CHECK enum err conf_check_files(const struct conf *conf, conf_found_fn found, void *arg);

/* The issuer of that name, or NULL. */
const struct conf_issuer *conf_find_issuer(const struct conf *conf, const char *name);

/* The commented sample of every option with its default, range and help: what conf/tocsin.yaml and
 * conf/issuer.yaml hold (a test compares them). `set` are "path=value" lines that replace defaults, NULL-terminated or NULL.
 */
void conf_print_sample(FILE *out, const char *const *set);
void conf_print_issuer_sample(FILE *out, const char *const *set);
