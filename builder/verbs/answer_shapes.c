// SPDX-License-Identifier: MIT
#include "verbs/answer_shapes.h"

#include <string.h>

#include "base/mem.h"

// ---- builds and what differs between them ----

static const struct answer_member described_build[] = {
        { "build", "text", "its id", false },
        { "cluster", "text", "name of the cluster", false },
        { "release", "text", "release that it was made with", false },
        { "serial", "count", "number of the release; 0: none", false },
        { "path", "text", "where it is", false },
};
static const struct answer_member changed_option[] = {
        { "name", "text", "cluster, release, set, only, ...", false },
        { "from", "text", "value of the older build; empty: none", false },
        { "to", "text", "value of the newer build", false },
};
static const struct answer_member changed_value[] = {
        { "from", "text", "before; empty: none", false },
        { "to", "text", "after", false },
};
static const struct answer_member changed_package[] = {
        { "name", "text", "name of the package", false },
        { "arch", "text", "its architecture", false },
        { "change", "text", "up, down, new, gone, rebuilt (other bytes), moved (other repository)", false },
        { "from", "text", "version and release before; moved: the repository; empty: none", false },
        { "to", "text", "the same, after", false },
};
static const struct answer_member changed_file[] = {
        { "path", "text", "of the file, on the machine", false },
        { "layer", "text", "root or configuration", false },
        { "change", "text", "new, gone, content, attributes", false },
        { "from", "object or null", "as the older manifest has it; null: it was not there", false },
        { "to", "object or null", "as the newer manifest has it; null: it is not there", false },
        { "diff", "text", "unified, of text whose content is known and not private", true },
};
static const struct answer_member changed_unit[] = {
        { "unit", "text", "name of a unit of systemd", false },
        { "change", "text", "new, gone, changed, enabled, disabled, masked, unmasked", false },
};
static const struct answer_member changed_account[] = {
        { "name", "text", "name of a user or group", false },
        { "kind", "text", "user or group", false },
        { "change", "text", "new, gone, changed", false },
};
static const struct answer_member changed_size[] = {
        { "artefact", "text", "file of the role's folder, or path in the build", false },
        { "from", "count", "bytes; 0: it was not there", false },
        { "to", "count", "bytes", false },
};
static const struct answer_member changed_role[] = {
        { "change", "text", "same, changed, new, gone", false },
        { "packages", "changed packages", "packages that differ", false },
        { "kernel", "changed value or null", "its version", false },
        { "arguments", "changed value or null", "arguments of the kernel", false },
        { "files", "changed files", "files of both layers", false },
        { "units", "changed units", "what that means to systemd", false },
        { "users", "changed accounts", "users and groups", false },
        { "sizes", "changed sizes", "artefacts that are other bytes", false },
};
static const struct answer_member rendered_file[] = {
        { "path", "text", "of the file, on the machine", false },
        { "diff", "text", "unified; absent: it is private", true },
};
static const struct answer_member changed_node[] = {
        { "role", "text", "what it is now", false },
        { "change", "text", "nothing, configuration, root, role, new, gone, unknown", false },
        { "bytes", "count", "what its next boot loads", false },
        { "why", "texts", "what makes it another machine", false },
        { "files", "rendered files", "files that are rendered on it", false },
};
static const struct answer_member running_node[] = {
        { "role", "text or null", "what it is", false },
        { "runs", "text or null", "id of its build; null: nobody knows", false },
        { "stage", "text", "how far it is, as kiln serve says it", false },
        { "reboot", "yes, no or null", "it has to boot again; null: nobody can say", false },
        { "change", "text", "as between two builds", false },
        { "bytes", "count", "what its next boot loads", false },
        { "why", "texts", "what makes it another machine, or why nobody knows", false },
        { "files", "rendered files", "files that are rendered on it", false },
};

// ---- others ----

static const struct answer_member cache_kind[] = {
        { "entries", "count", "how many", false },
        { "bytes", "count", "what they take on the disk", false },
};
static const struct answer_member resolved_package[] = {
        { "nevra", "text", "name, epoch, version, release, architecture", false },
        { "name", "text", "its name", false },
        { "arch", "text", "its architecture", false },
        { "repository", "text", "where it comes from", false },
        { "bytes", "count", "to download", false },
        { "installed_bytes", "count", "installed", false },
};
static const struct answer_member planned_step[] = {
        { "step", "text", "as events name it: install base, pack master, ...", false },
        { "role", "text or null", "whose it is; null: the whole build's", false },
        { "state", "text", "cached, make, or unknown before something else is made", false },
        { "why", "texts", "what is different from the build that it is compared with, ...", false },
        { "last_ms", "count", "what it took when it was last made", true },
};
static const struct answer_member lacking_package[] = {
        { "nevra", "text", "name, epoch, version, release, architecture", false },
        { "repository", "text", "where it comes from", false },
        { "bytes", "count", "its size", false },
        { "from", "text", "network, or this machine: a repository there", false },
        { "damaged", "yes or no", "the cache has a file of it, which is not what it should be", false },
};
static const struct answer_member rollout_step[] = {
        { "role", "text", "what its machines are", false },
        { "nodes", "texts", "machines that leave at once", false },
        { "changes", "texts", "of each of them: configuration, root, ...", false },
        { "leads", "texts", "what one of them leads now", false },
        { "alone", "yes or no", "the role has no other machine", false },
        { "reboot", "text", "how: ssh, ipmi, hand, ...", false },
        { "drain", "texts", "actions before it", false },
};
static const struct answer_member skipped_node[] = {
        { "node", "text", "its name", false },
        { "why", "text", "why it stays as it is", false },
};
static const struct answer_member rack_machine[] = {
        { "name", "text", "its name", false },
        { "role", "text", "its role", false },
        { "ip", "text", "its address", false },
        { "power", "text", "off, waiting (for others that boot), on", false },
        { "stage", "text", "how far it is", false },
        { "since", "number", "when the stage began, of the rack's clock", false },
        { "on", "count or null", "when it was switched on; null: never", false },
        { "pid", "count", "process of its QEMU; 0: none", false },
        { "memory", "count", "MiB", false },
        { "percent", "count", "of the stage", true },
        { "text", "text", "what the machine says of itself", true },
};

// An object that tables name: alone, as a list, or as an object of such by name; NULL: never so.
#define SHAPE(one, list, by_name, members)                                                                             \
        { one, list, by_name, members, lengthof(members) }
static const struct answer_shape {
        const char *one, *list, *by_name;
        const struct answer_member *members;
        size_t count;
} answer_shapes[] = {
        SHAPE("a build", NULL, NULL, described_build),
        SHAPE(NULL, "options", NULL, changed_option),
        SHAPE("changed value", NULL, NULL, changed_value),
        SHAPE(NULL, "changed packages", NULL, changed_package),
        SHAPE(NULL, "changed files", NULL, changed_file),
        SHAPE(NULL, "changed units", NULL, changed_unit),
        SHAPE(NULL, "changed accounts", NULL, changed_account),
        SHAPE(NULL, "changed sizes", NULL, changed_size),
        SHAPE(NULL, NULL, "roles by name", changed_role),
        SHAPE(NULL, "rendered files", NULL, rendered_file),
        SHAPE(NULL, NULL, "nodes by name", changed_node),
        SHAPE(NULL, NULL, "running nodes by name", running_node),
        SHAPE(NULL, NULL, "kinds by name", cache_kind),
        SHAPE(NULL, "resolved packages", NULL, resolved_package),
        SHAPE(NULL, "planned steps", NULL, planned_step),
        SHAPE(NULL, "lacking packages", NULL, lacking_package),
        SHAPE(NULL, "steps", NULL, rollout_step),
        SHAPE(NULL, "skipped nodes", NULL, skipped_node),
        SHAPE(NULL, "machines", NULL, rack_machine),
};

static bool shape_word_is(const char *word, const char *type, size_t length) {
        return word && strlen(word) == length && memcmp(word, type, length) == 0;
}

bool answer_shape_find(const char *type, struct answer_use *ret) {
        static const char ending[] = " or null";
        size_t length = strlen(type), tail = strlen(ending);
        bool may_be_null = length > tail && strcmp(type + length - tail, ending) == 0;
        if (may_be_null)
                length -= tail;
        for (size_t i = 0; i < lengthof(answer_shapes); i++) {
                const struct answer_shape *shape = &answer_shapes[i];
                bool is_list = shape_word_is(shape->list, type, length),
                     is_by_name = shape_word_is(shape->by_name, type, length);
                *ret = (struct answer_use){ shape->members, shape->count, is_list, is_by_name, may_be_null };
                if (is_list || is_by_name || shape_word_is(shape->one, type, length))
                        return true;
        }
        return false;
}
