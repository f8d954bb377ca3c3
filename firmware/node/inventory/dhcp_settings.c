// SPDX-License-Identifier: MIT
#include "firmware/node/inventory/dhcp_settings.h"

#include <stdio.h>
#include <string.h>

#include "firmware/node/facts/json_field.h"

enum {
        DHCP_TIMEOUT_DEFAULT_MS = 75000,
        CARRIER_TIMEOUT_DEFAULT_MS = 60000,
        DEVICE_TIMEOUT_DEFAULT_MS = 300000, // udev gives up an event after 180 s
        TIMEOUT_MAX_MS = 3600000
};

// "224" or "43.1", and nothing after it.
static bool parse_site_option(const char *text, struct dhcp_site_option *ret) {
        enum { VENDOR = 43, SUB_MAX = 254, SITE_MIN = 224, SITE_MAX = 254 };
        unsigned code = 0, sub = 0;
        int end = 0, sub_end = 0;
        if (sscanf(text, "%3u%n.%3u%n", &code, &end, &sub, &sub_end) < 1)
                return false;
        *ret = (struct dhcp_site_option){ (uint8_t)code, (uint8_t)sub };
        if (sub_end)
                return !text[sub_end] && code == VENDOR && sub >= 1 && sub <= SUB_MAX;
        return !text[end] && code >= SITE_MIN && code <= SITE_MAX;
}

// "" and absent: none.
static bool read_site_option(const json_t *object, const char *key, struct dhcp_site_option *ret, struct err *err) {
        const json_t *item = json_object_get(object, key);
        const char *text = json_string_value(item);
        if (!item || (text && !*text))
                return true;
        return (text && parse_site_option(text, ret)) ||
               json_field_wrong(err, key, "an option's number of 224 to 254, or 43 and a sub-option as in \"43.1\"");
}

static bool read_site_options(const json_t *root, struct dhcp_settings *ret, struct err *err) {
        const json_t *options = json_object_get(root, "dhcp_options");
        if (options && !json_is_object(options))
                return json_field_wrong(err, "dhcp_options", "an object");
        return read_site_option(options, "node", &ret->node, err) &&
               read_site_option(options, "role", &ret->role, err) && read_site_option(options, "id", &ret->id, err);
}

static bool read_id_kind(const json_t *root, enum dhcp_id_kind *ret, struct err *err) {
        const json_t *item = json_object_get(root, "dhcp_client_id");
        if (!item)
                return true;
        const char *text = json_string_value(item);
        bool is_duid = text && strcmp(text, "duid") == 0;
        if (is_duid)
                *ret = DHCP_ID_DUID;
        return is_duid || (text && strcmp(text, "mac") == 0) ||
               json_field_wrong(err, "dhcp_client_id", "\"mac\" or \"duid\"");
}

bool dhcp_settings_read(const json_t *root, struct dhcp_settings *ret, struct err *err) {
        json_int_t timeout_ms = DHCP_TIMEOUT_DEFAULT_MS, carrier_timeout_ms = CARRIER_TIMEOUT_DEFAULT_MS,
                   device_timeout_ms = DEVICE_TIMEOUT_DEFAULT_MS;
        *ret = (struct dhcp_settings){ .arp_check = true, .id_kind = DHCP_ID_MAC };
        if (!json_field_number(root, "dhcp_timeout_ms", 1, TIMEOUT_MAX_MS, &timeout_ms, err) ||
            !json_field_number(root, "carrier_timeout_ms", 0, TIMEOUT_MAX_MS, &carrier_timeout_ms, err) ||
            !json_field_number(root, "device_timeout_ms", 0, TIMEOUT_MAX_MS, &device_timeout_ms, err) ||
            !json_field_bool(root, "arp_check", &ret->arp_check, err))
                return false;
        ret->timeout_ms = (int)timeout_ms;
        ret->carrier_timeout_ms = (int)carrier_timeout_ms;
        ret->device_timeout_ms = (int)device_timeout_ms;
        return read_id_kind(root, &ret->id_kind, err) && read_site_options(root, ret, err);
}
