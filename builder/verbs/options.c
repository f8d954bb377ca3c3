// SPDX-License-Identifier: MIT
#include "verbs/options.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "artefact/artefact.h"
#include "base/mem.h"
#include "base/mistake.h"
#include "verbs/verb.h"

// A WORDS option repeats as a LIST does, but its values keep their commas. To be empty means something for MAYBE alone.
enum option_kind { FLAG, TEXT, MAYBE, LIST, WORDS, NUMBER };
enum { NUMBER_MAX = 1000000 };

// b build, l lock, f fetch, v verify, k cache, c check, r resolve, o boot, s schema, u builds, p publish, e secret, i
// iso, P push, L pull, d diff, S shell, W write, n serve, a status, I init, R rack, w show, t rollout, B plan
static const struct option {
        const char *name, *verbs, *value, *help;
        enum option_kind kind;
        size_t offset;
} option_table[] = {
#define O(name, verbs, value, kind, member, help)                                                                      \
        { name, verbs, value, help, kind, offsetof(struct options, member) }
        O("masters", "I", "N", NUMBER, masters, "so many nodes of role master; an odd number"),
        O("slaves", "I", "N", NUMBER, slaves, "so many nodes of role slave"),
        O("balancers", "I", "N", NUMBER, balancers, "so many nodes of role balancer"),
        O("registries", "I", "N", NUMBER, registries, "so many nodes of role registry"),
        O("nodes", "I", "ROLE=N", LIST, nodes, "so many nodes of any role; may be repeated"),
        O("from", "I", "FILE", TEXT, from,
          "take the machines from a list: HOSTS.csv, an Ansible inventory, dnsmasq.conf or dhcpd.conf"),
        O("role", "I", "ROLE", LIST, roles, "the role of listed machines of which neither group nor name tells"),
        O("release", "I", "NAME", TEXT, release, "the release (default: centos-7.2)"),
        O("name", "I", "NAME", TEXT, name, "the cluster's name (default: that of DIR)"),
        O("subnet", "I", "SUBNET", TEXT, subnet,
          "the network of the machines, such as 10.1.0.0/24 (default: 192.168.2.0/24, or that of the list)"),
        O("gateway", "I", "ADDRESS", TEXT, gateway, "their router (default: the first address of the subnet)"),
        O("dns", "I", "ADDRESS", TEXT, dns, "their name server (default: the router)"),
        O("server", "I", "ADDRESS", TEXT, server, "the machine that will serve the builds (default: the router)"),
        O("ssh-key", "I", "FILE", TEXT, ssh_key, "a public key that may log in as root"),
        O("yes", "I", NULL, FLAG, yes, "ask nothing, on a terminal neither"),
        O("release", "bBlfvcronaRwtSW", "NAME", TEXT, release,
          "another release than the cluster file's: a name or a file"),
        O("set", "bBlfconaRwtSW", "KEY=VALUE", LIST, set,
          "override a value of the cluster file, as in variables.registry=host:5000"),
        O("allow-outside", "bBlfvconaRwtSW", "DIR", LIST, allow_outside,
          "let profiles name files of this directory too, beside their own tree; may be repeated"),
        O("role", "bB", "ROLE", LIST, roles, "only this role; may be repeated"),
        O("only", "bB", "KIND", LIST, only, "only these artefacts: squashfs, initrd, config, iso, pxe, kickstart, ..."),
        O("out", "bBoupPLidnaRtSW", "DIR", TEXT, out, "where builds are published (default: out)"),
        O("cache", "bBlfvkcr", "DIR", TEXT, cache, "packages, layers and packed roots (default: $XDG_CACHE_HOME/kiln)"),
        O("cache-limit", "b", "GB", NUMBER, cache_limit,
          "forget what the least recent builds used once the cache is larger; 0: never (default: 30)"),
        O("remote", "bBkf", "URL", TEXT, remote,
          "a cache that several machines share, http://HOST/PREFIX, https, s3://BUCKET/PREFIX or "
          "oci://HOST/REPOSITORY: what is in it is loaded instead of made"),
        O("remote-keys", "bkf", "FILE", TEXT, remote_keys,
          "public keys, a line each: what one of them signed is taken from --remote, and nothing else"),
        O("remote-sign", "bkf", "KEY", TEXT, remote_sign,
          "upload to --remote what it lacks, signed with this key (as --sign); else it is only read"),
        O("remote-token-file", "bkf", "FILE", TEXT, remote_token_file,
          "the first line is the token that --remote wants, as kiln cache serve does of those who fill it"),
        O("listen", "k", "ADDRESS:PORT", TEXT, listen,
          "serve: where (default: 127.0.0.1:8480, for this machine alone)"),
        O("dir", "k", "DIR", TEXT, store_dir,
          "serve: the entries' directory (default: /var/lib/kiln/cache for root, else below $XDG_STATE_HOME)"),
        O("limit", "k", "SIZE", TEXT, limit,
          "serve: what they may take, such as 200G; what was used least recently goes; 0: no limit (default: 50G)"),
        O("token-file", "k", "FILE", TEXT, token_file,
          "serve: the first line is the token of those who fill it; without one it is only read"),
        O("push", "k", NULL, FLAG, push,
          "upload what the three newest builds used and --remote lacks, and wait until it is there"),
        O("repo", "bBlfvr", "NAME=URL", LIST, repositories,
          "take a repository from another place, such as a local mirror"),
        O("offline", "bBlfvr", NULL, FLAG, offline, "never use the network; fail if something is not in the cache"),
        O("lock", "bBlf", "FILE", TEXT, lock, "the lock file (default: CLUSTER.RELEASE.lock beside the cluster file)"),
        O("update", "l", NULL, FLAG, update, "lock what is newest now: the PACKAGEs, or all if none is given"),
        O("export", "f", "DIR", TEXT, export, "write the packages as a yum repository, for a site without a network"),
        O("allow-downgrade", "bBlfr", NULL, FLAG, allow_downgrade,
          "accept a repository that is older than it was when last seen"),
        O("prune", "k", NULL, FLAG, prune, "remove what the newest builds and fetches do not need"),
        O("prune", "u", NULL, FLAG, prune,
          "remove all but the newest builds, the one that is current, and the marked ones"),
        O("dry-run", "b", NULL, FLAG, dry_run,
          "say what would be downloaded and made, as kiln plan does, and make nothing"),
        O("exit-code", "B", NULL, FLAG, exit_code,
          "exit with 1 if a build would change anything, as git diff --exit-code"),
        O("dry-run", "k", NULL, FLAG, dry_run, "say what --prune would remove, and remove nothing"),
        O("dry-run", "u", NULL, FLAG, dry_run, "name the builds that --prune would remove, and remove none"),
        O("dry-run", "p", NULL, FLAG, dry_run, "check all of the build, and leave `current` where it is"),
        O("dry-run", "P", NULL, FLAG, dry_run, "check the build, say how much the registry lacks, and send nothing"),
        O("dry-run", "L", NULL, FLAG, dry_run, "say which build it is and how much would be loaded, and write nothing"),
        O("plain-http", "PLbkf", NULL, FLAG, plain_http,
          "speak http instead of https with a registry (oci://); passwords are sent only to this machine itself then"),
        O("mount", "P", "REPOSITORY", LIST, mounts,
          "take what another repository of the registry has already from there; may be repeated"),
        O("dry-run", "I", NULL, FLAG, dry_run, "print the cluster file, and write none"),
        O("dry-run", "l", NULL, FLAG, dry_run, "say what would change, and write no lock file"),
        O("keep", "k", "N", NUMBER, keep, "how many builds and fetches --prune keeps (default: 3)"),
        O("keep", "u", "N", NUMBER, keep,
          "how many whole and how many partial builds of each cluster --prune keeps (default: 3)"),
        O("output", "i", "FILE", TEXT, output, "where the ISO goes (default: CLUSTER-ROLE.iso, here)"),
        O("node", "d", "NODE", TEXT, node, "what changes on this node, alone"),
        O("running", "u", "URL|FILE", TEXT, running,
          "say how many machines run each build, as kiln serve at http://HOST:PORT saw it (or a file with its "
          "/api/state), or as the nodes of CLUSTER.yaml say on its status_port; --prune keeps those"),
        O("running", "d", "URL|FILE", TEXT, running,
          "instead of an older build: what machines run, as kiln serve at http://HOST:PORT saw it (or a file with its "
          "/api/state), or as the nodes of CLUSTER.yaml say on its status_port; says who has to boot again, and why"),
        O("ssh", "ud", NULL, FLAG, ssh,
          "with --running CLUSTER.yaml: ask its nodes by ssh, as root, and not on status_port"),
        O("node", "w", "NODE", TEXT, node,
          "as this node has it: its files, or with --variables what its templates may use"),
        O("role", "w", "ROLE", LIST, roles, "the same for a machine that the inventory does not know"),
        O("variables", "w", NULL, FLAG, variables, "the variables that templates of a node or role may use"),
        O("format", "c", "text|json|sarif|github", TEXT, format,
          "what findings are printed as: json is a line for each, sarif for code review, github annotations"),
        O("markdown", "d", NULL, FLAG, markdown, "for a pull request"),
        O("role", "a", "ROLE", LIST, roles, "only this role; may be repeated"),
        O("wait", "a", "TIME", TEXT, wait, "ask again until all is healthy, for 90s, 10m or 1h at most"),
        O("watch", "a", NULL, FLAG, watch, "show each look, until Ctrl-C, or until --wait is over"),
        O("build", "a", "BUILD", TEXT, build,
          "the build that nodes should run (default: OUT/CLUSTER/current), for clusters with status_port"),
        O("timeout", "a", "MS", NUMBER, timeout, "how long each question may take (default: 2000)"),
        O("go", "t", NULL, FLAG, go, "do what the plan says"),
        O("from", "t", "BUILD", TEXT, from, "what the nodes run now (default: what the last rollout ended with)"),
        O("only", "t", "NODE", LIST, only, "these nodes alone"),
        O("canary", "t", NULL, FLAG, canary, "end after the first step; --go later goes on with the others"),
        O("force", "t", "NODE", LIST, force, "let this node be unhealthy; it comes first among those of its role"),
        O("resume", "t", NULL, FLAG, resume, "go on with a rollout that failed or was killed"),
        O("abort", "t", NULL, FLAG, abort, "take back its draining, and end it where it is"),
        O("back", "t", NULL, FLAG, back, "return the nodes that it changed to the build they ran before"),
        O("state", "t", "DIR", TEXT, state_dir,
          "where kiln serve keeps what it knows, and FleetLock's slots (default: as kiln serve has it)"),
        O("take-lock", "t", NULL, FLAG, take_lock, "take the lock of a rollout of another host, which is gone"),
        O("reboot", "t", "ssh|ipmi|button", TEXT, reboot,
          "how nodes are started anew (default: as the role files say)"),
        O("ssh-config", "ud", "FILE", TEXT, ssh_config, "with --ssh: let ssh read this configuration"),
        O("ssh-config", "t", "FILE", TEXT, ssh_config,
          "let ssh read this configuration, for host keys too, which else are trusted from the first connection to a "
          "node to its next boot"),
        O("wait", "t", "TIME", TEXT, wait,
          "how long a node may take to boot, and the cluster to be whole again: 90s, 10m or 1h (default: 15m)"),
        O("timeout", "t", "MS", NUMBER, timeout, "how long each question may take (default: 2000)"),
        O("mark", "u", "BUILD", TEXT, mark, "never remove this build"),
        O("report", "u", "BUILD", TEXT, report,
          "write the HTML page about this build again, as kiln build does, and print where it is"),
        O("unmark", "u", "BUILD", TEXT, unmark, "let this build be removed again"),
        O("no-rebuild", "v", NULL, FLAG, no_rebuild, "only check the files against SHA256SUMS and each other"),
        O("http-base", "bB", "URL", TEXT, http_base,
          "URL that will serve the output directory, for kickstart files; else the cluster file's http_base"),
        O("sign", "bB", "KEY", MAYBE, sign,
          "sign the build: an ed25519 SSH key, private, or public with ssh-agent holding the other half; empty: sign "
          "not"),
        O("serial", "bB", "N", TEXT, build_serial,
          "number of the release, rising, kept in the signed list: nodes refuse what is below minimum_serial, and "
          "below "
          "the highest that their state disk has seen"),
        O("secure-boot-key", "bB", "FILE", TEXT, secure_boot_key,
          "sign ROLE/kiln.efi for UEFI's Secure Boot: an RSA private key, PEM; with --secure-boot-cert"),
        O("secure-boot-cert", "bB", "FILE", TEXT, secure_boot_cert,
          "the certificate of that key, PEM, which the machines' firmware has in its db"),
        O("uki-stub", "bBv", "FILE", TEXT, uki_stub,
          "the EFI stub of ROLE/kiln.efi (default: " UKI_STUB ", of Debian's systemd-boot-efi)"),
        O("key", "v", "FILE", TEXT, key,
          "public keys, one of which must have signed the build (default: trusted_keys of the cluster file)"),
        O("key", "L", "FILE", TEXT, key,
          "public keys, one of which must have signed the build (default: nobody has to)"),
        O("build", "SW", "BUILD", TEXT, build,
          "the build: its id, the beginning of one, or its path (default: OUT/CLUSTER/current)"),
        O("writable", "S", NULL, FLAG, writable, "let all be written to, in a layer that ends with the command"),
        O("network", "S", NULL, FLAG, with_network, "with this machine's network; else there is none"),
        O("yes", "W", NULL, FLAG, yes, "do not ask"),
        O("dry-run", "W", NULL, FLAG, dry_run, "say what is on the disk and whether it would be taken; write nothing"),
        O("fixed", "W", NULL, FLAG, fixed, "also a disk that is neither removable, nor behind USB, nor an SD card"),
        O("file", "W", NULL, FLAG, to_file, "take a regular file, which is there, for the disk"),
        O("artefacts", "o", "DIR", TEXT, artefacts, "a published build (default: OUT/CLUSTER/current)"),
        O("medium", "o", "pxe|iso|usb", TEXT, medium, "what it boots from (default: pxe)"),
        O("firmware", "o", "bios|uefi", TEXT, firmware, "of the machine (default: bios)"),
        O("network", "o", "KIND", TEXT, network, "user, tap:INTERFACE or bridge:NAME (default: user)"),
        O("serial", "o", "PLACE", TEXT, serial, "stdio, unix:PATH or file:PATH (default: stdio)"),
        O("mac", "o", "MAC", TEXT, mac, "another MAC address than the inventory's"),
        O("memory", "o", "MIB", TEXT, memory, "memory of the machine (default: 2048)"),
        O("accel", "oR", "auto|tcg|kvm", TEXT, accelerator, "how QEMU runs it (default: auto)"),
        O("entry", "o", "NAME", TEXT, entry, "boot this PXE entry instead of asking by MAC: node/NAME or role/NAME"),
        O("config-drive", "o", "FILE", TEXT, config_drive,
          "the image of a config drive for the machine, such as `kiln secret put` makes"),
        O("forward", "o", "PORT:PORT", LIST, forwards, "forward a port of 127.0.0.1 to the machine's (network user)"),
        O("ssh", "o", NULL, FLAG, ssh, "forward a free port of 127.0.0.1 to the machine's 22, and say the command"),
        O("state-disk", "o", "FILE", TEXT, state_disk,
          "the image of a disk for what outlives a boot; a new one of 8 GiB if it is not there"),
        O("card", "o", "KIND", LIST, cards,
          "the network of the node's next further card: user, tap:INTERFACE, bridge:NAME or none; may be repeated"),
        O("qemu", "o", "WORD", WORDS, qemu, "one more word for QEMU's command line; may be repeated"),
        O("listen", "n", "ADDRESS", TEXT, listen, "the address of this machine to serve on"),
        O("interface", "n", "NAME", TEXT, interface,
          "the interface to serve on (default: the one with an address in a network of the cluster)"),
        O("http-port", "n", "PORT", NUMBER, http_port,
          "the port of HTTP (default: that of the cluster file's http_base, or else 8080)"),
        O("proxy", "n", NULL, FLAG, proxy, "another DHCP server gives the addresses; this one says what to boot"),
        O("no-dhcp", "n", NULL, FLAG, no_dhcp, "TFTP and HTTP alone"),
        O("no-tftp", "n", NULL, FLAG, no_tftp, "no TFTP"),
        O("uplink", "n", "RATE", TEXT, uplink,
          "what the network gives, in bits a second, such as 1G: no more roots are sent at once than it can feed"),
        O("transfers", "n", "N", NUMBER, transfers, "how many roots are sent at once, whatever the uplink"),
        O("state", "n", "DIR", TEXT, state_dir,
          "what is known of machines (default: /var/lib/kiln/serve/CLUSTER for root, else below $XDG_STATE_HOME)"),
        O("token", "n", "FILE", TEXT, token, "holds the token of those who may change something on the page"),
        O("user", "n", "NAME", TEXT, user, "the user to go on as, when root starts it (default: dnsmasq)"),
        O("check", "n", NULL, FLAG, check,
          "say what would go wrong before anybody boots: ports, another DHCP server, a damaged build, how long it "
          "takes"),
        O("print-config", "n", NULL, FLAG, print_config, "print dnsmasq's configuration, for a server of your own"),
        O("rack", "R", "NAME", TEXT, rack, "the rack of this cluster, where several are up"),
        O("state", "R", "DIR", TEXT, state_dir,
          "the rack's directory: sockets, consoles, logs (default: below $XDG_RUNTIME_DIR, /run for root)"),
        O("detach", "R", NULL, FLAG, detach,
          "up: leave the rack in the background once its machines are being started"),
        O("build", "R", "BUILD", TEXT, build, "up: boot this build, by its id or path (default: current)"),
        O("at-once", "R", "N", NUMBER, at_once,
          "up: machines that boot at the same time; the others wait (default: as many as there are processors)"),
        O("memory", "R", "[ROLE=]MIB", LIST, memories, "up: memory of all machines, of a role's, or of a node"),
        O("disks", "R", "DIR", TEXT, disks, "up: keep state disks here, as NODE.img; else they end with the rack"),
        O("seed", "R", "N", TEXT, seed, "up: what faults that choose begin with (default: another one each time)"),
        O("json", "IbBlfvkropPLeinRwtduacSW", NULL, FLAG, json,
          "the answer as JSON on standard output (kiln schema), and events as JSON lines on standard error"),
        O("verbose", "bBlfvkcroupPLidnaRtSW", NULL, FLAG, verbose,
          "say when each step begins, too, a plain line each, on a terminal as well"),
        O("quiet", "IbBlfvkcroupPLidnaRwtSW", NULL, FLAG, quiet, "warnings and errors only: no steps, no remarks"),
        O("text", "s", NULL, FLAG, text, "every key with its meaning, for reading, instead of JSON"),
        O("help", "IbBlfvkcrosupPLeidnaRwtSW", NULL, FLAG, help, "this text"),
#undef O
};

// What people type most, as git and rsync have it.
static const struct {
        char letter;
        const char *name;
} option_letters[] = { { 'h', "help" }, { 'o', "out" }, { 'q', "quiet" }, { 'v', "verbose" } };

static char letter_of(const char *name) {
        for (size_t i = 0; i < lengthof(option_letters); i++)
                if (strcmp(option_letters[i].name, name) == 0)
                        return option_letters[i].letter;
        return '\0';
}

static bool verb_takes(const struct verb *verb, const struct option *option) {
        return strchr(option->verbs, verb->letter) != NULL;
}

static const struct option *find_option_of(const struct verb *verb, const char *name, size_t length) {
        for (size_t i = 0; i < lengthof(option_table); i++)
                if (verb_takes(verb, &option_table[i]) && strlen(option_table[i].name) == length &&
                    !strncmp(option_table[i].name, name, length))
                        return &option_table[i];
        return NULL;
}

static void list_add(struct strings *list, const char *text) { *array_append(&list->items, &list->count) = text; }

// Values of lists may hold commas of their own only in KEY=VALUE pairs.
static void list_add_all(struct strings *list, const char *text) {
        if (strchr(text, '=')) {
                list_add(list, xstrdup(text));
                return;
        }
        while (*text) {
                size_t length = strcspn(text, ",");
                list_add(list, xstrndup(text, length));
                text += length + (text[length] == ',');
        }
}

static bool refuse_unknown_option(const struct verb *verb, const char *name, struct err *err) {
        struct nearest nearest = { .wanted = name };
        for (size_t i = 0; i < lengthof(option_table); i++)
                if (verb_takes(verb, &option_table[i]))
                        nearest_offer(&nearest, option_table[i].name);
        fail(err, ERR_USAGE, 0, "kiln %s has no option --%s", verb->name, name);
        if (nearest.best)
                return hint(err, "is --%s meant? kiln %s --help lists them", nearest.best, verb->name);
        return hint(err, "kiln %s --help lists them", verb->name);
}

static bool store_number(const struct option *option, const char *value, struct number *ret, struct err *err) {
        char *end = NULL;
        errno = 0;
        unsigned long number = strtoul(value, &end, 10);
        bool is_number = *value >= '0' && *value <= '9' && *end == '\0' && errno == 0;
        if (!is_number || number > NUMBER_MAX)
                return fail(err, ERR_USAGE, 0, "--%s %s: a number is needed", option->name, value);
        *ret = (struct number){ true, (unsigned)number };
        return true;
}

static bool refuse_no_value(const struct option *option, struct err *err) {
        return fail(err, ERR_USAGE, 0, "--%s needs a value: %s", option->name, option->value);
}

// As a shell's unset variable leaves it, `--cache "$CACHE"`: it would be the working directory, or all nodes.
static bool lacks_value(const struct option *option, const char *value) {
        bool is_list = option->kind == LIST && !strchr(value, '=');
        if (option->kind == MAYBE)
                return false;
        return *value == '\0' || (is_list && (*value == ',' || strstr(value, ",,")));
}

static bool store_value(const struct option *option, const char *value, void *member, struct err *err) {
        if (lacks_value(option, value))
                return refuse_no_value(option, err);
        if (option->kind == NUMBER)
                return store_number(option, value, member, err);
        if (option->kind == LIST)
                list_add_all(member, value);
        else if (option->kind == WORDS)
                list_add(member, xstrdup(value));
        else
                *(const char **)member = value;
        return true;
}

// `value` is what stands in the same word; NULL: it is in the word that follows, which is then taken too.
static bool take_option(const struct option *option, const char *value, char ***next, struct options *options,
                        struct err *err) {
        void *member = (char *)options + option->offset;
        if (option->kind == FLAG) {
                if (value)
                        return fail(err, ERR_USAGE, 0, "--%s takes no value", option->name);
                *(bool *)member = true;
                return true;
        }
        if (value)
                return store_value(option, value, member, err);
        *next += 1;
        if (!**next)
                return refuse_no_value(option, err);
        return store_value(option, **next, member, err);
}

// At `**next`: "--name=value", or "--name".
static bool parse_option(const struct verb *verb, char ***next, struct options *options, struct err *err) {
        const char *name = **next + strlen("--"), *value = NULL;
        size_t length = strcspn(name, "=");
        const struct option *option = find_option_of(verb, name, length);
        if (!option)
                return refuse_unknown_option(verb, name, err);
        if (name[length] == '=')
                value = name + length + 1;
        return take_option(option, value, next, options, err);
}

static const struct option *find_letter(const struct verb *verb, char letter) {
        for (size_t i = 0; i < lengthof(option_letters); i++)
                if (option_letters[i].letter == letter)
                        return find_option_of(verb, option_letters[i].name, strlen(option_letters[i].name));
        return NULL;
}

// At `**next`: "-qv", or "-oDIR", or "-o" with its value in the next word.
static bool parse_letters(const struct verb *verb, char ***next, struct options *options, struct err *err) {
        const char *word = **next;
        for (const char *letter = word + 1; *letter; letter++) {
                const struct option *option = find_letter(verb, *letter);
                if (!option) {
                        fail(err, ERR_USAGE, 0, "kiln %s has no option %s", verb->name, word);
                        return hint(err, "kiln %s --help lists them", verb->name);
                }
                bool has_value = option->kind != FLAG && letter[1];
                if (!take_option(option, has_value ? letter + 1 : NULL, next, options, err))
                        return false;
                if (option->kind != FLAG)
                        break;
        }
        return true;
}

static bool parse_words(const struct verb *verb, char **argv, struct options *ret, struct err *err) {
        bool only_arguments = false;
        for (char **next = argv; *next; next++) {
                const char *word = *next;
                bool is_option = word[0] == '-' && word[1] != '\0';
                if (only_arguments || !is_option) {
                        *array_append(&ret->arguments, &ret->argument_count) = word;
                } else if (strcmp(word, "--") == 0) {
                        only_arguments = true;
                } else {
                        bool is_long = strncmp(word, "--", 2) == 0;
                        if (!(is_long ? parse_option : parse_letters)(verb, &next, ret, err))
                                return false;
                }
        }
        return true;
}

bool options_parse(const struct verb *verb, char **argv, struct options *ret, struct err *err) {
        assert(ret->argument_count == 0); // lists are added to
        if (!parse_words(verb, argv, ret, err))
                return false;
        if (ret->help)
                return true;
        if (ret->argument_count < verb->least_arguments)
                fail(err, ERR_USAGE, 0, "kiln %s: an argument is missing", verb->name);
        else if (ret->argument_count > verb->most_arguments)
                fail(err, ERR_USAGE, 0, "kiln %s: too many arguments", verb->name);
        else
                return true;
        return hint(err, "usage: kiln %s [OPTION]... %s", verb->name, verb->arguments);
}

// ---- kiln.yaml ----

// What was published goes by what was noted beside it. `kiln check` and `kiln show` read the file by themselves.
static bool takes_defaults(const struct verb *verb) {
        return verb->run != verb_verify && verb->run != verb_check && verb->run != verb_show;
}

static bool ends_in_yaml(const char *word) {
        size_t length = strlen(word);
        return length > strlen(".yaml") && strcmp(word + length - strlen(".yaml"), ".yaml") == 0;
}

// `kiln lock` and `kiln rack` have it behind other words.
const char *options_cluster_file(const struct verb *verb, const struct options *options) {
        for (size_t i = 0; i < options->argument_count; i++)
                if (ends_in_yaml(options->arguments[i]))
                        return options->arguments[i];
        bool is_first = strncmp(verb->arguments, "CLUSTER.yaml", strlen("CLUSTER.yaml")) == 0;
        if (is_first && options->argument_count > 0)
                return options->arguments[0];
        return NULL;
}

static bool has_pair_of(const struct strings *list, const char *pair) {
        size_t length = strcspn(pair, "=") + 1;
        for (size_t i = 0; i < list->count; i++)
                if (strncmp(list->items[i], pair, length) == 0)
                        return true;
        return false;
}

// Of a list of pairs, whether that name is in it.
static bool is_given(const struct option *option, const void *member, const char *value) {
        if (option->kind == NUMBER)
                return ((const struct number *)member)->given;
        if (option->kind == LIST)
                return has_pair_of(member, value);
        return *(const char *const *)member != NULL;
}

static bool take_default_of(const struct verb *verb, struct options *options, struct default_value *value,
                            struct err *err) {
        const struct option *option = find_option_of(verb, value->option, strlen(value->option));
        if (!option)
                return true;
        void *member = (char *)options + option->offset;
        value->is_taken = !is_given(option, member, value->value);
        return !value->is_taken || store_value(option, value->value, member, err);
}

// The value of a pair, NAME=VALUE, or all of it.
static const char *value_alone(const struct default_value *value) {
        const char *equals = strchr(value->value, '=');
        if (strcmp(value->option, "repo") == 0 && equals)
                return equals + 1;
        return value->value;
}

static bool is_about(const struct err *err, const struct default_value *value) {
        auto_free char *option = xasprintf("--%s", value->option);
        const char *alone = value_alone(value);
        bool is_telling = strlen(alone) > 2; // a digit may stand for anything
        return strstr(err->text, option) || (is_telling && strstr(err->text, alone));
}

bool options_tell_defaults(const struct options *options, struct err *err) {
        for (size_t i = 0; err->text && i < options->defaults.count; i++) {
                const struct default_value *value = &options->defaults.values[i];
                const struct place *place = &value->place;
                if (!value->is_taken || !is_about(err, value))
                        continue;
                auto_free char *before = err->hint ? xasprintf("%s; ", err->hint) : xstrdup("");
                return hint(err, "%s--%s is what %s:%d:%d says", before, value->option, place->file, place->line,
                            place->column);
        }
        return false;
}

struct verb_of_key {
        const struct verb *verb;
        struct arena *arena;
        bool is_any;
};

static void look_for_key(const char *key, void *context) {
        struct verb_of_key *asked = context;
        const char *name = defaults_option_name(asked->arena, key);
        asked->is_any = asked->is_any || find_option_of(asked->verb, name, strlen(name));
}

bool options_take_defaults(const struct verb *verb, struct options *options, struct err *err) {
        struct verb_of_key asked = { verb, &options->arena, false };
        defaults_each_key(look_for_key, &asked);
        if (!takes_defaults(verb) || !asked.is_any)
                return true;
        if (!defaults_read(options_cluster_file(verb, options), &options->arena, NULL, &options->defaults, err))
                return false;
        for (size_t i = 0; i < options->defaults.count; i++)
                if (!take_default_of(verb, options, &options->defaults.values[i], err))
                        return options_tell_defaults(options, err);
        return true;
}

void options_release(struct options *options) {
        struct strings *lists[] = { &options->set,          &options->roles,         &options->only,
                                    &options->repositories, &options->allow_outside, &options->forwards,
                                    &options->cards,        &options->qemu,          &options->memories,
                                    &options->force,        &options->nodes,         &options->mounts };
        for (size_t i = 0; i < lengthof(lists); i++) {
                for (size_t j = 0; j < lists[i]->count; j++)
                        free((char *)lists[i]->items[j]);
                free(lists[i]->items);
        }
        free(options->arguments);
        arena_release(&options->arena);
}

void options_each(const struct verb *verb, void (*each)(const struct option_text *option, void *context),
                  void *context) {
        for (size_t i = 0; i < lengthof(option_table); i++)
                if (verb_takes(verb, &option_table[i]))
                        each(&(struct option_text){ option_table[i].name, option_table[i].value, option_table[i].help,
                                                    letter_of(option_table[i].name) },
                             context);
}
