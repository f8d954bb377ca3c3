// SPDX-License-Identifier: MIT
#include "serve/admission.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

enum {
        BITS_EACH = 20000000, // that a transfer should get: below, one that stalls leaves the uplink idle less often
        LIMIT_LEAST = 4,
        RETRY_MAX_S = 30,
        GONE_MS = 90000, // who does not come back for so long has given up
        WAITERS_MAX = 65536,
        MEAN_OF = 8,
};

void admission_setup(struct admission *admission, uint64_t bits, unsigned transfers) {
        assert(admission);
        admission->rate = bits / 8;
        admission->limit = transfers;
        if (transfers > 0 || bits == 0)
                return;
        admission->limit = (unsigned)(bits / BITS_EACH);
        if (admission->limit < LIMIT_LEAST)
                admission->limit = LIMIT_LEAST;
}

void admission_release(struct admission *admission) {
        free(admission->waiters);
        admission->waiters = NULL;
        admission->waiter_count = 0;
}

static void drop_waiter(struct admission *admission, size_t at) {
        memmove(admission->waiters + at, admission->waiters + at + 1,
                (admission->waiter_count - at - 1) * sizeof *admission->waiters);
        admission->waiter_count--;
}

static void forget_gone(struct admission *admission, int64_t now_ms) {
        size_t kept = 0;
        for (size_t i = 0; i < admission->waiter_count; i++)
                if (now_ms - admission->waiters[i].seen_ms <= GONE_MS)
                        admission->waiters[kept++] = admission->waiters[i];
        admission->waiter_count = kept;
}

// The place in the line; waiter_count: it is not in it.
static size_t place_of(const struct admission *admission, uint32_t client) {
        size_t at = 0;
        while (at < admission->waiter_count && admission->waiters[at].client != client)
                at++;
        return at;
}

// Half of the places are for whoever comes first, so that none is idle; the other half is for those who have waited
// longest.
static bool has_place(const struct admission *admission, size_t place) {
        if (admission->limit == 0)
                return true;
        if (admission->active >= admission->limit)
                return false;
        return admission->active < (admission->limit + 1) / 2 || place < admission->limit - admission->active;
}

// When its turn should come: the bytes before it in the line, by the uplink's speed.
static unsigned retry_after(const struct admission *admission, size_t place) {
        uint64_t seconds = 1 + place / admission->limit;
        if (admission->rate > 0)
                seconds = 1 + (place + 1) * admission->typical_bytes / admission->rate;
        if (seconds > RETRY_MAX_S)
                return RETRY_MAX_S;
        return (unsigned)seconds;
}

static void enter_line(struct admission *admission, size_t place, uint32_t client, int64_t now_ms) {
        if (place == admission->waiter_count) {
                if (admission->waiter_count == WAITERS_MAX)
                        return;
                *array_append(&admission->waiters, &admission->waiter_count) =
                    (struct admission_waiter){ .client = client, .first_ms = now_ms };
        }
        admission->waiters[place].seen_ms = now_ms;
}

bool admission_begin(struct admission *admission, uint32_t client, bool must, uint64_t bytes, int64_t now_ms,
                     unsigned *ret_retry_s) {
        assert(admission && ret_retry_s);
        forget_gone(admission, now_ms);
        size_t place = place_of(admission, client);
        if (admission->typical_bytes == 0)
                admission->typical_bytes = bytes;
        admission->typical_bytes = (admission->typical_bytes * (MEAN_OF - 1) + bytes) / MEAN_OF;
        if (must || has_place(admission, place)) {
                if (place < admission->waiter_count)
                        drop_waiter(admission, place);
                admission->active++;
                return true;
        }
        enter_line(admission, place, client, now_ms);
        admission->refused++;
        *ret_retry_s = retry_after(admission, place);
        return false;
}

void admission_end(struct admission *admission) {
        assert(admission->active > 0);
        admission->active--;
}

void admission_slow(struct admission *admission, bool is_slow) {
        if (is_slow) {
                admission_end(admission);
                admission->slow++;
                return;
        }
        assert(admission->slow > 0);
        admission->active++;
        admission->slow--;
}

uint64_t admission_share(const struct admission *admission) {
        if (admission->limit == 0)
                return 0;
        return admission->rate / admission->limit;
}
