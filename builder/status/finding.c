// SPDX-License-Identifier: MIT
#include <jansson.h>

#include "status/internal.h"

void add_finding(json_t *findings, const char *what, const char *evidence, const char *remedy, bool is_serious) {
        json_array_append_new(findings, json_pack("{ss ss ss sb}", "what", what, "evidence", evidence, "remedy", remedy,
                                                  "serious", is_serious));
}
