// SPDX-License-Identifier: MIT
// The validated profile: what `kiln build profiles/cluster.yaml` means. Read from a cluster file, its release file
// and its role files (roles already merged with what they inherit). Every pointer is the arena's; strings are never
// NULL unless said so; lists are in the order written, parents' items before children's.
#ifndef KILN_PROFILE_PROFILE_H
#define KILN_PROFILE_PROFILE_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/strings.h"
#include "shared/sshsig.h"
#include "shared/value.h"

// ---- release: where packages come from, what the distribution is like ----

enum trust { TRUST_SIGNATURE, TRUST_DIGEST };

struct repository {
        struct place place;
        const char *name;
        struct strings base_urls; // mirrors, tried in turn; file://, http://, https:// (a relative path became file://)
        const char *mirrorlist;   // URL, or NULL
        const char *metalink;     // URL of a list that also says which repomd.xml is good, or NULL
        struct strings keys;      // gpgkeys: URLs or (made absolute) file paths
        struct strings fingerprints;       // pinned, upper-case hex without spaces; empty: whatever `keys` holds
        enum trust trust;                  // DIGEST: packages need no signature, metadata's sha256 is enough
        bool check_metadata_signature;     // repomd.xml.asc must verify
        bool allow_sha1;                   // V4 RSA/SHA1 package signatures are accepted
        int priority;                      // 1..99, lower wins, default 99
        struct strings excludes, includes; // globs over name and name-version-release.arch
        bool module_hotfixes;              // its packages do not hide behind those of modules
        bool skip_if_unavailable;          // where it is a directory of this machine that is not there
};

struct release {
        struct place place;
        const char *name, *path; // path of the file it was read from
        const char *description, *arch;
        const char *releasever; // $releasever in URLs; NULL: the release has none
        struct repository *repositories;
        size_t repository_count;
        struct strings excludes; // for every repository
        struct strings may_fail; // globs: packages whose %post, %posttrans and triggers may fail
        struct strings modules;  // "NAME:STREAM": streams that are enabled beside the default ones
        bool install_weak_deps;  // what packages recommend is installed, too
        const struct value
            *package_names; // MAP role's name -> this release's name, list of names, or null (not needed here)
        const struct value *service_names; // MAP, the same for units
        const char *kernel_package;        // "kernel"
        const char *kernel_image;          // glob in the root, "/boot/vmlinuz-*"
        const char *squashfs_compressor;   // "gzip", "xz", "zstd"
        int squashfs_level;                // gzip 1..12 (libdeflate's scale), others the library's
        uint32_t squashfs_block_bytes;
        const char *rpmdb;             // "sqlite" or "bdb"
        const char *rpmdb_path;        // directory of the image that holds it; NULL: what its rpm says
        const char *network;           // writer that kiln-node uses: "systemd-networkd", "ifcfg"
        const char *initrd_compressor; // "gzip" or "xz"
        struct strings initrd_modules; // kernel modules for the initrd, by name; dependencies are added
        struct strings kernel_arguments;
        struct {
                struct strings packages; // fetched and unpacked for their files, not installed into the image
                // Paths inside those packages; NULL: not offered by the release
                const char *isolinux, *isolinux_modules /* directory */, *isohybrid_mbr, *pxelinux;
                const char *grub_efi_iso /* prefix /EFI/BOOT */, *grub_efi_net, *shim;
                const char *ipxe_bios, *ipxe_efi;
        } bootloader;
        const struct value *variables; // MAP, `release.variables.*` in templates
        const struct value *tree;      // the file as it is written
};

// ---- roles ----

struct user {
        struct place place;
        const char *name, *home, *shell, *comment;
        int64_t uid; // -1: the next free system id
        struct strings groups;
        bool system;
};

// A file written into the configuration layer. Exactly one of content and source is set.
struct file {
        struct place place;
        const char *path;    // absolute, in the image
        const char *content; // literal text; or NULL
        const char *source;  // absolute path on the build host; or NULL
        const char *shown;   // the same, as seen from the working directory
        const char *link;    // symbolic link target instead of both, already rendered; or NULL
        bool is_directory;   // and nothing of these
        bool is_template;    // render before writing
        int mode; // -1: 0644, or 0755 if the source is executable; 0600 if it needs secrets; of a directory: see below
        // "root" by default. A directory that the image has keeps its mode if that is -1, and its owner and group if
        // they are NULL, as those of overlays are. A new one is root's then, with 0755.
        const char *owner, *group;
        int lost_mode; // of an overlay's file, with bits that an overlay does not keep; 0: it has none
        // Units that stay down on a node where a secret that it needs has no value; not said: all of services_cluster
        bool has_services;
        struct strings services; // units with suffix; release's names already applied
};

struct state_path {
        struct place place;
        const char *path;
        int mode;
        const char *owner, *group;
        const char *id_file; // below `path`, says the node's id: ZooKeeper's myid; or NULL
};

// The one blank disk that may be formatted. Globs match as fnmatch(3) with no flags.
struct state_claim {
        struct place place;
        bool wanted;        // false: never format anything
        int min_gb, max_gb; // 10^9 bytes; max 0: any
        const char *model, *path;
};

struct state_disk {
        struct place place;
        bool wanted; // false: no state disk is looked for
        const char *label, *filesystem /* "ext4" or "xfs" */;
        bool required;
        int timeout_s;
        struct state_claim claim;
        bool overlay;    // the root's writable layer lies on it too, as scratch
        bool root_cache; // nodes keep the last two roots on it, and fetch them: role_fetches_root()
};

// What of the machine its tasks do not get (node.machine.task_*).
struct reserve {
        int memory_mb, cpus;
};

// A value that is read from the answer of a check: by its key in a JSON document, at the beginning of a line, by an
// extended regular expression, whose first group is taken if it has one, or what ZooKeeper says beside the answer. One
// of the five is not NULL.
struct health_value {
        struct place place;
        const char *name, *json, *line, *match, *matches; // `matches`, and a `json` with a `*`: a list
        const char *reply;                                // "epoch", "name" or "children", a list
        const char *form;                                 // of `json`, or NULL: text with {KEY} for what an object has
        const char *expect; // extended regular expression that it must match; NULL: anything
};

enum health_kind { HEALTH_TCP, HEALTH_HTTP, HEALTH_TEXT, HEALTH_ZOOKEEPER, HEALTH_KIND_COUNT };
const char *health_kind_name(enum health_kind kind);

struct health_check {
        struct place place;
        const char *name;
        int kind;           // enum health_kind
        const char *path;   // http and zookeeper, may be NULL: `/`
        const char *child;  // zookeeper, may be NULL: of the children that match, the first one's data is the answer
        const char *send;   // text, may be NULL: nothing is sent
        const char *expect; // extended regular expression that the answer must match, or NULL
        const char *remedy; // what to do if it fails, or NULL
        int port;
        bool vip;      // asked through the role's VIPs, too
        bool optional; // no node is unhealthy because it fails
        struct health_value *values;
        size_t value_count;
};

// What the values of all nodes of a role say together.
enum agreement_kind {
        AGREEMENT_SAME,
        AGREEMENT_ONE,
        AGREEMENT_SUM,
        AGREEMENT_EVERY,
        AGREEMENT_NAMES,
        AGREEMENT_MEMBERS,
        AGREEMENT_RECENT,
        AGREEMENT_SETS,
        AGREEMENT_MOST,
};
struct agreement {
        struct place place;
        const char *name, *value; // CHECK.VALUE
        int kind;                 // enum agreement_kind
        const char *is;           // ONE, EVERY, NAMES, MOST: extended regular expression
        const char *where;        // NAMES, MOST: the CHECK.VALUE that matches `is` on the node that is meant
        const char *nodes_of;     // SUM, MEMBERS, SETS: a role
        // MEMBERS: the CHECK.VALUE by which its nodes call themselves; NULL: name or address. SETS: what is compared
        // with
        const char *says;
        int less;           // SUM: the sum is the number of its nodes less so many
        int within_s;       // RECENT: seconds
        bool each;          // MEMBERS: every node lists all of them, and not all nodes together
        bool serious;       // the cluster does not serve without it
        const char *remedy; // what to do if it does not hold, or NULL
};

// What a role's machines take from whom. kiln checks it and derives the addresses; a template makes a firewall of it.
struct firewall_rule {
        struct place place;
        const char *name;     // for comments, may be ""
        const char *protocol; // a name of firewall_protocols
        struct strings ports; // "2181" or "31000-32000"; none for protocols without ports
        struct strings from;  // FROM_ANY, FROM_CLUSTER, FROM_ADMIN, names of roles, subnets
};
extern const char *const firewall_protocols[]; // NULL-terminated
#define FROM_ANY "any"
#define FROM_CLUSTER "cluster" // every node, and machines that a role takes although the inventory does not know them
#define FROM_ADMIN "admin"     // the cluster file's admin_networks

// ---- rollouts: what `kiln rollout` does with the nodes of a role ----

// `at` of what follows: ROLLOUT_AT_NODE, the node that is being changed; ROLE, each of its nodes; or ROLE.LEAD, the
// node that has this lead.
#define ROLLOUT_AT_NODE "node"

// Who of a role's nodes leads in something.
struct rollout_lead {
        struct place place;
        const char *name;
        const char *value; // CHECK.VALUE; NULL: `vip`
        const char *is;    // extended regular expression that the leader's matches; NULL: the value names the leader
        bool vip;          // the holder of a virtual address of the role leads
};

// What must be so before a node is touched.
struct rollout_condition {
        struct place place;
        const char *name, *at, *path, *json, *is;
        int port;
};

// Where a server says what each node has and what of it is used.
struct rollout_fits {
        struct place place;
        const char *at, *path;
        const char *list;        // key of the list of nodes
        const char *node;        // member of an item: the name or address of the node
        const char *have, *used; // members of an item: objects of numbers
        struct strings of;       // which of the numbers
        int port;                // 0: nobody is asked
};

// The items of a list, at the server that an action asks, that are a node's.
struct rollout_items {
        struct place place;
        const char *path, *list;
        const char *where; // member that is the node's name or address
        const char *value; // member that is {{value}} in {{#items}}
};

// Either `ssh`, the words of a command, or an HTTP request.
struct rollout_action {
        struct place place;
        const char *name, *at;
        struct strings ssh;
        const char *input;       // for the command's standard input; a template
        const char *method;      // NULL: ssh
        const char *path, *body; // templates; body may be NULL
        int port;
        int settle_s;               // waited after it
        bool once;                  // for a step, and not for each of its nodes
        struct rollout_items items; // path NULL: none are asked for
};

enum rollout_reboot { ROLLOUT_SSH, ROLLOUT_IPMI, ROLLOUT_BUTTON };

struct rollout_keys {
        struct place place;
        int order, batch, settle_s;
        int reboot; // enum rollout_reboot
        struct rollout_fits fits;
        struct rollout_lead *leads; // the first gives way first
        size_t lead_count;
        struct rollout_condition *before;
        size_t before_count;
        struct rollout_action *drain, *undrain;
        size_t drain_count, undrain_count;
};
extern const char *const rollout_reboot_names[]; // NULL-terminated, by enum rollout_reboot

// Where a name of a role's lists stands in a profile.
struct origin {
        const char *name;
        struct place place;
};

struct role {
        struct place place;
        const char *name, *description;
        struct strings ancestors;                         // whose nodes count as nodes of, too: all that it inherits
        bool is_abstract;                                 // only others inherit it
        bool ensemble;                                    // an odd number of members, stable ids 1..255
        bool strangers;                                   // nodes that the inventory does not know may come up
        struct strings packages;                          // release's names already applied; "@group" allowed
        struct strings services_enable, services_disable; // units with suffix; release's names already applied
        struct strings services_cluster; // enabled too, and started only on a machine whose identity is sure
        const char *default_target;      // "multi-user.target"
        const char *overlay_size;        // of the tmpfs above the root, as tmpfs(5) takes it: "50%"
        const char *on_failure;          // of the initrd: "retry", "reboot", "shell" or "halt"
        int reboot_delay_s;
        const char *boot_menu;         // "open" or "locked"
        const struct value *sysctl;    // MAP of scalars
        const struct value *variables; // MAP, node.variables.* of a node that gives none of its own, and of strangers
        struct user *users;
        size_t user_count;
        struct file *files; // overlays of the role and its parents first, then `files:`
        size_t file_count;
        struct state_path *state;
        size_t state_count;
        struct state_disk state_disk; // the role's own, or else the cluster's
        struct reserve reserve;
        struct strings remove; // absolute paths that the image must not have
        struct strings kernel_arguments;
        struct place arguments_place; // of the last of them; no file: none is the role's own
        struct health_check *health;
        size_t health_count;
        struct agreement *agreements;
        size_t agreement_count;
        const char
            *need; // "majority", "all" or a number of nodes without which it does not serve; NULL: nothing is said
        struct firewall_rule *firewall;
        size_t firewall_count;
        struct rollout_keys rollout;
        const char *kickstart;       // template file on the build host, or NULL
        const char *kickstart_shown; // the same, as seen from the working directory
        struct origin *origins;      // of packages and units, for messages; see role_place()
        size_t origin_count;
        bool selected; // to be built in this run: profile_options.roles names it, or names none
        size_t *nodes; // indices into cluster.nodes
        size_t node_count;
};

// ---- cluster ----

struct network {
        struct place place;
        const char *name;
        struct in_addr address;         // network address
        int prefix;                     // 0..32
        struct in_addr gateway;         // 0: none
        const char *subnet6, *gateway6; // "fd00:1::/64" and "fd00:1::1"; NULL: none
        int prefix6;                    // of subnet6; 0: none
        struct strings dns;
        int mtu, vlan;                        // 0: the card's own; no VLAN
        struct strings routes, search;        // "10.0.0.0/8 via 192.168.2.1"; domains
        struct in_addr pool_first, pool_last; // DHCP pool, 0: none
};

struct vip {
        struct place place;
        const char *name, *role;
        struct in_addr ip;
        int vrrp_id; // 1..255
        size_t network;
};

// Several cards of a node as one link; no members: there is no bond.
struct bond {
        struct place place;
        const char *name, *mode;     // mode as the driver calls it
        struct strings members;      // MAC addresses
        const struct value *options; // MAP of the driver's other options, or NULL
};

// The management controller of a machine, which switches it.
struct bmc {
        struct place place;
        const char *address, *user;
        const char *password_file; // as written: kiln reads it for a rollout alone
};

// A further link of a node, on cards of its own.
struct node_link {
        struct place place;
        unsigned char mac[6];
        bool has_mac;
        struct bond bond;         // no members: the link is a card
        const char *name;         // what the card is called; NULL: what the kernel calls it
        const char *network_name; // as written, or NULL
        size_t network;           // index of the network of `ip`, or else of the one that is named; none: network_count
        struct in_addr ip;        // 0: DHCP gives it one
        bool dhcp, default_route;
        struct strings addresses, ip6, routes;
        int mtu, vlan; // 0: the network's
};

struct node {
        struct place place;
        const char *name;
        size_t role;  // index into cluster.roles
        size_t index; // position among the nodes of its role, from 0: VRRP priorities and the like come from it
        unsigned char mac[6];
        bool has_mac;
        struct in_addr ip;
        int id; // 1..255, 0 if the role is no ensemble and none was given
        size_t network;
        struct strings aliases;   // further names in /etc/hosts
        struct strings addresses; // further ones, each in one of the networks
        struct strings ip6;       // IPv6 addresses, each in the subnet6 of one of the networks
        const char *interface;    // what the card with `mac` is called; NULL: what the kernel calls it
        struct bond bond;         // `mac` is one of its members
        struct node_link *links;  // beside the one with `ip`
        size_t link_count;
        const char *serial, *uuid, *asset_tag; // SMBIOS (smbios.h); NULL: not known
        struct bmc bmc;                        // address NULL: none
        const struct value *variables;         // MAP, node.variables.* in templates
};

// The site's own DHCP options: "224" to "254", "43.1" for a sub-option of option 43; NULL: none.
struct dhcp_option_names {
        const char *node, *role, *id;
};

// How kiln-node asks for an address; node_config.h has the meaning of each.
struct dhcp_profile {
        int timeout_ms, carrier_timeout_ms, device_timeout_ms;
        bool arp_check;
        int client_id; // index into dhcp_client_ids
        struct dhcp_option_names options;
};
extern const char *const dhcp_client_ids[]; // NULL-terminated

#define BOOT_MENU_LOCKED "locked"

// A URL that stands in kickstart files, between quotes and without.
#define HTTP_BASE_PATTERN                                                                                              \
        "^(https?://([A-Za-z0-9._-]+|[[][0-9A-Fa-f:.]+[]])(:[0-9]{1,5})?|file:///[A-Za-z0-9._-]+)(/"                   \
        "[]!$-&(-[^_a-~]*)?$"
#define HTTP_BASE_MEANS "a URL: http://HOST[:PORT][/PATH], https://, or file:///PATH for the installer's own medium"

struct cluster {
        struct arena arena;
        struct place place;
        const struct value *tree;  // the file as it is written, with --set applied
        const struct value *scope; // what the scopes of all roles share (cluster_scope)
        const char *name, *path;
        struct release release;
        struct network *networks;
        size_t network_count;
        struct vip *vips;
        size_t vip_count;
        struct node *nodes;
        size_t node_count;
        struct role *roles; // those that at least one node has, or that `roles:` of the cluster file names
        size_t role_count;
        const struct value *variables;
        struct dhcp_profile dhcp;
        struct strings mirrors;       // URLs that serve the same
        const char *http_base;        // URL that serves the builds of this cluster; NULL: none is said
        const char *report_url;       // where kiln-node sends its report; ""
        int status_port;              // where kiln-node tells how its machine is; 0: nowhere
        struct ssh_key *trusted_keys; // nodes boot what one of them signed; none: they ask for no signature
        size_t trusted_key_count;
        uint64_t minimum_serial;
        enum secure_boot_chain { SECURE_BOOT_VENDOR, SECURE_BOOT_OWN } secure_boot;
        struct strings secrets; // names of what only nodes know
        enum iso_delivery { ISO_WRITTEN, ISO_ON_DEMAND } iso;
        struct strings admin_networks;  // subnets that operators come from
        const char *boot_menu_password; // GRUB's PBKDF2 hash of it; NULL: nobody edits a locked menu
        struct strings inputs; // every file that was read or will be rendered (profiles, overlay and kickstart files),
                               // sorted, once each: their bytes decide the build id
        struct strings
            warnings;       // what may be meant as it is written: "FILE:LINE:COLUMN: ...", with the line and a hint
        struct strings set; // the --set overrides that were applied
        const char *firmware_dir; // set by build.c: initramfs/, bootloader/, kiln-node
};

// One thing that is wrong, or that may be meant as it is (`kind` NONE), for programs. Texts are the caller's only while
// it is called.
struct profile_finding {
        enum err_kind kind;
        struct place place;
        const char *message, *hint; // `hint` may be NULL
};

// The finding that an error of a template is: its text begins with the place, and ends with the line. On the arena.
struct profile_finding profile_finding_of(struct arena *arena, const struct err *err);

struct profile_options {
        // Called for each finding at the end, mistakes first. NULL: they are in err->text and cluster->warnings alone.
        void (*finding)(const struct profile_finding *finding, void *context);
        void *context;
        const char *text;             // is read instead of the file, which need not be there; NULL: the file
        const char *release;          // overrides the file's: a name or a path; or NULL
        struct strings set;           // "variables.x=y": overrides in the cluster file's tree before checking
        struct strings allow_outside; // directories that profiles may name files of, beside their own tree
        struct strings roles; // only these are `selected`; empty: all. Every role is read and checked all the same,
                              // because the templates of one speak of the nodes of another
};

// Reads and checks everything. All mistakes are found in one run and joined in err->text, each
// "file:line:column: message", the line, a caret, and a hint; kind is that of the first.
must_check bool cluster_load(const char *path, const struct profile_options *options, struct cluster **ret,
                             struct err *err);
void cluster_free(struct cluster *cluster);

// A release file alone, for `kiln resolve --release`.
must_check bool release_load(const char *path, struct arena *arena, struct release *ret, struct err *err);

// A URL with $arch, $basearch and $releasever (${...}, too) of the release filled in; heap. `ret_unknown`: the first
// variable that has no value, heap; NULL: all have.
char *release_expand(const struct release *release, const char *text, char **ret_unknown);

// The scope that a role's templates see at build time (profiles.5 documents it):
//   cluster.name, release.name, release.network, release.variables.*, role.name, variables.*,
//   role.firewall[] (and what health asks for, from admin) {name, protocol, number, port, source}: one for each port
//   (or range, "31000:32000") and source ("192.168.2.71/32"), admin_networks[],
//   networks.NAME.{subnet,prefix,netmask,gateway,dns[]}, vips.NAME.{ip,vrrp_id,prefix,role}, nodes[] and
//   roles.NAME.{nodes[], count, quorum}, where a node is {name, role, ip, mac, id, index (from 0, in its own role),
//   prefix, netmask, gateway, variables.*}. `nodes` is in the order of cluster.nodes, and roles.NAME has the nodes
//   whose role is NAME or inherits it, for every NAME that nodes have or inherit.
// The top map is the arena's, and the caller may add to it; what it holds is the cluster's, and shared by all roles.
struct value *cluster_scope(struct arena *arena, const struct cluster *cluster, const struct role *role);

// Where a profile asks for a package or unit, by the name that the release gives it. NULL: no profile of the role does.
const struct place *role_place(const struct role *role, const char *name);

const struct role *cluster_find_role(const struct cluster *cluster, const char *name); // NULL: none
// The network whose subnet6 holds the address; NULL: none does.
const struct network *network_of_ipv6(const struct network *networks, size_t count, const char *text);
// The MAC addresses of all cards of a node, its own first, each once, as they are compared; heap, NULL if none is
// known.
struct node_mac {
        unsigned char bytes[6];
};
struct node_mac *node_macs(const struct node *node, size_t *ret_count);
// Whether it is this one or inherits it.
bool role_is(const struct role *role, const char *name);
// Whether the role's nodes keep its root (state_disk.root_cache), so that a boot loader must not bring it each time.
bool role_fetches_root(const struct role *role);
// The nodes whose role is `name` or inherits it, as indices in the inventory's order; heap, NULL if there is none.
size_t *cluster_members(const struct cluster *cluster, const char *name, size_t *ret_count);
// The role of the cluster in whose ensemble the nodes of this one vote: itself, or an ensemble that it inherits.
const struct role *cluster_ensemble_of(const struct cluster *cluster, const struct role *role);
const struct node *cluster_find_node(const struct cluster *cluster, const char *name);
// The node that a user named; ERR_REFERENCE with the nearest name, or some that there are.
must_check bool cluster_need_node(const struct cluster *cluster, const char *name, const struct node **ret,
                                  struct err *err);

// JSON Schema (2020-12) of "cluster", "release" or "role" files, from the tables that check them.
char *profile_json_schema(const char *kind); // heap; NULL for an unknown kind
// The same as plain text for profiles(5): each key, what it is for, what it must be.
char *profile_reference(const char *kind); // heap; NULL for an unknown kind

#endif
