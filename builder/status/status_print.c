// SPDX-License-Identifier: MIT
// A status for people.
#include <string.h>

#include "base/json_member.h"
#include "status/status.h"

static void print_roles(const json_t *roles, struct buf *to) {
        const char *name;
        json_t *role;
        buf_printf(to, "%-12s %6s %8s %5s %6s  %s\n", "ROLE", "NODES", "HEALTHY", "NEED", "SPARE", "STATE");
        json_object_foreach((json_t *)roles, name, role)
            buf_printf(to, "%-12s %6d %8d %5d %6d  %s\n", name, (int)member_number(role, "nodes"),
                       (int)member_number(role, "healthy"), (int)member_number(role, "need"),
                       (int)member_number(role, "spare"), member_text(role, "state"));
}

static void print_vips(const json_t *vips, struct buf *to) {
        const char *name;
        json_t *vip;
        json_object_foreach((json_t *)vips, name, vip) {
                buf_printf(to, "virtual address %s %s", name, member_text(vip, "ip"));
                if (json_is_string(json_object_get(vip, "owner")))
                        buf_printf(to, ", held by %s", member_text(vip, "owner"));
                if (json_array_size(json_object_get(vip, "checks")) == 0) {
                        buf_append_text(to, ": unknown\n");
                        continue;
                }
                buf_append_text(to,
                                json_is_true(json_object_get(vip, "healthy")) ? ": answers\n" : ": does not serve\n");
        }
}

static void print_agreements(const json_t *agreements, struct buf *to) {
        size_t i;
        json_t *agreement;
        json_array_foreach(agreements, i, agreement) {
                const json_t *ok = json_object_get(agreement, "ok");
                const char *mark = "ok ";
                if (json_is_false(ok))
                        continue; // a finding
                if (json_is_null(ok))
                        mark = "?  ";
                buf_printf(to, "%s %s: %s (%s)\n", mark, member_text(agreement, "role"), member_text(agreement, "name"),
                           member_text(agreement, "evidence"));
        }
}

static void print_findings(const json_t *findings, struct buf *to) {
        size_t i;
        json_t *finding;
        json_array_foreach(findings, i, finding) {
                const char *mark = "  ! ";
                if (json_is_true(json_object_get(finding, "serious")))
                        mark = " !! ";
                buf_printf(to, "%s%s: %s\n      %s\n", mark, member_text(finding, "what"),
                           member_text(finding, "evidence"), member_text(finding, "remedy"));
        }
}

// "spare: 1 more failure" of the role that has least.
static void print_spare(const json_t *status, struct buf *to) {
        const char *name, *least_name = NULL;
        json_t *role;
        int least = 0;
        json_object_foreach(json_object_get(status, "roles"), name, role) {
                int spare = (int)member_number(role, "spare");
                if (!least_name || spare < least) {
                        least = spare;
                        least_name = name;
                }
        }
        bool serves = strcmp(member_text(status, "state"), "healthy") == 0 ||
                      strcmp(member_text(status, "state"), "degraded") == 0;
        if (least_name && serves)
                buf_printf(to, " (failures to spare: %d, of %s)", least, least_name);
}

void status_print(const json_t *status, struct buf *ret) {
        buf_printf(ret, "%s: %s", member_text(status, "cluster"), member_text(status, "state"));
        print_spare(status, ret);
        buf_append_text(ret, "\n\n");
        print_roles(json_object_get(status, "roles"), ret);
        print_vips(json_object_get(status, "vips"), ret);
        print_agreements(json_object_get(status, "agreements"), ret);
        print_findings(json_object_get(status, "findings"), ret);
}
