// SPDX-License-Identifier: MIT
#include "shared/smbios.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

// Lower case, as vendors' boards show them.
static const char *const placeholders[] = {
        "to be filled by o.e.m.",
        "to be filled by o.e.m",
        "to be filled by oem",
        "not specified",
        "not available",
        "not applicable",
        "not provided",
        "not defined",
        "not set",
        "n/a",
        "na",
        "none",
        "null",
        "nil",
        "empty",
        "blank",
        "invalid",
        "unknown",
        "unspecified",
        "undefined",
        "default",
        "default string",
        "o.e.m.",
        "oem",
        "oem_define",
        "system serial number",
        "system serial#",
        "system version",
        "serial number",
        "chassis serial number",
        "base board serial number",
        "board serial number",
        "sernum0",
        "asset tag",
        "asset-1234567890",
        "no asset tag",
        "no asset information",
        "no enclosure",
        "chassis asset tag",
        "asset tag to be filled by o.e.m.",
        "serial",
        "test",
};

static const char *const shared_uuids[] = {
        "03000200-0400-0500-0006-000700080009", // AMI's sample
        "00020003-0004-0005-0006-000700080009", "12345678-1234-5678-90ab-cddeefaabbcc",
        "4c4c4544-0000-2010-8020-80c04f202020", // a Dell board whose service tag was never set
        "00112233-4455-6677-8899-aabbccddeeff",
};

// Without blanks at both ends.
static const char *trim_blanks(const char *text, size_t *ret_size) {
        while (isspace((unsigned char)*text))
                text++;
        size_t size = strlen(text);
        while (size > 0 && isspace((unsigned char)text[size - 1]))
                size--;
        *ret_size = size;
        return text;
}

// "0000", "....", "XXXXXXX"; "0123456789", "1234567890", "12345678901234"
static bool is_filler(const char *text, size_t size) {
        bool same = true, counting = size >= 4;
        for (size_t i = 1; i < size; i++) {
                same = same && text[i] == text[0];
                counting = counting && isdigit((unsigned char)text[i - 1]) && isdigit((unsigned char)text[i]) &&
                           (text[i] - text[i - 1] + 10) % 10 == 1;
        }
        return same || counting;
}

bool smbios_text_is_placeholder(const char *text) {
        size_t size;
        text = trim_blanks(text, &size);
        if (size == 0 || is_filler(text, size))
                return true;
        for (size_t i = 0; i < lengthof(placeholders); i++)
                if (strlen(placeholders[i]) == size && strncasecmp(text, placeholders[i], size) == 0)
                        return true;
        return false;
}

bool smbios_text_equal(const char *a, const char *b) {
        size_t size, other;
        a = trim_blanks(a, &size);
        b = trim_blanks(b, &other);
        return size == other && strncasecmp(a, b, size) == 0;
}

bool smbios_uuid_parse(const char *text, uint8_t ret[static 16]) {
        static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", digits[] = "0123456789abcdef";
        uint8_t uuid[16] = { 0 };
        if (strlen(text) != sizeof form - 1)
                return false;
        for (size_t i = 0, nibble = 0; form[i]; i++) {
                if (form[i] == '-') {
                        if (text[i] != '-')
                                return false;
                        continue;
                }
                const char *at = strchr(digits, tolower((unsigned char)text[i]));
                if (!at)
                        return false;
                uuid[nibble / 2] = (uint8_t)(uuid[nibble / 2] << 4 | (at - digits));
                nibble++;
        }
        memcpy(ret, uuid, sizeof uuid);
        return true;
}

static void swap_fields(const uint8_t from[static 16], uint8_t to[static 16]) {
        static const uint8_t order[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
        for (size_t i = 0; i < sizeof order; i++)
                to[i] = from[order[i]];
}

bool smbios_uuid_equal(const uint8_t a[static 16], const uint8_t b[static 16]) {
        uint8_t swapped[16];
        swap_fields(b, swapped);
        return memcmp(a, b, 16) == 0 || memcmp(a, swapped, 16) == 0;
}

bool smbios_uuid_is_placeholder(const uint8_t uuid[static 16]) {
        bool same = true;
        for (size_t i = 1; i < 16; i++)
                same = same && uuid[i] == uuid[0];
        for (size_t i = 0; i < lengthof(shared_uuids) && !same; i++) {
                uint8_t other[16];
                same = smbios_uuid_parse(shared_uuids[i], other) && smbios_uuid_equal(uuid, other);
        }
        return same;
}
