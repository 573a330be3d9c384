/* replay: runs a fuzz target on every file of the folders given as arguments, so that what fuzzing once found is held to in
 * the ordinary test run. An empty folder is a failure: it would test nothing. */
#include <dirent.h>
#include <limits.h>

#include "base/cleanup.h"
#include "tests/fuzz/fuzz.h"

static void close_file(FILE **file)
{
        if (*file)
                fclose(*file);
}

static void close_folder(DIR **dir)
{
        if (*dir)
                closedir(*dir);
}

/* Exactly as much memory as the file has octets, so that a sanitizer sees the first one past them. */
static int run_file(const char *path)
{
        _cleanup_(close_file) FILE *file = fopen(path, "re");
        _cleanup_free_
        uint8_t *data = NULL;
        long size;

        if (!file || fseek(file, 0, SEEK_END) != 0 || (size = ftell(file)) < 0 || fseek(file, 0, SEEK_SET) != 0)
                return -1;
        data = malloc((size_t)size ? (size_t)size : 1);
        if (!data || fread(data, 1, (size_t)size, file) != (size_t)size)
                return -1;
        return LLVMFuzzerTestOneInput(data, (size_t)size);
}

/* The number of files run; -1: one could not be read. */
static int run_folder(const char *folder)
{
        _cleanup_(close_folder) DIR *dir = opendir(folder);
        char path[PATH_MAX];
        struct dirent *entry;
        int n = 0;

        if (!dir)
                return -1;
        while ((entry = readdir(dir))) {
                if (entry->d_name[0] == '.')
                        continue;
                snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
                if (run_file(path) < 0) {
                        fprintf(stderr, "%s: cannot be read\n", path);
                        return -1;
                }
                n++;
        }
        return n;
}

int main(int argc, char **argv)
{
        int n = 0;

        for (int i = 1; i < argc; i++) {
                int in_folder = run_folder(argv[i]);

                if (in_folder <= 0) {
                        fprintf(stderr, "%s: nothing to run\n", argv[i]);
                        return 1;
                }
                n += in_folder;
        }
        printf("%d files\n", n);
        return n > 0 ? 0 : 1;
}
