// SPDX-License-Identifier: MIT
// The command line: one table of options, from which parsing, --help and error messages come. A verb names the options
// it takes by their letters in the table's `verbs` column.
#ifndef KILN_VERBS_OPTIONS_H
#define KILN_VERBS_OPTIONS_H

#include <stdbool.h>

#include "base/err.h"
#include "base/mem.h"
#include "profile/defaults.h"
#include "profile/profile.h"

struct verb;

struct number {
        bool given;
        unsigned value;
};
static inline unsigned number_or(struct number number, unsigned otherwise) {
        return number.given ? number.value : otherwise;
}

struct options {
        struct defaults defaults; // kiln.yaml, as far as options_take_defaults() has read it
        struct arena arena;       // of what it says
        const char **arguments;   // what is left beside the options
        size_t argument_count;
        const char *release, *out, *cache, *http_base, *sign, *build_serial, *key, *mark, *unmark, *report, *output,
            *node, *wait;
        const char *secure_boot_key, *secure_boot_cert, *uki_stub;
        struct strings set, roles, only, repositories, allow_outside;
        const char *remote, *remote_keys, *remote_sign, *remote_token_file;
        bool offline, json, verbose, quiet, text, help, markdown, watch;
        const char *lock, *export, *running;
        bool update, allow_downgrade, prune, push, no_rebuild;
        struct number keep, cache_limit, timeout;
        bool exit_code;     // kiln plan
        bool variables;     // kiln show
        const char *format; // kiln check
        // kiln init
        const char *name, *subnet, *gateway, *dns, *server, *ssh_key, *from;
        struct strings nodes;
        struct number masters, slaves, balancers, registries;
        bool yes;
        // kiln shell, kiln write
        bool writable, with_network, fixed, to_file, dry_run;
        // kiln boot
        const char *artefacts, *medium, *firmware, *network, *serial, *mac, *memory, *accelerator, *entry,
            *config_drive, *state_disk;
        struct strings cards, forwards, qemu;
        bool ssh;
        // kiln rollout
        const char *reboot, *ssh_config; // and `from`
        struct strings force;
        bool go, resume, abort, back, canary, take_lock;
        // kiln cache serve
        const char *store_dir, *limit, *token_file; // and `listen`
        // kiln push, kiln pull
        struct strings mounts;
        bool plain_http;
        // kiln serve
        const char *listen, *interface, *uplink, *state_dir, *token, *user;
        struct number http_port, transfers;
        bool proxy, no_dhcp, no_tftp, print_config, check;
        // kiln rack
        const char *rack, *build, *disks, *seed;
        struct strings memories;
        struct number at_once;
        bool detach;
};

// Parses what follows the verb, up to a NULL. `--name value` or `--name=value`, and a letter for some, `-q`, `-o DIR`;
// `--` ends them; lists repeat or take commas. ERR_USAGE names the nearest option.
must_check bool options_parse(const struct verb *verb, char **argv, struct options *ret, struct err *err);
// After it: what kiln.yaml says for options that the verb takes and that were not given. It is the one beside the
// cluster file, and where a verb takes none, that of the working directory.
must_check bool options_take_defaults(const struct verb *verb, struct options *options, struct err *err);
// Adds to an error that is about what kiln.yaml gave where in that file it stands. Returns false.
bool options_tell_defaults(const struct options *options, struct err *err);
// The cluster file among the arguments; NULL: there is none.
const char *options_cluster_file(const struct verb *verb, const struct options *options);
void options_release(struct options *options);

// Calls back for every option of a verb, in the table's order.
struct option_text {
        const char *name, *value /* NULL: a flag */, *help;
        char letter; // "-q" for --quiet; '\0': it has none
};
void options_each(const struct verb *verb, void (*each)(const struct option_text *option, void *context),
                  void *context);

#endif
