// SPDX-License-Identifier: MIT
#include "serve/report_read.h"

#include <assert.h>
#include <jansson.h>
#include <string.h>

#include "base/json_modest.h"
#include "base/mem.h"

static void take_member(const json_t *json, const char *name, char *to, size_t room) {
        const char *text = json_string_value(json_object_get(json, name));
        if (text)
                boot_text_copy(to, room, text);
}

static void take_common(const json_t *json, struct boot_event *event) {
        take_member(json, "role", event->role, sizeof event->role);
        take_member(json, "build", event->build, sizeof event->build);
        take_member(json, "uuid", event->uuid, sizeof event->uuid);
        take_member(json, "serial", event->serial, sizeof event->serial);
}

static bool take_macs(const json_t *macs, struct boot_event *event, struct err *err) {
        if (macs && !json_is_array(macs))
                return fail(err, ERR_SCHEMA, 0, "`mac` is no list");
        for (size_t i = 0; i < json_array_size(macs) && i < BOOT_MACS_MAX; i++) {
                uint8_t mac[BOOT_MAC_SIZE];
                if (!boot_mac_parse(json_string_value(json_array_get(macs, i)), mac))
                        return fail(err, ERR_SCHEMA, 0, "`mac` has a text that is no MAC address");
                boot_event_add_mac(event, mac);
        }
        return true;
}

static bool take_stage(const json_t *json, struct boot_event *event, struct err *err) {
        bool is_known = boot_stage_parse(json_string_value(json_object_get(json, "stage")), &event->stage);
        bool is_seen_by_node = event->stage >= BOOT_INITRD && event->stage <= BOOT_FAILED;
        if (!is_known || !is_seen_by_node)
                return fail(err, ERR_SCHEMA, 0, "`stage` is none of a node's");
        const json_t *percent = json_object_get(json, "percent");
        if (!percent)
                return true;
        if (!json_is_integer(percent) || json_integer_value(percent) < 0 || json_integer_value(percent) > 100)
                return fail(err, ERR_SCHEMA, 0, "`percent` is no number from 0 to 100");
        event->percent = (int)json_integer_value(percent);
        return true;
}

static bool read_stage_report(const json_t *json, struct boot_event *event, struct err *err) {
        const json_t *version = json_object_get(json, "version");
        if (!json_is_integer(version) || json_integer_value(version) != 1)
                return fail(err, ERR_SCHEMA, 0, "`version` is not 1");
        take_common(json, event);
        take_member(json, "attempt", event->attempt, sizeof event->attempt);
        take_member(json, "node", event->node, sizeof event->node);
        take_member(json, "text", event->text, sizeof event->text);
        return take_stage(json, event, err) && take_macs(json_object_get(json, "mac"), event, err);
}

// ---- kiln-node's whole report ----

static const char *decision_source(const json_t *values, const char *name) {
        for (size_t i = 0; i < json_array_size(values); i++) {
                const json_t *value = json_array_get(values, i);
                const char *found = json_string_value(json_object_get(value, "name"));
                if (found && strcmp(found, name) == 0)
                        return text_or(json_string_value(json_object_get(value, "source")), "");
        }
        return "";
}

static void add_console_line(struct buf *text, const char *what, const char *line) {
        if (line && *line)
                buf_printf(text, "%s%s\n", what, line);
}

// What stood on its consoles (firmware/node/report.c), and the network's state.
static void read_console(const json_t *json, const char *why, struct boot_event *event) {
        auto_buf text = { 0 };
        add_console_line(&text, "", why);
        add_console_line(&text, "this machine has: ", json_string_value(json_object_get(json, "found")));
        const json_t *notes = json_object_get(json, "notes"), *network = json_object_get(json, "network");
        for (size_t i = 0; i < json_array_size(notes); i++)
                add_console_line(&text, "note: ", json_string_value(json_array_get(notes, i)));
        add_console_line(&text, "network: ", json_string_value(json_object_get(network, "problem")));
        boot_lines_copy(event->console, sizeof event->console, buf_text(&text));
}

static void read_decision(const json_t *json, struct boot_event *event) {
        const char *refused = json_string_value(json_object_get(json, "refused"));
        const char *failure = json_string_value(json_object_get(json, "failure"));
        if (failure || refused) {
                event->stage = BOOT_REFUSED;
                if (failure)
                        event->stage = BOOT_FAILED;
                boot_text_copy(event->text, sizeof event->text, text_or(failure, refused));
                read_console(json, text_or(failure, refused), event);
                return;
        }
        event->stage = BOOT_DECIDED;
        take_member(json, "hostname", event->node, sizeof event->node);
        auto_free char *text =
            xasprintf("%s (%s)", event->node, decision_source(json_object_get(json, "values"), "hostname"));
        boot_text_copy(event->text, sizeof event->text, text);
}

bool report_read(const char *text, size_t size, int64_t now_ms, struct boot_event *ret, struct err *err) {
        assert(text && ret);
        struct boot_event event = { .time_ms = now_ms, .percent = -1, .is_local = true };
        json_error_t where;
        if (!json_is_modest(text, size, REPORT_VALUES_MAX, REPORT_DEPTH_MAX))
                return fail(err, ERR_SCHEMA, 0, "the report has more than %d values or %d levels", REPORT_VALUES_MAX,
                            REPORT_DEPTH_MAX);
        json_t *json = json_loadb(text, size, 0, &where);
        if (!json_is_object(json)) {
                json_decref(json);
                return fail(err, ERR_SCHEMA, 0, "the report is no JSON object");
        }
        bool ok = true;
        if (json_object_get(json, "format")) {
                take_common(json, &event);
                read_decision(json, &event);
        } else {
                ok = read_stage_report(json, &event, err);
        }
        json_decref(json);
        if (ok)
                *ret = event;
        return ok;
}
