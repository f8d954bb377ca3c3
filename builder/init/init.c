// SPDX-License-Identifier: MIT
#include "init/init.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/locations.h"
#include "init/host_lists.h"
#include "profile/defaults.h"
#include "profile/profile.h"
#include "profile/reader/diagnostics.h"
#include "profile/reader/names.h"
#include "profile/reader/paths.h"
#include "profile/reader/yaml.h"
#include "shared/template.h"

enum { KEY_MAX_BYTES = 64 << 10, NODES_MAX = 20000 };

struct init {
        struct arena arena;
        const struct init_options *options;
        struct locations locations;
        struct strings roles;
        struct hosts hosts;
        uint32_t subnet, hosts_in_subnet; // in host's order; addresses without the network's and the broadcast's
        int prefix;
        struct in_addr gateway, vip; // `vip`: an address that is kept free
        const char *pool;            // "FIRST-LAST", or NULL
        bool has_invented_macs;
        char *text; // of a dry run; heap
};

// ---- roles ----

static bool is_abstract_role(struct arena *arena, const char *path) {
        auto_diagnostics ignored = { .arena = arena };
        const struct value *tree = yaml_load(path, path, NULL, arena, &ignored);
        return !tree || value_truth(value_get(tree, "abstract"));
}

bool init_roles(struct arena *arena, struct strings *ret, struct err *err) {
        struct locations locations;
        if (!locations_find(arena, &locations, err))
                return false;
        const char *folder = arena_printf(arena, "%s/profiles/roles", locations.examples);
        struct strings names = path_names(arena, folder, ".yaml");
        *ret = (struct strings){ 0 };
        for (size_t i = 0; i < names.count; i++)
                if (!is_abstract_role(arena, arena_printf(arena, "%s/%s.yaml", folder, names.items[i])))
                        strings_add_once(arena, ret, names.items[i]);
        if (ret->count > 0)
                return true;
        fail(err, ERR_SYSTEM, 0, "no roles are installed in %s", folder);
        return hint(err, "`make install` puts them there");
}

bool init_releases(struct arena *arena, struct strings *ret, struct err *err) {
        struct locations locations;
        if (!locations_find(arena, &locations, err))
                return false;
        *ret = path_names(arena, arena_printf(arena, "%s/profiles/releases", locations.examples), ".yaml");
        return true;
}

// ---- the network ----

static const char *address_text(struct init *init, uint32_t address) {
        return in_addr_text(&init->arena, (struct in_addr){ htonl(address) });
}

static bool is_in_subnet(const struct init *init, struct in_addr address) {
        uint32_t number = ntohl(address.s_addr);
        return number > init->subnet && number - init->subnet <= init->hosts_in_subnet;
}

static bool take_subnet(struct init *init, const char *text, struct err *err) {
        struct in_addr address;
        const char *slash = strchr(text, '/');
        char *end = NULL;
        long prefix = -1;
        if (slash)
                prefix = strtol(slash + 1, &end, 10);
        const char *dotted = arena_strndup(&init->arena, text, strcspn(text, "/"));
        if (!slash || end == slash + 1 || *end || prefix < 8 || prefix > 29 ||
            inet_pton(AF_INET, dotted, &address) != 1)
                return fail(err, ERR_USAGE, 0,
                            "--subnet %s: an IPv4 subnet of /8 to /29 is needed, such as 10.1.0.0/24", text);
        uint32_t mask = ntohl(prefix_mask((int)prefix).s_addr);
        init->prefix = (int)prefix;
        init->subnet = ntohl(address.s_addr) & mask;
        init->hosts_in_subnet = ~mask - 1;
        if (init->subnet != ntohl(address.s_addr))
                return fail(err, ERR_USAGE, 0, "--subnet %s: the subnet begins at %s", text,
                            address_text(init, init->subnet));
        return true;
}

// The smallest of /24 and larger that holds all machines of the list.
static bool guess_subnet(struct init *init, struct err *err) {
        uint32_t first = UINT32_MAX, last = 0;
        for (size_t i = 0; i < init->hosts.count; i++) {
                struct in_addr address;
                (void)!inet_pton(AF_INET, init->hosts.items[i].ip, &address); // hosts_read() has looked
                if (ntohl(address.s_addr) < first)
                        first = ntohl(address.s_addr);
                if (ntohl(address.s_addr) > last)
                        last = ntohl(address.s_addr);
        }
        int prefix = 24;
        while (prefix > 16 && ((first ^ last) & ntohl(prefix_mask(prefix).s_addr)))
                prefix--;
        uint32_t mask = ntohl(prefix_mask(prefix).s_addr);
        if ((first ^ last) & mask) {
                fail(err, ERR_USAGE, 0, "the machines of %s are from %s to %s, which is no network of one site",
                     init->options->from, address_text(init, first), address_text(init, last));
                return hint(err, "--subnet says which one it is; write further networks into the cluster file");
        }
        return take_subnet(init, arena_printf(&init->arena, "%s/%d", address_text(init, first & mask), prefix), err);
}

static bool read_inside(const struct init *init, const char *option, const char *text, struct in_addr *ret,
                        struct err *err) {
        if (inet_pton(AF_INET, text, ret) != 1)
                return fail(err, ERR_USAGE, 0, "--%s %s: an IPv4 address is needed", option, text);
        if (!is_in_subnet(init, *ret))
                return fail(err, ERR_USAGE, 0, "--%s %s is outside of the subnet %s", option, text,
                            text_or(init->options->subnet, "of the machines"));
        return true;
}

static bool init_address_is_taken(const struct init *init, uint32_t address) {
        if (address == ntohl(init->gateway.s_addr) || address == ntohl(init->vip.s_addr))
                return true;
        for (size_t i = 0; i < init->hosts.count; i++) {
                struct in_addr other;
                const char *ip = init->hosts.items[i].ip;
                if (ip && inet_pton(AF_INET, ip, &other) == 1 && ntohl(other.s_addr) == address)
                        return true;
        }
        return false;
}

// The longest run of free addresses of the upper half, at most 50, leaves room for machines below it.
static void choose_pool(struct init *init) {
        enum { POOL_MAX = 50 };
        uint32_t last = init->subnet + init->hosts_in_subnet, lowest = init->subnet + init->hosts_in_subnet / 2;
        while (last > lowest && init_address_is_taken(init, last))
                last--;
        uint32_t first = last;
        while (first - 1 > lowest && last - first + 1 < POOL_MAX && !init_address_is_taken(init, first - 1))
                first--;
        if (last > lowest && first < last)
                init->pool = arena_printf(&init->arena, "%s-%s", address_text(init, first), address_text(init, last));
}

static bool prepare_network(struct init *init, struct err *err) {
        const struct init_options *options = init->options;
        bool is_said = options->subnet != NULL;
        if (options->from && !is_said) {
                if (!guess_subnet(init, err))
                        return false;
        } else if (!take_subnet(init, text_or(options->subnet, INIT_SUBNET), err)) {
                return false;
        }
        init->gateway.s_addr = 0;
        uint32_t first = init->subnet + 1, last = init->subnet + init->hosts_in_subnet;
        init->gateway.s_addr = htonl(init_address_is_taken(init, first) ? last : first);
        return !options->gateway || read_inside(init, "gateway", options->gateway, &init->gateway, err);
}

// ---- machines ----

static bool add_nodes_of(struct init *init, const char *text, struct err *err) {
        size_t length = strcspn(text, "=");
        const char *role = arena_strndup(&init->arena, text, length), *number = text + length;
        char *end = NULL;
        unsigned long count = 0;
        if (*number == '=' && number[1] >= '0' && number[1] <= '9')
                count = strtoul(number + 1, &end, 10);
        if (!end || *end || count > NODES_MAX)
                return fail(err, ERR_USAGE, 0, "--nodes %s: ROLE=NUMBER is needed, up to %d", text, NODES_MAX);
        if (!strings_have(&init->roles, role)) {
                auto_diagnostics known = { .arena = &init->arena };
                report(&known, ERR_REFERENCE, &(struct place){ "--nodes", 0, 0 }, "there is no role `%s`", role);
                report_known(&known, role, &init->roles);
                return diagnostics_finish(&known, err);
        }
        struct hosts *hosts = &init->hosts;
        for (unsigned long i = 1; i <= count; i++) {
                hosts->items = arena_grow(&init->arena, hosts->items, hosts->count, sizeof *hosts->items);
                hosts->items[hosts->count++] =
                    (struct host){ .name = arena_printf(&init->arena, "%s%lu", role, i), .role = role };
        }
        return true;
}

static bool list_machines(struct init *init, struct err *err) {
        const struct init_options *options = init->options;
        if (!init_roles(&init->arena, &init->roles, err))
                return false;
        if (options->from)
                return hosts_read(&init->arena, options->from, &init->roles, options->role, &init->hosts, err);
        for (size_t i = 0; i < options->nodes.count; i++)
                if (!add_nodes_of(init, options->nodes.items[i], err))
                        return false;
        return init->hosts.count > 0 || fail(err, ERR_USAGE, 0, "a cluster of no machine");
}

static bool refuse_far_address(struct init *init, const struct host *host, struct err *err) {
        if (init->options->from)
                return fail_at(err, ERR_SCHEMA, &host->place, "%s of `%s` is outside of the subnet %s/%d", host->ip,
                               host->name, address_text(init, init->subnet), init->prefix);
        fail(err, ERR_USAGE, 0, "the subnet %s/%d has no room for %zu machines", address_text(init, init->subnet),
             init->prefix, init->hosts.count);
        return hint(err, "--subnet takes a larger one");
}

// The next one that is neither the gateway's nor the VIP's; machines without addresses get them in order.
static uint32_t next_address(const struct init *init, uint32_t address) {
        while (address == ntohl(init->gateway.s_addr) || address == ntohl(init->vip.s_addr))
                address++;
        return address;
}

// Machines of a list keep theirs; others get those behind the one that is kept for what the cluster serves.
static bool give_addresses(struct init *init, struct err *err) {
        enum { ROOMY = 200, LEAVE_ROOM = 10, LEAVE_LITTLE = 2 };
        uint32_t next = init->subnet + LEAVE_LITTLE;
        if (init->hosts_in_subnet >= ROOMY)
                next = init->subnet + LEAVE_ROOM;
        while (init_address_is_taken(init, next))
                next++;
        init->vip.s_addr = htonl(next);
        for (size_t i = 0; i < init->hosts.count; i++) {
                struct host *host = &init->hosts.items[i];
                struct in_addr address = { 0 };
                if (!host->ip) {
                        next = next_address(init, next);
                        host->ip = address_text(init, next++);
                }
                (void)!inet_pton(AF_INET, host->ip, &address); // it was read, or just written
                if (!is_in_subnet(init, address))
                        return refuse_far_address(init, host, err);
        }
        if (!is_in_subnet(init, init->vip))
                return refuse_far_address(init, &init->hosts.items[0], err);
        return true;
}

// As `kiln boot` gives them: locally administered, the last three bytes are the address's.
static void give_macs(struct init *init) {
        for (size_t i = 0; !init->options->from && i < init->hosts.count; i++) {
                struct in_addr address;
                (void)!inet_pton(AF_INET, init->hosts.items[i].ip, &address);
                uint32_t number = ntohl(address.s_addr);
                unsigned char mac[6] = { 0x52,
                                         0x54,
                                         0x00,
                                         (unsigned char)(number >> 16),
                                         (unsigned char)(number >> 8),
                                         (unsigned char)number };
                init->hosts.items[i].mac = mac_text(&init->arena, mac);
                init->has_invented_macs = true;
        }
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
static const char *quoted_text(struct init *init, const char *text, size_t size) {
        auto_buf quoted = { 0 };
        for (size_t i = 0; i < size; i++) {
                if (text[i] == '"' || text[i] == '\\')
                        buf_append_char(&quoted, '\\');
                buf_append_char(&quoted, text[i]);
        }
        return arena_strdup(&init->arena, buf_text(&quoted));
}

static struct value *scope_of_init(struct init *init, struct value *keys) {
        const struct init_options *options = init->options;
        struct value *scope = value_map(&init->arena);
        const char *gateway = in_addr_text(&init->arena, init->gateway);
        put_word(init, scope, "cluster", cluster_name(init));
        put_word(init, scope, "release", text_or(options->release, INIT_RELEASE));
        put_word(init, scope, "subnet",
                 arena_printf(&init->arena, "%s/%d", address_text(init, init->subnet), init->prefix));
        put_word(init, scope, "gateway", gateway);
        put_word(init, scope, "dns", text_or(options->dns, gateway));
        put_word(init, scope, "server", text_or(options->server, gateway));
        put_word(init, scope, "free_address", in_addr_text(&init->arena, init->vip));
        unsigned end = ntohl(init->vip.s_addr) & 0xff;
        put_count(init, scope, "free_address_end", end > 0 ? end : 1); // VRRP has no router 0
        put_word(init, scope, "pool", init->pool);
        value_set(&init->arena, scope, "has_invented_macs", value_bool(&init->arena, init->has_invented_macs));
        value_set(&init->arena, scope, "keys", keys);
        set_nodes(init, scope);
        return scope;
}

// The lines of a .pub file or of authorized_keys, without comments. What is no key, the check says.
static bool read_keys(struct init *init, struct value *keys, struct err *err) {
        const char *path = init->options->ssh_key;
        auto_buf text = { .max = KEY_MAX_BYTES };
        if (!path)
                return true;
        if (!fs_read(AT_FDCWD, path, &text, err))
                return wrap(err, "--ssh-key");
        if (strstr(buf_text(&text), "PRIVATE KEY")) {
                fail(err, ERR_USAGE, 0, "--ssh-key %s is a private key, which no cluster file may have", path);
                return hint(err, "its public half is in %s.pub", path);
        }
        for (const char *line = buf_text(&text); *line;) {
                size_t length = strcspn(line, "\r\n");
                if (length > 0 && *line != '#')
                        value_append(&init->arena, keys, value_scalar(&init->arena, quoted_text(init, line, length)));
                line += length + strspn(line + length, "\r\n");
        }
        if (keys->count == 0)
                return fail(err, ERR_USAGE, 0, "--ssh-key %s has no key", path);
        return true;
}

static bool render(struct init *init, struct buf *to, struct err *err) {
        const char *path = arena_printf(&init->arena, "%s/profiles/init.yaml.tmpl", init->locations.examples);
        auto_buf text = { 0 };
        struct value *keys = value_list(&init->arena);
        return read_keys(init, keys, err) && fs_read(AT_FDCWD, path, &text, err) &&
               template_render(path, buf_text(&text), text.size, scope_of_init(init, keys), NULL, to, NULL, err);
}

// ---- the file ----

// Checked in its place and under its name, which messages show; what does not pass is removed again.
static bool write_checked(const char *path, const struct buf *text, struct err *err) {
        auto_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0 && errno == EEXIST) {
                fail(err, ERR_USAGE, 0, "%s is there already, and is not replaced", path);
                return hint(err, "name another directory, or move the file away");
        }
        if (fd < 0)
                return fail(err, ERR_SYSTEM, errno, "make %s", path);
        struct cluster *cluster = NULL;
        if (fs_write_all(fd, text->data, text->size, err) && cluster_load(path, NULL, &cluster, err)) {
                cluster_free(cluster);
                return true;
        }
        (void)unlink(path);
        return wrap(err, "what would be written to %s is not right, and was not kept", path);
}

static bool write_cluster(struct init *init, const struct buf *text, struct err *err) {
        const char *dir = init->options->dir;
        bool is_new = !fs_exists(AT_FDCWD, dir);
        if (!fs_mkdirs(AT_FDCWD, dir, 0755, err))
                return false;
        const char *path = arena_printf(&init->arena, "%s/cluster.yaml", dir);
        if (write_checked(path, text, err))
                return true;
        if (is_new)
                (void)rmdir(dir);
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
        auto_buf text = { 0 };
        if (!locations_find(&init->arena, &init->locations, err) || !list_machines(init, err) ||
            !prepare_network(init, err) || !give_addresses(init, err))
                return false;
        give_macs(init);
        choose_pool(init);
        if (!render(init, &text, err))
                return false;
        if (init->options->is_dry) {
                init->text = buf_take(&text);
                return true;
        }
        return write_cluster(init, &text, err) && write_defaults(init, err);
}

bool init_write(const struct init_options *options, struct init_result *ret, struct err *err) {
        assert(options->dir);
        struct init init = { .options = options };
        bool ok = make_cluster(&init, err);
        if (ok)
                *ret = (struct init_result){ xasprintf("%s/cluster.yaml", options->dir), init.hosts.count, init.text };
        arena_release(&init.arena);
        return ok;
}
