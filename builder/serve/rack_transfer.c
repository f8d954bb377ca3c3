// SPDX-License-Identifier: MIT
// Roots that are on their way: how far each is, and who is too slow to keep a place.
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/progress.h"
#include "http/standing.h"
#include "serve/rack.h"

enum {
        PERCENT_STEP = 10,
        PACE_MS = 10000,       // over which the pace is measured
        PACE_LEAST = 64 << 10, // bytes a second, below which a transfer hardly uses the uplink
        PACE_SHARE = 8,        // or this part of what each place should get
        SLOW_OF_LIMIT = 4,     // so many times the limit may be slow beside the places
};

struct rack_transfer {
        struct rack_transfer *next;
        struct rack_file *file;
        int socket, percent;
        uint64_t first, acked_before;
        uint64_t pace_bytes; // what had arrived when the measure began
        int64_t pace_ms;     // and when that was
        bool is_slow;        // its place is somebody else's
        struct standing standing;
        char build[SERVED_ID_SIZE];
};

struct rack_transfer *rack_watch(struct rack *rack, int socket, uint64_t first, struct rack_file *file) {
        struct rack_transfer *transfer = xcalloc(1, sizeof *transfer);
        int64_t now_ms = monotonic_ms();
        uint64_t acked = socket_acked_bytes(socket);
        *transfer = (struct rack_transfer){
                .file = file,
                .socket = socket,
                .first = first,
                .acked_before = acked,
                .pace_bytes = acked,
                .pace_ms = now_ms,
        };
        standing_begin(&transfer->standing, socket, now_ms);
        boot_text_copy(transfer->build, sizeof transfer->build, file->build->id);
        pthread_mutex_lock(&rack->lock);
        transfer->next = rack->transfers;
        rack->transfers = transfer;
        pthread_mutex_unlock(&rack->lock);
        return transfer;
}

// ---- how far ----

static void note_percent(struct rack *rack, struct rack_transfer *transfer, int percent) {
        struct boot_event event = {
                .time_ms = boot_now_ms(), .stage = BOOT_ROOT, .ip = transfer->file->client, .percent = percent
        };
        if (percent == transfer->percent)
                return;
        memcpy(event.build, transfer->build, sizeof transfer->build);
        if (percent / PERCENT_STEP != transfer->percent / PERCENT_STEP)
                rack_note_locked(rack, &event);
        else
                (void)boot_state_apply(rack->state, &event);
        transfer->percent = percent;
}

static void note_progress(struct rack *rack, struct rack_transfer *transfer, uint64_t acked) {
        uint64_t done = transfer->first, size = transfer->file->size_bytes;
        if (transfer->file->is_piece)
                return; // the node itself says how far it is
        if (acked > transfer->acked_before)
                done += acked - transfer->acked_before;
        if (size > 0 && done < size)
                note_percent(rack, transfer, (int)(done * 100 / size));
}

// ---- how fast ----

// A place is for who uses the uplink. Who does not keeps its transfer and gives the place up; when it has become fast
// it counts again.
static void look_at_pace(struct rack *rack, struct rack_transfer *transfer, uint64_t acked, int64_t now_ms) {
        struct admission *admission = &rack->admission;
        int64_t took_ms = now_ms - transfer->pace_ms;
        if (took_ms < PACE_MS)
                return;
        uint64_t pace = (acked - transfer->pace_bytes) * 1000 / (uint64_t)took_ms;
        transfer->pace_bytes = acked;
        transfer->pace_ms = now_ms;
        bool is_slow = pace < size_max(PACE_LEAST, admission_share(admission) / PACE_SHARE);
        if (is_slow == transfer->is_slow || admission->limit == 0)
                return;
        if (is_slow && admission->slow >= (size_t)SLOW_OF_LIMIT * admission->limit)
                return;
        transfer->is_slow = is_slow;
        transfer->file->is_admitted = !is_slow;
        admission_slow(admission, is_slow);
}

void rack_look_at_transfers(struct rack *rack, int64_t now_ms) {
        for (struct rack_transfer *transfer = rack->transfers; transfer; transfer = transfer->next) {
                uint64_t acked = socket_acked_bytes(transfer->socket);
                note_progress(rack, transfer, acked);
                look_at_pace(rack, transfer, acked, now_ms);
                standing_look(&transfer->standing, now_ms);
        }
}

void rack_unwatch(struct rack *rack, struct rack_transfer *transfer, bool is_done) {
        pthread_mutex_lock(&rack->lock);
        struct rack_transfer **at = &rack->transfers;
        while (*at != transfer)
                at = &(*at)->next;
        *at = transfer->next;
        if (transfer->is_slow)
                rack->admission.slow--;
        if (is_done && !transfer->file->is_piece)
                note_percent(rack, transfer, 100);
        pthread_mutex_unlock(&rack->lock);
        free(transfer);
}
