/* conf: loading everything: tocsin.yaml, then each issuer's folder.
 *
 * What is returned is whole and checked; on failure nothing is left behind but the problem.
 */
#include "base/conf.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/conf_table.h"

#define NAME_MAX_LEN 64

/* conf_value writes every enum through an int. */
_Static_assert(sizeof(enum conf_profile) == sizeof(int) && sizeof(enum conf_hash) == sizeof(int) &&
                       sizeof(enum conf_nonce) == sizeof(int) && sizeof(enum conf_responder_id) == sizeof(int),
        "an enum is an int");

static void object_free(const struct conf_scope *scope, void *object)
{
        for (unsigned i = 0; i < scope->n_options; i++)
                conf_value_free(&scope->options[i], object);
}

static void issuer_done(struct conf_issuer *i)
{
        object_free(&conf_scope_issuer, i);
        free(i->name);
        free(i->folder);
        free(i->lines);
}

void conf_free(struct conf *conf)
{
        if (!conf)
                return;
        for (unsigned i = 0; i < conf->n_issuers; i++)
                issuer_done(&conf->issuers[i]);
        free(conf->issuers);
        object_free(&conf_scope_main, conf);
        free(conf->file);
        free(conf->lines);
        free(conf);
}

/* The folder that a default lies in: the value of the option `under`, or the file's own. */
static const char *default_folder(const struct conf_source *s, const struct conf_option *o)
{
        int at = o->under ? conf_option_find(s->scope, bytes_str(o->under)) : -1;

        return at < 0 ? s->folder : *(char **)((char *)s->object + s->scope->options[at].offset);
}

static enum err set_default(const struct conf_source *s, const struct conf_option *o)
{
        const char *folder = default_folder(s, o);

        if (!conf_type_is_list(o->type))
                return conf_value_set(o, s->object, folder, o->def);
        for (const char *at = o->def; *at;) {
                size_t len = strcspn(at, ",");
                _cleanup_free_
                char *item = strndup(at, len);
                enum err e = item ? conf_value_set(o, s->object, folder, item) : ERR_NOMEM;

                if (e != OK)
                        return e;
                at += len + (at[len] == ',');
        }
        return OK;
}

/* After reading, so that lists are not doubled and defaults can lie below what was read; rows stand in that order. */
static enum err fill_defaults(const struct conf_source *s)
{
        for (unsigned i = 0; i < s->scope->n_options; i++) {
                enum err e = s->lines[i] != 0 ? OK : set_default(s, &s->scope->options[i]);

                if (e != OK)
                        return conf_complain(s, e, 0, "%s: %s", s->scope->options[i].path, err_text(e));
        }
        return OK;
}

static enum err load_object(struct conf_source *s, const char *path, unsigned **ret_lines)
{
        enum err e;

        *ret_lines = calloc(s->scope->n_options, sizeof(**ret_lines));
        s->lines = *ret_lines;
        if (!s->lines)
                return conf_complain(s, ERR_NOMEM, 0, "%s", err_text(ERR_NOMEM));
        e = conf_read(s, path);
        if (e == OK)
                e = fill_defaults(s);
        if (e == OK)
                e = conf_check_object(s);
        if (e == OK)
                e = conf_check_presence(s, CONF_WHEN_LOADED, NULL, NULL);
        return e;
}

static char *join(const char *folder, const char *name)
{
        char *path;

        return asprintf(&path, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, name) < 0 ? NULL : path;
}

/* ---- issuers ---- */

static bool is_issuer_name(const char *name)
{
        static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

        return strlen(name) <= NAME_MAX_LEN && strspn(name, allowed) == strlen(name);
}

static enum err load_issuer(const struct conf *conf, const char *name, struct conf_issuer *i, struct conf_problem *problem)
{
        _cleanup_free_
        char *file = NULL;
        struct conf_source s = {.scope = &conf_scope_issuer, .shown = name, .object = i, .problem = problem};

        i->name = strdup(name);
        i->folder = join(conf->issuers_path, name);
        file = i->folder ? join(i->folder, "issuer.yaml") : NULL;
        if (!i->name || !file)
                return conf_complain(&s, ERR_NOMEM, 0, "%s", err_text(ERR_NOMEM));
        s.shown = file;
        s.folder = i->folder;
        if (!is_issuer_name(name))
                return conf_complain(
                        &s, ERR_INVALID, 0, "an issuer's folder is named with letters, digits, '-', '_', '.', up to 64");
        return load_object(&s, file, &i->lines);
}

/* A hidden folder is one still being made. */
static bool is_issuer(const char *issuers_path, const char *name)
{
        char file[PATH_MAX];
        int len = snprintf(file, sizeof(file), "%s/%s/issuer.yaml", issuers_path, name);

        return name[0] != '.' && len > 0 && (size_t)len < sizeof(file) && access(file, F_OK) == 0;
}

static int by_name(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static void names_done(struct conf_list *names)
{
        for (unsigned i = 0; i < names->n; i++)
                free(names->items[i]);
        free(names->items);
}

static enum err names_add(struct conf_list *names, const char *name)
{
        char **items = reallocarray(names->items, names->n + 1, sizeof(*items));

        if (!items)
                return ERR_NOMEM;
        names->items = items;
        items[names->n] = strdup(name);
        if (!items[names->n])
                return ERR_NOMEM;
        names->n++;
        return OK;
}

static void close_dir(DIR **dir)
{
        if (*dir)
                closedir(*dir);
}

static enum err list_issuers(const char *path, struct conf_list *names)
{
        _cleanup_(close_dir) DIR *dir = opendir(path);
        enum err e = OK;

        if (!dir)
                return errno == ENOENT ? OK : err_from_errno(errno);
        for (struct dirent *d; e == OK && (d = readdir(dir));)
                if (is_issuer(path, d->d_name))
                        e = names_add(names, d->d_name);
        if (e == OK && names->n > 0)
                qsort(names->items, names->n, sizeof(*names->items), by_name);
        return e;
}

static enum err load_issuers(struct conf *conf, const struct conf_source *s)
{
        _cleanup_(names_done) struct conf_list names = {0};
        enum err e = list_issuers(conf->issuers_path, &names);

        if (e == OK && names.n > 0) {
                conf->issuers = calloc(names.n, sizeof(*conf->issuers));
                if (!conf->issuers)
                        e = ERR_NOMEM;
        }
        if (e != OK)
                return conf_complain(s, e, 0, "issuers: %s: %s", conf->issuers_path, err_text(e));
        for (unsigned i = 0; e == OK && i < names.n; i++) {
                conf->n_issuers = i + 1;
                e = load_issuer(conf, names.items[i], &conf->issuers[i], s->problem);
        }
        return e;
}

/* ---- all of it ---- */

static char *folder_of(const char *file)
{
        _cleanup_free_
        char *copy = strdup(file);
        char *slash = copy ? strrchr(copy, '/') : NULL;

        if (!copy)
                return NULL;
        if (!slash)
                return realpath(".", NULL);
        slash[slash == copy] = '\0';
        return realpath(copy, NULL);
}

enum err conf_load(const char *file, struct conf **ret_conf, struct conf_problem *ret_problem)
{
        _cleanup_(conf_freep) struct conf *conf = calloc(1, sizeof(*conf));
        _cleanup_free_
        char *folder = folder_of(file);
        struct conf_source s = {
                .scope = &conf_scope_main, .shown = file, .folder = folder, .object = conf, .problem = ret_problem};
        const char *slash = strrchr(file, '/');
        enum err e;

        if (!folder && errno != ENOMEM)
                return conf_complain(&s, err_from_errno(errno), 0, "cannot be read: %s", strerrordesc_np(errno));
        if (conf && folder)
                conf->file = join(folder, slash ? slash + 1 : file);
        if (!conf || !conf->file)
                return conf_complain(&s, ERR_NOMEM, 0, "%s", err_text(ERR_NOMEM));
        e = load_object(&s, conf->file, &conf->lines);
        if (e == OK)
                e = load_issuers(conf, &s);
        if (e == OK)
                *ret_conf = steal(&conf);
        return e;
}

enum err conf_check_files(const struct conf *conf, conf_found_fn found, void *arg)
{
        struct conf_problem problem;
        struct conf_source s = {.scope = &conf_scope_main,
                .shown = conf->file,
                .object = (void *)(uintptr_t)conf,
                .lines = conf->lines,
                .problem = &problem};
        enum err worst = conf_check_presence(&s, CONF_WHEN_STARTED, found, arg);

        for (unsigned i = 0; i < conf->n_issuers; i++) {
                _cleanup_free_
                char *file = join(conf->issuers[i].folder, "issuer.yaml");
                enum err e;

                s.scope = &conf_scope_issuer;
                s.shown = file ? file : conf->issuers[i].name;
                s.object = &conf->issuers[i];
                s.lines = conf->issuers[i].lines;
                e = conf_check_presence(&s, CONF_WHEN_STARTED, found, arg);
                worst = e != OK ? e : worst;
        }
        return worst;
}

const struct conf_issuer *conf_find_issuer(const struct conf *conf, const char *name)
{
        for (unsigned i = 0; i < conf->n_issuers; i++)
                if (strcmp(conf->issuers[i].name, name) == 0)
                        return &conf->issuers[i];
        return NULL;
}
