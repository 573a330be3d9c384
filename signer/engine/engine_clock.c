/* engine_clock: two clocks held against each other. */
#include "signer/engine/engine_clock.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

static int64_t boot_ms(void)
{
        struct timespec t;

        clock_gettime(CLOCK_BOOTTIME, &t);
        return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void engine_clock_init(struct engine_clock *c, int64_t mark_s)
{
        *c = (struct engine_clock){.mark_s = mark_s, .trusted_wall_ms = clock_now_ms(), .trusted_boot_ms = boot_ms()};
        pthread_mutex_init(&c->lock, NULL);
}

static int64_t expected_ms(const struct engine_clock *c, int64_t boot)
{
        return c->trusted_wall_ms + (boot - c->trusted_boot_ms);
}

static bool has_jumped(const struct engine_clock *c, int64_t wall, int64_t boot)
{
        return llabs(wall - expected_ms(c, boot)) > ENGINE_CLOCK_JUMP_S * INT64_C(1000);
}

int64_t engine_clock_reckon_ms(struct engine_clock *c, int64_t wall, int64_t boot)
{
        int64_t now;

        pthread_mutex_lock(&c->lock);
        now = has_jumped(c, wall, boot) ? expected_ms(c, boot) : wall;
        if (now < c->mark_s * 1000)
                now = c->mark_s * 1000;
        c->mark_s = now / 1000;
        pthread_mutex_unlock(&c->lock);
        return now;
}

int64_t engine_clock_now_ms(struct engine_clock *c)
{
        return engine_clock_reckon_ms(c, clock_now_ms(), boot_ms());
}

int64_t engine_clock_now_s(struct engine_clock *c)
{
        return engine_clock_now_ms(c) / 1000;
}

bool engine_clock_is_frozen(struct engine_clock *c)
{
        bool frozen;

        pthread_mutex_lock(&c->lock);
        frozen = c->frozen;
        pthread_mutex_unlock(&c->lock);
        return frozen;
}

bool engine_clock_look_at(struct engine_clock *c, int64_t wall, int64_t boot)
{
        bool was, is;

        pthread_mutex_lock(&c->lock);
        was = c->frozen;
        is = has_jumped(c, wall, boot);
        c->frozen = is;
        if (!is) { /* slow drift and small steps are followed */
                c->trusted_wall_ms = wall;
                c->trusted_boot_ms = boot;
        }
        pthread_mutex_unlock(&c->lock);
        return was != is;
}

bool engine_clock_look(struct engine_clock *c)
{
        return engine_clock_look_at(c, clock_now_ms(), boot_ms());
}

void engine_clock_accept(struct engine_clock *c)
{
        pthread_mutex_lock(&c->lock);
        c->trusted_wall_ms = clock_now_ms();
        c->trusted_boot_ms = boot_ms();
        c->frozen = false;
        pthread_mutex_unlock(&c->lock);
}
