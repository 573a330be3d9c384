/* reason: CRLReason's one table. */
#include "pki/reason.h"

#include <ctype.h>

struct reason_row {
        const char *name;
        bool allowed;      /* anything may be revoked with it */
        bool allowed_cabf; /* BR 7.2.2 */
};

static const struct reason_row rows[] = {
        [REASON_UNSPECIFIED] = {"unspecified", true, true},
        [REASON_KEY_COMPROMISE] = {"keyCompromise", true, true},
        [REASON_CA_COMPROMISE] = {"cACompromise", true, false},
        [REASON_AFFILIATION_CHANGED] = {"affiliationChanged", true, true},
        [REASON_SUPERSEDED] = {"superseded", true, true},
        [REASON_CESSATION_OF_OPERATION] = {"cessationOfOperation", true, true},
        [REASON_CERTIFICATE_HOLD] = {"certificateHold", true, false},
        [REASON_REMOVE_FROM_CRL] = {"removeFromCRL", false, false},
        [REASON_PRIVILEGE_WITHDRAWN] = {"privilegeWithdrawn", true, true},
        [REASON_AA_COMPROMISE] = {"aACompromise", true, false},
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

const char *reason_name(unsigned reason)
{
        return reason < N_ROWS ? rows[reason].name : NULL; /* 7 is none (RFC 5280 5.3.1): its row is empty */
}

bool reason_allowed(enum reason reason)
{
        return (unsigned)reason < N_ROWS && rows[reason].allowed;
}

bool reason_allowed_cabf(enum reason reason)
{
        return (unsigned)reason < N_ROWS && rows[reason].allowed_cabf;
}

static bool name_matches(struct bytes text, const char *name)
{
        for (size_t i = 0; i < text.len; i++) {
                if (text.data[i] == '-' || text.data[i] == '_')
                        continue;
                if (*name == '\0' || tolower(text.data[i]) != tolower((unsigned char)*name))
                        return false;
                name++;
        }
        return *name == '\0';
}

static enum err from_number(struct bytes text, enum reason *ret_reason)
{
        unsigned n = 0;

        if (text.len > 2)
                return ERR_INVALID;
        for (size_t i = 0; i < text.len; i++) {
                if (!isdigit(text.data[i]))
                        return ERR_INVALID;
                n = n * 10 + (text.data[i] - '0');
        }
        if (!reason_name(n))
                return ERR_INVALID;
        *ret_reason = (enum reason)n;
        return OK;
}

enum err reason_from_text(struct bytes text, enum reason *ret_reason)
{
        if (text.len > 0 && isdigit(text.data[0]))
                return from_number(text, ret_reason);
        for (unsigned i = 0; i < N_ROWS; i++) {
                if (rows[i].name && name_matches(text, rows[i].name)) {
                        *ret_reason = (enum reason)i;
                        return OK;
                }
        }
        return ERR_INVALID;
}
