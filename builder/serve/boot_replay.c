// SPDX-License-Identifier: MIT
// The events that add up to a state, for a journal that is written anew. They are fewer than those that happened, and
// come in the order of time: which of two machines had an address last is told by it.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "serve/boot_state.h"

// One event to be, of an attempt: a stage that was reached, or the last sign of life.
struct replayed {
        int64_t time_ms;
        size_t order; // of equal times, as they were found
        const struct boot_machine *machine;
        const struct boot_attempt *attempt;
        enum boot_stage stage;
        bool is_begin, is_last;
};

struct replay {
        struct replayed *items;
        size_t count;
};

static int compare_replayed(const void *left, const void *right) {
        const struct replayed *a = left, *b = right;
        if (a->time_ms != b->time_ms)
                return (a->time_ms > b->time_ms) - (a->time_ms < b->time_ms);
        return (a->order > b->order) - (a->order < b->order);
}

static void replay_add(struct replay *replay, struct replayed item) {
        item.order = replay->count;
        *array_append(&replay->items, &replay->count) = item;
}

// A clock that was set back must not put a boot's end before its beginning: what comes later in the boot is sorted as
// if it were no earlier. Events carry the times that were noted.
static void replay_attempt(struct replay *replay, const struct boot_machine *machine,
                           const struct boot_attempt *attempt) {
        size_t first = replay->count;
        bool has_begun = false;
        for (size_t stage = BOOT_DHCP; stage < BOOT_STAGE_COUNT; stage++) {
                if (attempt->at_ms[stage] == 0)
                        continue;
                bool is_begin = !has_begun && attempt->at_ms[stage] == attempt->started_ms;
                has_begun |= is_begin;
                replay_add(replay, (struct replayed){ .time_ms = attempt->at_ms[stage],
                                                      .machine = machine,
                                                      .attempt = attempt,
                                                      .stage = (enum boot_stage)stage,
                                                      .is_begin = is_begin });
                if (is_begin) {
                        struct replayed begin = replay->items[replay->count - 1];
                        replay->items[replay->count - 1] = replay->items[first];
                        replay->items[first] = begin;
                }
        }
        replay_add(replay, (struct replayed){ .time_ms = attempt->last_ms,
                                              .machine = machine,
                                              .attempt = attempt,
                                              .stage = attempt->stage,
                                              .is_last = true });
        replay->items[first].is_begin = true;
        if (replay->count - first > 2)
                qsort(replay->items + first + 1, replay->count - first - 2, sizeof *replay->items, compare_replayed);
}

// Within a machine no event comes before the one that it follows.
static void order_machine(struct replay *replay, size_t first) {
        for (size_t i = first; i < replay->count; i++) {
                replay->items[i].order = i;
                if (i > first && replay->items[i].time_ms < replay->items[i - 1].time_ms)
                        replay->items[i].time_ms = replay->items[i - 1].time_ms;
        }
}

static int64_t replayed_time(const struct replayed *item) {
        if (item->is_last)
                return item->attempt->last_ms;
        return item->attempt->at_ms[item->stage];
}

static void event_of(const struct replayed *item, struct boot_event *ret) {
        const struct boot_machine *machine = item->machine;
        const struct boot_attempt *attempt = item->attempt;
        // Which boot an event is of is known here: none is to be taken for a boot loader that begins another one.
        *ret = (struct boot_event){
                .time_ms = replayed_time(item),
                .stage = item->stage,
                .percent = -1,
                .is_begin = item->is_begin,
                .is_local = item->stage < BOOT_HANDOVER,
        };
        if (item->is_begin)
                ret->number = attempt->number;
        if (machine->has_mac)
                boot_event_add_mac(ret, machine->mac);
        memcpy(ret->node, machine->name, sizeof ret->node);
        memcpy(ret->attempt, attempt->id, sizeof ret->attempt);
        if (item->stage == BOOT_ROOT)
                ret->percent = attempt->percent;
        if (!item->is_last)
                return;
        ret->ip = machine->ip;
        ret->is_local =
            true; // the stage, which may be an earlier one than was reached, and the address are to be believed
        ret->xid = attempt->xid;
        memcpy(ret->build, attempt->build, sizeof ret->build);
        memcpy(ret->text, attempt->text, sizeof ret->text);
        if (attempt->console)
                boot_lines_copy(ret->console, sizeof ret->console, attempt->console);
        memcpy(ret->role, machine->role, sizeof ret->role);
        memcpy(ret->firmware, machine->firmware, sizeof ret->firmware);
        memcpy(ret->uuid, machine->uuid, sizeof ret->uuid);
        memcpy(ret->serial, machine->serial, sizeof ret->serial);
}

void boot_state_each_event(const struct boot_state *state, boot_event_visit *visit, void *context) {
        assert(state && visit);
        struct replay replay = { 0 };
        for (size_t i = 0; i < state->count; i++) {
                size_t first = replay.count;
                for (size_t j = state->machines[i]->attempt_count; j > 0; j--)
                        replay_attempt(&replay, state->machines[i], &state->machines[i]->attempts[j - 1]);
                order_machine(&replay, first);
        }
        if (replay.count > 0)
                qsort(replay.items, replay.count, sizeof *replay.items, compare_replayed);
        for (size_t i = 0; i < replay.count; i++) {
                struct boot_event event;
                event_of(&replay.items[i], &event);
                visit(&event, context);
        }
        free(replay.items);
}
