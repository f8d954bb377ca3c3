// SPDX-License-Identifier: MIT
// Fuzz target: all that says who a machine is. Input that begins with '{' is a file of facts; other input is a command
// line and, after a NUL byte, the kiln.conf of a config drive. Whatever it is, there is a plan or a refusal, and a plan
// is safe to carry out.
// Build with clang -fsanitize=fuzzer,address,undefined -D_GNU_SOURCE -Ibuilder -I. and firmware/node/**/*.c without
// main.c, builder/base/{err,mem,buf,mistake,run,interrupt}.c, builder/shared/*.c, -ljansson
// -lblkid -lnettle -lresolv; run with tests/fuzz/node_facts.corpus as argument. tests/unit/node_fuzz_facts.c replays
// the corpus on every run.
#include <string.h>

#include "firmware/node/machine/facts_json.h"
#include "tests/fuzz/cmdline_checks.h"
#include "tests/unit/node.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

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
