// SPDX-License-Identifier: MIT
// The grammar of a cluster file.
#include "profile/internal.h"
#include "profile/tables.h"
#include "shared/bond.h"
#include "shared/signed_layer.h"

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

// Of IPv4, or of IPv6.
#define ROUTE_PATTERN                                                                                                  \
        "^(" OCTET "([.]" OCTET "){3}/([1-9]|[12][0-9]|3[0-2]) via " OCTET "([.]" OCTET "){3}"                         \
        "|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*/([1-9]|[1-9][0-9]|1[01][0-9]|12[0-8]) via [0-9A-Fa-f.]*:[0-9A-Fa-f:.]*)$"
#define IPV6_PATTERN "^[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*$"

static const struct schema_field network_rows[] = {
        { "name", "name, networks.NAME in templates", &type_text, MEMBER(network, name), .required = true,
          .pattern = NAME_PATTERN, .pattern_means = NAME_MEANS },
        { "subnet", "addresses of the network", &type_subnet, MEMBERS(network, address, prefix), .required = true,
          .required_hint = "IPv6 (`subnet6`) stands beside IPv4: a private subnet that nobody routes will do" },
        { "gateway", "default router of its hosts", &type_address, MEMBER(network, gateway) },
        { "subnet6", "IPv6 addresses of the network", &type_text, MEMBER(network, subnet6),
          .pattern = "^[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*/([1-9]|[1-9][0-9]|1[01][0-9]|12[0-8])$",
          .pattern_means = "an IPv6 subnet such as fd00:1::/64" },
        { "gateway6", "default router of its hosts for IPv6, link-local or in subnet6", &type_text,
          MEMBER(network, gateway6), .pattern = IPV6_PATTERN, .pattern_means = "an IPv6 address" },
        { "dns", "name servers of its hosts", &type_texts, MEMBER(network, dns), .or_one = true,
          .pattern = ADDRESS_PATTERN, .pattern_means = "an IPv4 address" },
        { "mtu", "largest packet of its hosts, in bytes; absent: what each card has", &type_integer,
          MEMBER(network, mtu), .min = 68, .max = 65535 },
        { "vlan", "IEEE 802.1Q id: its hosts have their addresses on that VLAN of their card", &type_integer,
          MEMBER(network, vlan), .min = 1, .max = 4094 },
        { "routes", "further routes of its hosts, SUBNET via ROUTER", &type_texts, MEMBER(network, routes),
          .or_one = true, .pattern = ROUTE_PATTERN, .pattern_means = "a route such as `10.0.0.0/8 via 192.168.2.1`" },
        { "search", "domains that its hosts search", &type_texts, MEMBER(network, search), .or_one = true,
          .pattern = "^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?([.][A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$",
          .pattern_means = "a domain" },
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

#define INTERFACE_PATTERN "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$"
#define INTERFACE_MEANS "the name of an interface: at most 15 letters, digits, `.`, `_` and `-`"

#define SMBIOS_PATTERN "^[!-~]([ -~]{0,125}[!-~])?$"
#define SMBIOS_MEANS "at most 127 printable ASCII characters, as dmidecode shows them"

static const struct schema_field bond_rows[] = {
        { "name", "what the bond is called", &type_text, MEMBER(bond, name), .fallback = "bond0",
          .pattern = INTERFACE_PATTERN, .pattern_means = INTERFACE_MEANS },
        { "members", "MAC addresses of the cards", &type_texts, MEMBER(bond, members),
          .pattern = "^([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$",
          .pattern_means = "a MAC address such as 52:54:00:a8:02:47" },
        { "mode", "how the cards share the work", &type_text, MEMBER(bond, mode), .choices = bond_modes },
        { "options", "other options of the bonding driver, such as lacp_rate: fast", &type_scalars,
          MEMBER(bond, options) },
};
static const struct schema bond_table = SCHEMA(bond, bond_rows, "`bond`", "several cards of a node as one link");

static const struct schema_field link_rows[] = {
        { "mac", "MAC address of its card", &type_mac, MEMBERS(node_link, mac, has_mac) },
        { "bond", "several cards as this link", &type_table, MEMBER(node_link, bond), .table = &bond_table },
        { "name", "what the card is called, whatever the kernel says", &type_text, MEMBER(node_link, name),
          .pattern = INTERFACE_PATTERN, .pattern_means = INTERFACE_MEANS },
        { "ip", "its address; the network whose subnet holds it is the link's", &type_address, MEMBER(node_link, ip) },
        { "dhcp", "a DHCP server gives it an address", &type_bool, MEMBER(node_link, dhcp), .fallback = "false" },
        { "network", "name of the network that it is in, for mtu, vlan and routes of a link with DHCP", &type_text,
          MEMBER(node_link, network_name), .pattern = NAME_PATTERN, .pattern_means = NAME_MEANS },
        { "addresses", "further addresses, each in one of the networks, on that network's VLAN if it has one",
          &type_texts, MEMBER(node_link, addresses), .or_one = true, .pattern = ADDRESS_PATTERN,
          .pattern_means = "an IPv4 address" },
        { "ip6", "IPv6 addresses, each in the subnet6 of one of the networks", &type_texts, MEMBER(node_link, ip6),
          .or_one = true, .pattern = IPV6_PATTERN, .pattern_means = "an IPv6 address" },
        { "vlan", "IEEE 802.1Q id; absent: the network's", &type_integer, MEMBER(node_link, vlan), .min = 1,
          .max = 4094 },
        { "mtu", "largest packet, in bytes; absent: the network's", &type_integer, MEMBER(node_link, mtu), .min = 68,
          .max = 65535 },
        { "routes", "further routes beside the network's, SUBNET via ROUTER", &type_texts, MEMBER(node_link, routes),
          .or_one = true, .pattern = ROUTE_PATTERN, .pattern_means = "a route such as `10.0.0.0/8 via 192.168.2.1`" },
        { "default_route", "the node's default route is this link's, and not that of the link with the node's `ip`",
          &type_bool, MEMBER(node_link, default_route), .fallback = "false" },
};
static const struct schema link_table =
    SCHEMA(node_link, link_rows, "a link", "a further card or bond of a node, with a network of its own");

static const struct schema_field bmc_rows[] = {
        { "address", "its address or host name", &type_text, MEMBER(bmc, address),
          .pattern = "^[A-Za-z0-9:][A-Za-z0-9.:-]{0,252}$", .pattern_means = "an address or a host name" },
        { "user", "who may switch the machine", &type_text, MEMBER(bmc, user),
          .pattern = "^[A-Za-z0-9_.@][A-Za-z0-9_.@-]{0,63}$", .pattern_means = "a user name" },
        { "password_file", "file with the password alone, as seen from where kiln runs: no build reads it", &type_text,
          MEMBER(bmc, password_file) },
};
static const struct schema bmc_table =
    SCHEMA(bmc, bmc_rows, "`bmc`", "a management controller that speaks IPMI 2.0 (lanplus)");

static const struct schema_field node_rows[] = {
        { "name", "host name, with or without its domain", &type_text, MEMBER(node_row, node.name), .required = true },
        { "aliases", "further names of it in /etc/hosts", &type_texts, MEMBER(node_row, node.aliases), .or_one = true },
        { "role", "name of the role it plays", &type_text, MEMBER(node_row, role), .required = true,
          .pattern = NAME_PATTERN, .pattern_means = NAME_MEANS },
        { "mac", "MAC address of the interface it boots from", &type_mac, MEMBERS(node_row, node.mac, node.has_mac) },
        { "ip", "address; the network whose subnet holds it is the node's", &type_address, MEMBER(node_row, node.ip),
          .required = true,
          .required_hint =
              "IPv6 (`ip6`) stands beside IPv4: an address of a private subnet that nobody routes will do" },
        { "addresses", "further addresses, each in one of the networks, on that network's VLAN if it has one",
          &type_texts, MEMBER(node_row, node.addresses), .or_one = true, .pattern = ADDRESS_PATTERN,
          .pattern_means = "an IPv4 address" },
        { "ip6", "IPv6 addresses, each in the subnet6 of one of the networks", &type_texts, MEMBER(node_row, node.ip6),
          .or_one = true, .pattern = IPV6_PATTERN, .pattern_means = "an IPv6 address" },
        { "bond", "several cards as one link, which has the addresses", &type_table, MEMBER(node_row, node.bond),
          .table = &bond_table },
        { "links", "further cards and bonds, each with a network of its own", &type_tables,
          MEMBERS(node_row, node.links, node.link_count), .table = &link_table },
        { "interface", "what the card with the node's mac is called, whatever the kernel says", &type_text,
          MEMBER(node_row, node.interface), .pattern = INTERFACE_PATTERN, .pattern_means = INTERFACE_MEANS },
        { "serial", "SMBIOS serial number, which names the machine as its mac does", &type_text,
          MEMBER(node_row, node.serial), .pattern = SMBIOS_PATTERN, .pattern_means = SMBIOS_MEANS },
        { "uuid", "SMBIOS UUID, which names the machine as its mac does", &type_text, MEMBER(node_row, node.uuid),
          .pattern = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$",
          .pattern_means = "a UUID such as 4c4c4544-0051-3010-8052-b4c04f4e4b31" },
        { "asset_tag", "SMBIOS asset tag of the chassis, which names the machine as its mac does", &type_text,
          MEMBER(node_row, node.asset_tag), .pattern = SMBIOS_PATTERN, .pattern_means = SMBIOS_MEANS },
        { "id", "id in the ensemble (ZooKeeper's myid); never change it", &type_integer, MEMBER(node_row, node.id),
          .min = 1, .max = 255 },
        { "bmc", "its management controller, for `kiln rollout`", &type_table, MEMBER(node_row, node.bmc),
          .table = &bmc_table },
        { "variables", "node.variables.* in templates", &type_tree, MEMBER(node_row, node.variables) },
};
static const struct schema node_table = { .what = "a node",
                                          .help = "a machine of the inventory",
                                          .fields = node_rows,
                                          .field_count = lengthof(node_rows),
                                          .size = sizeof(struct node_row),
                                          .place = offsetof(struct node_row, node.place) };

#define DHCP_OPTION_PATTERN "^(22[4-9]|2[34][0-9]|25[0-4]|43[.]([1-9]|[1-9][0-9]|1[0-9][0-9]|2[0-4][0-9]|25[0-4]))$"
#define DHCP_OPTION_MEANS "an option of 224 to 254, or a sub-option of option 43 as in `43.1`"

static const struct schema_field dhcp_option_rows[] = {
        { "node", "option whose text is the node's name", &type_number_text, MEMBER(dhcp_option_names, node),
          .pattern = DHCP_OPTION_PATTERN, .pattern_means = DHCP_OPTION_MEANS },
        { "role", "option whose text is the role; another image is refused", &type_number_text,
          MEMBER(dhcp_option_names, role), .pattern = DHCP_OPTION_PATTERN, .pattern_means = DHCP_OPTION_MEANS },
        { "id", "option with the id in the ensemble, an integer of 1, 2 or 4 bytes", &type_number_text,
          MEMBER(dhcp_option_names, id), .pattern = DHCP_OPTION_PATTERN, .pattern_means = DHCP_OPTION_MEANS },
};
static const struct schema dhcp_option_table =
    SCHEMA_PART(dhcp_option_rows, "`dhcp_options`", "the site's own DHCP options that tell machines who they are");

static const char *const secure_boot_chains[] = { "vendor", "own", NULL }; // enum secure_boot_chain

static const char *const iso_deliveries[] = { "written", "on demand", NULL }; // enum iso_delivery

const char *const dhcp_client_ids[] = { "mac", "duid", NULL };

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
        { "inherits",
          "role fragments that each role of this cluster inherits, as if it named them after its own parents",
          &type_texts, MEMBER(cluster_file, inherits), .or_one = true, .pattern = NAME_PATTERN,
          .pattern_means = NAME_MEANS },
        { "networks", "the networks of the cluster", &type_tables, MEMBERS(cluster_file, networks, network_count),
          .table = &network_table },
        { "vips", "virtual addresses", &type_tables, MEMBERS(cluster_file, vips, vip_count), .table = &vip_table },
        { "nodes", "the inventory", &type_tables, MEMBERS(cluster_file, nodes, node_count), .table = &node_table },
        { "variables", "variables.* in templates", &type_tree, MEMBER(cluster_file, variables) },
        { "default", "node.variables.* in templates of nodes that do not give them, and of strangers; over the roles'",
          &type_tree, MEMBER(cluster_file, node_variables) },
        { "dhcp_timeout_ms",
          "how long a node waits for DHCP once the link is up, in milliseconds (a port may need 30 s for STP, 70 s for "
          "LACP)",
          &type_integer, MEMBER(cluster_file, dhcp.timeout_ms), .fallback = "75000", .min = 100, .max = 3600000 },
        { "carrier_timeout_ms", "how long it waits for a link, in milliseconds; not once another card has an answer",
          &type_integer, MEMBER(cluster_file, dhcp.carrier_timeout_ms), .fallback = "60000", .min = 0, .max = 3600000 },
        { "device_timeout_ms",
          "how long it waits for its network card and for the name that udev gives it, in milliseconds", &type_integer,
          MEMBER(cluster_file, dhcp.device_timeout_ms), .fallback = "300000", .min = 0, .max = 3600000 },
        { "arp_check", "whether a node asks by ARP if another machine has its address, and stops then (0.3 s)",
          &type_bool, MEMBER(cluster_file, dhcp.arp_check), .fallback = "true" },
        { "dhcp_client_id",
          "how nodes name themselves to DHCP servers: by MAC, as PXE firmware does, or by DUID (RFC 4361)",
          &type_choice, MEMBER(cluster_file, dhcp.client_id), .fallback = "mac", .choices = dhcp_client_ids },
        { "dhcp_options", "the site's own DHCP options that tell machines who they are", &type_table,
          MEMBER(cluster_file, dhcp.options), .table = &dhcp_option_table },
        { "http_base",
          "URL that serves the directory of this cluster's builds, for kickstart files; --http-base overrides it",
          &type_text, MEMBER(cluster_file, http_base), .pattern = HTTP_BASE_PATTERN, .pattern_means = HTTP_BASE_MEANS },
        { "mirrors",
          "further URLs that serve the directory of this cluster's builds; a node that fetches its root goes on there "
          "when the server of kiln.root fails, in this order",
          &type_texts, MEMBER(cluster_file, mirrors), .or_one = true,
          .pattern = "^http://[A-Za-z0-9._-]+(:[0-9]{1,5})?(/[!#-+.-~-]*)?$",
          .pattern_means = "http://HOST[:PORT][/PATH], without commas" },
        { "report_url", "where nodes send their report of each boot, by HTTP POST", &type_text,
          MEMBER(cluster_file, report_url), .fallback = "",
          .pattern = "^(http://[A-Za-z0-9._-]+(:[0-9]{1,5})?(/[!-~]*)?)?$",
          .pattern_means = "http://HOST[:PORT][/PATH] with a name or IPv4 address: nodes have no TLS for it" },
        { "status_port",
          "TCP port on which every machine tells whoever asks which build it runs, how full its disks are, which units "
          "failed, and its time: `kiln status` reads it. It is open for admin_networks where a role makes a firewall; "
          "0: "
          "nothing listens",
          &type_integer, MEMBER(cluster_file, status_port), .fallback = "0", .min = 0, .max = 65535 },
        { "state_disk", "the disk on which the roles' state outlives reboots", &type_table,
          MEMBER(cluster_file, state_disk), .table = &state_disk_table },
        { "admin_networks",
          "subnets that operators come from: `from: admin` of the roles' firewalls; none: SSH is open to all, and "
          "nothing "
          "else that is theirs to anybody",
          &type_texts, MEMBER(cluster_file, admin_networks), .or_one = true, .pattern = "^" SUBNET_PATTERN "$",
          .pattern_means = "a subnet such as 192.168.2.0/24" },
        { "boot_menu_password",
          "GRUB's PBKDF2 hash of the password that opens locked menus (`boot_menu` of roles), as grub-mkpasswd-pbkdf2 "
          "prints "
          "it; absent: nobody opens them. User name: operator",
          &type_text, MEMBER(cluster_file, boot_menu_password),
          .pattern = "^grub[.]pbkdf2[.]sha512[.][1-9][0-9]{0,8}([.]([0-9A-Fa-f]{2}){16,255}){2}$",
          .pattern_means = "a hash, grub.pbkdf2.sha512.ROUNDS.SALT.HASH, as grub-mkpasswd-pbkdf2 prints it" },
        { "secrets",
          "names of values that no image holds: templates of roles' files have them as {{secrets.NAME}}, and a node "
          "takes "
          "the values from kiln.secrets on its config drive or state disk (`kiln secret`)",
          &type_texts, MEMBER(cluster_file, secrets), .or_one = true, .pattern = SECRET_PATTERN,
          .pattern_means = SECRET_MEANS },
        { "trusted_keys",
          "public keys, ssh-ed25519 ..., one of which must have signed what a node boots; none: nothing is asked for",
          &type_texts, MEMBER(cluster_file, trusted_keys), .or_one = true },
        { "minimum_serial", "nodes refuse a build whose --serial is lower; needs trusted_keys", &type_id,
          MEMBER(cluster_file, minimum_serial), .fallback = "0", .min = 0, .max = SERIAL_MAX },
        { "secure_boot",
          "what UEFI firmware starts: `vendor`, the release's shim, GRUB and kernel, whose signatures cover neither "
          "initrd "
          "nor configuration; `own`, ROLE/kiln.efi, which holds kernel, initrd, command line and keys in one file, "
          "signed "
          "with --secure-boot-key, on ISOs too; needs trusted_keys",
          &type_choice, MEMBER(cluster_file, secure_boot), .fallback = "vendor", .choices = secure_boot_chains },
        { "iso",
          "`written`: each build has its ISOs; `on demand`: it has what `kiln iso BUILD ROLE` writes them from, a "
          "megabyte "
          "a role, which saves the copies of the roots",
          &type_choice, MEMBER(cluster_file, iso), .fallback = "written", .choices = iso_deliveries },
};
const struct schema cluster_schema =
    SCHEMA(cluster_file, cluster_rows, "a cluster file", "A cluster file: the inventory and what is built from it.");
