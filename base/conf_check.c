/* conf_check: rules over several options, and files that must exist.
 *
 * A rule is a row: the option it complains about, and a function that says what would be right.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/conf_table.h"
#include "base/net_range.h"

#define SHARD_WORD "{shard}"

/* ---- tocsin.yaml ---- */

static bool is_port(const char *text)
{
        size_t len = strspn(text, "0123456789");

        return len > 0 && len <= 5 && text[len] == '\0' && atoi(text) >= 1 && atoi(text) <= 65535;
}

/* "127.0.0.1:80" or "[::]:80" */
static bool is_listen_address(const char *text)
{
        const char *colon = strrchr(text, ':');
        bool is_ipv6 = text[0] == '[';
        uint8_t address[16];
        char host[64];
        size_t len;

        if (!colon || !is_port(colon + 1))
                return false;
        len = (size_t)(colon - text);
        if (is_ipv6 && (len < 3 || text[len - 1] != ']'))
                return false;
        len -= is_ipv6 ? 2 : 0;
        if (len >= sizeof(host))
                return false;
        memcpy(host, text + is_ipv6, len);
        host[len] = '\0';
        return inet_pton(is_ipv6 ? AF_INET6 : AF_INET, host, address) == 1;
}

static const char *check_addresses(const struct conf_list *list)
{
        for (unsigned i = 0; i < list->n; i++)
                if (!is_listen_address(list->items[i]))
                        return "an address is written 127.0.0.1:8080 or [::1]:8080, with a port in 1..65535";
        return NULL;
}

static const char *check_listen(const void *object)
{
        return check_addresses(&((const struct conf *)object)->listen);
}

static const char *check_tls_listen(const void *object)
{
        const struct conf *c = object;

        for (unsigned i = 0; i < c->tls_listen.n; i++)
                for (unsigned k = 0; k < c->listen.n; k++)
                        if (strcmp(c->tls_listen.items[i], c->listen.items[k]) == 0)
                                return "an address is served with TLS or without it; take it out of responder.listen";
        return check_addresses(&c->tls_listen);
}

static const char *check_trusted_addresses(const void *object)
{
        const struct conf *c = object;
        struct net_range range;

        for (unsigned i = 0; i < c->trusted_addresses.n; i++)
                if (net_range_parse(c->trusted_addresses.items[i], &range) != OK)
                        return "a range is written 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32";
        return NULL;
}

static const char *check_admin_listen(const void *object)
{
        const char *address = ((const struct conf *)object)->admin_listen;

        return *address == '\0' || is_listen_address(address) ? NULL
                                                              : "an address is written 127.0.0.1:9090 or [::1]:9090, with a port in 1..65535";
}

static const char *check_ocsp_path(const void *object)
{
        const struct conf *c = object;

        return c->ocsp_path[0] == '/' ? NULL : "a URL path begins with \"/\"; for example \"ocsp_path: /ocsp\"";
}

static const char *check_ari_path(const void *object)
{
        const char *path = ((const struct conf *)object)->ari_path;
        size_t len = strlen(path);

        return len == 0 || (len > 1 && path[0] == '/' && path[len - 1] != '/')
                       ? NULL
                       : "a URL path begins with \"/\" and ends without; for example \"ari_path: /renewal-info\"";
}

static const char *check_socket(const char *path)
{
        return strlen(path) < sizeof(((struct sockaddr_un *)0)->sun_path)
                       ? NULL
                       : "a socket's absolute path has at most 107 bytes; choose a shorter run.path";
}

static const char *check_control_socket(const void *object)
{
        return check_socket(((const struct conf *)object)->control_socket);
}

static const char *check_sign_socket(const void *object)
{
        return check_socket(((const struct conf *)object)->sign_socket);
}

const struct conf_check conf_main_checks[] = {
        {"responder.listen", check_listen},
        {"responder.tls_listen", check_tls_listen},
        {"responder.admin_listen", check_admin_listen},
        {"responder.trusted_addresses", check_trusted_addresses},
        {"responder.ocsp_path", check_ocsp_path},
        {"responder.ari_path", check_ari_path},
        {"control.socket", check_control_socket},
        {"sign.socket", check_sign_socket},
        {NULL, NULL},
};

/* ---- issuer.yaml ---- */

static bool is_cabf(const struct conf_issuer *i)
{
        return i->profile == CONF_PROFILE_CABF_TLS;
}

/* BR 4.9.9, req 2.6 */
static const char *check_ocsp_validity(const void *object)
{
        const struct conf_issuer *i = object;
        bool is_allowed = i->ocsp_validity_s >= 8 * CLOCK_HOUR_S && i->ocsp_validity_s <= 10 * CLOCK_DAY_S;

        return !is_cabf(i) || is_allowed
                       ? NULL
                       : "under the cabf-tls profile it is in 8h..10d (BR 4.9.9); for example \"validity: 4d\"";
}

static int64_t refresh_of(const struct conf_issuer *i)
{
        return i->ocsp_refresh_s != 0 ? i->ocsp_refresh_s : i->ocsp_validity_s / 2;
}

static const char *check_refresh(const void *object)
{
        const struct conf_issuer *i = object;

        return refresh_of(i) < i->ocsp_validity_s ? NULL : "it is less than ocsp.validity; 0 stands for half of it";
}

/* BR 4.9.9, req 2.7: by half of a validity below 16 h; else 8 h before nextUpdate, and 4 d after thisUpdate at the latest.
 */
static const char *check_refresh_cabf(const void *object)
{
        const struct conf_issuer *i = object;
        int64_t validity = i->ocsp_validity_s, refresh = refresh_of(i);

        if (!is_cabf(i))
                return NULL;
        if (validity < 16 * CLOCK_HOUR_S)
                return refresh <= validity / 2
                               ? NULL
                               : "under cabf-tls a validity below 16h is refreshed by its half (BR 4.9.9): write 0";
        return refresh <= validity - 8 * CLOCK_HOUR_S && refresh <= 4 * CLOCK_DAY_S
                       ? NULL
                       : "under cabf-tls an answer is refreshed 8h before its nextUpdate and within 4d (BR 4.9.9); "
                         "for example \"validity: 4d\" and \"refresh: 2d\"";
}

/* req 2.5: it needs reason 6, which BR 7.2.2 forbids. */
static const char *check_extended_revoked(const void *object)
{
        const struct conf_issuer *i = object;

        return !is_cabf(i) || !i->ocsp_extended_revoked ? NULL
                                                        : "true is for the private profile only: it needs certificateHold, "
                                                          "which BR 7.2.2 forbids; write false";
}

/* req 2.13 */
static const char *check_responder_id(const void *object)
{
        const struct conf_issuer *i = object;

        return !is_cabf(i) || i->ocsp_responder_id == CONF_RESPONDER_BY_KEY
                       ? NULL
                       : "by-name is for the private profile only (RFC 9919 3.2.2); write by-key";
}

static const char *check_cert_id(const void *object)
{
        const struct conf_issuer *i = object;

        return i->ocsp_allow_sha1_cert_id || i->ocsp_cert_id != CONF_HASH_SHA1
                       ? NULL
                       : "sha1 is switched off by ocsp.allow_sha1_cert_id; write sha256, or allow it";
}

/* A key that no token holds cannot sign here. */
static const char *check_offline(const void *object)
{
        const struct conf_issuer *i = object;

        return !i->offline || i->crl_key[0] == '\0'
                       ? NULL
                       : "an offline issuer's CA key is in no token: leave crl.key out, or write offline: false";
}

/* BR 7.2, req 4.7 */
static const char *check_crl_validity(const void *object)
{
        const struct conf_issuer *i = object;

        return !is_cabf(i) || i->crl_validity_s <= 10 * CLOCK_DAY_S
                       ? NULL
                       : "under the cabf-tls profile it is at most 10d (BR 7.2); for example \"validity: 7d\"";
}

static const char *check_crl_period(const void *object)
{
        const struct conf_issuer *i = object;

        if (i->crl_period_s >= i->crl_validity_s)
                return "it is less than crl.validity, so that the next CRL is there before the last one ends";
        /* BR 4.9.7, req 4.8 */
        return !is_cabf(i) || i->crl_period_s <= 7 * CLOCK_DAY_S ? NULL
                                                                 : "under the cabf-tls profile it is at most 7d (BR 4.9.7)";
}

/* BR 4.9.7, req 4.8 */
static const char *check_after_revocation(const void *object)
{
        const struct conf_issuer *i = object;

        return !is_cabf(i) || i->crl_after_revocation_s <= CLOCK_DAY_S
                       ? NULL
                       : "under the cabf-tls profile it is at most 1d (BR 4.9.7)";
}

/* BR 7.2.2.1, req 4.12: each shard's IDP is the URL in its certificates. */
static const char *check_crl_url(const void *object)
{
        const struct conf_issuer *i = object;
        bool has_word = strstr(i->crl_url, SHARD_WORD) != NULL;

        if (i->crl_shards > 0 && !has_word)
                return "with crl.shards it is needed and holds {shard}; for example \"url: "
                       "http://crl.example/ca-{shard}.crl\"";
        return i->crl_shards == 0 && has_word ? "it holds {shard}, but crl.shards is 0; set how many there are" : NULL;
}

static const char *check_delta_url(const void *object)
{
        const struct conf_issuer *i = object;

        if (i->crl_delta_period_s == 0)
                return NULL;
        if (i->crl_delta_url[0] == '\0')
                return "with crl.delta_period it is needed: the full CRL tells where its deltas are; "
                       "for example \"delta_url: http://crl.example/ca-delta.crl\"";
        return i->crl_shards > 0 && !strstr(i->crl_delta_url, SHARD_WORD)
                       ? "with crl.shards it holds {shard}: each shard has its own deltas"
                       : NULL;
}

static const char *check_delta_period(const void *object)
{
        const struct conf_issuer *i = object;

        return i->crl_delta_period_s < i->crl_period_s
                       ? NULL
                       : "it is less than crl.period: a delta stands between two full CRLs; 0 makes none";
}

const struct conf_check conf_issuer_checks[] = {
        {"offline", check_offline},
        {"ocsp.validity", check_ocsp_validity},
        {"ocsp.refresh", check_refresh},
        {"ocsp.refresh", check_refresh_cabf},
        {"ocsp.extended_revoked", check_extended_revoked},
        {"ocsp.responder_id", check_responder_id},
        {"ocsp.cert_id", check_cert_id},
        {"crl.validity", check_crl_validity},
        {"crl.period", check_crl_period},
        {"crl.after_revocation", check_after_revocation},
        {"crl.url", check_crl_url},
        {"crl.delta_url", check_delta_url},
        {"crl.delta_period", check_delta_period},
        {NULL, NULL},
};

enum err conf_check_object(const struct conf_source *s)
{
        for (const struct conf_check *c = s->scope->checks; c->path; c++) {
                const char *right = c->check(s->object);
                int at = conf_option_find(s->scope, bytes_str(c->path));

                if (right)
                        return conf_complain(s, ERR_RANGE, at >= 0 ? s->lines[at] : 0, "%s: %s", c->path, right);
        }
        return OK;
}

/* ---- files ---- */

static bool is_missing(const char *path)
{
        return access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR);
}

static enum err check_file(const struct conf_source *s, unsigned at, const char *path)
{
        const struct conf_option *o = &s->scope->options[at];

        if (*path == '\0' || !is_missing(path))
                return OK;
        return conf_complain(s, ERR_NOT_FOUND, s->lines[at], "%s: %s does not exist; %s", o->path, path,
                o->missing ? o->missing : "put it there, or name another file");
}

static bool is_wanted(const struct conf_source *s, const struct conf_option *o, enum conf_presence presence)
{
        int with = o->goes_with ? conf_option_find(s->scope, bytes_str(o->goes_with)) : -1;

        if (o->presence != presence)
                return false;
        return with < 0 || **(char **)((char *)s->object + s->scope->options[with].offset) != '\0';
}

static enum err check_option_files(const struct conf_source *s, unsigned at, conf_found_fn found, void *arg)
{
        const struct conf_option *o = &s->scope->options[at];
        const void *field = (const char *)s->object + o->offset;
        const struct conf_list one = {(char **)(uintptr_t)field, 1};
        const struct conf_list *list = conf_type_is_list(o->type) ? field : &one;
        enum err worst = OK;

        for (unsigned i = 0; i < list->n; i++) {
                enum err e = check_file(s, at, list->items[i]);

                if (e != OK && !found)
                        return e;
                if (e != OK)
                        found(arg, s->problem->text);
                worst = e != OK ? e : worst;
        }
        return worst;
}

enum err conf_check_presence(const struct conf_source *s, enum conf_presence presence, conf_found_fn found, void *arg)
{
        enum err worst = OK;

        for (unsigned at = 0; at < s->scope->n_options; at++) {
                enum err e = OK;

                if (is_wanted(s, &s->scope->options[at], presence))
                        e = check_option_files(s, at, found, arg);
                if (e != OK && !found)
                        return e;
                worst = e != OK ? e : worst;
        }
        return worst;
}
