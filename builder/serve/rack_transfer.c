// SPDX-License-Identifier: MIT
// Roots that are on their way: how far each is, and who is too slow to keep a place.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "base/progress.h"
#include "serve/rack.h"

enum {
        PERCENT_STEP = 10,
        PACE_MS = 10000,       // over which the pace is measured
        PACE_LEAST = 64 << 10, // bytes a second, below which a transfer hardly uses the uplink
        PACE_SHARE = 8,        // or this part of what each place should get
        SLOW_OF_LIMIT = 4,     // so many times the limit may be slow beside the places
        STANDING_MS = 60000,   // so long without STANDING_BYTES, and it is no transfer
        STANDING_BYTES = 256 << 10,
};

struct rack_transfer {
        struct rack_transfer *next;
        struct rack_file *file;
        int socket, percent;
        uint64_t first, acked_before;
        uint64_t pace_bytes, standing_bytes; // what had arrived when the measure began
        int64_t pace_ms, standing_ms;        // and when that was
        bool is_slow;                        // its place is somebody else's
        char build[SERVED_ID_SIZE];
};

static uint64_t acked_of(int socket) {
        struct tcp_info info = { 0 };
        socklen_t size = sizeof info;
        if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
                return 0;
        return info.tcpi_bytes_acked;
}

struct rack_transfer *rack_watch(struct rack *rack, int socket, uint64_t first, struct rack_file *file) {
        struct rack_transfer *transfer = xcalloc(1, sizeof *transfer);
        int64_t now_ms = monotonic_ms();
        uint64_t acked = acked_of(socket);
        *transfer = (struct rack_transfer){
                .file = file,
                .socket = socket,
                .first = first,
                .acked_before = acked,
                .pace_bytes = acked,
                .standing_bytes = acked,
                .pace_ms = now_ms,
                .standing_ms = now_ms,
        };
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

// Nothing but the closed connection tells microhttpd; the socket is its own and stays open meanwhile.
static void cut_standing(struct rack_transfer *transfer, uint64_t acked, int64_t now_ms) {
        if (now_ms - transfer->standing_ms < STANDING_MS)
                return;
        if (acked - transfer->standing_bytes < STANDING_BYTES)
                (void)shutdown(transfer->socket, SHUT_RDWR);
        transfer->standing_bytes = acked;
        transfer->standing_ms = now_ms;
}

void rack_look_at_transfers(struct rack *rack, int64_t now_ms) {
        for (struct rack_transfer *transfer = rack->transfers; transfer; transfer = transfer->next) {
                uint64_t acked = acked_of(transfer->socket);
                note_progress(rack, transfer, acked);
                look_at_pace(rack, transfer, acked, now_ms);
                cut_standing(transfer, acked, now_ms);
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
        if (is_done)
                note_percent(rack, transfer, 100);
        pthread_mutex_unlock(&rack->lock);
        free(transfer);
}
