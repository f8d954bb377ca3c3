// SPDX-License-Identifier: MIT
// Checks of what tells machines apart by SMBIOS: serial numbers, UUIDs, asset tags.
#include <string.h>

#include "profile/checks/checks.h"
#include "profile/reader/names.h"
#include "shared/smbios.h"

// Before SMBIOS 2.6 nobody said in which order the bytes of the first three fields stand, so one machine's UUID may be
// written in two ways. The lesser of the two is the key of both.
static const char *uuid_key(struct arena *arena, const uint8_t uuid[static 16]) {
        static const uint8_t order[8] = { 3, 2, 1, 0, 5, 4, 7, 6 };
        static const char digits[] = "0123456789abcdef";
        uint8_t other[8];
        char text[33];
        for (size_t i = 0; i < sizeof other; i++)
                other[i] = uuid[order[i]];
        uint8_t lesser[16];
        memcpy(lesser, uuid, sizeof lesser);
        if (memcmp(other, uuid, sizeof other) < 0)
                memcpy(lesser, other, sizeof other);
        for (size_t i = 0; i < sizeof lesser; i++) {
                text[2 * i] = digits[lesser[i] >> 4];
                text[2 * i + 1] = digits[lesser[i] & 15];
        }
        text[32] = '\0';
        return arena_strdup(arena, text);
}

static void report_placeholder(struct loader *loader, const struct place *place, const char *key, const char *text) {
        report(loader->diagnostics, ERR_SCHEMA, place, "`%s` is what boards come with, not the %s of one machine", text,
               key);
        report_hint(loader->diagnostics, "leave `%s` out, and tell the machine by its mac", key);
}

static const char *text_key(struct loader *loader, const struct place *place, const char *key, const char *text) {
        if (!text || !*text)
                return "";
        if (smbios_text_is_placeholder(text))
                report_placeholder(loader, place, key, text);
        return lower_text(loader->arena, text);
}

static const char *checked_uuid_key(struct loader *loader, const struct place *place, const char *text) {
        uint8_t uuid[16];
        if (!text || !smbios_uuid_parse(text, uuid)) // what is malformed was reported by the table
                return "";
        if (smbios_uuid_is_placeholder(uuid))
                report_placeholder(loader, place, "uuid", text);
        return uuid_key(loader->arena, uuid);
}

void check_hardware(struct loader *loader, const struct cluster_file *file) {
        const struct value *rows = value_get(file->tree, "nodes");
        size_t count = file->node_count;
        auto_free struct once *serials = xcalloc(count, sizeof *serials), *uuids = xcalloc(count, sizeof *uuids);
        auto_free struct once *tags = xcalloc(count, sizeof *tags);
        for (size_t i = 0; i < count; i++) {
                const struct node *node = &file->nodes[i].node;
                const struct value *row = rows->items[i];
                const struct place *serial = schema_place(row, "serial"), *uuid = schema_place(row, "uuid"),
                                   *tag = schema_place(row, "asset_tag");
                serials[i] = (struct once){ text_key(loader, serial, "serial", node->serial), serial };
                uuids[i] = (struct once){ checked_uuid_key(loader, uuid, node->uuid), uuid };
                tags[i] = (struct once){ text_key(loader, tag, "asset_tag", node->asset_tag), tag };
        }
        check_once(loader, "serial number", serials, count);
        check_once(loader, "UUID", uuids, count);
        check_once(loader, "asset tag", tags, count);
}
