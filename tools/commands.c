/* commands: the one table of subcommands. From it come the dispatch, `tocsin help`, and the shell's completion. */
#include <stdint.h>

#include "tools/tool.h"

#define ANY SIZE_MAX

/* clang-format off */

const struct option_row tool_global_options[] = {
        {"config", "FILE", "configuration (else $TOCSIN_CONFIG, ./tocsin.yaml, /etc/tocsin/tocsin.yaml)", 'c', false},
        {"json", NULL, "print the result as JSON", 0, false},
        {"quiet", NULL, "print nothing but errors", 'q', false},
        {"help", NULL, "explain the command", 'h', false},
        {"version", NULL, "print the version", 'V', false},
        {0},
};

#define ISSUER_OPTION {"issuer", "NAME", "which issuer; needed where several are configured", 'i', false}

static const struct option_row init_options[] = {
        {"set", "PATH=VALUE", "an option of tocsin.yaml with another value than the default", 0, true},
        {0},
};

static const struct option_row issuer_add_options[] = {
        {"cert", "FILE", "a certificate of the CA; several if it was renewed or cross-signed (same name, same key)", 0, true},
        {"profile", "PROFILE", "private (default) or cabf-tls: which rules hold", 0, false},
        {"ocsp-key", "LABEL", "label of the OCSP signing key in the token", 0, false},
        {"ocsp-cert", "FILE", "the OCSP signer's certificate; later with `tocsin key install`", 0, false},
        {"crl-key", "LABEL", "label of the CA key in the token: it signs CRLs, and OCSP answers where there is no --ocsp-key", 0,
                false},
        {"crl-url", "URL", "CRL distribution point as in the certificates; {shard} stands for the shard's number", 0, false},
        {"delta-url", "URL", "where delta CRLs are found", 0, false},
        {"delta-period", "TIME", "a delta CRL is issued this often (1h)", 0, false},
        {"shards", "N", "number of CRL shards; 0 = one full CRL", 0, false},
        {"set", "PATH=VALUE", "any other option of issuer.yaml", 0, true},
        {0},
};

static const struct option_row key_new_options[] = {
        {"label", "LABEL", "label of the new key in the token", 'l', false},
        {"algorithm", "NAME", "p256 (default), p384, rsa2048, rsa3072, rsa4096", 'a', false},
        {0},
};

static const struct option_row key_csr_options[] = {
        {"label", "LABEL", "label of the key", 'l', false},
        {"subject", "NAME", "subject of the request, \"/CN=OCSP signer 1\"", 's', false},
        {"out", "FILE", "where the request goes, PEM", 'o', false},
        {0},
};

static const struct option_row import_options[] = {
        ISSUER_OPTION,
        {"format", "NAME", "auto (default), index, pem, der, csv, ndjson, crl", 'f', false},
        {"skip-rejects", NULL, "import the good entries though some are refused", 0, false},
        {"rejects", "FILE", "write every refused entry and its reason there", 0, false},
        {0},
};

static const struct option_row revoke_options[] = {
        {"reason", "REASON", "keyCompromise, superseded, ... for entries that name none of their own", 'r', false},
        ISSUER_OPTION,
        {"file", "LIST", "a list: SERIAL or SERIAL,reason on a line, CSV with a header, or PEM certificates; - = standard input", 'f',
                true},
        {"cert", "PEM", "a certificate to revoke", 0, true},
        {"at", "TIME", "since when it is revoked (default: now)", 0, false},
        {"invalidity-date", "TIME", "since when the key must be taken for compromised", 0, false},
        {"incident", "TEXT", "what it is for; stands in the events", 0, false},
        {"rejects", "FILE", "write every refused line and its reason there", 0, false},
        {"yes", NULL, "do not ask", 'y', false},
        {"dry-run", NULL, "check and show, change nothing", 'n', false},
        {0},
};

static const struct option_row status_options[] = {
        {"watch", NULL, "show it anew every two seconds", 'w', false},
        {0},
};

static const struct option_row issuer_only_options[] = {ISSUER_OPTION, {0}};

static const struct option_row crl_issue_options[] = {
        ISSUER_OPTION,
        {"full", NULL, "the full CRL only", 0, false},
        {"delta", NULL, "the delta CRL only", 0, false},
        {0},
};

static const struct option_row crl_list_options[] = {
        ISSUER_OPTION,
        {"all", NULL, "earlier ones, too", 'a', false},
        {0},
};

static const struct option_row purge_tags_options[] = {
        ISSUER_OPTION,
        {"file", "LIST", "a list: SERIAL or SERIAL,... on a line; - = standard input", 'f', true},
        {0},
};

static const struct option_row no_options[] = {{0}};

static const char import_more[] =
        "FILE is an OpenSSL CA's index.txt, certificates (PEM, DER, bundles), CSV, NDJSON or a CRL of the issuer;\n"
        "a directory stands for the certificates in it; - for standard input.\n"
        "\n"
        "CSV and NDJSON: serial, not_after, status, reason, revoked_at, invalidity_date, subscriber, shard, cert_sha256,\n"
        "in any order, under these names (or notAfter, expires, revocation_time, crl_shard, ...). Without a header: serial[,not_after].\n"
        "\n"
        "What is revoked stays revoked, whatever the input says. One refused entry: nothing is imported (but see --skip-rejects).\n"
        "\n"
        "  tocsin import demoCA/index.txt\n"
        "  tocsin import --issuer issuing-ca certificates.csv\n"
        "  export-certificates | tocsin import --format ndjson -\n";

static const char revoke_more[] =
        "Every line is checked before any is sent, and by the engine before any counts. All of them become revoked in one instant.\n"
        "A batch is shown and must be confirmed (or --yes).\n"
        "\n"
        "  tocsin revoke --reason keyCompromise 0A1B2C\n"
        "  tocsin revoke --reason superseded --file serials.txt --incident \"INC-2041\" --dry-run\n";

static const char issuer_add_more[] =
        "  tocsin issuer add issuing-ca --cert ca.pem --ocsp-key issuing-ca-ocsp --crl-key issuing-ca \\\n"
        "      --crl-url http://crl.example.com/issuing-ca.crl --profile cabf-tls\n";

const struct command tool_commands[] = {
        {"init", cmd_init, "write a commented tocsin.yaml and its folders", "[DIR]", 0, 1, init_options, NULL},
        {"check", cmd_check, "check configuration, certificates, permissions and the store", NULL, 0, 0, no_options, NULL},
        {"issuer add", cmd_issuer_add, "configure a CA", "NAME", 1, 1, issuer_add_options, issuer_add_more},
        {"issuer list", cmd_issuer_list, "list the CAs", NULL, 0, 0, no_options, NULL},
        {"key new", cmd_key_new, "make a key in the token", NULL, 0, 0, key_new_options, NULL},
        {"key csr", cmd_key_csr, "make a certificate request for a key", NULL, 0, 0, key_csr_options, NULL},
        {"key install", cmd_key_install, "check an OCSP signer's certificate and put it to use", "ISSUER CERT", 2, 2, no_options, NULL},
        {"key list", cmd_key_list, "list the keys in the token", NULL, 0, 0, no_options, NULL},
        {"import", cmd_import, "bring in certificates and earlier revocations", "FILE|DIR|-...", 1, ANY, import_options, import_more},
        {"revoke", cmd_revoke, "revoke serials: one, or millions in one instant", "[SERIAL...]", 0, ANY, revoke_options, revoke_more},
        {"release", cmd_release, "lift a hold", "SERIAL", 1, 1, issuer_only_options, NULL},
        {"status", cmd_status, "engine, token, lanes, issuers, batches, CRLs", NULL, 0, 0, status_options, NULL},
        {"show", cmd_show, "all that is known of a serial", "SERIAL", 1, 1, issuer_only_options, NULL},
        {"purge-tags", cmd_purge_tags, "the tags by which a CDN is purged of a list of serials", "[SERIAL...]", 0, ANY, purge_tags_options,
                NULL},
        {"crl issue", cmd_crl_issue, "issue CRLs now", NULL, 0, 0, crl_issue_options, NULL},
        {"crl list", cmd_crl_list, "list the CRLs", NULL, 0, 0, crl_list_options, NULL},
        {"reload", cmd_reload, "have the engine read its configuration anew", NULL, 0, 0, no_options, NULL},
        {"help", cmd_help, "explain a command, or exit-codes", "[COMMAND]", 0, 2, no_options, NULL},
        /* For the shell's completion; not shown. */
        {"complete", cmd_complete, NULL, "WORD...", 0, ANY, no_options, NULL},
        {0},
};
/* clang-format on */
