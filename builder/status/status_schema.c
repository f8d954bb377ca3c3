// SPDX-License-Identifier: MIT
// What reads a status may hold on to; tests/status checks every answer against it.
#include "base/mem.h"
#include "status/status.h"

#define TEXT "{\"type\":\"string\"}"
#define COUNT "{\"type\":\"integer\",\"minimum\":0}"
#define YES_NO "{\"type\":\"boolean\"}"
#define STATE "{\"enum\":[\"healthy\",\"degraded\",\"not serving\",\"unknown\"]}"
#define LIST_OF(items) "{\"type\":\"array\",\"items\":" items "}"
#define MAP_OF(values) "{\"type\":\"object\",\"additionalProperties\":" values "}"
#define TEXT_OR_NULL "{\"type\":[\"string\",\"null\"]}"

static const char check[] =
    "{\"type\":\"object\",\"required\":[\"name\",\"ok\",\"ms\",\"evidence\",\"values\"],"
    "\"additionalProperties\":false,\"properties\":{\"name\":" TEXT ",\"ok\":" YES_NO ",\"ms\":" COUNT
    ",\"http\":" COUNT ",\"evidence\":" TEXT ",\"values\":" MAP_OF("{\"anyOf\":[" TEXT "," LIST_OF(TEXT) "]}") "}}";

static const char role[] = "{\"type\":\"object\",\"required\":[\"nodes\",\"healthy\",\"need\",\"spare\",\"state\"],"
                           "\"additionalProperties\":false,\"properties\":{\"nodes\":" COUNT ",\"healthy\":" COUNT
                           ",\"need\":" COUNT ",\"spare\":" COUNT ",\"state\":" STATE "}}";

static const char node[] =
    "{\"type\":\"object\",\"required\":[\"role\",\"ip\",\"healthy\",\"checks\"],"
    "\"additionalProperties\":false,\"properties\":{\"role\":" TEXT ",\"ip\":" TEXT ",\"healthy\":" YES_NO
    ",\"checks\":" LIST_OF("{\"$ref\":\"#/$defs/check\"}") ",\"machine\":{\"type\":\"object\"}}}";

static const char vip[] =
    "{\"type\":\"object\",\"required\":[\"role\",\"ip\",\"healthy\",\"owner\",\"cards\",\"holders\",\"checks\"],"
    "\"additionalProperties\":false,\"properties\":{\"role\":" TEXT ",\"ip\":" TEXT ",\"healthy\":" YES_NO
    ",\"owner\":" TEXT_OR_NULL ",\"cards\":" LIST_OF(TEXT) ",\"holders\":" LIST_OF(TEXT) ",\"checks\":" LIST_OF(
        "{\"$ref\":\"#/$defs/check\"}") "}}";

static const char agreement[] = "{\"type\":\"object\",\"required\":[\"role\",\"name\",\"ok\",\"evidence\"],"
                                "\"additionalProperties\":false,\"properties\":{\"role\":" TEXT ",\"name\":" TEXT
                                ",\"ok\":{\"type\":[\"boolean\",\"null\"]},\"evidence\":" TEXT "}}";

static const char finding[] = "{\"type\":\"object\",\"required\":[\"what\",\"evidence\",\"remedy\",\"serious\"],"
                              "\"additionalProperties\":false,\"properties\":{\"what\":" TEXT ",\"evidence\":" TEXT
                              ",\"remedy\":" TEXT ",\"serious\":" YES_NO "}}";

char *status_schema(void) {
        return xasprintf(
            "{\"$schema\":\"https://json-schema.org/draft/2020-12/"
            "schema\",\"$id\":\"urn:kiln:schema:status:1\",\"title\":\"kiln "
            "status\",\"type\":\"object\","
            "\"required\":[\"format\",\"cluster\",\"at\",\"took_ms\",\"state\",\"wanted_build\",\"roles\",\"nodes\","
            "\"vips\","
            "\"agreements\",\"findings\"],\"additionalProperties\":false,\"properties\":{\"format\":{\"const\":1},"
            "\"cluster\":" TEXT ",\"at\":" COUNT ",\"took_ms\":" COUNT ",\"state\":" STATE
            ",\"wanted_build\":" TEXT_OR_NULL ",\"roles\":" MAP_OF("%s") ",\"nodes\":" MAP_OF("%s") ",\"vips\":" MAP_OF(
                "%s") ",\"agreements\":" LIST_OF("%s") ",\"findings\":" LIST_OF("%s") "},\"$defs\":{\"check\":%s}}",
            role, node, vip, agreement, finding, check);
}
