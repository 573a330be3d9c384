/* facts: the table of columns, and the rules of an entry. */
#include "tools/facts.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "tools/lines.h"

#define CLOCK_SKEW_S (5 * CLOCK_MINUTE_S)

__attribute__((format(printf, 2, 3))) static bool refuse(struct facts *f, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(f->why, sizeof(f->why), format, arguments);
        va_end(arguments);
        return false;
}

#define SHOWN(text) (int)((text).len < 60 ? (text).len : 60), (const char *)(text).data

static bool set_serial(const struct intake *in, struct facts *f, struct bytes text)
{
        struct serial serial;
        enum err e = serial_from_text(text, &serial);

        (void)in;
        f->serial_text = text;
        if (e == ERR_RANGE)
                return refuse(f, "the serial is longer than 20 octets (RFC 5280 4.1.2.2)");
        if (e != OK)
                return refuse(f, "'%.*s' is not a serial number in hex", SHOWN(text));
        f->row.serial_len = serial.len;
        memcpy(f->row.serial, serial.data, serial.len);
        return true;
}

static bool all_digits(struct bytes text)
{
        for (size_t i = 0; i < text.len; i++)
                if (!isdigit(text.data[i]))
                        return false;
        return true;
}

/* Eight digits are a date to the one who wrote them, and a second of 1970 to clock_from_text: neither is taken. */
static bool read_time(struct facts *f, struct bytes text, int64_t *ret_time)
{
        if ((text.len == 8 && all_digits(text)) || clock_from_text(text, ret_time) != OK)
                return refuse(f, "'%.*s' is no time; write 2026-11-21T10:00:00Z, 2026-11-21, or Unix seconds", SHOWN(text));
        return true;
}

bool facts_expiry(int64_t time_s, uint32_t *ret_time)
{
        if (time_s <= 0)
                return false;
        *ret_time = time_s > UINT32_MAX ? 0 : (uint32_t)time_s;
        return true;
}

static bool set_not_after(const struct intake *in, struct facts *f, struct bytes text)
{
        int64_t time_s;

        (void)in;
        if (!read_time(f, text, &time_s))
                return false;
        return facts_expiry(time_s, &f->row.not_after) || refuse(f, "notAfter lies before 1970");
}

static bool set_not_before(const struct intake *in, struct facts *f, struct bytes text)
{
        (void)in;
        return read_time(f, text, &f->info.not_before);
}

/* Dates of what has happened. */
static bool read_past(struct facts *f, struct bytes text, uint32_t *ret_time)
{
        int64_t time_s;

        if (!read_time(f, text, &time_s))
                return false;
        if (time_s <= 0 || time_s > UINT32_MAX || time_s > clock_now_s() + CLOCK_SKEW_S)
                return refuse(f, "%.*s %s", SHOWN(text), time_s <= 0 ? "lies before 1970" : "lies in the future");
        *ret_time = (uint32_t)time_s;
        return true;
}

static bool set_revoked_at(const struct intake *in, struct facts *f, struct bytes text)
{
        (void)in;
        f->has_date = true;
        return read_past(f, text, &f->row.revoked_at);
}

static bool set_invalidity_date(const struct intake *in, struct facts *f, struct bytes text)
{
        (void)in;
        return read_past(f, text, &f->row.invalidity_date);
}

static bool set_reason(const struct intake *in, struct facts *f, struct bytes text)
{
        enum reason reason;

        (void)in;
        if (reason_from_text(text, &reason) != OK)
                return refuse(f, "'%.*s' is no reason (RFC 5280 5.3.1: keyCompromise, superseded, ...)", SHOWN(text));
        f->row.reason = (uint8_t)reason;
        f->has_reason = true;
        return true;
}

static const struct {
        const char *word;
        uint8_t flags;
} status_words[] = {
        {"good", 0},
        {"valid", 0},
        {"v", 0},
        {"active", 0},
        {"issued", 0},
        {"expired", 0},
        {"e", 0},
        {"no", 0},
        {"false", 0},
        {"revoked", ROWFILE_REVOKED},
        {"r", ROWFILE_REVOKED},
        {"yes", ROWFILE_REVOKED},
        {"true", ROWFILE_REVOKED},
        {"onhold", ROWFILE_REVOKED | ROWFILE_HELD},
        {"held", ROWFILE_REVOKED | ROWFILE_HELD},
        {"hold", ROWFILE_REVOKED | ROWFILE_HELD},
        {"suspended", ROWFILE_REVOKED | ROWFILE_HELD},
};

static bool set_status(const struct intake *in, struct facts *f, struct bytes text)
{
        (void)in;
        for (size_t i = 0; i < sizeof(status_words) / sizeof(*status_words); i++) {
                if (!bytes_is_word(text, status_words[i].word))
                        continue;
                f->has_status = true;
                f->is_revoked = status_words[i].flags != 0;
                f->row.flags = status_words[i].flags;
                return true;
        }
        return refuse(f, "'%.*s' is no status; good, revoked, held or expired", SHOWN(text));
}

static bool set_subscriber(const struct intake *in, struct facts *f, struct bytes text)
{
        (void)in;
        f->info.subscriber = text;
        return true;
}

static bool set_shard(const struct intake *in, struct facts *f, struct bytes text)
{
        unsigned long shard = 0;

        if (!all_digits(text) || text.len > 5)
                return refuse(f, "'%.*s' is no CRL shard", SHOWN(text));
        for (size_t i = 0; i < text.len; i++)
                shard = shard * 10 + (text.data[i] - '0');
        if (shard > in->issuer->crl_shards)
                return refuse(f, "there is no CRL shard %lu: the issuer has %u (crl.shards)", shard, in->issuer->crl_shards);
        f->row.shard = (uint16_t)shard;
        return true;
}

static bool read_sha256(struct facts *f, struct bytes text, uint8_t *memory, struct bytes *ret)
{
        size_t len;

        if (bytes_from_hex(text, memory, 32, &len) != OK || len != 32)
                return refuse(f, "'%.*s' is no SHA-256 in hex", SHOWN(text));
        *ret = bytes_make(memory, len);
        return true;
}

static bool set_cert_sha256(const struct intake *in, struct facts *f, struct bytes text)
{
        (void)in;
        return read_sha256(f, text, f->sha256[0], &f->info.cert_sha256);
}

static bool set_precert_sha256(const struct intake *in, struct facts *f, struct bytes text)
{
        (void)in;
        return read_sha256(f, text, f->sha256[1], &f->info.precert_sha256);
}

/* The last four lines' names are those of the incident report's appendix (req 5.9), too. */
static const struct fact_row rows[] = {
        {"serial serialnumber serialhex certserial ", set_serial, true},
        {"notafter expires expiry expiration expirationdate validto validuntil ", set_not_after, false},
        {"notbefore validfrom ", set_not_before, false},
        {"status state isrevoked ", set_status, false},
        {"reason revocationreason reasoncode ", set_reason, true},
        {"revokedat revocationtime revocationdate revokedon ", set_revoked_at, true},
        {"invaliditydate invaliditytime compromisedat ", set_invalidity_date, true},
        {"subscriber account customer ", set_subscriber, false},
        {"shard crlshard ", set_shard, false},
        {"certsha256 certificatesha256 sha256 fingerprint ", set_cert_sha256, false},
        {"precertsha256 precertificatesha256 ", set_precert_sha256, false},
};
#define N_ROWS (sizeof(rows) / sizeof(*rows))

const struct fact_row *facts_find(struct bytes name)
{
        for (size_t i = 0; i < N_ROWS; i++)
                if (bytes_is_one_of(name, rows[i].words))
                        return &rows[i];
        return NULL;
}

const struct fact_row *facts_named(const char *plain)
{
        return facts_find(bytes_str(plain));
}

bool facts_is_serial(const struct fact_row *row)
{
        return row == &rows[0];
}

bool facts_set(const struct intake *in, struct facts *f, const struct fact_row *row, struct bytes text)
{
        return text.len == 0 || row->set(in, f, text);
}

const char *facts_refuse(const struct intake *in, const struct rowfile_row *row, bool is_revoked)
{
        if (!is_revoked)
                return NULL;
        if (!reason_allowed(row->reason)) /* RFC 5280 5.3.1 */
                return "nothing can be revoked for the reason removeFromCRL; `tocsin release` lifts a hold";
        if (in->issuer->profile == CONF_PROFILE_CABF_TLS && !reason_allowed_cabf(row->reason)) /* BR 7.2.2, req 4.9 */
                return "that reason is not allowed under the cabf-tls profile (BR 7.2.2)";
        return NULL;
}

/* What a revocation list does not say, the command line does. */
static const char *complete_revocation(const struct intake *in, struct facts *f)
{
        if (!f->has_reason && !in->has_reason)
                return "no reason: give --reason, or a second column";
        if (!f->has_reason)
                f->row.reason = (uint8_t)in->reason;
        if (f->row.revoked_at == 0)
                f->row.revoked_at = in->revoked_at;
        if (f->row.invalidity_date == 0)
                f->row.invalidity_date = in->invalidity_date;
        f->is_revoked = true;
        f->row.flags = 0;
        return NULL;
}

static const char *complete_import(struct facts *f)
{
        bool says_revoked = f->has_reason || f->has_date || f->row.invalidity_date;

        if (f->has_status && !f->is_revoked && (f->has_date || f->row.invalidity_date || (f->has_reason && f->row.reason)))
                return "it says good, and yet has a reason or date of revocation";
        if (!f->has_status && says_revoked) {
                f->has_status = f->is_revoked = true;
                f->row.flags = ROWFILE_REVOKED;
        }
        if (f->row.flags & ROWFILE_HELD && f->has_reason && f->row.reason != REASON_CERTIFICATE_HOLD)
                return "it says on hold, and yet has another reason than certificateHold";
        if (f->row.flags & ROWFILE_HELD)
                f->row.reason = REASON_CERTIFICATE_HOLD;
        if (f->is_revoked && f->row.reason == REASON_CERTIFICATE_HOLD)
                f->row.flags |= ROWFILE_HELD;
        return NULL;
}

static void put_row(struct intake *in, struct facts *f, uint64_t line)
{
        uint8_t memory[CERTINFO_MAX];
        struct builder info = builder_fixed(memory, sizeof(memory));

        certinfo_put(&info, &f->info);
        if (builder_failed(&info)) {
                intake_reject(in, line, f->serial_text, "its facts are longer than %d octets", CERTINFO_MAX);
                return;
        }
        f->row.certinfo = builder_bytes(&info);
        f->row.line = sources_number(&in->sources, line);
        rows_add(&in->rows, &f->row, f->has_status || in->kind == ROWFILE_REVOKE ? ROW_STATUS : 0);
}

void facts_finish(struct intake *in, struct facts *f, uint64_t line)
{
        const char *why = f->row.serial_len ? NULL : "no serial";

        if (!why)
                why = in->kind == ROWFILE_REVOKE ? complete_revocation(in, f) : complete_import(f);
        if (!why)
                why = facts_refuse(in, &f->row, f->is_revoked);
        if (why)
                intake_reject(in, line, f->serial_text, "%s", why);
        else
                put_row(in, f, line);
}
