#include "responder/issuers_watch.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* FNV-1a, 64 bits. */
static uint64_t mix(uint64_t hash, const void *data, size_t len)
{
        const uint8_t *octets = data;

        for (size_t i = 0; i < len; i++)
                hash = (hash ^ octets[i]) * 0x100000001b3u;
        return hash;
}

/* Of one file: 0 when there is none. */
static uint64_t look_at_file(const char *path)
{
        struct stat st;
        uint64_t hash = 0xcbf29ce484222325u;

        if (stat(path, &st) != 0)
                return 0;
        hash = mix(hash, path, strlen(path));
        hash = mix(hash, &st.st_ino, sizeof st.st_ino);
        hash = mix(hash, &st.st_size, sizeof st.st_size);
        return mix(hash, &st.st_mtim, sizeof st.st_mtim);
}

/* A sum, so that the order of the folder's entries means nothing. */
static uint64_t look(const char *folder)
{
        uint64_t sum = look_at_file(folder);
        DIR *dir = opendir(folder);
        struct dirent *entry;
        char path[PATH_MAX];

        while (dir && (entry = readdir(dir))) {
                if (entry->d_name[0] == '.')
                        continue;
                snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
                sum += look_at_file(path);
                snprintf(path, sizeof path, "%s/%s/issuer.yaml", folder, entry->d_name);
                sum += look_at_file(path);
        }
        if (dir)
                closedir(dir);
        return sum;
}

void issuers_watch_begin(struct issuers_watch *watch, const char *folder)
{
        watch->loaded = watch->seen = look(folder);
}

bool issuers_watch_asks(struct issuers_watch *watch, const char *folder, int64_t now_ms)
{
        uint64_t before = watch->seen;

        if (now_ms - watch->looked_ms < ISSUERS_WATCH_LOOK_MS)
                return false;
        watch->looked_ms = now_ms;
        watch->seen = look(folder);
        if (watch->seen == watch->loaded || watch->seen != before)
                return false;
        if (watch->asked_ms > 0 && now_ms - watch->asked_ms < ISSUERS_WATCH_MIN_MS)
                return false;
        watch->asked_ms = now_ms;
        return true;
}
