// SPDX-License-Identifier: MIT
#include "serve/pins.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "http/address_order.h"

enum { PIN_MS = 900000, PINS_MAX = 65536, PIN_FRESH_MS = 3000 };

static size_t place_of_pin(const struct pins *pins, uint32_t client) {
        static_assert(offsetof(struct pin, client) == 0, "address_place() looks there");
        return address_place(pins->items, pins->count, sizeof *pins->items, client);
}

static struct pin *find_pin(const struct pins *pins, uint32_t client) {
        size_t at = place_of_pin(pins, client);
        if (at == pins->count || pins->items[at].client != client)
                return NULL;
        return &pins->items[at];
}

static struct pin *insert_pin(struct pins *pins, uint32_t client) {
        size_t at = place_of_pin(pins, client), behind = pins->count - at;
        (void)array_append(&pins->items, &pins->count);
        memmove(&pins->items[at + 1], &pins->items[at], behind * sizeof *pins->items);
        pins->items[at] = (struct pin){ .client = client };
        return &pins->items[at];
}

// ---- builds whose time is over ----

static struct retired_build *find_retired(const struct pins *pins, const char *id) {
        for (size_t i = 0; i < pins->retired_count; i++)
                if (strcmp(pins->retired[i].id, id) == 0)
                        return &pins->retired[i];
        return NULL;
}

static bool is_pin_over(const struct pins *pins, const struct served_build *build, int64_t now_ms) {
        const struct retired_build *retired = find_retired(pins, build->id);
        return retired && now_ms - retired->since_ms > PINS_HELD_MS;
}

// There are as many as builds on the disk that somebody asked for: names that are none are refused before.
static void retire_build(struct pins *pins, const struct served_build *build, int64_t now_ms) {
        struct retired_build *retired = find_retired(pins, build->id);
        if (!retired) {
                retired = array_append(&pins->retired, &pins->retired_count);
                memcpy(retired->id, build->id, sizeof retired->id);
        }
        retired->since_ms = now_ms;
}

void pins_switch(struct pins *pins, const struct served_build *before, const struct served_build *wanted,
                 int64_t now_ms) {
        assert(pins && wanted);
        if (before)
                retire_build(pins, before, now_ms);
        struct retired_build *retired = find_retired(pins, wanted->id);
        if (retired)
                *retired = pins->retired[--pins->retired_count];
        memcpy(pins->wanted, wanted->id, sizeof pins->wanted);
}

// ---- pins ----

struct served_build *pins_find(struct pins *pins, uint32_t client, int64_t now_ms) {
        struct pin *pin = find_pin(pins, client);
        if (!pin)
                return NULL;
        pin->seen_ms = now_ms;
        return pin->build;
}

void pins_put(struct pins *pins, struct served_builds *builds, uint32_t client, struct served_build *build,
              int64_t now_ms) {
        assert(pins && builds && build);
        struct pin *pin = find_pin(pins, client);
        if (strcmp(build->id, pins->wanted) != 0 && !find_retired(pins, build->id))
                retire_build(pins, build, now_ms);
        if (is_pin_over(pins, build, now_ms))
                return; // the next one to begin gets what is current
        if (!pin && pins->count == PINS_MAX)
                return; // more machines than any rack has
        if (!pin)
                pin = insert_pin(pins, client);
        struct served_build *before = pin->build;
        pin->build = served_build_hold(build);
        pin->seen_ms = now_ms;
        served_builds_release(builds, before);
}

static void remove_pin(struct pins *pins, struct served_builds *builds, struct pin *pin) {
        served_builds_release(builds, pin->build);
        size_t behind = pins->count - (size_t)(pin - pins->items) - 1;
        memmove(pin, pin + 1, behind * sizeof *pin);
        pins->count--;
}

void pins_drop(struct pins *pins, struct served_builds *builds, uint32_t client) {
        struct pin *pin = find_pin(pins, client);
        if (pin)
                remove_pin(pins, builds, pin);
}

void pins_begin(struct pins *pins, struct served_builds *builds, uint32_t client, int64_t now_ms) {
        struct pin *pin = find_pin(pins, client);
        if (pin && now_ms - pin->seen_ms > PIN_FRESH_MS)
                remove_pin(pins, builds, pin);
}

void pins_expire(struct pins *pins, struct served_builds *builds, int64_t now_ms) {
        for (size_t i = pins->count; i > 0; i--) {
                struct pin *pin = &pins->items[i - 1];
                if (now_ms - pin->seen_ms > PIN_MS || is_pin_over(pins, pin->build, now_ms))
                        remove_pin(pins, builds, pin);
        }
}

void pins_release(struct pins *pins, struct served_builds *builds) {
        while (pins->count > 0)
                remove_pin(pins, builds, &pins->items[pins->count - 1]);
        free(pins->items);
        free(pins->retired);
        *pins = (struct pins){ 0 };
}
