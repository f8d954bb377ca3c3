// SPDX-License-Identifier: MIT
// What kiln-node says of its machine, held against what the machine should be.
#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_member.h"
#include "base/json_modest.h"
#include "base/mem.h"
#include "status/answer.h"
#include "status/internal.h"

enum { FULL_PERCENT = 90 };
// Several times what a real one has: the status keeps it.
enum { MACHINE_BYTES_MAX = 64 << 10, MACHINE_VALUES_MAX = 8192, MACHINE_DEPTH_MAX = 16 };

struct judged_machine {
        const struct node *node;
        const json_t *machine;
        json_t *findings;
};

static void tell_machine(const struct judged_machine *judged, const char *subject, const char *evidence,
                         const char *remedy) {
        char ip[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &judged->node->ip, ip, sizeof ip);
        auto_free char *what = xasprintf("%s (%s): %s", judged->node->name, ip, subject);
        add_finding(judged->findings, what, evidence, remedy, false);
}

static void judge_build(const struct judged_machine *judged, const char *wanted) {
        const char *runs = member_text(judged->machine, "build");
        if (!wanted || strcmp(runs, wanted) == 0)
                return;
        auto_free char *evidence =
            xasprintf("it runs %s, and %s is wanted", text_or(*runs ? runs : NULL, "no build"), wanted);
        tell_machine(judged, "its build", evidence,
                     "reboot it, if nothing else does: does it boot from what `current` names?");
}

static void judge_disks(const struct judged_machine *judged) {
        size_t i;
        json_t *disk;
        json_array_foreach(json_object_get(judged->machine, "filesystems"), i, disk) {
                int bytes = (int)member_number(disk, "used_percent"), files = (int)member_number(disk, "files_percent");
                if (bytes <= FULL_PERCENT && files <= FULL_PERCENT)
                        continue;
                auto_free char *evidence = xasprintf("%s is full to %d %%, its table of files to %d %%",
                                                     member_text(disk, "path"), bytes, files);
                const char *remedy = "du -xsh below it, and remove or rotate what grows";
                if (strcmp(member_text(disk, "path"), "/") == 0)
                        remedy = "what the root writes lies in memory or on the state disk: du -xsh below /run/kiln, "
                                 "/var and "
                                 "/etc; a state path or a larger overlay_size gives more";
                tell_machine(judged, "its disk", evidence, remedy);
        }
}

static void judge_units(const struct judged_machine *judged) {
        size_t i;
        json_t *unit;
        auto_buf names = { .max = 2048 };
        json_array_foreach(json_object_get(judged->machine, "failed"), i, unit) {
                if (i > 0)
                        buf_append_text(&names, ", ");
                buf_append_text(&names, text_or(json_string_value(unit), ""));
        }
        if (!json_is_array(json_object_get(judged->machine, "failed")))
                tell_machine(judged, "failed units", "systemd does not say which units failed",
                             "does systemctl --failed answer on the node?");
        if (names.size > 0)
                tell_machine(judged, "failed units", buf_text(&names),
                             "on the node: journalctl -b -u of each; systemctl reset-failed when it is mended");
}

static void judge_state_disk(const struct judged_machine *judged) {
        const json_t *state = json_object_get(judged->machine, "state");
        const char *status = member_text(state, "status"), *reason = member_text(state, "reason");
        if (!json_is_object(state) || strcmp(status, "mounted") == 0)
                return;
        auto_free char *evidence = xasprintf("%s: %s", status, reason);
        tell_machine(
            judged, "its state disk", evidence,
            "what its roles keep lies in memory, and is gone at the next reboot: is the disk there, and labelled?");
}

static void judge_network(const struct judged_machine *judged) {
        const char *problem = member_text(judged->machine, "network_problem");
        if (*problem)
                tell_machine(judged, "its network", problem, "journalctl -b -u kiln-network on the node");
}

// Why the machine is not the one that should be at this address, or NULL; heap.
static char *find_other(const struct judged_machine *judged, const struct cluster *cluster) {
        const char *name = member_text(judged->machine, "node"), *refused = member_text(judged->machine, "refused");
        const char *own = member_text(judged->machine, "cluster");
        if (*refused)
                return xasprintf("it was refused: %s", refused);
        if (strcmp(name, judged->node->name) != 0)
                return xasprintf("the machine at this address says that it is %s", name);
        if (strcmp(own, cluster->name) != 0)
                return xasprintf("the machine at this address is one of cluster %s", own);
        return NULL;
}

static bool is_answer(const json_t *machine) {
        return json_is_object(machine) && member_number(machine, "format") == 1 &&
               json_is_string(json_object_get(machine, "build")) && json_is_number(json_object_get(machine, "time"));
}

bool machine_judge(const struct cluster *cluster, const struct node *node, const struct probe *probe,
                   const char *wanted_build, json_t *target, json_t *findings, bool *ret_is_other,
                   struct buf *ret_why) {
        assert(cluster && node && target && ret_is_other && ret_why);
        auto_buf body = { .max = MACHINE_BYTES_MAX };
        *ret_is_other = false;
        if (!health_body(probe, "/", &body, ret_why))
                return false;
        json_t *machine = NULL;
        if (json_is_modest(buf_text(&body), body.size, MACHINE_VALUES_MAX, MACHINE_DEPTH_MAX))
                machine = json_loadb(buf_text(&body), body.size, 0, NULL);
        if (!is_answer(machine)) {
                json_decref(machine);
                buf_printf(ret_why, "what answers on port %d is no kiln-node", probe->port);
                return false;
        }
        const struct judged_machine judged = { node, machine, findings };
        auto_free char *other = find_other(&judged, cluster);
        if (other) {
                buf_append_text(ret_why, other);
                *ret_is_other = true;
        }
        judge_build(&judged, wanted_build);
        judge_disks(&judged);
        judge_units(&judged);
        judge_state_disk(&judged);
        judge_network(&judged);
        (void)!json_object_set_new(target, "machine", machine);
        return !other;
}
