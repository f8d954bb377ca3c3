// SPDX-License-Identifier: MIT
// What a machine reports, as firmware/node/stages.c and report_send.c do it: in its order, one POST each, again and
// again until it is heard.
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "tests/paper/paper.h"

enum { DELAY_MS = 1000, DELAY_MAX_MS = 30000, TAG_SHIFT = TAG_BITS };

static struct spooled *spool_next(struct machine *machine) {
        if (machine->spooled == SPOOL_MAX)
                return NULL;
        struct spooled *next = &machine->spool[machine->spooled++];
        *next = (struct spooled){ .percent = -1, .uptime_ms = (long long)(now_ms - machine->on_ms) };
        return next;
}

void spool_add(struct machine *machine, const char *stage, int percent) {
        struct spooled *next = spool_next(machine);
        if (!next)
                return;
        next->stage = stage;
        next->percent = percent;
}

void spool_add_whole(struct machine *machine) {
        struct spooled *next = spool_next(machine);
        if (next)
                next->kind = SPOOL_WHOLE;
}

void spool_add_corrupt(struct machine *machine) {
        struct spooled *next = spool_next(machine);
        if (next)
                next->kind = SPOOL_CORRUPT;
}

// ---- bodies ----

static void put_mac(const struct machine *machine, char separator, char ret[static 18]) {
        for (size_t i = 0; i < MAC_SIZE; i++)
                (void)snprintf(ret + 3 * i, 4, "%02x%c", machine->mac[i], separator);
        ret[17] = '\0';
}

static bool is_decided(const char *stage) {
        return strcmp(stage, "decided") == 0 || strcmp(stage, "services") == 0 || strcmp(stage, "healthy") == 0;
}

static void put_stage(const struct machine *machine, const struct spooled *spooled, struct buf *ret) {
        char mac[18];
        put_mac(machine, ':', mac);
        buf_printf(ret, "{\"version\":1,\"attempt\":\"%s\",\"mac\":[\"%s\"],", machine->id, mac);
        if (is_decided(spooled->stage))
                buf_printf(ret, "\"node\":\"%s\",", machine->name);
        buf_printf(ret, "\"role\":\"%s\",\"build\":\"%s\",\"serial\":\"P%05u\",\"stage\":\"%s\",", machine->role,
                   machine->build, machine->index, spooled->stage);
        if (spooled->percent >= 0)
                buf_printf(ret, "\"percent\":%d,", spooled->percent);
        buf_printf(ret, "\"uptime_ms\":%lld", spooled->uptime_ms);
        if (strcmp(spooled->stage, "decided") == 0)
                buf_printf(ret, ",\"text\":\"%s (mac table)\"", machine->name);
        buf_append_char(ret, '}');
}

static void put_whole(const struct machine *machine, struct buf *ret) {
        buf_printf(ret,
                   "{\n  \"format\": 1,\n  \"cluster\": \"%s\",\n  \"role\": \"%s\",\n  \"build\": \"%s\",\n"
                   "  \"release\": \"paper\",\n  \"versions\": {\"kiln\": \"paper\", \"kernel\": \"paper\"},\n"
                   "  \"serial\": \"P%05u\",\n  \"elapsed_ms\": 12,\n  \"refused\": null,\n  \"hostname\": \"%s\",\n"
                   "  \"values\": [\n",
                   options.cluster, machine->role, machine->build, machine->index, machine->name);
        buf_printf(ret, "    {\"name\": \"hostname\", \"value\": \"%s\", \"source\": \"mac table\"}\n  ]\n}\n",
                   machine->name);
}

static void put_corrupt(const struct machine *machine, struct buf *ret) {
        static const char *const bodies[] = {
                "{\"version\":1,\"stage\":\"root\",\"percent\":7", // cut off
                "[]",
                "\xff\xfe\x01",
                "{\"version\":9,\"stage\":\"root\"}",
                "{\"version\":1,\"stage\":\"flying\"}",
                "{\"version\":1,\"stage\":\"root\",\"mac\":[\"no\"]}",
                "{\"version\":1,\"stage\":\"root\",\"percent\":4000000000}",
        };
        buf_append_text(ret, bodies[machine->index % lengthof(bodies)]);
}

static void put_spooled(const struct machine *machine, const struct spooled *spooled, struct buf *ret) {
        if (spooled->kind == SPOOL_WHOLE)
                put_whole(machine, ret);
        else if (spooled->kind == SPOOL_CORRUPT)
                put_corrupt(machine, ret);
        else
                put_stage(machine, spooled, ret);
}

// ---- sending ----

static void send_next(struct machine *machine) {
        auto_buf body = { 0 };
        put_spooled(machine, &machine->spool[machine->spool_sent], &body);
        const struct http_ask ask = { .from = machine->ip,
                                      .path = "/report",
                                      .agent = "kiln-node",
                                      .body = buf_text(&body),
                                      .tag = (uint64_t)machine->index << TAG_SHIFT | TAG_SENDER };
        counts.reports++;
        http_begin(&machine->sender, &ask);
}

void sender_tick(struct machine *machine) {
        if (!machine->sends)
                return;
        bool is_idle = machine->sender.state == HTTP_CLOSED;
        if (is_idle && machine->spool_sent < machine->spooled && now_ms >= machine->sender_due_ms)
                send_next(machine);
        else if (!is_idle)
                sender_progress(machine, http_tick(&machine->sender));
}

static bool is_passing(unsigned status) {
        return status / 100 == 5 || status == 404 || status == 408 || status == 425 || status == 429;
}

static void send_again_later(struct machine *machine) {
        counts.report_retries++;
        if (machine->sender_delay_ms == 0)
                machine->sender_delay_ms = DELAY_MS;
        machine->sender_due_ms = now_ms + machine->sender_delay_ms;
        machine->sender_delay_ms *= 2;
        if (machine->sender_delay_ms > DELAY_MAX_MS)
                machine->sender_delay_ms = DELAY_MAX_MS;
}

void sender_progress(struct machine *machine, enum progress progress) {
        if (progress == PROGRESS_GOING)
                return;
        const struct http *http = &machine->sender;
        if (progress == PROGRESS_FAILED || is_passing(http->status)) {
                send_again_later(machine);
                return;
        }
        bool is_corrupt = machine->spool[machine->spool_sent].kind == SPOOL_CORRUPT;
        counts.corrupt += is_corrupt;
        if (is_corrupt && http->status != 400)
                wrong("a corrupt report is answered with %u", http->status);
        if (!is_corrupt && http->status / 100 != 2)
                wrong("a report of %s is answered with %u: %s", machine->name, http->status, buf_text(&http->text));
        machine->spool_sent++;
        machine->sender_delay_ms = 0;
        machine->sender_due_ms = now_ms;
        sender_tick(machine);
}
