/* progress: drawing. The clock is the monotonic one. */
#include "tools/progress.h"

#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define FIRST_SHOWN_MS 1000
#define REDRAW_MS 100
#define BAR_WIDTH 24
#define DURATION_LEN 32

void progress_init(struct progress *p, FILE *out, bool quiet)
{
        *p = (struct progress){.out = !quiet && isatty(fileno(out)) ? out : NULL};
}

char *progress_bar(char *ret_text, unsigned width, uint64_t done, uint64_t total)
{
        unsigned full = total == 0 ? 0 : done >= total ? width : (unsigned)((double)done / (double)total * width);

        ret_text[0] = '[';
        memset(ret_text + 1, '#', full);
        memset(ret_text + 1 + full, ' ', width - full);
        ret_text[width + 1] = ']';
        ret_text[width + 2] = '\0';
        return ret_text;
}

char *progress_duration(char *ret_text, int64_t ms)
{
        int64_t s = (ms + 500) / 1000;

        if (ms < 10000)
                snprintf(ret_text, DURATION_LEN, "%lld ms", (long long)ms);
        else if (s < 120)
                snprintf(ret_text, DURATION_LEN, "%lld s", (long long)s);
        else if (s < 7200)
                snprintf(ret_text, DURATION_LEN, "%lld min %lld s", (long long)(s / 60), (long long)(s % 60));
        else
                snprintf(ret_text, DURATION_LEN, "%lld h %lld min", (long long)(s / 3600), (long long)(s % 3600 / 60));
        return ret_text;
}

static void draw(struct progress *p, uint64_t done, uint64_t total, int64_t elapsed_ms)
{
        char bar[BAR_WIDTH + 3], left[DURATION_LEN];
        double rate = elapsed_ms > 0 ? (double)done * 1000 / (double)elapsed_ms : 0;

        fprintf(p->out, "\r\033[K%s ", p->phase);
        if (total > 0)
                fprintf(p->out, "%s %llu of %llu", progress_bar(bar, BAR_WIDTH, done, total), (unsigned long long)done,
                        (unsigned long long)total);
        else
                fprintf(p->out, "%llu", (unsigned long long)done);
        fprintf(p->out, ", %.0f/s", rate);
        if (total > done && rate > 0)
                fprintf(p->out, ", %s left", progress_duration(left, (int64_t)((double)(total - done) / rate * 1000)));
        fflush(p->out);
        p->visible = true;
}

void progress_set(struct progress *p, const char *phase, uint64_t done, uint64_t total)
{
        int64_t now = clock_mono_ms();

        if (!p->out)
                return;
        if (strncmp(p->phase, phase, sizeof(p->phase) - 1) != 0) {
                snprintf(p->phase, sizeof(p->phase), "%s", phase);
                p->started_ms = now;
        }
        if (now - p->started_ms < FIRST_SHOWN_MS || now - p->shown_ms < REDRAW_MS)
                return;
        p->shown_ms = now;
        draw(p, done, total, now - p->started_ms);
}

void progress_done(struct progress *p)
{
        if (p->visible) {
                fputs("\r\033[K", p->out);
                fflush(p->out);
        }
        p->visible = false;
        p->phase[0] = '\0';
}
