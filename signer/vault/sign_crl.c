/* sign, the CRL half: a TBSCertList of any size is read once, piece by piece, through one window of our own memory. What is
 * parsed and what is hashed are the same octets of that window, so nobody who holds the descriptor can show the parser one
 * list and the digest another.
 */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "signer/vault/sign.h"

struct stream {
        int fd;
        uint64_t at;     /* where in the file the next octet is read */
        uint64_t unread; /* octets of the TBSCertList still in the file */
        uint8_t *memory; /* SIGN_WINDOW octets */
        struct bytes in; /* what is there and not parsed, somewhere in memory */
        EVP_MD_CTX *md;
        const char *why; /* sticky */
};

static void free_md(EVP_MD_CTX **md)
{
        EVP_MD_CTX_free(*md);
}

/* Reads more behind what is there, which moves to the window's start. False at the list's end, with a full window, or with
 * `why` set. */
static bool stream_fill(struct stream *st)
{
        size_t room = SIGN_WINDOW - st->in.len;
        ssize_t n;

        if (st->why || st->unread == 0 || room == 0)
                return false;
        memmove(st->memory, st->in.data, st->in.len);
        if (room > st->unread)
                room = (size_t)st->unread;
        do
                n = pread(st->fd, st->memory + st->in.len, room, (off_t)st->at);
        while (n < 0 && errno == EINTR);
        if (n <= 0) {
                st->why = "the descriptor holds fewer octets than were announced";
                return false;
        }
        if (EVP_DigestUpdate(st->md, st->memory + st->in.len, (size_t)n) != 1)
                st->why = "the digest failed";
        st->in = bytes_make(st->memory, st->in.len + (size_t)n);
        st->at += (uint64_t)n;
        st->unread -= (uint64_t)n;
        return !st->why;
}

static void stream_skip(struct stream *st, size_t n)
{
        struct bytes skipped;

        if (bytes_take(&st->in, n, &skipped) != OK)
                st->why = "the TBSCertList contradicts its own lengths";
}

static const char *open_stream(struct signer *s, struct lane *lane, int fd, EVP_MD_CTX *md, struct stream *ret)
{
        struct stat st;

        if (!md || sign_hash_begin(s, md, sig_alg_hash(lane->question.sig_alg)) != OK)
                return "the digest failed";
        if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
                return "a CRL question brings a file by descriptor";
        *ret = (struct stream){
                .fd = fd, .unread = lane->question.crl_len, .memory = lane->window, .in = {lane->window, 0}, .md = md};
        return NULL;
}

static void read_head(struct stream *st, const struct lane *lane, int key, struct crl_info *info, struct policy_crl *ret_crl)
{
        const struct vault_question *q = &lane->question;
        size_t tbs_len = 0;
        enum err e;

        do
                e = crl_read_tbs_head(st->in, &tbs_len, info);
        while (e == ERR_AGAIN && stream_fill(st));
        if (st->why)
                return;
        if (e != OK)
                st->why = "it is no TBSCertList in DER (RFC 5280 5.1)";
        else if (tbs_len != q->crl_len)
                st->why = "the TBSCertList has another length than was announced";
        else
                st->why = policy_check_crl_head(&lane->book->policy, key, q->sig_alg, info, clock_now_s(), ret_crl);
        if (!st->why)
                stream_skip(st, info->entries_offset);
        info->issuer = BYTES_NONE; /* the window moves on */
}

/* One entry, of which `left` octets at most remain in the list. */
static void read_entry(struct stream *st, size_t *left, struct policy_crl *crl)
{
        struct bytes in = bytes_make(st->in.data, st->in.len < *left ? st->in.len : *left);
        size_t before = in.len;
        struct crl_entry entry;
        enum err e = crl_read_entry(&in, &entry);

        if (e == ERR_AGAIN && before < *left && stream_fill(st))
                return;
        if (st->why)
                return;
        if (e != OK) {
                st->why = "an entry is malformed (RFC 5280 5.1.2.6)";
                return;
        }
        st->why = policy_check_crl_entry(crl, &entry);
        *left -= before - in.len;
        stream_skip(st, before - in.len);
}

static void read_entries(struct stream *st, struct signer *s, size_t entries_len, struct policy_crl *crl)
{
        uint64_t unread = st->unread;

        while (!st->why && entries_len > 0) {
                read_entry(st, &entries_len, crl);
                if (st->unread != unread && s->between)
                        s->between(s);
                unread = st->unread;
        }
}

static void read_tail(struct stream *st, struct signer *s, struct crl_info *info, const struct policy_crl *crl)
{
        while (stream_fill(st))
                ;
        if (st->why)
                return;
        if (st->unread > 0 || crl_read_tbs_tail(st->in, info) != OK)
                st->why = "crlExtensions are malformed (RFC 5280 5.2)";
        if (!st->why)
                st->why = policy_check_crl_tail(crl, info, st->in);
        if (!st->why)
                st->why =
                        numbers_admit(&s->vault->numbers, crl->issuer->ca.subject, info->idp, info->is_delta, info->number);
}

/* A digest context of its own: an urgent question between two pieces uses the signer's. */
const char *sign_crl_read(struct signer *s, struct lane *lane, int key, int crl, uint8_t *ret_digest)
{
        _cleanup_(free_md) EVP_MD_CTX *md = EVP_MD_CTX_new();
        struct policy_crl policy_crl = {0};
        struct crl_info info = {0};
        struct stream st;
        const char *why = open_stream(s, lane, crl, md, &st);

        if (why)
                return why;
        read_head(&st, lane, key, &info, &policy_crl);
        if (!st.why)
                read_entries(&st, s, info.entries_len, &policy_crl);
        if (!st.why)
                read_tail(&st, s, &info, &policy_crl);
        if (!st.why && EVP_DigestFinal_ex(md, ret_digest, NULL) != 1)
                return "the digest failed";
        return st.why;
}
