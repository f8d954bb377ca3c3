// The grammar of a cluster file.
#include "profile/internal.h"
#include "profile/tables.h"

#define ADDRESS_PATTERN "^(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])([.](25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3}$"

static const struct schema_field path_rows[] = {
        { "roles", "folder of the role files", &type_text, MEMBER(cluster_paths, roles), .fallback = "roles" },
        { "releases", "folder of the release files", &type_text, MEMBER(cluster_paths, releases),
          .fallback = "releases" },
        { "overlays", "folder of the overlay folders, one a role", &type_text, MEMBER(cluster_paths, overlays),
          .fallback = "../overlays" },
        { "kickstart", "folder of the kickstart templates", &type_text, MEMBER(cluster_paths, kickstart),
          .fallback = "../kickstart" },
};
static const struct schema path_table =
    SCHEMA_PART(path_rows, "`paths`", "where other files are, as seen from this file");

static const struct schema_field network_rows[] = {
        { "name", "name, networks.NAME in templates", &type_text, MEMBER(network, name), .required = true,
          .pattern = NAME_PATTERN, .pattern_means = NAME_MEANS },
        { "subnet", "addresses of the network", &type_subnet, MEMBERS(network, address, prefix), .required = true },
        { "gateway", "default router of its hosts", &type_address, MEMBER(network, gateway) },
        { "dns", "name servers of its hosts", &type_texts, MEMBER(network, dns), .or_one = true,
          .pattern = ADDRESS_PATTERN, .pattern_means = "an IPv4 address" },
        { "dhcp", "pool that a DHCP server may lease; no host or VIP may be in it", &type_address_range,
          MEMBERS(network, pool_first, pool_last) },
};
static const struct schema network_table = SCHEMA(network, network_rows, "a network", "a subnet that hosts are on");

static const struct schema_field vip_rows[] = {
        { "name", "name, vips.NAME in templates and in /etc/hosts", &type_text, MEMBER(vip, name), .required = true,
          .pattern = NAME_PATTERN, .pattern_means = NAME_MEANS },
        { "ip", "the virtual address", &type_address, MEMBER(vip, ip), .required = true },
        { "role", "role whose nodes share the address", &type_text, MEMBER(vip, role), .required = true,
          .pattern = NAME_PATTERN, .pattern_means = NAME_MEANS },
        { "vrrp_id", "VRRP virtual router id", &type_integer, MEMBER(vip, vrrp_id), .required = true, .min = 1,
          .max = 255 },
};
static const struct schema vip_table =
    SCHEMA(vip, vip_rows, "a VIP", "an address that the nodes of a role share by VRRP");

static const struct schema_field node_rows[] = {
        { "name", "host name", &type_text, MEMBER(node_row, node.name), .required = true },
        { "role", "name of the role it plays", &type_text, MEMBER(node_row, role), .required = true,
          .pattern = NAME_PATTERN, .pattern_means = NAME_MEANS },
        { "mac", "MAC address of the interface it boots from", &type_mac, MEMBERS(node_row, node.mac, node.has_mac) },
        { "ip", "address; the network whose subnet holds it is the node's", &type_address, MEMBER(node_row, node.ip),
          .required = true },
        { "id", "id in the ensemble (ZooKeeper's myid); never change it", &type_integer, MEMBER(node_row, node.id),
          .min = 1, .max = 255 },
        { "variables", "node.variables.* in templates", &type_tree, MEMBER(node_row, node.variables) },
};
static const struct schema node_table = { .what = "a node",
                                          .help = "a machine of the inventory",
                                          .fields = node_rows,
                                          .field_count = lengthof(node_rows),
                                          .size = sizeof(struct node_row),
                                          .place = offsetof(struct node_row, node.place) };

static const struct schema_field cluster_rows[] = {
        { "cluster", "name of the cluster", &type_text, MEMBER(cluster_file, name), .required = true,
          .pattern = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
          .pattern_means = "a name of lower-case letters, digits and `-`" },
        { "release", "name of a file in paths.releases, or a path that ends in .yaml; --release overrides it",
          &type_text, MEMBER(cluster_file, release), .required = true },
        { "paths", "where other files are, as seen from this file", &type_table, MEMBER(cluster_file, paths),
          .table = &path_table },
        { "roles", "roles to build although no node has them", &type_texts, MEMBER(cluster_file, roles),
          .pattern = NAME_PATTERN, .pattern_means = NAME_MEANS },
        { "networks", "the networks of the cluster", &type_tables, MEMBERS(cluster_file, networks, network_count),
          .table = &network_table },
        { "vips", "virtual addresses", &type_tables, MEMBERS(cluster_file, vips, vip_count), .table = &vip_table },
        { "nodes", "the inventory", &type_tables, MEMBERS(cluster_file, nodes, node_count), .table = &node_table },
        { "variables", "variables.* in templates", &type_tree, MEMBER(cluster_file, variables) },
        { "dhcp_timeout_ms", "how long a node waits for DHCP, in milliseconds", &type_integer,
          MEMBER(cluster_file, dhcp_timeout_ms), .fallback = "30000", .min = 100, .max = 3600000 },
        { "report_url", "where nodes send their report of the first boot", &type_text, MEMBER(cluster_file, report_url),
          .fallback = "" },
};
const struct schema cluster_schema =
    SCHEMA(cluster_file, cluster_rows, "a cluster file", "A cluster file: the inventory and what is built from it.");
