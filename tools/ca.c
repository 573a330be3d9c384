/* ca: an issuer has several certificates of one name and key (renewed, cross-signed); any of them will do. */
#include "tools/ca.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

void ca_done(struct ca *ca)
{
        for (unsigned i = 0; i < ca->n; i++)
                certificate_done(&ca->certificates[i]);
        free(ca->certificates);
        *ca = (struct ca){0};
}

enum err ca_load(const struct conf_list *files, struct ca *ret, char *ret_file)
{
        struct ca ca = {.certificates = calloc(files->n + 1, sizeof(*ca.certificates))};
        enum err e = ca.certificates ? OK : ERR_NOMEM;

        for (unsigned i = 0; e == OK && i < files->n; i++) {
                snprintf(ret_file, 256, "%s", files->items[i]);
                e = certificate_from_file(files->items[i], &ca.certificates[ca.n]);
                ca.n += e == OK;
        }
        if (e != OK) {
                ca_done(&ca);
                return e;
        }
        *ret = ca;
        return OK;
}

const char *ca_refuse(const struct ca *ca, const struct certificate *c)
{
        const char *why = "it was issued by another CA (its issuer's name is not this one's)";

        for (unsigned i = 0; i < ca->n; i++) {
                const struct certificate *own = &ca->certificates[i];

                if (!bytes_equal(c->issuer, own->subject))
                        continue;
                if (c->aki.len && own->ski.len && !bytes_equal(c->aki, own->ski))
                        why = "it was issued by another key of that name (authorityKeyIdentifier)";
                else if (certificate_verify(c, own) == OK)
                        return NULL;
                else
                        why = "its signature does not verify with this issuer's key";
        }
        return why;
}

const char *ca_refuse_own(const struct ca *ca, unsigned i)
{
        const struct certificate *own = &ca->certificates[i], *first = ca->certificates;
        const char *why = certificate_refuse_issuer(own);

        if (!why && !bytes_equal(own->subject, first->subject))
                why = "its subject is not that of the first; a CA of another name is another issuer";
        if (!why && !bytes_equal(own->spki, first->spki))
                why = "its key is not that of the first; another key is another issuer (RFC 5280 5.2.3)";
        return why;
}

const char *ca_refuse_ocsp_signer(const struct ca *ca, const struct certificate *signer)
{
        const char *first = "the issuer has no certificate";

        for (unsigned i = 0; i < ca->n; i++) {
                const char *why = certificate_refuse_ocsp_signer(signer, &ca->certificates[i], clock_now_s());

                if (!why)
                        return NULL;
                if (i == 0)
                        first = why;
        }
        return first;
}
