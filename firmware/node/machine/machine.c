// SPDX-License-Identifier: MIT
#include "firmware/node/machine/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "firmware/node/cmdline/cmdline.h"
#include "firmware/node/machine/way_in.h"
#include "firmware/node/root/root.h"
#include "firmware/node/state/state.h"
#include "shared/node_config.h"

enum { ISSUE_MAX = 1 << 20 };

static bool read_command_line(struct machine *machine, const char *path, struct err *err) {
        auto_close int fd = open(path ? path : "/proc/cmdline", O_RDONLY | O_CLOEXEC);
        auto_buf text = { .max = 2 * CMDLINE_MAX + 16384 };
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s", path ? path : "/proc/cmdline");
        if (!buf_read_fd(&text, fd, err))
                return wrap(err, "the kernel command line");
        machine->facts.command_line = arena_strdup(&machine->arena, buf_text(&text));
        return true;
}

static bool read_templates(struct machine *machine, struct err *err) {
        const struct inventory *inventory = &machine->inventory;
        machine->facts.template_texts = arena_alloc(&machine->arena, inventory->template_count * sizeof(char *));
        for (size_t i = 0; i < inventory->template_count; i++) {
                const char *source = inventory->templates[i].source;
                auto_buf text = { .max = NODE_TEMPLATE_MAX_BYTES + NODE_READ_ROOM_BYTES };
                bool found;
                if (!root_read(machine->root, source, &text, &found, err))
                        return false;
                if (!found)
                        return fail(err, ERR_REFERENCE, 0, "%s: the template of %s is missing", source,
                                    inventory->templates[i].path);
                if (memchr(buf_text(&text), '\0', text.size))
                        return fail(err, ERR_TEMPLATE, 0, "%s: holds a NUL byte", source);
                machine->facts.template_texts[i] = arena_strdup(&machine->arena, buf_text(&text));
        }
        return true;
}

static bool read_issue(struct machine *machine, struct err *err) {
        auto_buf text = { .max = ISSUE_MAX };
        bool found;
        if (!root_read(machine->root, "/etc/issue", &text, &found, err))
                return false;
        machine->facts.issue = found ? arena_strdup(&machine->arena, buf_text(&text)) : NULL;
        return true;
}

// Files on the machine's disks. A config drive is looked for later.
static void read_secrets(struct machine *machine) {
        const struct state_facts *state = machine->facts.state;
        if (machine->inventory.secrets.count == 0)
                return;
        machine->facts.secret_sources = machine->secret_sources;
        machine->facts.secret_source_count = lengthof(machine->secret_sources);
        if (state && state->record.status == STATE_MOUNTED)
                secret_source_read(&machine->secret_sources[SECRETS_OF_STATE_DISK], machine->root, STATE_MOUNT "/kiln",
                                   "the state disk");
        secret_source_read(&machine->secret_sources[SECRETS_OF_ROOT], machine->root, "/var/lib/kiln", "/var/lib/kiln");
}

bool machine_open(const char *root, const char *command_line_file, struct machine *ret, struct err *err) {
        *ret = (struct machine){ .root = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
        if (ret->root < 0)
                return fail(err, ERR_SYSTEM, errno, "open %s", root);
        auto_buf config = { .max = NODE_JSON_MAX_BYTES + NODE_READ_ROOM_BYTES };
        bool found;
        if (!root_read(ret->root, "/etc/kiln/node.json", &config, &found, err))
                return false;
        if (!found)
                return fail(err, ERR_REFERENCE, 0, "/etc/kiln/node.json is missing: this is no image of kiln");
        if (!inventory_read(buf_text(&config), config.size, &ret->arena, &ret->inventory, err))
                return wrap(err, "/etc/kiln/node.json");
        ret->facts.inventory = &ret->inventory;
        if (!read_templates(ret, err) || !read_issue(ret, err) ||
            !state_read(ret->root, &ret->inventory.state, &ret->arena, &ret->facts.state, err))
                return false;
        read_secrets(ret);
        ret->facts.nobody_gets_in = way_in_is_missing(ret->root);
        return read_command_line(ret, command_line_file, err);
}

void machine_close(struct machine *machine) {
        if (machine->root >= 0)
                close(machine->root);
        for (size_t i = 0; i < lengthof(machine->secret_sources); i++)
                secret_source_release(&machine->secret_sources[i]);
        arena_release(&machine->arena);
        *machine = (struct machine){ .root = -1 };
}
