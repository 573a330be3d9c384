/* read_cert: certificates, PEM (bundles, with or without the text that openssl writes before them) and DER.
 *
 * Each must be signed by the issuer's key: what another CA issued is rejected, whatever its names say.
 */
#include <stdio.h>

#include "tools/cdp.h"
#include "tools/facts.h"
#include "tools/pem.h"
#include "tools/reader.h"

static bool starts_with_sequence(struct bytes content)
{
        return content.len > 4 && content.data[0] == 0x30 && content.data[1] >= 0x80;
}

bool read_der_recognize(struct bytes content)
{
        return starts_with_sequence(content);
}

/* A key, a request or a CRL is no certificate, PEM though it be. */
bool read_pem_recognize(struct bytes content)
{
        struct pem pem;
        struct pem_block block;

        pem_init(&pem, content);
        while (pem_next(&pem, &block))
                if (bytes_equal(block.label, BYTES_LIT("CERTIFICATE")) ||
                        bytes_equal(block.label, BYTES_LIT("X509 CERTIFICATE")) ||
                        bytes_equal(block.label, BYTES_LIT("TRUSTED CERTIFICATE")))
                        return true;
        return false;
}

static void fill_facts(const struct intake *in, struct facts *f, const struct certificate *c)
{
        struct bytes cdp = cdp_find(c->der);
        struct bytes *digest = c->is_precertificate ? &f->info.precert_sha256 : &f->info.cert_sha256;

        f->row.serial_len = c->serial.len;
        memcpy(f->row.serial, c->serial.data, c->serial.len);
        if (in->kind == ROWFILE_REVOKE)
                return;
        if (!facts_expiry(c->not_after, &f->row.not_after))
                f->row.not_after = 1; /* long ago; 0 would be never */
        f->row.shard = (uint16_t)cdp_shard(cdp, in->issuer->crl_url, in->issuer->crl_shards);
        *digest = BYTES_OF(c->sha256);
        f->info.not_before = c->not_before;
        f->info.subject = c->subject;
        f->info.cdp = cdp;
}

static void put_certificate(struct intake *in, const struct certificate *c, uint64_t line)
{
        const char *why = ca_refuse(&in->ca, c);
        char text[SERIAL_TEXT_LEN];
        struct facts f = {.serial_text = bytes_str(serial_to_text(serial_bytes(&c->serial), text))};

        if (why) {
                intake_reject(in, line, f.serial_text, "%s", why);
                return;
        }
        fill_facts(in, &f, c);
        facts_finish(in, &f, line);
}

static void read_block(struct intake *in, const struct pem_block *block)
{
        __attribute__((cleanup(certificate_done))) struct certificate c = {0};
        struct bytes text = block->text;

        if (!block->is_whole)
                intake_reject(in, block->line, BYTES_NONE, "the certificate is cut short: no END line");
        else if (certificate_from_pem(&text, &c) != OK)
                intake_reject(in, block->line, BYTES_NONE, "the certificate cannot be read");
        else
                put_certificate(in, &c, block->line);
}

enum err read_pem(struct intake *in, struct bytes content, char *ret_why)
{
        struct pem pem;
        struct pem_block block;
        unsigned n = 0;

        pem_init(&pem, content);
        while (pem_next(&pem, &block)) {
                const uint8_t *found = memmem(block.label.data, block.label.len, "CERTIFICATE", 11);

                if (!found || memmem(block.label.data, block.label.len, "REQUEST", 7))
                        continue;
                read_block(in, &block);
                if ((++n & 0xff) == 0)
                        intake_progress(in, content.len - pem.rest.len, content.len);
        }
        if (n == 0) {
                snprintf(ret_why, INTAKE_WHY_MAX, "it holds no PEM certificate");
                return ERR_INVALID;
        }
        return OK;
}

enum err read_der(struct intake *in, struct bytes content, char *ret_why)
{
        __attribute__((cleanup(certificate_done))) struct certificate c = {0};
        enum err e = certificate_from_der(content, &c);

        if (e != OK) {
                snprintf(ret_why, INTAKE_WHY_MAX, "it is no DER certificate");
                return ERR_INVALID;
        }
        put_certificate(in, &c, 1);
        return OK;
}
