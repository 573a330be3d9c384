/* tocsin-vault: started by the supervisor to serve, or by `tocsin key` for a ceremony. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/conf.h"
#include "base/jail.h"
#include "base/log.h"
#include "signer/vault/ceremony.h"
#include "signer/vault/serve.h"

static const char usage[] =
        "usage: tocsin-vault --config FILE --serve [LOG]\n"
        "       tocsin-vault --config FILE key-new --label LABEL --algorithm p256|p384|rsa2048|rsa3072|rsa4096 [--json]\n"
        "       tocsin-vault --config FILE key-csr --label LABEL --subject /CN=NAME --out FILE [--json]\n"
        "       tocsin-vault --config FILE key-list [--json]\n"
        "       tocsin-vault --help | --version\n"
        "\n"
        "Holds the session with the PKCS#11 token. --serve is for tocsin-signer; the others are what `tocsin key` runs.\n"
        "Exit codes: 0 done, 1 refused, 2 wrong usage or configuration, 3 the token failed, 4 the operating system refused.\n"
        "--serve: 1 also where the system refused.\n";

/* Privileges go before the token's module, the PIN and the first packet come. */
_Noreturn static void serve(const struct conf *conf, const char *log_target)
{
        enum err e;

        signal(SIGHUP, SIG_IGN);
        log_init("vault", (enum log_level)conf->log_level);
        if (!log_open(log_target))
                log_warning("cannot open the log, writing to standard error target=%s", log_target);
        e = jail_user(conf->vault_user);
        if (e == OK)
                e = jail_no_new_privileges(SIGTERM); /* which waits while the token is being opened */
        if (e != OK) {
                log_error("the vault cannot become its user: start tocsin-signer as root, or set users.vault to \"\" "
                          "user=%s why=\"%s\"",
                        conf->vault_user, err_text(e));
                _exit(EXIT_FAILURE);
        }
        serve_run(conf);
}

static int run(const char *config, int argc, char **argv)
{
        _cleanup_(conf_freep) struct conf *conf = NULL;
        struct conf_problem problem;

        if (conf_load(config, &conf, &problem) != OK) {
                fprintf(stderr, "tocsin-vault: %s\n", problem.text);
                return CEREMONY_EXIT_CONFIG;
        }
        if (strcmp(argv[0], "--serve") == 0)
                serve(conf, argc > 1 ? argv[1] : conf->log_target);
        return ceremony_run(conf, argc, argv);
}

int main(int argc, char **argv)
{
        if (argc == 2 && strcmp(argv[1], "--help") == 0)
                return fputs(usage, stdout) < 0;
        if (argc == 2 && strcmp(argv[1], "--version") == 0)
                return puts("tocsin-vault " TOCSIN_VERSION) < 0;
        if (argc >= 4 && strcmp(argv[1], "--config") == 0) {
                int code = run(argv[2], argc - 3, argv + 3);

                if (code != CEREMONY_WRONG_USAGE)
                        return code;
        }
        fputs(usage, stderr);
        return CEREMONY_EXIT_CONFIG;
}
