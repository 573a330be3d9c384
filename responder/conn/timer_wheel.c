#include "responder/conn/timer_wheel.h"

#include <stddef.h>

static struct timer *slot_of(struct timer_wheel *wheel, int64_t tick)
{
        return &wheel->slots[(uint64_t)tick % WHEEL_SLOTS];
}

static void link_before(struct timer *head, struct timer *timer)
{
        timer->next = head;
        timer->previous = head->previous;
        head->previous->next = timer;
        head->previous = timer;
}

void timer_wheel_init(struct timer_wheel *wheel, int64_t now_ms)
{
        for (size_t i = 0; i < WHEEL_SLOTS; i++)
                wheel->slots[i] = (struct timer){.next = &wheel->slots[i], .previous = &wheel->slots[i]};
        wheel->tick = now_ms / WHEEL_TICK_MS;
}

static void hang(struct timer_wheel *wheel, struct timer *timer)
{
        int64_t tick = timer->deadline_ms / WHEEL_TICK_MS + 1;

        if (tick < wheel->tick)
                tick = wheel->tick;
        if (tick >= wheel->tick + WHEEL_SLOTS)
                tick = wheel->tick + WHEEL_SLOTS - 1;
        timer->tick = tick;
        link_before(slot_of(wheel, tick), timer);
}

void timer_cancel(struct timer *timer)
{
        if (!timer->next)
                return;
        timer->next->previous = timer->previous;
        timer->previous->next = timer->next;
        timer->next = timer->previous = NULL;
}

void timer_set(struct timer_wheel *wheel, struct timer *timer, int64_t deadline_ms)
{
        timer->deadline_ms = deadline_ms;
        if (timer->next && timer->tick <= deadline_ms / WHEEL_TICK_MS + 1)
                return;
        timer_cancel(timer);
        hang(wheel, timer);
}

/* Everything in a slot moves to a list of its own first: on_end may hang timers into the very slot. */
static void advance_slot(struct timer_wheel *wheel, struct timer *slot, int64_t now_ms, void (*on_end)(struct timer *timer))
{
        struct timer due = {.next = &due, .previous = &due};

        while (slot->next != slot) {
                struct timer *timer = slot->next;

                timer_cancel(timer);
                link_before(&due, timer);
        }
        while (due.next != &due) {
                struct timer *timer = due.next;

                timer_cancel(timer);
                if (timer->deadline_ms > now_ms)
                        hang(wheel, timer);
                else
                        on_end(timer);
        }
}

void timer_wheel_advance(struct timer_wheel *wheel, int64_t now_ms, void (*on_end)(struct timer *timer))
{
        while (wheel->tick <= now_ms / WHEEL_TICK_MS) {
                struct timer *slot = slot_of(wheel, wheel->tick);

                wheel->tick++;
                advance_slot(wheel, slot, now_ms, on_end);
        }
}
