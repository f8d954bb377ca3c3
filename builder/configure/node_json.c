// SPDX-License-Identifier: MIT
// /etc/kiln/node.json: what kiln-node must know (format: builder/shared/node_config.h).
#include <arpa/inet.h>
#include <ctype.h>
#include <jansson.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "configure/internal.h"
#include "profile/profile.h"
#include "rootfs/tree.h"
#include "shared/node_config.h"
#include "shared/value.h"

// The text of an address, "" for none. Jansson copies it.
static json_t *address_json(struct in_addr address) {
        char text[INET_ADDRSTRLEN] = "";
        if (address.s_addr)
                inet_ntop(AF_INET, &address, text, sizeof text);
        return json_string(text);
}

static json_t *netmask_json(int prefix) {
        struct in_addr mask = { 0 };
        if (prefix > 0)
                mask.s_addr = htonl(UINT32_MAX << (32 - prefix));
        char text[INET_ADDRSTRLEN];
        return json_string(inet_ntop(AF_INET, &mask, text, sizeof text));
}

static json_t *strings_json(const struct strings *strings) {
        json_t *list = json_array();
        for (size_t i = 0; i < strings->count; i++)
                json_array_append_new(list, json_string(strings->items[i]));
        return list;
}

// Whether the user wrote the word without quotes.
static bool is_bare_word(const struct value *value, const char *text) {
        return !value->quoted && strcmp(value->text, text) == 0;
}

// Scalars stay the text that the user wrote; only truth has a type, because templates' sections ask for it.
static json_t *value_json(const struct value *value) {
        json_t *json;
        if (!value)
                return json_null();
        switch (value->type) {
        case VALUE_SCALAR:
                if (is_bare_word(value, "true") || is_bare_word(value, "false"))
                        return json_boolean(value->text[0] == 't');
                return json_string(value->text);
        case VALUE_LIST:
                json = json_array();
                for (size_t i = 0; i < value->count; i++)
                        json_array_append_new(json, value_json(value->items[i]));
                return json;
        case VALUE_MAP:
                json = json_object();
                for (size_t i = 0; i < value->count; i++)
                        json_object_set_new(json, value->keys[i], value_json(value->items[i]));
                return json;
        case VALUE_NULL:
                break;
        }
        return json_null();
}

static json_t *network_json(const struct network *network) {
        char text[INET_ADDRSTRLEN];
        auto_free char *subnet =
            xasprintf("%s/%d", inet_ntop(AF_INET, &network->address, text, sizeof text), network->prefix);
        json_t *json = json_object();
        json_object_set_new(json, "name", json_string(network->name));
        json_object_set_new(json, "subnet", json_string(subnet));
        json_object_set_new(json, "prefix", json_integer(network->prefix));
        json_object_set_new(json, "netmask", netmask_json(network->prefix));
        json_object_set_new(json, "gateway", address_json(network->gateway));
        json_object_set_new(json, "dns", strings_json(&network->dns));
        json_object_set_new(json, "routes", strings_json(&network->routes));
        json_object_set_new(json, "search", strings_json(&network->search));
        if (network->prefix6)
                json_object_set_new(json, "prefix6", json_integer(network->prefix6));
        if (network->gateway6)
                json_object_set_new(json, "gateway6", json_string(network->gateway6));
        if (network->mtu)
                json_object_set_new(json, "mtu", json_integer(network->mtu));
        if (network->vlan)
                json_object_set_new(json, "vlan", json_integer(network->vlan));
        return json;
}

// In the form of /sys: lower case, colons.
static json_t *mac_json(const char *text) {
        auto_free char *mac = xstrdup(text);
        for (char *at = mac; *at; at++) {
                *at = (char)tolower((unsigned char)*at);
                if (*at == '-')
                        *at = ':';
        }
        return json_string(mac);
}

// Commas separate a bond's options, so those of a list in one become semicolons.
static void append_with_semicolons(struct buf *options, const char *text) {
        auto_free char *list = xstrdup(text);
        for (char *comma = list; (comma = strchr(comma, ','));)
                *comma = ';';
        buf_append_text(options, list);
}

// Options as kiln-node reads them: "mode=802.3ad,arp_ip_target=10.0.0.1;10.0.0.2".
static json_t *bond_json(const struct bond *bond) {
        auto_buf options = { 0 };
        buf_printf(&options, "mode=%s", bond->mode);
        for (size_t i = 0; bond->options && i < bond->options->count; i++) {
                buf_printf(&options, ",%s=", bond->options->keys[i]);
                append_with_semicolons(&options, bond->options->items[i]->text);
        }
        json_t *json = json_object(), *members = json_array();
        for (size_t i = 0; i < bond->members.count; i++)
                json_array_append_new(members, mac_json(bond->members.items[i]));
        json_object_set_new(json, "name", json_string(bond->name));
        json_object_set_new(json, "members", members);
        json_object_set_new(json, "options", json_string(buf_text(&options)));
        return json;
}

// Only its own role's templates read a node's variables, which may hold secrets: other images do not get them.
static json_t *variables_json(const struct cluster *cluster, const struct role *role, const struct node *node) {
        bool own = strcmp(cluster->roles[node->role].name, role->name) == 0;
        bool has_any = node->variables && node->variables->type == VALUE_MAP;
        if (!own || !has_any)
                return json_object();
        return value_json(node->variables);
}

// Absent without any.
static void add_ipv6(const struct cluster *cluster, const struct strings *addresses, json_t *json) {
        json_t *list = json_array();
        for (size_t i = 0; i < addresses->count; i++) {
                const struct network *network =
                    network_of_ipv6(cluster->networks, cluster->network_count, addresses->items[i]);
                if (network) // the checks have seen to it
                        json_array_append_new(
                            list, json_pack("{ss ss}", "ip", addresses->items[i], "network", network->name));
        }
        if (json_array_size(list) > 0)
                json_object_set(json, "addresses6", list);
        json_decref(list);
}

static json_t *node_link_json(const struct cluster *cluster, const struct node_link *link) {
        json_t *json = json_object(), *addresses = json_array();
        if (link->ip.s_addr)
                json_array_append_new(addresses, address_json(link->ip));
        for (size_t i = 0; i < link->addresses.count; i++)
                json_array_append_new(addresses, json_string(link->addresses.items[i]));
        if (link->bond.members.count > 0) {
                json_object_set_new(json, "bond", bond_json(&link->bond));
        } else {
                auto_free char *mac = xasprintf("%02x:%02x:%02x:%02x:%02x:%02x", link->mac[0], link->mac[1],
                                                link->mac[2], link->mac[3], link->mac[4], link->mac[5]);
                json_object_set_new(json, "mac", json_string(mac));
        }
        if (link->name)
                json_object_set_new(json, "interface", json_string(link->name));
        if (link->network < cluster->network_count)
                json_object_set_new(json, "network", json_string(cluster->networks[link->network].name));
        json_object_set_new(json, "addresses", addresses);
        add_ipv6(cluster, &link->ip6, json);
        json_object_set_new(json, "routes", strings_json(&link->routes));
        json_object_set_new(json, "dhcp", json_boolean(link->dhcp));
        json_object_set_new(json, "default_route", json_boolean(link->default_route));
        if (link->mtu)
                json_object_set_new(json, "mtu", json_integer(link->mtu));
        if (link->vlan)
                json_object_set_new(json, "vlan", json_integer(link->vlan));
        return json;
}

static json_t *node_links_json(const struct cluster *cluster, const struct node *node) {
        json_t *list = json_array();
        for (size_t i = 0; i < node->link_count; i++)
                json_array_append_new(list, node_link_json(cluster, &node->links[i]));
        return list;
}

static json_t *node_json(const struct cluster *cluster, const struct role *role, const struct node *node) {
        const struct network *network = &cluster->networks[node->network];
        char mac[18] = "";
        if (node->has_mac)
                snprintf(mac, sizeof mac, "%02x:%02x:%02x:%02x:%02x:%02x", node->mac[0], node->mac[1], node->mac[2],
                         node->mac[3], node->mac[4], node->mac[5]);
        json_t *json = json_object();
        json_object_set_new(json, "name", json_string(node->name));
        json_object_set_new(json, "role", json_string(cluster->roles[node->role].name));
        json_object_set_new(json, "mac", json_string(mac));
        json_object_set_new(json, "ip", address_json(node->ip));
        json_object_set_new(json, "id", json_integer(node->id));
        json_object_set_new(json, "index", json_integer((json_int_t)node->index));
        json_object_set_new(json, "network", json_string(network->name));
        json_object_set_new(json, "prefix", json_integer(network->prefix));
        json_object_set_new(json, "netmask", netmask_json(network->prefix));
        json_object_set_new(json, "gateway", address_json(network->gateway));
        json_object_set_new(json, "addresses", strings_json(&node->addresses));
        add_ipv6(cluster, &node->ip6, json);
        if (node->aliases.count > 0)
                json_object_set_new(json, "aliases", strings_json(&node->aliases));
        if (node->link_count > 0)
                json_object_set_new(json, "links", node_links_json(cluster, node));
        if (node->interface)
                json_object_set_new(json, "interface", json_string(node->interface));
        if (node->bond.members.count > 0)
                json_object_set_new(json, "bond", bond_json(&node->bond));
        json_object_set_new(json, "serial", json_string(text_or(node->serial, "")));
        json_object_set_new(json, "uuid", json_string(text_or(node->uuid, "")));
        json_object_set_new(json, "asset_tag", json_string(text_or(node->asset_tag, "")));
        json_object_set_new(json, "variables", variables_json(cluster, role, node));
        return json;
}

// What each role of the cluster inherits: a node has the files of these, too, and may be meant by their names.
static json_t *roles_json(const struct cluster *cluster) {
        json_t *json = json_object();
        for (size_t i = 0; i < cluster->role_count; i++)
                json_object_set_new(json, cluster->roles[i].name, strings_json(&cluster->roles[i].ancestors));
        return json;
}

static json_t *templates_json(const struct config *config) {
        json_t *list = json_array();
        for (size_t i = 0; i < config->kept_count; i++) {
                const struct kept_template *kept = &config->kept[i];
                json_t *json = json_object();
                json_object_set_new(json, "path", json_string(kept->path));
                json_object_set_new(json, "source", json_string(kept->source));
                json_object_set_new(json, "mode", json_integer(kept->mode));
                json_object_set_new(json, "uid", json_integer(kept->uid));
                json_object_set_new(json, "gid", json_integer(kept->gid));
                if (kept->secrets.count > 0) {
                        json_object_set_new(json, "secrets", strings_json(&kept->secrets));
                        json_object_set_new(json, "services", strings_json(kept->services));
                }
                json_array_append_new(list, json);
        }
        return list;
}

static bool state_paths_json(const struct config *config, json_t **ret, struct err *err) {
        json_t *list = json_array();
        for (size_t i = 0; i < config->role->state_count; i++) {
                const struct state_path *path = &config->role->state[i];
                unsigned uid, gid;
                if (!accounts_resolve(config->root, path->owner, path->group, &path->place, &uid, &gid, err)) {
                        json_decref(list);
                        return false;
                }
                json_t *json = json_object();
                json_object_set_new(json, "path", json_string(path->path));
                json_object_set_new(json, "mode", json_integer(path->mode));
                json_object_set_new(json, "uid", json_integer(uid));
                json_object_set_new(json, "gid", json_integer(gid));
                json_object_set_new(json, "id_file", json_string(text_or(path->id_file, "")));
                json_array_append_new(list, json);
        }
        *ret = list;
        return true;
}

static void add_state_disk(const struct state_disk *disk, json_t *json) {
        enum { GB = 1000000000 };
        if (!disk->wanted)
                return;
        json_t *item = json_pack("{ss sb sb sb sI ss}", "label", disk->label, "required", disk->required, "overlay",
                                 disk->overlay, "root_cache", disk->root_cache, "timeout_ms",
                                 (json_int_t)disk->timeout_s * 1000, "filesystem", disk->filesystem);
        const struct state_claim *claim = &disk->claim;
        if (claim->wanted)
                json_object_set_new(item, "claim",
                                    json_pack("{sI sI ss ss}", "min_bytes", (json_int_t)claim->min_gb * GB, "max_bytes",
                                              (json_int_t)claim->max_gb * GB, "model", claim->model, "path",
                                              claim->path));
        json_object_set_new(json, "state_disk", item);
}

static void add_cluster(const struct cluster *cluster, const struct role *role, json_t *json) {
        json_t *networks = json_array(), *nodes = json_array(), *vips = json_array();
        auto_free char *hosts = hosts_lines(cluster);
        for (size_t i = 0; i < cluster->network_count; i++)
                json_array_append_new(networks, network_json(&cluster->networks[i]));
        for (size_t i = 0; i < cluster->node_count; i++)
                json_array_append_new(nodes, node_json(cluster, role, &cluster->nodes[i]));
        for (size_t i = 0; i < cluster->vip_count; i++)
                json_array_append_new(
                    vips, json_pack("{ss so}", "name", cluster->vips[i].name, "ip", address_json(cluster->vips[i].ip)));
        json_object_set_new(json, "networks", networks);
        json_object_set_new(json, "roles", roles_json(cluster));
        json_object_set_new(json, "vips", vips);
        json_object_set_new(json, "nodes", nodes);
        json_object_set_new(json, "hosts", json_string(hosts));
}

static void add_dhcp(const struct dhcp_profile *dhcp, json_t *json) {
        json_object_set_new(json, "dhcp_timeout_ms", json_integer(dhcp->timeout_ms));
        json_object_set_new(json, "carrier_timeout_ms", json_integer(dhcp->carrier_timeout_ms));
        json_object_set_new(json, "device_timeout_ms", json_integer(dhcp->device_timeout_ms));
        json_object_set_new(json, "arp_check", json_boolean(dhcp->arp_check));
        json_object_set_new(json, "dhcp_client_id", json_string(dhcp_client_ids[dhcp->client_id]));
        json_object_set_new(json, "dhcp_options",
                            json_pack("{ss ss ss}", "node", text_or(dhcp->options.node, ""), "role",
                                      text_or(dhcp->options.role, ""), "id", text_or(dhcp->options.id, "")));
}

static bool refuse_size(const struct config *config, size_t size, struct err *err) {
        fail(err, ERR_CLUSTER, 0,
             "the inventory of role %s, with %zu nodes, has %zu bytes as /etc/kiln/node.json: nodes read at most %d",
             config->role->name, config->cluster->node_count, size, NODE_JSON_MAX_BYTES);
        return hint(err, "shorten the `variables` of the nodes, or divide the cluster");
}

bool node_json_write(struct config *config, struct err *err) {
        const struct cluster *cluster = config->cluster;
        json_t *paths = NULL;
        if (!state_paths_json(config, &paths, err))
                return false;
        json_t *json = json_object();
        json_object_set_new(json, "format", json_integer(1));
        json_object_set_new(json, "cluster", json_string(cluster->name));
        json_object_set_new(json, "role", json_string(config->role->name));
        json_object_set_new(json, "build", json_string(config->build_id));
        json_object_set_new(json, "release", json_string(cluster->release.name));
        json_object_set_new(json, "network_writer", json_string(cluster->release.network));
        json_object_set_new(json, "ensemble", json_boolean(config->role->ensemble));
        json_object_set_new(json, "strangers", json_boolean(config->role->strangers));
        if (config->role->strangers)
                json_object_set_new(json, "default", value_json(config->role->variables));
        add_cluster(cluster, config->role, json);
        json_object_set_new(json, "templates", templates_json(config));
        if (config->secrets.count > 0)
                json_object_set_new(json, "secrets", strings_json(&config->secrets));
        json_object_set_new(json, "cluster_services", strings_json(&config->role->services_cluster));
        json_object_set_new(json, "state", paths);
        add_state_disk(&config->role->state_disk, json);
        json_object_set_new(
            json, "reserve",
            json_pack("{si si}", "memory_mb", config->role->reserve.memory_mb, "cpus", config->role->reserve.cpus));
        add_dhcp(&cluster->dhcp, json);
        json_object_set_new(json, "report_url", json_string(text_or(cluster->report_url, "")));
        auto_free char *text = json_dumps(json, JSON_INDENT(2));
        json_decref(json);
        if (!text)
                return fail(err, ERR_INTERNAL, 0, "a text of the profile is not UTF-8 and cannot be given to the node");
        auto_free char *line = xasprintf("%s\n", text);
        size_t size = strlen(line);
        if (size > NODE_JSON_MAX_BYTES)
                return refuse_size(config, size, err);
        return tree_write(config->root, "/etc/kiln/node.json", line, size, 0600, 0, 0, err);
}
