// SPDX-License-Identifier: MIT
// Fuzz target: all that says who a machine is. Input that begins with '{' is a file of facts; other input is a command
// line and, after a NUL byte, the kiln.conf of a config drive. Whatever it is, there is a plan or a refusal, and a plan
// is safe to carry out.
// Build with clang -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Ibuilder -I. and firmware/node/**/*.c without
// main.c, builder/base/{err,mem,buf,mistake,run,interrupt}.c, builder/shared/*.c, -ljansson
// -lblkid -lnettle -lresolv; run with tests/fuzz/node_facts.corpus as argument. tests/unit/node_fuzz_facts.c replays
// the corpus on every run.
#include <stdlib.h>
#include <string.h>

#include "firmware/node/cmdline/cmdline.h"
#include "firmware/node/machine/facts_json.h"
#include "tests/unit/node.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition) {
        if (!condition)
                abort();
}

static bool is_link(const char *name) { return !*name || interface_name_is_valid(name); }

static void check_cmdline(const struct cmdline *cmdline) {
        must(cmdline->ip_count <= CMDLINE_IP_MAX && cmdline->note_count <= CMDLINE_NOTES_MAX &&
             cmdline->dns_count <= DNS_MAX && cmdline->dns6_count <= DNS_MAX &&
             cmdline->vlan_count <= CMDLINE_LINKS_MAX && cmdline->bond_count <= CMDLINE_LINKS_MAX);
        must(cmdline->id >= 0 && cmdline->id <= 255 && cmdline->prefix >= -1 && cmdline->prefix <= 32);
        for (size_t i = 0; i < cmdline->ip_count; i++) {
                const struct cmdline_ip *ip = &cmdline->ips[i];
                must(is_link(ip->interface) && (!*ip->hostname || hostname_is_valid(ip->hostname)));
                must(ip->prefix >= -1 && ip->prefix <= 32 && ip->prefix6 >= -1 && ip->prefix6 <= 128 &&
                     (ip->mtu == 0 || (ip->mtu >= 68 && ip->mtu <= 65535)) && ip->dns_count <= 2);
                must(!ip->address || address_is_host(ip->address));
        }
        for (size_t i = 0; i < cmdline->vlan_count; i++)
                must(is_link(cmdline->vlans[i].name) && is_link(cmdline->vlans[i].parent) &&
                     cmdline->vlans[i].id >= 1 && cmdline->vlans[i].id <= 4094);
        for (size_t i = 0; i < cmdline->bond_count; i++)
                for (size_t j = 0; j < cmdline->bonds[i].member_count; j++)
                        must(j < CMDLINE_MEMBERS_MAX && is_link(cmdline->bonds[i].members[j]));
}

static void check_plan(const struct plan *plan) {
        for (size_t i = 0; i < plan->file_count; i++) {
                const struct plan_file *file = &plan->files[i];
                must(file->path[0] == '/' && !strstr(file->path, "/../") && !strstr(file->path, "//") &&
                     strlen(file->content) == file->size); // no NUL byte
        }
        must(plan->refusal ? *plan->refusal != '\0' : hostname_is_valid(plan->hostname));
        json_t *json = plan_json(plan, true);
        char *text = json ? json_dumps(json, 0) : NULL;
        must(text != NULL);
        free(text);
        json_decref(json);
}

static void plan_with(const char *inventory, const char *text, const char *drive) {
        struct trial *trial = xcalloc(1, sizeof *trial);
        struct err err = { 0 };
        trial_init(trial, inventory, "");
        trial_interface(trial, "eth0", "52:54:00:a8:02:47", true);
        trial_interface(trial, "eth1", "52:54:00:00:00:01", true);
        bool ok = true;
        if (*text == '{') {
                ok = facts_read_json(text, strlen(text), &trial->arena, &trial->facts, &err);
        } else {
                trial->facts.command_line = text;
                trial->facts.config_drive = drive;
        }
        err_release(&err);
        if (ok) {
                must(plan_make(&trial->facts, &trial->plan, &err));
                check_plan(&trial->plan);
        }
        err_release(&err);
        trial_release(trial);
        free(trial);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static struct cmdline cmdline;
        struct err err = { 0 };
        char *text = xstrndup((const char *)data, size);
        size_t used = strlen(text);
        char *drive = used < size ? xstrndup((const char *)data + used + 1, size - used - 1) : NULL;
        if (cmdline_parse(text, &cmdline, &err) && (!drive || cmdline_parse_drive(drive, "/dev/sr0", &cmdline, &err)))
                check_cmdline(&cmdline);
        else
                must(err.kind == ERR_IDENTITY && err.text);
        err_release(&err);
        plan_with(NODE_JSON("master", "true", "false", "ifcfg"), text, drive);
        plan_with(NODE_JSON("slave", "false", "true", "NetworkManager"), text, drive);
        plan_with(NODE_JSON("slave", "false", "true", "systemd-networkd"), text, drive);
        free(drive);
        free(text);
        return 0;
}
