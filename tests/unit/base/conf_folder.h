/* conf_folder: a configuration of each test's own, in a folder that is made before it and removed after it. Paths are below
 * it. */
#pragma once

#include "tests/unit/base/test.h"

#include "base/conf.h"

int folder_set_up(void **state);
int folder_tear_down(void **state);
#define TEST_IN_FOLDER(name) cmocka_unit_test_setup_teardown(name, folder_set_up, folder_tear_down)

/* The whole path; kept until the next call. */
const char *folder_path(const char *path);
void folder_make(const char *path);
void folder_put(const char *path, const char *content);
/* issuers/NAME: its policy and a certificate. */
void folder_put_issuer(const char *name, const char *policy);
/* What tocsin.yaml means with this in it; it has to load. */
struct conf *folder_load(const char *main_content);

struct bad {
        const char *content;
        enum err err;
        const char *where; /* ends the file's name: ".yaml:3: option" */
        const char *hint;  /* what would be right */
};

/* Each row, up to the one of zeros, is refused as tocsin.yaml, or as the policy of an issuer, with its line and hint. */
void folder_assert_refused(const struct bad *rows);
void folder_assert_policies_refused(const struct bad *rows);
