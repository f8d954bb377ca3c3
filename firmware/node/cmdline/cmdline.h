// SPDX-License-Identifier: MIT
// What the kernel command line, and the config drive in the same words, say of this machine. Words are split and quoted
// as the kernel does it (next_arg in lib/cmdline.c): blanks separate outside double quotes; a quote that begins a word
// or a value is removed with its partner; what follows the word "--" on the command line is init's. The network's words
// are those of dracut.cmdline(7).
//
// Whatever is malformed, and two values that contradict, refuse the machine; nothing is resolved by order. What is well
// formed and has no effect is said in a note.
#ifndef KILN_NODE_CMDLINE_CMDLINE_H
#define KILN_NODE_CMDLINE_CMDLINE_H

#include <stddef.h>

#include "base/err.h"
#include "firmware/node/facts/facts.h"

enum {
        CMDLINE_MAX = 16384,
        CMDLINE_IP_MAX = 16,
        CMDLINE_LINKS_MAX = 16,
        CMDLINE_ROUTES_MAX = 16,
        CMDLINE_MEMBERS_MAX = 8,
        CMDLINE_NOTES_MAX = 16
};

// Who said a value.
enum cmdline_from { FROM_COMMAND_LINE, FROM_CONFIG_DRIVE };
const char *cmdline_source(enum cmdline_from from); // "command line", "config drive": as the report names it

// ifname=NAME:MAC
struct cmdline_ifname {
        char name[INTERFACE_NAME_SIZE];
        struct mac mac;
};

// vlan=NAME:PARENT; the id is the decimal number at the name's end (vlan0005, vlan5, eth0.0005, eth0.5)
struct cmdline_vlan {
        char name[INTERFACE_NAME_SIZE], parent[INTERFACE_NAME_SIZE];
        int id; // 1..4094
};

// bond=[NAME[:MEMBERS[:OPTIONS[:MTU]]]]; without members given at all eth0 and eth1, as dracut has it
struct cmdline_bond {
        char name[INTERFACE_NAME_SIZE];
        char members[CMDLINE_MEMBERS_MAX][INTERFACE_NAME_SIZE];
        size_t member_count;
        char options[256]; // "mode=802.3ad,miimon=100", ';' inside a value of several; "": the driver's own
        int mtu;           // 0: not given
};

// rd.route=NET/PREFIX:[GATEWAY][:INTERFACE]
struct cmdline_route {
        struct address to, gateway; // `to` without host bits; gateway.family 0: on the link
        int prefix;
        char interface[INTERFACE_NAME_SIZE]; // "": where the gateway is
};

// One ip=: METHOD | IF:METHOD[:[MTU][:MAC]] | ADDR:[PEER]:[GW]:MASK:[HOST]:[IF]:METHOD[:[MTU][:MAC]|:DNS[:DNS[:NTP]]]
struct cmdline_ip {
        enum cmdline_from from;
        bool dhcp, dhcp6, auto6;           // an address may be given beside, with `dhcp` none of IPv4
        struct address address6, gateway6; // family 0: not given
        int prefix6;                       // -1: not given
        uint32_t address, gateway;         // 0: not given
        int prefix;                        // -1: not given
        char hostname[HOSTNAME_SIZE], interface[INTERFACE_NAME_SIZE];
        struct mac mac; // the <if> field may be a MAC
        bool has_mac;
        int mtu;
        uint32_t dns[2];
        size_t dns_count;
};

struct cmdline {
        char node[HOSTNAME_SIZE], role[HOSTNAME_SIZE], hostname[HOSTNAME_SIZE]; // kiln.*; "": not given
        int id;                                                                 // kiln.id=, 0: not given
        uint32_t address;                                                       // kiln.ip=ADDR/PREFIX
        int prefix;                                                             // -1: not given
        enum cmdline_from node_from, role_from, hostname_from, id_from, address_from;
        struct mac bootif;
        bool has_bootif;
        bool allow_older; // kiln.allow_older: a build older than the newest that the state disk has seen; a drive's
                          // alone
        struct cmdline_ip ips[CMDLINE_IP_MAX];
        size_t ip_count;
        uint32_t dns[DNS_MAX]; // nameserver=
        size_t dns_count;
        struct address dns6[DNS_MAX];
        size_t dns6_count;
        struct cmdline_ifname ifnames[CMDLINE_LINKS_MAX];
        size_t ifname_count;
        struct cmdline_vlan vlans[CMDLINE_LINKS_MAX];
        size_t vlan_count;
        struct cmdline_bond bonds[CMDLINE_LINKS_MAX];
        size_t bond_count;
        struct cmdline_route routes[CMDLINE_ROUTES_MAX];
        size_t route_count;
        size_t drive_dns_count, drive_dns6_count, drive_route_count; // of these the last ones, a config drive's alone
        bool off; // ip=off, none or static without anything else: the network is not to be configured by itself
        char unmade[CMDLINE_LINKS_MAX][INTERFACE_NAME_SIZE]; // bridges and teams: kiln makes none
        size_t unmade_count;
        char bootdev[INTERFACE_NAME_SIZE];  // bootdev=: the card to use; "": not given
        char config[HOSTNAME_SIZE];         // kiln.config=: label of the config drive, or "none"; "": not given
        char notes[CMDLINE_NOTES_MAX][128]; // what was given and has no effect
        size_t note_count;
};

// ERR_IDENTITY for a value that is malformed and for two that contradict: such a machine is refused.
must_check bool cmdline_parse(const char *text, struct cmdline *ret, struct err *err);

// Adds what kiln.conf of a config drive says, several lines with '#' comments, to what the command line said. A word
// that means nothing there is an error: the file is ours alone. `device` is for messages, which name it and the line.
must_check bool cmdline_parse_drive(const char *text, const char *device, struct cmdline *cmdline, struct err *err);

// What the config drive alone says, where the network's word does not count. As cmdline_read() for what is wrong with
// it; nothing is said where there is none.
must_check bool cmdline_read_drive(const struct facts *facts, struct cmdline *ret, struct err *err);

// Both, as the facts have them.
must_check bool cmdline_read(const struct facts *facts, struct cmdline *ret, struct err *err);

// The next word of `*at`: writes NUL bytes into the text, moves `*at`, and returns the name; `*ret_value` is NULL
// without "=". NULL at the end.
char *cmdline_next(char **at, char **ret_value);

// What follows the word "--" is init's (the kernel's parse_args()).
bool cmdline_is_end(const char *word, const char *value);

// The last value of a parameter ("" if it has none), copied to `ret`; false if it is absent or does not fit.
bool cmdline_value(const char *text, const char *name, char *ret, size_t size);

#endif
