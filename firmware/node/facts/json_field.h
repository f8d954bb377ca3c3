// SPDX-License-Identifier: MIT
// The fields of a JSON object, read with a check of their type. A field that is absent leaves `*ret` as it is; one of
// another type or out of range is ERR_SCHEMA with its key.
#ifndef KILN_NODE_FACTS_JSON_FIELD_H
#define KILN_NODE_FACTS_JSON_FIELD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

// ERR_SCHEMA: "KEY" must be WANT. Always false.
bool json_field_wrong(struct err *err, const char *key, const char *want);

must_check bool json_field_number(const json_t *object, const char *key, json_int_t min, json_int_t max,
                                  json_int_t *ret, struct err *err);
must_check bool json_field_bool(const json_t *object, const char *key, bool *ret, struct err *err);
// An IPv4 address in host byte order; "" is as if it were absent.
must_check bool json_field_address(const json_t *object, const char *key, uint32_t *ret, struct err *err);
// `*ret` is the object's; NULL, which has no items, if it is absent.
must_check bool json_field_list(const json_t *object, const char *key, const json_t **ret, struct err *err);

#endif
