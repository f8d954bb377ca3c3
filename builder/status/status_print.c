// SPDX-License-Identifier: MIT
// A status for people.
#include <string.h>

#include "base/mem.h"
#include "status/status.h"

static const char *text_member(const json_t *object, const char *key) {
        return text_or(json_string_value(json_object_get(object, key)), "");
}

static int number_member(const json_t *object, const char *key) {
        return (int)json_integer_value(json_object_get(object, key));
}

static void print_roles(const json_t *roles, struct buf *to) {
        const char *name;
        json_t *role;
        buf_printf(to, "%-12s %6s %8s %5s %6s  %s\n", "ROLE", "NODES", "HEALTHY", "NEED", "SPARE", "STATE");
        json_object_foreach((json_t *)roles, name, role) buf_printf(
            to, "%-12s %6d %8d %5d %6d  %s\n", name, number_member(role, "nodes"), number_member(role, "healthy"),
            number_member(role, "need"), number_member(role, "spare"), text_member(role, "state"));
}

static void print_vips(const json_t *vips, struct buf *to) {
        const char *name;
        json_t *vip;
        json_object_foreach((json_t *)vips, name, vip) {
                buf_printf(to, "virtual address %s %s", name, text_member(vip, "ip"));
                if (json_is_string(json_object_get(vip, "owner")))
                        buf_printf(to, ", held by %s", text_member(vip, "owner"));
                buf_append_text(to,
                                json_is_true(json_object_get(vip, "healthy")) ? ": answers\n" : ": does not serve\n");
        }
}

static void print_agreements(const json_t *agreements, struct buf *to) {
        size_t i;
        json_t *agreement;
        json_array_foreach(agreements, i, agreement) if (json_is_true(json_object_get(agreement, "ok")))
            buf_printf(to, "ok  %s: %s (%s)\n", text_member(agreement, "role"), text_member(agreement, "name"),
                       text_member(agreement, "evidence"));
}

static void print_findings(const json_t *findings, struct buf *to) {
        size_t i;
        json_t *finding;
        json_array_foreach(findings, i, finding) {
                const char *mark = "  ! ";
                if (json_is_true(json_object_get(finding, "serious")))
                        mark = " !! ";
                buf_printf(to, "%s%s: %s\n      %s\n", mark, text_member(finding, "what"),
                           text_member(finding, "evidence"), text_member(finding, "remedy"));
        }
}

// "spare: 1 more failure" of the role that has least.
static void print_spare(const json_t *status, struct buf *to) {
        const char *name, *least_name = NULL;
        json_t *role;
        int least = 0;
        json_object_foreach(json_object_get(status, "roles"), name, role) {
                int spare = number_member(role, "spare");
                if (!least_name || spare < least) {
                        least = spare;
                        least_name = name;
                }
        }
        bool serves = strcmp(text_member(status, "state"), "healthy") == 0 ||
                      strcmp(text_member(status, "state"), "degraded") == 0;
        if (least_name && serves)
                buf_printf(to, " (failures to spare: %d, of %s)", least, least_name);
}

void status_print(const json_t *status, struct buf *ret) {
        buf_printf(ret, "%s: %s", text_member(status, "cluster"), text_member(status, "state"));
        print_spare(status, ret);
        buf_append_text(ret, "\n\n");
        print_roles(json_object_get(status, "roles"), ret);
        print_vips(json_object_get(status, "vips"), ret);
        print_agreements(json_object_get(status, "agreements"), ret);
        print_findings(json_object_get(status, "findings"), ret);
}
