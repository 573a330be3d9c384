/* tocsin-signer: reads its options and the configuration, and becomes the supervisor. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/conf.h"
#include "base/jail.h"
#include "base/log.h"
#include "signer/engine/check.h"
#include "signer/supervisor.h"

static const char usage[] =
        "usage: tocsin-signer [--config FILE] [--foreground] [--check-store]\n"
        "       tocsin-signer --version | --help\n"
        "\n"
        "Signs OCSP answers and CRLs, and is the only writer of the store.\n"
        "\n"
        "  --config FILE   the configuration (default " TOCSIN_CONFIG ")\n"
        "  --foreground    log to standard error, whatever the configuration says\n"
        "  --check-store   look through the whole store for contradictions, print them, and end\n"
        "  --version       print the version and end\n"
        "  --help          print this and end\n"
        "\n"
        "SIGHUP: read the configuration anew, reopen the log. SIGTERM: finish the commit under way and end.\n"
        "Exit codes: 0 stopped as asked (or the store is sound), 1 failure, 2 wrong usage or configuration.\n";

#define EXIT_USAGE 2

struct options {
        const char *config;
        bool foreground;
        bool check_store;
        const char *print; /* nothing but this is asked for */
};

static bool options_read(int argc, char **argv, struct options *ret)
{
        static const struct option table[] = {
                {"config", required_argument, NULL, 'c'},
                {"foreground", no_argument, NULL, 'f'},
                {"check-store", no_argument, NULL, 's'},
                {"version", no_argument, NULL, 'v'},
                {"help", no_argument, NULL, 'h'},
                {0},
        };
        int c;

        *ret = (struct options){.config = TOCSIN_CONFIG};
        while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
                if (c == 'c')
                        ret->config = optarg;
                else if (c == 'f')
                        ret->foreground = true;
                else if (c == 's')
                        ret->check_store = true;
                else if (c == 'v')
                        ret->print = "tocsin-signer " TOCSIN_VERSION "\n";
                else if (c == 'h')
                        ret->print = usage;
                else
                        return false;
        }
        if (optind < argc)
                fprintf(stderr, "tocsin-signer: unexpected argument '%s'\n", argv[optind]);
        return optind == argc;
}

/* With --foreground the children, too, write to standard error: they take the target from this configuration. */
static bool start_log(struct conf *conf, bool to_stderr)
{
        char *target = strdup(to_stderr ? "stderr" : conf->log_target);

        if (!target)
                return false;
        free(conf->log_target);
        conf->log_target = target;
        log_init("signer", (enum log_level)conf->log_level);
        if (log_open(target))
                return true;
        fprintf(stderr, "tocsin-signer: cannot open the log %s: %s\n", target, strerrordesc_np(errno));
        return false;
}

static int check_store(const struct conf *conf)
{
        enum err e = jail_user(conf->engine_user);

        if (e == OK)
                return engine_check_store(conf);
        fprintf(stderr, "tocsin-signer: cannot become user %s: %s: run it as root or as that user\n", conf->engine_user,
                err_text(e));
        return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
        _cleanup_(conf_freep) struct conf *conf = NULL;
        struct conf_problem problem;
        struct options options;
        enum err e;

        if (!options_read(argc, argv, &options)) {
                fputs(usage, stderr);
                return EXIT_USAGE;
        }
        if (options.print)
                return fputs(options.print, stdout) < 0;
        e = conf_load(options.config, &conf, &problem);
        if (e != OK) {
                fprintf(stderr, "tocsin-signer: %s\n  next: %s\n", problem.text,
                        e == ERR_NOT_FOUND ? "name another with --config FILE, or make one with `tocsin init`"
                                           : "correct it, then `tocsin check`");
                return EXIT_USAGE;
        }
        if (options.check_store)
                return check_store(conf);
        if (!start_log(conf, options.foreground))
                return EXIT_FAILURE;
        return supervisor_run(conf, conf->file);
}
