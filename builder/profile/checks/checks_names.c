// SPDX-License-Identifier: MIT
// Checks of the names in an inventory: what must be unique, and what a host may be called.
#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "profile/checks/checks.h"
#include "profile/reader/names.h"

static bool is_host_label(const char *label, size_t size) {
        if (size == 0 || size > 63 || label[0] == '-' || label[size - 1] == '-')
                return false;
        for (size_t i = 0; i < size; i++)
                if (!isalnum((unsigned char)label[i]) && label[i] != '-')
                        return false;
        return true;
}

// In the /etc/hosts of EL, with whatever domain.
static bool is_loopback_name(const char *name) {
        size_t size = strcspn(name, ".");
        if (size == 10 && (name[9] == '4' || name[9] == '6'))
                size--;
        return size == 9 && strncasecmp(name, "localhost", size) == 0;
}

// What is wrong with a host name (RFC 1123, and short enough for Linux), or NULL.
static const char *hostname_problem(const char *name) {
        struct in_addr address;
        // Linux keeps 64 bytes; RFC 1123 lets a name of digits stand, but then it reads as an address.
        if (strlen(name) > 64)
                return "it is longer than 64 characters";
        if (is_loopback_name(name))
                return "it is the loopback's name";
        if (name[strspn(name, "0123456789.")] == '\0')
                return "it has no letter and reads as a number or an address";
        if (inet_aton(name, &address)) // "0x7f.1"
                return "it reads as an address";
        for (const char *label = name;; label++) {
                size_t size = strcspn(label, ".");
                if (!is_host_label(label, size))
                        return "its parts must be 1 to 63 letters, digits and hyphens, with no hyphen at either end";
                label += size;
                if (!*label)
                        return NULL;
        }
}

// What a build has at its top beside a folder for each role.
static const char *const published_names[] = { "kickstart",      "manifest.json", "manifest.json.sig",
                                               "packages.lock",  "pxe",           "sbom.cdx.json",
                                               "sbom.spdx.json", "SHA256SUMS",    "SHA256SUMS.sig" };

// Sticks and some servers' disks take `sha256sums` and `SHA256SUMS` for one name.
void check_role_name(struct loader *loader, const char *name, const struct place *from) {
        for (size_t i = 0; i < lengthof(published_names); i++) {
                if (strcasecmp(name, published_names[i]) != 0)
                        continue;
                report(loader->diagnostics, ERR_SCHEMA, from,
                       "a role cannot be called `%s`: a build has `%s` beside the folders of its roles", name,
                       published_names[i]);
                report_hint(loader->diagnostics, "give the role, and its file, another name");
        }
}

// What else has a name of its own where a cluster's folder or its builds are: <out>/<cluster>/partial/<build>, and
// `current`, which verbs take for the build that it points to.
static const char *const output_names[] = { "current", "partial" };

static void check_cluster_name(struct loader *loader, const struct cluster_file *file) {
        for (size_t i = 0; i < lengthof(output_names); i++) {
                if (strcmp(file->name, output_names[i]) != 0)
                        continue;
                report(loader->diagnostics, ERR_SCHEMA, schema_place(file->tree, "cluster"),
                       "a cluster cannot be called `%s`: an output directory has that name for something else",
                       file->name);
                report_hint(loader->diagnostics, "give the cluster another name");
        }
}

static const char *node_mac_key(struct arena *arena, const struct node *node) {
        if (!node->has_mac)
                return "";
        return mac_text(arena, node->mac);
}

// They stand in /etc/hosts beside the names of nodes and VIPs.
static void check_aliases(struct loader *loader, const struct cluster_file *file, const struct once *names,
                          size_t name_count) {
        const struct value *rows = value_get(file->tree, "nodes");
        struct once *all = NULL;
        size_t count = 0;
        for (size_t i = 0; i < name_count; i++)
                *array_append(&all, &count) = names[i];
        for (size_t i = 0; i < file->node_count; i++) {
                const struct strings *aliases = &file->nodes[i].node.aliases;
                for (size_t j = 0; j < aliases->count; j++) {
                        const struct place *place = place_in_row(rows->items[i], "aliases", aliases->items[j]);
                        const char *problem = hostname_problem(aliases->items[j]);
                        if (problem)
                                report(loader->diagnostics, ERR_SCHEMA, place, "`%s` is no host name: %s",
                                       aliases->items[j], problem);
                        *array_append(&all, &count) =
                            (struct once){ lower_text(loader->arena, aliases->items[j]), place };
                }
        }
        check_once(loader, "name", all, count);
        free(all);
}

static void check_node_names(struct loader *loader, const struct cluster_file *file) {
        const struct value *rows = value_get(file->tree, "nodes"), *vips = value_get(file->tree, "vips");
        size_t count = file->node_count, all = count + file->vip_count;
        auto_free struct once *names = xcalloc(all, sizeof *names), *macs = xcalloc(count, sizeof *macs);
        auto_free struct once *addresses = xcalloc(count, sizeof *addresses);
        for (size_t i = 0; i < count; i++) {
                const struct node *node = &file->nodes[i].node;
                const struct value *row = rows->items[i];
                const char *problem = hostname_problem(node->name);
                if (node->name[0] && problem)
                        report(loader->diagnostics, ERR_SCHEMA, schema_place(row, "name"), "`%s` is no host name: %s",
                               node->name, problem);
                names[i] = (struct once){ lower_text(loader->arena, node->name), schema_place(row, "name") };
                macs[i] = (struct once){ node_mac_key(loader->arena, node), schema_place(row, "mac") };
                addresses[i] = (struct once){ in_addr_text(loader->arena, node->ip), schema_place(row, "ip") };
        }
        for (size_t i = 0; i < file->vip_count; i++) // both kinds of names stand in /etc/hosts
                names[count + i] = (struct once){ lower_text(loader->arena, file->vips[i].name),
                                                  schema_place(vips->items[i], "name") };
        check_aliases(loader, file, names, all);
        check_once(loader, "MAC address", macs, count);
        check_once(loader, "IP address", addresses, count);
}

static void check_vip_names(struct loader *loader, const struct cluster_file *file) {
        const struct value *rows = value_get(file->tree, "vips");
        auto_free struct once *addresses = xcalloc(file->vip_count, sizeof *addresses);
        auto_free struct once *ids = xcalloc(file->vip_count, sizeof *ids);
        for (size_t i = 0; i < file->vip_count; i++) {
                const struct vip *vip = &file->vips[i];
                addresses[i] =
                    (struct once){ in_addr_text(loader->arena, vip->ip), schema_place(rows->items[i], "ip") };
                ids[i] =
                    (struct once){ number_key(loader->arena, vip->vrrp_id), schema_place(rows->items[i], "vrrp_id") };
        }
        check_once(loader, "VIP address", addresses, file->vip_count);
        check_once(loader, "vrrp_id", ids, file->vip_count);
}

void check_inventory_names(struct loader *loader, const struct cluster_file *file) {
        const struct value *rows = value_get(file->tree, "networks");
        auto_free struct once *networks = xcalloc(file->network_count, sizeof *networks);
        for (size_t i = 0; i < file->network_count; i++)
                networks[i] = (struct once){ file->networks[i].name, schema_place(rows->items[i], "name") };
        check_once(loader, "network", networks, file->network_count);
        check_cluster_name(loader, file);
        check_node_names(loader, file);
        check_vip_names(loader, file);
}
