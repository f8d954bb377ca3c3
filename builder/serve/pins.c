// SPDX-License-Identifier: MIT
#include "serve/pins.h"

#include <assert.h>

#include "base/mem.h"

enum { PIN_MS = 900000, PINS_MAX = 65536 };

static struct pin *find_pin(const struct pins *pins, uint32_t client) {
        for (size_t i = 0; i < pins->count; i++)
                if (pins->items[i].client == client)
                        return &pins->items[i];
        return NULL;
}

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
        if (!pin && pins->count == PINS_MAX)
                return; // more machines than any rack has: they get what is current
        if (!pin) {
                pin = array_append(&pins->items, &pins->count);
                pin->client = client;
        }
        struct served_build *before = pin->build;
        pin->build = served_build_hold(build);
        pin->seen_ms = now_ms;
        served_builds_release(builds, before);
}

static void remove_pin(struct pins *pins, struct served_builds *builds, struct pin *pin) {
        served_builds_release(builds, pin->build);
        *pin = pins->items[--pins->count];
}

void pins_drop(struct pins *pins, struct served_builds *builds, uint32_t client) {
        struct pin *pin = find_pin(pins, client);
        if (pin)
                remove_pin(pins, builds, pin);
}

void pins_expire(struct pins *pins, struct served_builds *builds, int64_t now_ms) {
        for (size_t i = pins->count; i > 0; i--)
                if (now_ms - pins->items[i - 1].seen_ms > PIN_MS)
                        remove_pin(pins, builds, &pins->items[i - 1]);
}

void pins_release(struct pins *pins, struct served_builds *builds) {
        while (pins->count > 0)
                remove_pin(pins, builds, &pins->items[pins->count - 1]);
        free(pins->items);
        pins->items = NULL;
}
