// SPDX-License-Identifier: MIT
#include "firmware/node/facts/json_field.h"

#include <assert.h>

#include "firmware/node/facts/address.h"

bool json_field_wrong(struct err *err, const char *key, const char *want) {
        return fail(err, ERR_SCHEMA, 0, "\"%s\" must be %s", key, want);
}

bool json_field_number(const json_t *object, const char *key, json_int_t min, json_int_t max, json_int_t *ret,
                       struct err *err) {
        assert(min <= max);
        const json_t *item = json_object_get(object, key);
        if (!item)
                return true;
        if (!json_is_integer(item) || json_integer_value(item) < min || json_integer_value(item) > max)
                return fail(err, ERR_SCHEMA, 0, "\"%s\" must be a whole number of %lld to %lld", key, (long long)min,
                            (long long)max);
        *ret = json_integer_value(item);
        return true;
}

bool json_field_bool(const json_t *object, const char *key, bool *ret, struct err *err) {
        const json_t *item = json_object_get(object, key);
        if (!item)
                return true;
        if (!json_is_boolean(item))
                return json_field_wrong(err, key, "true or false");
        *ret = json_is_true(item);
        return true;
}

bool json_field_address(const json_t *object, const char *key, uint32_t *ret, struct err *err) {
        const json_t *item = json_object_get(object, key);
        if (!item)
                return true;
        const char *text = json_string_value(item);
        if (!text)
                return json_field_wrong(err, key, "an IPv4 address");
        return !*text || address_parse(text, ret) || json_field_wrong(err, key, "an IPv4 address");
}

bool json_field_list(const json_t *object, const char *key, const json_t **ret, struct err *err) {
        *ret = json_object_get(object, key);
        return !*ret || json_is_array(*ret) || json_field_wrong(err, key, "a list");
}
