// SPDX-License-Identifier: MIT
#include "serve/boot_event.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/mistake.h"

static const struct {
        const char *name, *meaning;
} stages[] = {
#define X(name, json, meaning) { json, meaning },
        BOOT_STAGES(X)
#undef X
};

const char *boot_stage_name(enum boot_stage stage) {
        assert(stage < BOOT_STAGE_COUNT);
        return stages[stage].name;
}

const char *boot_stage_meaning(enum boot_stage stage) {
        assert(stage < BOOT_STAGE_COUNT);
        return stages[stage].meaning;
}

bool boot_stage_parse(const char *text, enum boot_stage *ret) {
        for (size_t i = 0; text && i < BOOT_STAGE_COUNT; i++)
                if (strcmp(stages[i].name, text) == 0) {
                        *ret = (enum boot_stage)i;
                        return true;
                }
        return false;
}

int64_t boot_now_ms(void) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool is_utf8_continuation(char byte) { return ((unsigned char)byte & 0xc0) == 0x80; }

static void copy_shown(char *to, size_t room, const char *from, bool has_lines) {
        assert(to && room > 0);
        auto_buf text = { 0 };
        if (from)
                mistake_printable(&text, from, strnlen(from, room));
        size_t size = size_min(text.size, room - 1);
        if (size < text.size)
                while (size > 0 && is_utf8_continuation(text.data[size]))
                        size--;
        memcpy(to, buf_text(&text), size);
        to[size] = '\0';
        for (size_t i = 0; i < size; i++)
                if ((unsigned char)to[i] < ' ' &&
                    !(has_lines && to[i] == '\n')) // newlines and tabs are printable to others
                        to[i] = '?';
}

void boot_text_copy(char *to, size_t room, const char *from) { copy_shown(to, room, from, false); }

void boot_lines_copy(char *to, size_t room, const char *from) { copy_shown(to, room, from, true); }

bool boot_mac_parse(const char *text, uint8_t ret[static BOOT_MAC_SIZE]) {
        uint8_t mac[BOOT_MAC_SIZE];
        if (!text || strlen(text) != 17)
                return false;
        for (size_t i = 0; i < 17; i++) {
                bool is_separator = text[i] == ':' || text[i] == '-';
                if ((i % 3 == 2) != is_separator || (i % 3 != 2 && !strchr("0123456789abcdefABCDEF", text[i])))
                        return false;
        }
        for (size_t i = 0; i < BOOT_MAC_SIZE; i++) {
                unsigned byte;
                if (sscanf(text + 3 * i, "%2x", &byte) != 1)
                        return false;
                mac[i] = (uint8_t)byte;
        }
        memcpy(ret, mac, sizeof mac);
        return true;
}

void boot_mac_format(const uint8_t mac[static BOOT_MAC_SIZE], char ret[static 18]) {
        (void)snprintf(ret, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

void boot_event_add_mac(struct boot_event *event, const uint8_t mac[static BOOT_MAC_SIZE]) {
        for (size_t i = 0; i < event->mac_count; i++)
                if (memcmp(event->macs[i], mac, BOOT_MAC_SIZE) == 0)
                        return;
        if (event->mac_count < BOOT_MACS_MAX)
                memcpy(event->macs[event->mac_count++], mac, BOOT_MAC_SIZE);
}

// ---- as JSON ----

// What is empty is left out.
static const struct event_text {
        const char *name;
        size_t offset, room;
} event_texts[] = {
#define T(member)                                                                                                      \
        { #member, offsetof(struct boot_event, member), sizeof((struct boot_event *)0)->member }
        T(node), T(role), T(build), T(attempt), T(firmware), T(uuid), T(serial), T(text), T(console),
#undef T
};

static const struct event_flag {
        const char *name;
        size_t offset;
} event_flags[] = {
        { "begin", offsetof(struct boot_event, is_begin) },
        { "firmware_dhcp", offsetof(struct boot_event, is_firmware) },
        { "ipxe", offsetof(struct boot_event, is_ipxe) },
        { "local", offsetof(struct boot_event, is_local) },
};

static json_t *macs_json(const struct boot_event *event) {
        json_t *macs = json_array();
        for (size_t i = 0; i < event->mac_count; i++) {
                char text[18];
                boot_mac_format(event->macs[i], text);
                json_array_append_new(macs, json_string(text));
        }
        return macs;
}

void boot_event_format(const struct boot_event *event, struct buf *ret) {
        assert(event && ret);
        json_t *json = json_pack("{sI ss}", "t", (json_int_t)event->time_ms, "stage", boot_stage_name(event->stage));
        if (event->mac_count > 0)
                json_object_set_new(json, "mac", macs_json(event));
        if (event->ip.s_addr) {
                char text[INET_ADDRSTRLEN] = "";
                inet_ntop(AF_INET, &event->ip, text, sizeof text);
                json_object_set_new(json, "ip", json_string(text));
        }
        for (size_t i = 0; i < lengthof(event_texts); i++) {
                const char *text = (const char *)event + event_texts[i].offset;
                if (*text)
                        json_object_set_new(json, event_texts[i].name, json_string(text));
        }
        for (size_t i = 0; i < lengthof(event_flags); i++)
                if (*(const bool *)((const char *)event + event_flags[i].offset))
                        json_object_set_new(json, event_flags[i].name, json_true());
        if (event->percent >= 0)
                json_object_set_new(json, "percent", json_integer(event->percent));
        if (event->xid > 0)
                json_object_set_new(json, "xid", json_integer(event->xid));
        if (event->number > 0)
                json_object_set_new(json, "number", json_integer(event->number));
        auto_free char *text = json_dumps(json, JSON_COMPACT);
        json_decref(json);
        buf_append_text(ret, text_or(text, "{}"));
}

static bool event_from_json(const json_t *json, struct boot_event *event) {
        const json_t *time = json_object_get(json, "t"), *percent = json_object_get(json, "percent");
        if (!json_is_integer(time) ||
            !boot_stage_parse(json_string_value(json_object_get(json, "stage")), &event->stage))
                return false;
        event->time_ms = json_integer_value(time);
        const char *ip = json_string_value(json_object_get(json, "ip"));
        if (ip && inet_pton(AF_INET, ip, &event->ip) != 1)
                return false;
        const json_t *macs = json_object_get(json, "mac");
        for (size_t i = 0; i < json_array_size(macs); i++) {
                uint8_t mac[BOOT_MAC_SIZE];
                if (!boot_mac_parse(json_string_value(json_array_get(macs, i)), mac))
                        return false;
                boot_event_add_mac(event, mac);
        }
        for (size_t i = 0; i < lengthof(event_texts); i++)
                copy_shown((char *)event + event_texts[i].offset, event_texts[i].room,
                           json_string_value(json_object_get(json, event_texts[i].name)),
                           event_texts[i].offset == offsetof(struct boot_event, console));
        for (size_t i = 0; i < lengthof(event_flags); i++)
                *(bool *)((char *)event + event_flags[i].offset) =
                    json_is_true(json_object_get(json, event_flags[i].name));
        event->percent = -1;
        if (json_is_integer(percent))
                event->percent = (int)json_integer_value(percent);
        json_int_t number = json_integer_value(json_object_get(json, "number")); // 0 where there is none
        json_int_t xid = json_integer_value(json_object_get(json, "xid"));
        event->number = (unsigned)number;
        event->xid = (uint32_t)xid;
        return event->percent >= -1 && event->percent <= 100 && number >= 0 && number <= UINT32_MAX && xid >= 0 &&
               xid <= UINT32_MAX;
}

bool boot_event_parse(const char *line, size_t size, struct boot_event *ret) {
        assert(line && ret);
        struct boot_event event = { 0 };
        json_t *json = json_loadb(line, size, 0, NULL);
        bool ok = json_is_object(json) && event_from_json(json, &event);
        json_decref(json);
        if (ok)
                *ret = event;
        return ok;
}
