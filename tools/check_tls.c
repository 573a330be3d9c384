/* check_tls: the same files that the responder's master reads when it starts, so that it does not find out first. */
#include "tools/check_tls.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "pki/certificate.h"
#include "pki/private_key.h"
#include "tools/files.h"

/* TLS certificates live for weeks and are renewed by machines: later than this one has failed. */
#define EXPIRY_WARNING_S (7 * CLOCK_DAY_S)
#define CHAIN_MAX 10

struct tls_check {
        const struct conf *conf;
        int64_t now_s;
        check_found_fn *found;
        void *arg;
        bool is_amiss;
};

static void tell(struct tls_check *c, enum check_level level, const char *next, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

static void tell(struct tls_check *c, enum check_level level, const char *next, const char *format, ...)
{
        char text[1024];
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(text, sizeof text, format, arguments);
        va_end(arguments);
        c->is_amiss |= level != CHECK_FINE;
        c->found(c->arg, level, next, text);
}

static bool read_file(struct tls_check *c, const char *option, const char *path, struct builder *ret_content)
{
        enum err e = files_read(path, ret_content);

        if (e == ERR_NOT_FOUND)
                tell(c, CHECK_WRONG, "put it there, or name another file; without TLS: leave responder.tls_listen empty",
                        "%s: %s does not exist, and the responder does not start without it", option, path);
        else if (e == ERR_DENIED)
                tell(c, CHECK_NOTICE, "run it as root, as the responder is started", "%s: %s was not checked: you may not read it", option, path);
        else if (e != OK)
                tell(c, CHECK_WRONG, NULL, "%s: %s cannot be read: %s", option, path, err_text(e));
        return e == OK;
}

/* ---- the certificate and its chain ---- */

static void check_time(struct tls_check *c, const struct certificate *certificate, unsigned i)
{
        const char *path = c->conf->tls_certificate, *next = "renew it, then `systemctl reload tocsin-responder`";
        char when[CLOCK_TEXT_LEN];

        clock_to_text(certificate->not_after, when);
        if (certificate->not_after < c->now_s)
                tell(c, CHECK_WRONG, next, "responder.tls_certificate: certificate %u in %s expired %s: clients refuse it", i + 1, path, when);
        else if (certificate->not_after - c->now_s < EXPIRY_WARNING_S)
                tell(c, CHECK_NOTICE, next, "responder.tls_certificate: certificate %u in %s expires %s", i + 1, path, when);
        clock_to_text(certificate->not_before, when);
        if (certificate->not_before > c->now_s)
                tell(c, CHECK_WRONG, "look at the clock, or have another one issued",
                        "responder.tls_certificate: certificate %u in %s is not valid before %s", i + 1, path, when);
}

/* RFC 8446 4.4.2: each certifies the one before it. */
static void check_order(struct tls_check *c, const struct certificate *child, const struct certificate *issuer, unsigned i)
{
        if (certificate_verify(child, issuer) != OK)
                tell(c, CHECK_NOTICE, "the server's certificate first, then the one that issued it, and so on; the root may be left out",
                        "responder.tls_certificate: certificate %u in %s has not issued the one before it", i + 1, c->conf->tls_certificate);
}

static unsigned read_chain(struct tls_check *c, struct certificate chain[CHAIN_MAX])
{
        _cleanup_(builder_done) struct builder content = {0};
        struct bytes rest;
        unsigned n = 0;
        enum err e = OK;

        if (!read_file(c, "responder.tls_certificate", c->conf->tls_certificate, &content))
                return 0;
        for (rest = builder_bytes(&content); e == OK && n < CHAIN_MAX; n += e == OK)
                e = certificate_from_pem(&rest, &chain[n]);
        if (n == 0 || (e != OK && e != ERR_NOT_FOUND))
                tell(c, CHECK_WRONG, "PEM: the server's certificate first, then those that issued it",
                        "responder.tls_certificate: %s: certificate %u cannot be read: %s", c->conf->tls_certificate, n + 1, err_text(e));
        return n;
}

/* ---- the key ---- */

static bool read_key(struct tls_check *c, struct builder *ret_spki)
{
        _cleanup_(builder_done) struct builder content = {0};
        const char *path = c->conf->tls_key;
        enum err e;

        if (!read_file(c, "responder.tls_key", path, &content))
                return false;
        e = private_key_read_spki(builder_bytes(&content), ret_spki);
        if (e == ERR_DENIED)
                tell(c, CHECK_WRONG, "`openssl pkey -in FILE -out NEW` takes it away; keep the file's mode at 0600",
                        "responder.tls_key: %s has a passphrase, and nobody is there to type it", path);
        else if (e != OK)
                tell(c, CHECK_WRONG, "PEM, as `openssl genpkey` writes it", "responder.tls_key: %s holds no private key", path);
        return e == OK;
}

static void check_key(struct tls_check *c, const struct certificate *server)
{
        _cleanup_(builder_done) struct builder spki = {0};
        struct stat st;

        if (stat(c->conf->tls_key, &st) == 0 && st.st_mode & (S_IROTH | S_IWOTH | S_IWGRP))
                tell(c, CHECK_WRONG, "chmod 600: the responder's master reads it before it gives root up",
                        "responder.tls_key: %s is open to others (mode %04o)", c->conf->tls_key, st.st_mode & 07777);
        if (read_key(c, &spki) && server && !bytes_equal(builder_bytes(&spki), server->spki))
                tell(c, CHECK_WRONG, "renew both together: the certificate must be for this key",
                        "responder.tls_key: %s is not the key of the first certificate in %s", c->conf->tls_key, c->conf->tls_certificate);
}

void check_tls(const struct conf *conf, int64_t now_s, check_found_fn *found, void *arg)
{
        struct tls_check c = {.conf = conf, .now_s = now_s, .found = found, .arg = arg};
        struct certificate chain[CHAIN_MAX] = {0};
        unsigned n;

        if (conf->tls_listen.n == 0)
                return;
        n = read_chain(&c, chain);
        for (unsigned i = 0; i < n; i++) {
                check_time(&c, &chain[i], i);
                if (i > 0)
                        check_order(&c, &chain[i - 1], &chain[i], i);
        }
        check_key(&c, n > 0 ? &chain[0] : NULL);
        for (unsigned i = 0; i < n; i++)
                certificate_done(&chain[i]);
        if (!c.is_amiss)
                tell(&c, CHECK_FINE, NULL, "the responder's TLS certificate and key");
}
