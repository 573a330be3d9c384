/* files: writing what the other programs read: whole or not at all. */
#pragma once

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"

/* Written beside it under another name, flushed, renamed: a reader sees the old file or the new one. */
MUST_CHECK enum err files_write(const char *path, struct bytes content, unsigned mode);
/* At most 1 MiB. */
MUST_CHECK enum err files_read(const char *path, struct builder *ret_content);
/* Makes a folder; one that is there already is fine. */
MUST_CHECK enum err files_make_folder(const char *path, unsigned mode);
/* A folder with plain files in it; whatever else it holds makes it stay. */
void files_remove_folder(const char *path);
/* "PATH=VALUE" with a key in front? */
bool files_is_setting(const char *text);
/* A certificate in DER as PEM text. */
void files_put_pem(struct builder *b, const char *label, struct bytes der);
