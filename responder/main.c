/* tocsin-responder: serves OCSP answers, CRLs and CA certificates out of the store. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "responder/master.h"

static const struct option OPTIONS[] = {
        {"config", required_argument, NULL, 'c'},
        {"check", no_argument, NULL, 'k'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {0},
};

static const char HELP[] = "Usage: tocsin-responder [--config FILE]\n"
                           "\n"
                           "Serves OCSP answers, CRLs and CA certificates from the store that tocsin-signer keeps.\n"
                           "\n"
                           "  -c, --config FILE  default " TOCSIN_CONFIG "\n"
                           "      --check        say by the exit code whether this program would start with it\n"
                           "      --version      print the version\n"
                           "      --help         print this\n"
                           "\n"
                           "Signals: TERM finishes what is under way and stops; HUP loads the configuration anew and reopens the log\n"
                           "without losing a request; USR2 does the same with a new program in the place of this one.\n";

/* -1: go on; else the exit code. */
static int read_options(int argc, char **argv, const char **ret_config, bool *ret_check)
{
        int option;

        while ((option = getopt_long(argc, argv, "c:", OPTIONS, NULL)) != -1) {
                if (option == 'c') {
                        *ret_config = optarg;
                } else if (option == 'k') {
                        *ret_check = true;
                } else if (option == 'V') {
                        puts("tocsin-responder " TOCSIN_VERSION);
                        return EXIT_SUCCESS;
                } else if (option == 'h') {
                        fputs(HELP, stdout);
                        return EXIT_SUCCESS;
                } else {
                        fputs("Try tocsin-responder --help.\n", stderr);
                        return 2;
                }
        }
        if (optind < argc) {
                fprintf(stderr, "tocsin-responder: unexpected argument: %s\n", argv[optind]);
                return 2;
        }
        return -1;
}

int main(int argc, char **argv)
{
        const char *file = TOCSIN_CONFIG;
        struct conf_problem problem;
        struct conf *conf = NULL;
        bool is_check = false;
        int code = read_options(argc, argv, &file, &is_check);

        if (code >= 0)
                return code;
        log_init("responder", LEVEL_INFO);
        if (conf_load(file, &conf, &problem) != OK) {
                fprintf(stderr, "tocsin-responder: %s\n", problem.text);
                return EXIT_FAILURE;
        }
        if (is_check) {
                code = master_check(conf);
                conf_free(conf);
                return code;
        }
        log_init("responder", conf->log_level);
        if (!log_open(conf->log_target)) {
                fprintf(stderr, "tocsin-responder: the log cannot be opened: %s\n", conf->log_target);
                return EXIT_FAILURE;
        }
        return master_run(conf, argv[0]);
}
