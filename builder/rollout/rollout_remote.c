// SPDX-License-Identifier: MIT
// What is run on a node, by ssh(1), and how it is made to boot again.
//
// A node that boots from the network has new host keys each time, so that the user's known_hosts would refuse it after
// its first boot. Each node's key is kept in a file of the rollout, from the first connection to the next reboot:
// nobody takes a node's place while it runs. --ssh-config FILE leaves all of this to the user's own configuration.
//
// IPMI goes through ipmitool(1), not libfreeipmi, although Debian 12 has both: it is needed at sites with such
// controllers alone, then found in PATH, takes the password from a file, and kiln need not be linked with a protocol
// that most never use.
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json_member.h"
#include "base/progress.h"
#include "base/run.h"
#include "base/shell_word.h"
#include "rollout/internal.h"

#define CONNECT_TIMEOUT "ConnectTimeout=5"
enum { OUTPUT_MAX = 1 << 20, BOOT_ID_MAX = 64, SSH_LOST = 255 };

// ---- ssh ----

static const char *host_key_file(struct arena *arena, const struct rollout *rollout, const struct node *node) {
        return arena_printf(arena, "%s/known_hosts.%s", text_or(rollout->dir_path, "."), node->name);
}

void remote_forget(const struct rollout *rollout, const struct node *node) {
        struct arena arena = { 0 };
        if (rollout->dir >= 0)
                (void)remove(host_key_file(&arena, rollout, node));
        arena_release(&arena);
}

static void add_ssh_word(struct arena *arena, struct strings *words, const char *word) {
        words->items = arena_grow(arena, words->items, words->count, sizeof *words->items);
        words->items[words->count++] = word;
}

static void add_ssh_options(struct arena *arena, const struct rollout *rollout, const struct node *node,
                            struct strings *words) {
        const char *const always[] = { "ssh",
                                       "-o",
                                       "BatchMode=yes",
                                       "-o",
                                       CONNECT_TIMEOUT,
                                       "-o",
                                       "ServerAliveInterval=5",
                                       "-o",
                                       "ServerAliveCountMax=3" };
        for (size_t i = 0; i < lengthof(always); i++)
                add_ssh_word(arena, words, always[i]);
        if (rollout->options->ssh_config) {
                add_ssh_word(arena, words, "-F");
                add_ssh_word(arena, words, rollout->options->ssh_config);
                return;
        }
        const char *keys = "/dev/null"; // a plan writes nothing
        if (rollout->dir >= 0)
                keys = host_key_file(arena, rollout, node);
        add_ssh_word(arena, words, "-o");
        add_ssh_word(arena, words, arena_printf(arena, "UserKnownHostsFile=%s", keys));
        add_ssh_word(arena, words, "-o");
        add_ssh_word(arena, words, "StrictHostKeyChecking=accept-new");
}

bool remote_run(const struct rollout *rollout, const struct node *node, const struct strings *words,
                const struct buf *input, int64_t limit_s, struct buf *ret_output, int *ret_status, struct err *err) {
        struct arena arena = { 0 };
        struct strings argv = { 0 };
        char ip[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &node->ip, ip, sizeof ip);
        add_ssh_options(&arena, rollout, node, &argv);
        add_ssh_word(&arena, &argv, arena_printf(&arena, "root@%s", ip));
        add_ssh_word(&arena, &argv, "--");
        for (size_t i = 0; i < words->count; i++)
                add_ssh_word(&arena, &argv, shell_word(&arena, words->items[i]));
        add_ssh_word(&arena, &argv, NULL);
        struct run ssh = { .argv = argv.items, .output = ret_output, .ret_status = ret_status, .limit_s = limit_s };
        if (input) {
                ssh.input = buf_text(input);
                ssh.input_size = input->size;
        }
        bool ok = run(&ssh, err);
        arena_release(&arena);
        return ok || wrap(err, "%s (%s)", node->name, ip);
}

// ---- what runs there ----

// It comes from the node, and goes to the journal.
static bool is_boot_id(const char *text, size_t length) {
        for (size_t i = 0; i < length; i++)
                if (!isalnum((unsigned char)text[i]) && text[i] != '-')
                        return false;
        return length > 0 && length <= BOOT_ID_MAX;
}

// The boot's id on the first line, the report of kiln-node behind it. False: it is none.
static bool read_running(struct rollout *rollout, const char *text, struct running *ret) {
        size_t length = strcspn(text, "\n");
        if (!is_boot_id(text, length))
                return false;
        json_t *report = json_loads(text + length, 0, NULL);
        ret->boot_id = arena_strndup(&rollout->arena, text, length);
        ret->build = arena_strdup(&rollout->arena, member_text(report, "build"));
        json_decref(report);
        return true;
}

bool remote_running(struct rollout *rollout, const struct node *node, struct running *ret, bool *ret_answers,
                    struct err *err) {
        static const char *words[] = { "cat", "/proc/sys/kernel/random/boot_id", "/run/kiln/report.json" };
        const struct strings command = { words, lengthof(words) };
        auto_buf output = { .max = OUTPUT_MAX };
        auto_err silent = { 0 };
        int status = 0;
        *ret = (struct running){ "", "" };
        *ret_answers = false;
        if (!remote_run(rollout, node, &command, NULL, REMOTE_LIMIT_S, &output, &status, &silent)) {
                bool is_ours = silent.kind == ERR_INTERRUPTED || silent.number == ENOENT; // no ssh on this machine
                return !is_ours || fail(err, silent.kind, 0, "%s", silent.text);
        }
        if (status != 0)
                return true;
        *ret_answers = read_running(rollout, buf_text(&output), ret);
        return true;
}

// ---- reboots ----

enum rollout_reboot rollout_means(const struct rollout *rollout, const struct role *role) {
        for (int i = 0; rollout->options->reboot && rollout_reboot_names[i]; i++)
                if (strcmp(rollout_reboot_names[i], rollout->options->reboot) == 0)
                        return (enum rollout_reboot)i;
        return (enum rollout_reboot)role->rollout.reboot;
}

// The connection may end with the machine, before the command does.
static bool reboot_by_ssh(const struct rollout *rollout, const struct node *node, struct err *err) {
        static const char *words[] = { "systemctl", "reboot" };
        const struct strings command = { words, lengthof(words) };
        auto_buf output = { .max = OUTPUT_MAX };
        int status = 0;
        if (!remote_run(rollout, node, &command, NULL, REMOTE_LIMIT_S, &output, &status, err))
                return false;
        if (status == 0 || status == SSH_LOST)
                return true;
        return fail(err, ERR_ROLLOUT, 0, "%s: systemctl reboot: exit status %d", node->name, status);
}

static bool run_ipmitool(const struct node *node, const char *action, struct buf *output, struct err *err) {
        const char *const argv[] = { "ipmitool",
                                     "-I",
                                     "lanplus",
                                     "-H",
                                     node->bmc.address,
                                     "-U",
                                     node->bmc.user,
                                     "-f",
                                     node->bmc.password_file,
                                     "chassis",
                                     "power",
                                     action,
                                     NULL };
        const struct run ipmitool = { .argv = argv, .output = output, .limit_s = REMOTE_LIMIT_S };
        return run(&ipmitool, err) || wrap(err, "%s, its controller %s", node->name, node->bmc.address);
}

static bool reboot_by_ipmi(const struct node *node, struct err *err) {
        auto_buf power = { .max = OUTPUT_MAX }, answer = { .max = OUTPUT_MAX };
        if (!node->bmc.address)
                return fail(err, ERR_ROLLOUT, 0, "%s has no `bmc` in the inventory, by which it could be switched",
                            node->name);
        if (!run_ipmitool(node, "status", &power, err))
                return false;
        if (strstr(buf_text(&power), "is off"))
                return run_ipmitool(node, "on", &answer, err);
        return run_ipmitool(node, "cycle", &answer, err);
}

bool remote_reboot(struct rollout *rollout, const struct node *node, enum rollout_reboot means, struct err *err) {
        switch (means) {
        case ROLLOUT_SSH:
                return reboot_by_ssh(rollout, node, err);
        case ROLLOUT_IPMI:
                return reboot_by_ipmi(node, err);
        case ROLLOUT_BUTTON:
                break;
        }
        fprintf(stderr, "press the button of %s now: %jd s are waited for it\n", node->name,
                (intmax_t)rollout->options->timeout_s);
        return true;
}
