#include "firmware/node/apply.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "firmware/node/root.h"

static bool set_hostname(const char *hostname, struct err *err) {
        char now[HOSTNAME_SIZE + 1] = "";
        if (gethostname(now, sizeof now - 1) == 0 && strcmp(now, hostname) == 0)
                return true;
        if (sethostname(hostname, strlen(hostname)) < 0)
                return fail(err, ERR_SYSTEM, errno, "set the host name to %s", hostname);
        return true;
}

bool apply_plan(int root, bool is_live, const struct plan *plan, struct applied *ret, struct err *err) {
        *ret = (struct applied){ 0 };
        bool changed;
        for (size_t i = 0; i < plan->file_count; i++) {
                const struct plan_file *file = &plan->files[i];
                const struct root_file wanted = { file->path, file->content, file->size,
                                                  file->mode, file->uid,     file->gid };
                if (!root_write(root, &wanted, &changed, err))
                        return false;
                ret->changed += changed;
        }
        for (size_t i = 0; i < plan->remove_count; i++) {
                if (!root_remove(root, plan->removes[i], &changed, err))
                        return false;
                ret->changed += changed;
        }
        return !is_live || set_hostname(plan->hostname, err);
}

// ---- report ----

static bool write_report(int root, const char *path, const char *text, struct err *err) {
        bool changed;
        return root_write(root, &(struct root_file){ path, text, strlen(text), 0644, 0, 0 }, &changed, err);
}

bool report_write(const struct machine *machine, const struct decision *decision, const struct applied *applied,
                  struct err *err) {
        const struct inventory *inventory = &machine->inventory;
        json_t *root = plan_json(&decision->plan, false);
        json_t *head = json_pack(
            "{si ss ss ss ss sI sI sI sI ss ss}", "format", 1, "cluster", inventory->cluster, "role", inventory->role,
            "build", inventory->build, "release", inventory->release, "elapsed_ms", (json_int_t)applied->elapsed_ms,
            "interfaces_ms", (json_int_t)decision->interfaces_ms, "dhcp_ms", (json_int_t)decision->dhcp_ms, "changed",
            (json_int_t)applied->changed, "serial", machine->facts.serial, "uuid", machine->facts.uuid);
        json_object_update(head, root);
        json_decref(root);
        auto_free char *text = json_dumps(head, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        json_decref(head);
        if (!text)
                return fail(err, ERR_INTERNAL, 0, "the report is not UTF-8");
        return write_report(machine->root, "/run/kiln/report.json", text, err) &&
               write_report(machine->root, "/var/lib/kiln/report.json", text, err);
}

static const struct plan_value *find_value(const struct plan *plan, const char *name) {
        static const struct plan_value none = { "", "", "" };
        for (size_t i = 0; i < plan->value_count; i++)
                if (strcmp(plan->values[i].name, name) == 0)
                        return &plan->values[i];
        return &none;
}

static void refusal_text(const struct plan *plan, struct buf *text) {
        buf_printf(text,
                   "kiln-node: REFUSED: %s\n"
                   "kiln-node: this machine has: %s\n"
                   "kiln-node: the cluster's services stay down. Enter the machine in the inventory, boot its own "
                   "role's image,\n"
                   "kiln-node: or give kiln.node=NAME on the kernel command line; then reboot.\n",
                   plan->refusal, plan->found);
}

void report_text(const struct decision *decision, const struct applied *applied, struct buf *ret_text) {
        const struct plan *plan = &decision->plan;
        if (plan->refusal) {
                refusal_text(plan, ret_text);
        } else {
                const struct plan_value *ip = find_value(plan, "ip"), *id = find_value(plan, "id");
                buf_printf(ret_text, "kiln-node: %s role=%s ip=%s (%s)", plan->hostname,
                           find_value(plan, "role")->value, ip->value, ip->source);
                if (*id->value)
                        buf_printf(ret_text, " id=%s", id->value);
                buf_printf(ret_text, " interface=%s, %zu files changed, %lld ms\n",
                           find_value(plan, "interface")->value, applied->changed, (long long)applied->elapsed_ms);
        }
        for (size_t i = 0; i < plan->note_count; i++)
                buf_printf(ret_text, "kiln-node: note: %s\n", plan->notes[i]);
}

void report_on_consoles(const char *text) {
        char active[256] = "";
        auto_close int list = open("/sys/class/tty/console/active", O_RDONLY | O_CLOEXEC);
        if (list < 0 || read(list, active, sizeof active - 1) <= 0)
                return;
        // The last one is /dev/console, where the unit's output goes already.
        char *last = strrchr(active, ' '), *save = NULL;
        if (!last)
                return;
        *last = '\0';
        for (char *name = strtok_r(active, " \n", &save); name; name = strtok_r(NULL, " \n", &save)) {
                char path[sizeof active + 8];
                snprintf(path, sizeof path, "/dev/%s", name);
                auto_close int fd = open(path, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
                if (fd >= 0)
                        (void)!write(fd, text, strlen(text));
        }
}
