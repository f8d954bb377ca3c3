// SPDX-License-Identifier: MIT
// The grammar of a role file.
#include <assert.h>
#include <string.h>

#include "profile/internal.h"
#include "profile/tables.h"

static const char *const failure_actions[] = { "retry", "reboot", "shell", "halt", NULL };
static const char *const health_kinds[HEALTH_KIND_COUNT + 1] = { "tcp", "http", "text", "zookeeper" };
static const char *const health_replies[] = { "epoch", "name", "children", NULL };
static const char *const agreement_kinds[] = { "same",    "one",    "sum",  "every", "names",
                                               "members", "recent", "sets", "most",  NULL };

const char *health_kind_name(enum health_kind kind) {
        assert(kind < HEALTH_KIND_COUNT);
        return health_kinds[kind];
}

#define VALUE_NAME_PATTERN "^[A-Za-z0-9_.+-]+[.][A-Za-z0-9_+-]+$"

static const char *const boot_menu_states[] = { "open", BOOT_MENU_LOCKED, NULL };

static const struct schema_field service_rows[] = {
        { "enable", "units to enable", &type_texts, MEMBER(role_file, services_enable), .pattern = UNIT_PATTERN,
          .pattern_means = UNIT_MEANS },
        { "disable", "units to disable, whatever packages say", &type_texts, MEMBER(role_file, services_disable),
          .pattern = UNIT_PATTERN, .pattern_means = UNIT_MEANS },
        { "cluster", "units to enable that start only when the node knows who it is", &type_texts,
          MEMBER(role_file, services_cluster), .pattern = UNIT_PATTERN, .pattern_means = UNIT_MEANS },
};
static const struct schema service_part =
    SCHEMA_PART(service_rows, "`services`", "units; without a suffix they are services");

static const struct schema_field user_rows[] = {
        { "name", "login name", &type_text, MEMBER(user, name), .required = true,
          .pattern = "^[a-z_][a-z0-9_-]{0,30}[$]?$", .pattern_means = "a login name" },
        { "uid", "user id; absent: the next free one", &type_id, MEMBER(user, uid), .min = 0, .max = 2147483646 },
        { "system", "a system account", &type_bool, MEMBER(user, system), .fallback = "false" },
        { "home", "home directory", &type_path, MEMBER(user, home) },
        { "shell", "login shell", &type_path, MEMBER(user, shell) },
        { "comment", "full name", &type_text, MEMBER(user, comment), .fallback = "", .pattern = "^[^:]*$",
          .pattern_means = "a text without `:`" },
        { "groups", "groups it is a member of besides its own", &type_texts, MEMBER(user, groups),
          .pattern = "^[a-z_][a-z0-9_-]{0,30}$", .pattern_means = "a group name" },
};
static const struct schema user_table = SCHEMA(user, user_rows, "a user", "an account of the image");

#define SERVICES_ROW(STRUCT)                                                                                           \
        {                                                                                                              \
                "services",                                                                                            \
                    "units that stay down on a node where a secret that the file needs has no value; absent: all of "  \
                    "services.cluster; []: none, the file alone is missing",                                           \
                    &type_texts, MEMBER(STRUCT, services), .or_one = true, .pattern = UNIT_PATTERN,                    \
                                                           .pattern_means = UNIT_MEANS                                 \
        }

#define OWNER_ROWS(STRUCT, OWNER)                                                                                      \
        { "owner",                                                                                                     \
          "user name or number",                                                                                       \
          &type_text,                                                                                                  \
          MEMBER(STRUCT, owner),                                                                                       \
          .fallback = OWNER,                                                                                           \
          .pattern = IDENTITY_PATTERN,                                                                                 \
          .pattern_means = IDENTITY_MEANS },                                                                           \
        {                                                                                                              \
                "group", "group name or number", &type_text, MEMBER(STRUCT, group),                                    \
                    .fallback = OWNER, .pattern = IDENTITY_PATTERN, .pattern_means = IDENTITY_MEANS                    \
        }

static const struct schema_field file_rows[] = {
        { "path", "where it is in the image", &type_path, MEMBER(file, path), .required = true },
        { "content", "what is in it", &type_text, MEMBER(file, content) },
        { "source", "file to copy, relative to the role file", &type_text, MEMBER(file, source) },
        { "link", "target of a symbolic link", &type_text, MEMBER(file, link) },
        { "directory", "make a directory", &type_bool, MEMBER(file, is_directory), .fallback = "false" },
        { "template", "render it (of a link: its target, for the build)", &type_bool, MEMBER(file, is_template),
          .fallback = "false" },
        { "mode",
          "mode, octal; absent: 0644, 0755 for an executable source, 0600 for a template with secrets; a directory "
          "that packages have keeps its own",
          &type_mode, MEMBER(file, mode) },
        OWNER_ROWS(file, "root"),
        SERVICES_ROW(file),
};
static const struct schema file_table =
    SCHEMA(file, file_rows, "a file", "a file of the image with one of content, source, link and directory");

static const struct schema_field attribute_rows[] = {
        { "path", "path in the image of a file or directory from an overlay", &type_path, MEMBER(attributes, path),
          .required = true },
        { "mode", "mode, octal", &type_mode, MEMBER(attributes, mode) },
        OWNER_ROWS(attributes, NULL),
        SERVICES_ROW(attributes),
};
static const struct schema attribute_table =
    SCHEMA(attributes, attribute_rows, "`attributes`", "mode and owner of a file or directory from an overlay");

static const struct schema_field state_rows[] = {
        { "path", "directory in the image", &type_path, MEMBER(state_path, path), .required = true },
        { "mode", "mode, octal", &type_mode, MEMBER(state_path, mode), .fallback = "0755" },
        OWNER_ROWS(state_path, "root"),
        { "id_file", "file in it that says the node's id (ZooKeeper's myid): another id there refuses the node",
          &type_text, MEMBER(state_path, id_file), .pattern = FILE_NAME_PATTERN, .pattern_means = FILE_NAME_MEANS },
};
static const struct schema state_table =
    SCHEMA(state_path, state_rows, "a state path", "a directory that outlives reboots when there is a state disk");

static const struct schema_field reserve_rows[] = {
        { "memory_mb", "of memory, in 2^20 bytes; never more than half of it is held back", &type_optional_count,
          MEMBER(role_file, reserve_memory_mb), .min = 0, .max = 100000000 },
        { "cpus", "of processors; one is left in any case", &type_optional_count, MEMBER(role_file, reserve_cpus),
          .min = 0, .max = 100000 },
};
static const struct schema reserve_part = SCHEMA_PART(
    reserve_rows, "`reserve`", "what node.machine.task_memory_mb and task_cpus are less than the machine has");

static const struct schema_field health_value_rows[] = {
        { "name", "name of the value", &type_text, MEMBER(health_value, name), .required = true,
          .pattern = FILE_NAME_PATTERN, .pattern_means = "a name" },
        { "json",
          "its key in the JSON answer; a.b is b in a, 0 the first item of a list, # a list's length, * each of its "
          "items, "
          "which makes a list of texts",
          &type_text, MEMBER(health_value, json) },
        { "line", "the word at the beginning of its line; a blank, `:` or `=` follows", &type_text,
          MEMBER(health_value, line) },
        { "match", "extended regular expression; what its first group matches, or all of it if it has none", &type_text,
          MEMBER(health_value, match) },
        { "matches", "the same, everywhere in the answer, which makes a list of texts", &type_text,
          MEMBER(health_value, matches) },
        { "form",
          "for json: the text that an object makes, with {KEY} for what it has, as in {host}:{ports.0}; one without a "
          "KEY makes none",
          &type_text, MEMBER(health_value, form), .pattern = "^([^{}]|[{][^{}*]+[}])+$",
          .pattern_means = "a text with {KEY} in it" },
        { "reply",
          "for zookeeper: epoch of the member's last change, name of the child that answers, names of all children "
          "that "
          "match, a list",
          &type_text, MEMBER(health_value, reply), .choices = health_replies },
        { "expect", "extended regular expression that it matches on a healthy node", &type_text,
          MEMBER(health_value, expect) },
};
static const struct schema health_value_table =
    SCHEMA(health_value, health_value_rows, "a value", "what is read from the answer of a check");

static const struct schema_field agreement_rows[] = {
        { "name", "name for messages", &type_text, MEMBER(agreement, name), .required = true },
        { "value", "whose value of every node is looked at: CHECK.VALUE", &type_text, MEMBER(agreement, value),
          .required = true, .pattern = VALUE_NAME_PATTERN, .pattern_means = "CHECK.VALUE" },
        { "kind",
          "same: all that answer say the same; one: exactly one of them matches `is`; sum: their sum is the number of "
          "nodes of `nodes_of`, less `less`; every: all match `is`; names: all name the one node whose `where` matches "
          "`is`; members: the lists hold each node of `nodes_of` once, and nobody else; recent: no time in the lists "
          "is "
          "older than `within_s`; sets: each node's list holds the same texts as those of `says` of `nodes_of`, in any "
          "order; most: no node says a greater number than the one whose `where` matches `is`",
          &type_choice, MEMBER(agreement, kind), .required = true, .choices = agreement_kinds },
        { "is", "for one, every, names and most: an extended regular expression", &type_text, MEMBER(agreement, is) },
        { "where", "for names and most: the CHECK.VALUE that matches `is` on the node that is meant", &type_text,
          MEMBER(agreement, where), .pattern = VALUE_NAME_PATTERN, .pattern_means = "CHECK.VALUE" },
        { "nodes_of", "for sum, members and sets: a role", &type_text, MEMBER(agreement, nodes_of),
          .pattern = NAME_PATTERN, .pattern_means = NAME_MEANS },
        { "says",
          "for members: the CHECK.VALUE of that role's nodes by which they are listed; absent: by name or address. For "
          "sets: the CHECK.VALUE of that role's nodes that is compared",
          &type_text, MEMBER(agreement, says), .pattern = VALUE_NAME_PATTERN, .pattern_means = "CHECK.VALUE" },
        { "each", "for members: every node lists all of them, and not all nodes together", &type_bool,
          MEMBER(agreement, each), .fallback = "false" },
        { "within_s", "for recent: seconds", &type_optional_count, MEMBER(agreement, within_s), .min = 1,
          .max = 1000000000 },
        { "less", "for sum: so many nodes do not count", &type_integer, MEMBER(agreement, less), .fallback = "0",
          .min = 0, .max = 100000 },
        { "serious", "the cluster does not serve while this does not hold", &type_bool, MEMBER(agreement, serious),
          .fallback = "false" },
        { "remedy", "what to do while it does not hold, in a line", &type_text, MEMBER(agreement, remedy) },
};
static const struct schema agreement_table =
    SCHEMA(agreement, agreement_rows, "an agreement", "what the values of all nodes of a role say together");

static const struct schema_field health_rows[] = {
        { "name", "name for messages", &type_text, MEMBER(health_check, name), .required = true,
          .pattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$", .pattern_means = "a name of at most 64 characters" },
        { "kind",
          "tcp: the port is open; http: GET of `path` is answered 200; text: `send` is answered; zookeeper: a session "
          "begins, which takes a quorum, and `path` is there",
          &type_choice, MEMBER(health_check, kind), .required = true, .choices = health_kinds },
        { "port", "port that must answer", &type_integer, MEMBER(health_check, port), .required = true, .min = 1,
          .max = 65535 },
        { "path", "path that must answer 200, for http; that must be there, for zookeeper", &type_text,
          MEMBER(health_check, path), .pattern = "^/[!-~]*$", .pattern_means = "a path that begins with `/`" },
        { "child",
          "for zookeeper: extended regular expression; of the children of `path` that match, the data of the one with "
          "the lowest number at its end is the answer",
          &type_text, MEMBER(health_check, child) },
        { "send", "what is sent, for text", &type_text, MEMBER(health_check, send) },
        { "expect", "extended regular expression that the answer matches", &type_text, MEMBER(health_check, expect) },
        { "remedy", "what to do while it fails, in a line", &type_text, MEMBER(health_check, remedy) },
        { "values", "what is read from the answer", &type_tables, MEMBERS(health_check, values, value_count),
          .table = &health_value_table },
        { "vip", "ask through the virtual addresses of the role, too", &type_bool, MEMBER(health_check, vip),
          .fallback = "false" },
        { "optional",
          "a node that does not answer it as it should is healthy all the same, and what it does not say is not known",
          &type_bool, MEMBER(health_check, optional), .fallback = "false" },
};
static const struct schema health_table =
    SCHEMA(health_check, health_rows, "a health check", "how one sees that a node works");

static const struct schema_field firewall_rows[] = {
        { "name", "what it is for", &type_text, MEMBER(firewall_rule, name), .fallback = "",
          .pattern = "^[A-Za-z0-9_ .,+-]{0,64}$", .pattern_means = "at most 64 letters, digits, spaces and `_.,+-`" },
        { "protocol", "what is taken; tcp, udp and sctp need a port", &type_text, MEMBER(firewall_rule, protocol),
          .fallback = "tcp", .choices = firewall_protocols },
        { "port", "ports and ranges of them, such as 31000-32000", &type_number_texts, MEMBER(firewall_rule, ports),
          .or_one = true, .pattern = "^[0-9]{1,5}(-[0-9]{1,5})?$", .pattern_means = "a port or a range of ports" },
        { "from",
          "from whom: any, cluster (every node), admin (the cluster's admin_networks), names of roles, and subnets",
          &type_texts, MEMBER(firewall_rule, from), .or_one = true, .required = true,
          .pattern = "^([a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?|" SUBNET_PATTERN ")$",
          .pattern_means = "any, cluster, admin, a role or a subnet such as 192.168.2.0/24" },
};
static const struct schema firewall_table =
    SCHEMA(firewall_rule, firewall_rows, "a firewall rule", "what its machines take from whom");

static const struct schema_field role_rows[] = {
        { "description", "one line for lists", &type_text, MEMBER(role_file, description), .fallback = "" },
        { "inherits",
          "roles that this one builds on: their lists come first; what it says itself wins, and parents that "
          "contradict "
          "each other are refused",
          &type_texts, MEMBER(role_file, inherits), .or_one = true, .pattern = NAME_PATTERN,
          .pattern_means = NAME_MEANS },
        { "abstract", "only a parent: no node has this role itself", &type_bool, MEMBER(role_file, is_abstract),
          .fallback = "false" },
        { "ensemble", "nodes vote: an odd number of them, each with an id", &type_optional_bool,
          MEMBER(role_file, ensemble) },
        { "strangers", "machines that the inventory does not know may come up", &type_optional_bool,
          MEMBER(role_file, strangers) },
        { "packages", "packages and @groups; names go through the release's package_names", &type_texts,
          MEMBER(role_file, packages), .pattern = PACKAGE_PATTERN, .pattern_means = PACKAGE_MEANS },
        { "services", "units; without a suffix they are services", &type_table, .table = &service_part },
        { "default_target", "what the system boots to; multi-user.target if nothing is said", &type_text,
          MEMBER(role_file, default_target), .pattern = "^[A-Za-z0-9_.@-]+[.]target$",
          .pattern_means = "a unit name that ends in .target" },
        { "default", "node.variables.* in templates, where neither the cluster file's `default` nor the node says more",
          &type_tree, MEMBER(role_file, variables) },
        { "sysctl", "kernel parameters", &type_scalars, MEMBER(role_file, sysctl),
          .pattern = "^[A-Za-z0-9_]+([./][A-Za-z0-9_*:-]+)+$",
          .pattern_means = "a parameter such as net.ipv4.ip_forward" },
        { "users", "accounts; made before the first package that gives files to them", &type_tables,
          MEMBERS(role_file, users, user_count), .table = &user_table },
        { "overlays", "overlay folders besides the one named as the role", &type_texts, MEMBER(role_file, overlays),
          .pattern = FILE_NAME_PATTERN, .pattern_means = "the name of a folder in paths.overlays" },
        { "files", "files; they win over overlays", &type_tables, MEMBERS(role_file, files, file_count),
          .table = &file_table },
        { "attributes", "mode and owner of files and directories from overlays", &type_tables,
          MEMBERS(role_file, attributes, attribute_count), .table = &attribute_table },
        { "remove", "paths that the image must not have", &type_paths, MEMBER(role_file, remove) },
        { "kernel_arguments", "arguments of the kernel command line", &type_texts, MEMBER(role_file, kernel_arguments),
          .pattern = ARGUMENT_PATTERN, .pattern_means = ARGUMENT_MEANS },
        { "overlay_size",
          "limit of the writable layer in memory: a part of it, or bytes with k, m or g; 50% if nothing is said",
          &type_text, MEMBER(role_file, overlay_size), .pattern = "^([1-9][0-9]?%|[1-9][0-9]*[kmg]?)$",
          .pattern_means = "a size such as 30% or 512m" },
        { "on_failure", "what a machine does whose boot fails in the initrd; retry if nothing is said", &type_text,
          MEMBER(role_file, on_failure), .choices = failure_actions },
        { "boot_menu",
          "whether who stands at the console may change what the boot loaders' menus say. `locked`: GRUB's entries can "
          "be chosen, and it asks for the cluster's boot_menu_password before it edits one; isolinux and pxelinux "
          "start their default entry and offer no choice; open if nothing is said",
          &type_text, MEMBER(role_file, boot_menu), .choices = boot_menu_states },
        { "reboot_delay_s", "how long the reason is shown before a reboot, in seconds; 10 if nothing is said", &type_id,
          MEMBER(role_file, reboot_delay_s), .min = 0, .max = 86400 },
        { "state", "directories that outlive reboots", &type_tables, MEMBERS(role_file, state, state_count),
          .table = &state_table },
        { "state_disk", "the disk for them; the cluster file's holds for roles that say nothing", &type_table,
          MEMBER(role_file, state_disk), .table = &state_disk_table },
        { "reserve", "what the machine keeps for itself", &type_table, .table = &reserve_part },
        { "health", "how one sees that a node works", &type_tables, MEMBERS(role_file, health, health_count),
          .table = &health_table },
        { "agreements", "what the values of all its nodes say together", &type_tables,
          MEMBERS(role_file, agreements, agreement_count), .table = &agreement_table },
        { "need",
          "how many of its nodes must be healthy for the cluster to serve: a number, all or majority; if nothing is "
          "said, "
          "majority for an ensemble, 1 for others",
          &type_number_text, MEMBER(role_file, need), .pattern = "^([0-9]{1,6}|all|majority)$",
          .pattern_means = "a number, all or majority" },
        { "firewall",
          "what its machines take from whom, beside SSH; what health asks for is for admin_networks anyhow. It is "
          "role.firewall in templates: the role "
          "hardened makes iptables' rules of it",
          &type_tables, MEMBERS(role_file, firewall, firewall_count), .table = &firewall_table },
        { "rollout", "what `kiln rollout` does with its nodes", &type_table, MEMBER(role_file, rollout),
          .table = &rollout_table },
        { "kickstart", "template in paths.kickstart; absent: ROLE.ks.tmpl, or a parent's", &type_text,
          MEMBER(role_file, kickstart), .pattern = FILE_NAME_PATTERN, .pattern_means = FILE_NAME_MEANS },
};
const struct schema role_schema =
    SCHEMA(role_file, role_rows, "a role file", "A role file: what a machine of this role is.");

static const struct {
        const char *kind, *title;
        const struct schema *schema;
} kinds[] = {
        { "cluster", "kiln cluster file", &cluster_schema },
        { "release", "kiln release file", &release_schema },
        { "role", "kiln role file", &role_schema },
        { "defaults", "kiln.yaml", &defaults_schema },
};

char *profile_json_schema(const char *kind) {
        for (size_t i = 0; i < lengthof(kinds); i++)
                if (strcmp(kinds[i].kind, kind) == 0)
                        return schema_to_json(kinds[i].schema, kind, kinds[i].title);
        return NULL;
}

char *profile_reference(const char *kind) {
        for (size_t i = 0; i < lengthof(kinds); i++)
                if (strcmp(kinds[i].kind, kind) == 0)
                        return schema_to_reference(kinds[i].schema);
        return NULL;
}
