/* conf_folder: see conf_folder.h. */
#include "tests/unit/base/conf_folder.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char folder[64];

int folder_set_up(void **state)
{
        (void)state;
        strcpy(folder, "/tmp/tocsin-conf-XXXXXX");
        return mkdtemp(folder) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
        (void)st;
        (void)flag;
        (void)ftw;
        return remove(path);
}

int folder_tear_down(void **state)
{
        (void)state;
        return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *folder_path(const char *path)
{
        static char whole[256];

        snprintf(whole, sizeof(whole), "%s/%s", folder, path);
        return whole;
}

void folder_make(const char *path)
{
        assert_true(mkdir(folder_path(path), 0700) == 0 || errno == EEXIST);
}

void folder_put(const char *path, const char *content)
{
        FILE *file = fopen(folder_path(path), "w");

        assert_non_null(file);
        fputs(content, file);
        fclose(file);
}

void folder_put_issuer(const char *name, const char *policy)
{
        char path[192];

        folder_make("issuers");
        snprintf(path, sizeof(path), "issuers/%s", name);
        folder_make(path);
        snprintf(path, sizeof(path), "issuers/%s/ca.pem", name);
        folder_put(path, "a certificate");
        snprintf(path, sizeof(path), "issuers/%s/issuer.yaml", name);
        folder_put(path, policy);
}

struct conf *folder_load(const char *main_content)
{
        struct conf_problem problem = {{0}};
        struct conf *conf = NULL;

        folder_put("tocsin.yaml", main_content);
        if (conf_load(folder_path("tocsin.yaml"), &conf, &problem) != OK)
                fail_msg("%s", problem.text);
        return conf;
}

static void assert_refused(const struct bad *b, const char *path)
{
        struct conf_problem problem = {{0}};
        struct conf *conf = NULL;
        enum err e = conf_load(folder_path("tocsin.yaml"), &conf, &problem);
        const char *file = folder_path(path);
        size_t len = strlen(file) - strlen(".yaml");

        if (e != b->err || conf || strncmp(problem.text, file, len) != 0 ||
                strncmp(problem.text + len, b->where, strlen(b->where)) != 0 || !strstr(problem.text, b->hint))
                fail_msg("%s: error %d (want %d): \"%s\" (want \"%s\" and \"%s\")", b->content, e, b->err, problem.text,
                        b->where, b->hint);
}

void folder_assert_refused(const struct bad *rows)
{
        for (const struct bad *b = rows; b->content; b++) {
                folder_put("tocsin.yaml", b->content);
                assert_refused(b, "tocsin.yaml");
        }
}

void folder_assert_policies_refused(const struct bad *rows)
{
        folder_put("tocsin.yaml", "");
        for (const struct bad *b = rows; b->content; b++) {
                folder_put_issuer("one", b->content);
                assert_refused(b, "issuers/one/issuer.yaml");
        }
}
