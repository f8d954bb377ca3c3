// SPDX-License-Identifier: MIT
#include "init/init.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/locations.h"
#include "base/progress.h"
#include "init/host_lists.h"
#include "init/init_network.h"
#include "init/init_values.h"
#include "profile/defaults.h"
#include "profile/profile.h"
#include "profile/reader/diagnostics.h"
#include "profile/reader/names.h"
#include "profile/reader/paths.h"
#include "shared/template.h"

struct init {
        struct arena arena;
        const struct init_options *options;
        struct locations locations;
        struct strings roles;
        struct hosts hosts;
        struct init_network network;
        char *text; // of a dry run; heap
};

// ---- machines ----

static bool refuse_role(struct init *init, const char *option, const char *role, struct err *err) {
        auto_diagnostics known = { .arena = &init->arena };
        report(&known, ERR_REFERENCE, &(struct place){ option, 0, 0 }, "there is no role `%s`", role);
        report_known(&known, role, &init->roles);
        return diagnostics_finish(&known, err);
}

static bool add_nodes_of(struct init *init, const char *text, struct strings *counted, struct err *err) {
        size_t length = strcspn(text, "=");
        const char *role = arena_strndup(&init->arena, text, length);
        unsigned count = 0;
        if (text[length] != '=' || length == 0)
                return fail(err, ERR_USAGE, 0, "--nodes %s: ROLE=NUMBER is needed", text);
        if (!init_count_read(text + length + 1, &count, err))
                return wrap(err, "--nodes %s", text);
        if (!strings_have(&init->roles, role))
                return refuse_role(init, "--nodes", role, err);
        if (strings_have(counted, role))
                return fail(err, ERR_USAGE, 0, "two numbers of machines are given for the role `%s`", role);
        strings_add_once(&init->arena, counted, role);
        struct hosts *hosts = &init->hosts;
        for (unsigned i = 1; i <= count; i++) {
                hosts->items = arena_grow(&init->arena, hosts->items, hosts->count, sizeof *hosts->items);
                hosts->items[hosts->count++] =
                    (struct host){ .name = arena_printf(&init->arena, "%s%u", role, i), .role = role };
        }
        return true;
}

static bool read_machine_list(struct init *init, struct err *err) {
        const struct init_options *options = init->options;
        if (!hosts_read(&init->arena, options->from, &init->roles, options->role, &init->hosts, err))
                return false;
        for (size_t i = 0; !options->is_trial && i < init->hosts.warnings.count; i++)
                warning("%s", init->hosts.warnings.items[i]);
        return true;
}

static bool list_machines(struct init *init, struct err *err) {
        const struct init_options *options = init->options;
        struct strings counted = { 0 };
        if (!init_roles(&init->arena, &init->roles, err))
                return false;
        if (options->role && !strings_have(&init->roles, options->role))
                return refuse_role(init, "--role", options->role, err);
        if (options->from)
                return read_machine_list(init, err);
        for (size_t i = 0; i < options->nodes.count; i++)
                if (!add_nodes_of(init, options->nodes.items[i], &counted, err))
                        return false;
        return init->hosts.count > 0 || fail(err, ERR_USAGE, 0, "a cluster of no machine");
}

// ---- the text ----

static void put_word(struct init *init, struct value *map, const char *key, const char *text) {
        struct value *value = arena_alloc(&init->arena, sizeof *value); // null
        if (text)
                value = value_scalar(&init->arena, text);
        value_set(&init->arena, map, key, value);
}

static void put_count(struct init *init, struct value *map, const char *key, size_t number) {
        put_word(init, map, key, arena_printf(&init->arena, "%zu", number));
}

// For each known role, whether it is the one.
static struct value *role_flags(struct init *init, const char *role) {
        struct value *is = value_map(&init->arena);
        for (size_t i = 0; i < init->roles.count; i++)
                value_set(&init->arena, is, init->roles.items[i],
                          value_bool(&init->arena, strcmp(init->roles.items[i], role) == 0));
        return is;
}

static struct value *node_of_host(struct init *init, const struct host *host, size_t number) {
        enum { FIRST_RANK = 150, RANK_STEP = 10, LAST_RANK = 10 };
        struct value *node = value_map(&init->arena);
        put_word(init, node, "name", host->name);
        put_word(init, node, "role", host->role);
        put_word(init, node, "mac", host->mac);
        put_word(init, node, "ip", host->ip);
        put_word(init, node, "serial", host->serial);
        put_word(init, node, "uuid", host->uuid);
        put_word(init, node, "id", text_or(host->id, arena_printf(&init->arena, "%zu", number)));
        size_t below = size_min((number - 1) * RANK_STEP, FIRST_RANK - LAST_RANK);
        put_count(init, node, "rank", FIRST_RANK - below);
        value_set(&init->arena, node, "is_first", value_bool(&init->arena, number == 1));
        value_set(&init->arena, node, "is", role_flags(init, host->role));
        return node;
}

// The nodes in the order of the list, and the address of the first of each role.
static void set_nodes(struct init *init, struct value *scope) {
        struct value *nodes = value_list(&init->arena), *first = value_map(&init->arena);
        auto_free size_t *numbers = xcalloc(init->roles.count, sizeof *numbers);
        for (size_t role = 0; role < init->roles.count; role++)
                put_word(init, first, init->roles.items[role], NULL);
        for (size_t i = 0; i < init->hosts.count; i++) {
                const struct host *host = &init->hosts.items[i];
                size_t role = 0;
                while (role + 1 < init->roles.count && strcmp(init->roles.items[role], host->role) != 0)
                        role++;
                if (++numbers[role] == 1)
                        put_word(init, first, host->role, host->ip);
                value_append(&init->arena, nodes, node_of_host(init, host, numbers[role]));
        }
        value_set(&init->arena, scope, "nodes", nodes);
        value_set(&init->arena, scope, "first", first);
}

// The directory's, in the letters that names of clusters may have.
static const char *cluster_name(struct init *init) {
        if (init->options->name)
                return init->options->name;
        const char *path = lower_text(&init->arena, path_absolute_here(&init->arena, init->options->dir));
        auto_buf name = { 0 };
        for (const char *at = strrchr(path, '/') + 1; *at; at++) {
                bool is_plain = (*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9');
                if (is_plain)
                        buf_append_char(&name, *at);
                else if (name.size > 0 && name.data[name.size - 1] != '-')
                        buf_append_char(&name, '-');
        }
        while (name.size > 0 && name.data[name.size - 1] == '-')
                name.data[--name.size] = '\0';
        return arena_strdup(&init->arena, name.size > 0 ? buf_text(&name) : "cluster");
}

// Between double quotes of YAML.
static const char *quoted_text(struct init *init, const char *text) {
        auto_buf quoted = { 0 };
        for (; *text; text++) {
                if (*text == '"' || *text == '\\')
                        buf_append_char(&quoted, '\\');
                buf_append_char(&quoted, *text);
        }
        return arena_strdup(&init->arena, buf_text(&quoted));
}

static struct value *scope_of_init(struct init *init, struct value *keys) {
        const struct init_options *options = init->options;
        struct value *scope = value_map(&init->arena);
        const struct init_network *network = &init->network;
        const char *gateway = in_addr_text(&init->arena, network->gateway);
        put_word(init, scope, "cluster", cluster_name(init));
        put_word(init, scope, "release", text_or(options->release, INIT_RELEASE));
        put_word(init, scope, "subnet",
                 arena_printf(&init->arena, "%s/%d", in_addr_text(&init->arena, network->subnet), network->prefix));
        put_word(init, scope, "gateway", gateway);
        put_word(init, scope, "dns", text_or(options->dns, gateway));
        put_word(init, scope, "server", text_or(options->server, gateway));
        put_word(init, scope, "free_address", in_addr_text(&init->arena, network->vip));
        unsigned end = ntohl(network->vip.s_addr) & 0xff;
        put_count(init, scope, "free_address_end", end > 0 ? end : 1); // VRRP has no router 0
        put_word(init, scope, "pool", network->pool);
        value_set(&init->arena, scope, "has_invented_macs", value_bool(&init->arena, !options->from));
        value_set(&init->arena, scope, "keys", keys);
        set_nodes(init, scope);
        return scope;
}

static bool read_keys(struct init *init, struct value *ret, struct err *err) {
        struct strings keys = { 0 };
        if (init->options->ssh_key && !init_keys_read(&init->arena, init->options->ssh_key, &keys, err))
                return wrap(err, "--ssh-key");
        for (size_t i = 0; i < keys.count; i++)
                value_append(&init->arena, ret, value_scalar(&init->arena, quoted_text(init, keys.items[i])));
        return true;
}

static bool render(struct init *init, struct buf *to, struct err *err) {
        const char *path = arena_printf(&init->arena, "%s/profiles/init.yaml.tmpl", init->locations.examples);
        auto_buf text = { 0 };
        struct value *keys = value_list(&init->arena);
        return read_keys(init, keys, err) && fs_read(AT_FDCWD, path, &text, err) &&
               template_render(path, buf_text(&text), text.size, scope_of_init(init, keys), NULL, to, NULL, err);
}

// ---- whether it passes ----

// What `kiln check` would say of the text, told at the machine of the list where it comes from one.
struct text_check {
        const struct init *init;
        const char *path;
        int first_row; // the line of the first node: each has one
        struct diagnostics found;
        bool is_of_list; // at least one of them
};

static int first_row_of(const struct buf *text) {
        static const char key[] = "\nnodes:\n";
        const char *start = buf_text(text), *found = strstr(start, key);
        int line = 1;
        if (!found)
                return INT_MAX;
        for (const char *at = start; at < found + strlen(key); at++)
                line += *at == '\n';
        return line;
}

static void keep_finding(const struct profile_finding *finding, void *context) {
        struct text_check *check = context;
        const struct hosts *hosts = &check->init->hosts;
        struct arena *arena = check->found.arena;
        struct place place = finding->place;
        if (finding->kind == ERR_NONE)
                return;
        bool is_here = place.file && strcmp(place.file, check->path) == 0;
        bool is_row = is_here && place.line >= check->first_row;
        size_t row = (size_t)(place.line - check->first_row);
        if (place.file)
                place.file = arena_strdup(arena, place.file);
        if (check->init->options->from && is_row && row < hosts->count) {
                place = hosts->items[row].place;
                check->is_of_list = true;
        }
        report(&check->found, finding->kind, &place, "%s", finding->message);
        if (finding->hint)
                report_hint(&check->found, "%s", finding->hint);
}

static bool check_text(struct init *init, const char *path, const struct buf *text, struct err *err) {
        struct cluster *cluster = NULL;
        struct text_check check = { init, path, first_row_of(text), { .arena = &init->arena }, false };
        struct profile_options options = { .text = buf_text(text), .finding = keep_finding, .context = &check };
        if (cluster_load(path, &options, &cluster, err)) {
                cluster_free(cluster);
                return true;
        }
        if (check.is_of_list) {
                diagnostics_add_source(&check.found, init->options->from, init->hosts.text, strlen(init->hosts.text));
                diagnostics_add_source(&check.found, path, buf_text(text), text->size);
                (void)!diagnostics_finish(&check.found, err);
        }
        diagnostics_release(&check.found);
        return wrap(err, "nothing was written, as %s would not pass", path);
}

// ---- the file ----

bool init_check_place(const struct init_options *options, struct err *err) {
        struct stat stat_of_dir;
        auto_free char *path = xasprintf("%s/cluster.yaml", options->dir);
        if (!options->dir[0])
                return fail(err, ERR_USAGE, 0, "``: the name of a directory is needed");
        if (stat(options->dir, &stat_of_dir) == 0 && !S_ISDIR(stat_of_dir.st_mode))
                return fail(err, ERR_USAGE, 0, "%s is no directory", options->dir);
        if (options->is_dry || !fs_exists(AT_FDCWD, path))
                return true;
        fail(err, ERR_USAGE, 0, "%s is there already, and is not replaced", path);
        return hint(err, "name another directory, or move the file away");
}

static bool write_cluster(const char *path, const struct buf *text, struct err *err) {
        if (!fs_mkdirs_for(AT_FDCWD, path, 0755, err))
                return false;
        auto_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "make %s", path);
        if (fs_write_all(fd, text->data, text->size, err))
                return true;
        (void)unlink(path);
        return false;
}

// So that builds are found beside the cluster from wherever kiln is called. One that is there was written by somebody.
static bool write_defaults(struct init *init, struct err *err) {
        static const char text[] =
            "# What commands take as given for this cluster; what is said on the command line wins.\n"
            "# Paths are as seen from here. `kiln schema defaults --text` lists every key.\n"
            "out: out\n"
            "# cache: /var/cache/kiln\n"
            "# sign: keys/release\n";
        const char *path = arena_printf(&init->arena, "%s/" DEFAULTS_NAME, init->options->dir);
        return fs_exists(AT_FDCWD, path) || fs_write_atomic(AT_FDCWD, path, text, strlen(text), 0644, err);
}

static bool make_cluster(struct init *init, struct err *err) {
        const struct init_options *options = init->options;
        const char *path = arena_printf(&init->arena, "%s/cluster.yaml", options->dir);
        auto_buf text = { 0 };
        if (!init_check_place(options, err) || !locations_find(&init->arena, &init->locations, err) ||
            !list_machines(init, err) || !init_network_plan(&init->arena, options, &init->hosts, &init->network, err) ||
            !render(init, &text, err) || !check_text(init, path, &text, err))
                return false;
        if (options->is_dry) {
                init->text = buf_take(&text);
                return true;
        }
        return write_cluster(path, &text, err) && write_defaults(init, err);
}

bool init_write(const struct init_options *options, struct init_result *ret, struct err *err) {
        struct init init = { .options = options };
        bool ok = make_cluster(&init, err);
        if (ok)
                *ret = (struct init_result){ xasprintf("%s/cluster.yaml", options->dir), init.hosts.count, init.text };
        arena_release(&init.arena);
        return ok;
}

void init_result_release(struct init_result *result) {
        free(result->path);
        free(result->text);
        *result = (struct init_result){ 0 };
}
