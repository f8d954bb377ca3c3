// SPDX-License-Identifier: MIT
#include <string.h>

#include "base/mem.h"
#include "verbs/verb.h"

// In the order in which a newcomer needs them.
const struct verb verb_table[] = {
        { "init", "DIR", "Write a first cluster file: from numbers of machines, or from a list of them that exists.",
          'I', 1, 1, verb_init },
        { "build", "CLUSTER.yaml", "Bake the images of every role of a cluster and publish them.", 'b', 1, 1,
          verb_build },
        { "plan", "CLUSTER.yaml", "Say what a build would download, make again and why, before it does.", 'B', 1, 1,
          verb_plan },
        { "lock", "CLUSTER.yaml [PACKAGE...]", "Write down the very packages of every role, for builds to obey.", 'l',
          1, 1000, verb_lock },
        { "fetch", "CLUSTER.yaml", "Download all that a build needs, so that it works --offline.", 'f', 1, 1,
          verb_fetch },
        { "verify", "BUILD [CLUSTER.yaml]", "Check a published build, make it again and say where the two differ.", 'v',
          1, 2, verb_verify },
        { "builds", "[CLUSTER]", "List published builds, and remove old ones.", 'u', 0, 1, verb_builds },
        { "diff", "BUILD [BUILD]",
          "Say what changed from one build to another, or from what runs, and what that is to each node.", 'd', 1, 2,
          verb_diff },
        { "publish", "BUILD", "Point `current` at a build that is there, newer or older, once all of it is checked.",
          'p', 1, 1, verb_publish },
        { "push", "oci://HOST/REPOSITORY[:TAG] [BUILD]",
          "Upload a published build to a registry: only what that lacks, and its SBOMs and signatures beside it.", 'P',
          1, 2, verb_push },
        { "pull", "oci://HOST/REPOSITORY[:TAG|@sha256:HEX]",
          "Load a build from a registry, check all of it, and put it beside the others.", 'L', 1, 1, verb_pull },
        { "iso", "BUILD ROLE", "Write the ISO of a role from a build that has it on demand.", 'i', 2, 2, verb_iso },
        { "write", "CLUSTER.yaml ROLE DEVICE", "Write the ISO of a role to a stick, and read it back.", 'W', 3, 3,
          verb_write },
        { "shell", "CLUSTER.yaml ROLE [COMMAND...]",
          "Look into the root of a role, packages and configuration: a shell there, or a command behind `--`.", 'S', 2,
          100000, verb_shell },
        { "cache", "[serve]",
          "Say what the cache holds, remove what is no longer needed, or serve a cache that several machines share.",
          'k', 0, 1, verb_cache },
        { "check", "CLUSTER.yaml", "Check a cluster's profiles and say what it is; nothing is fetched or written.", 'c',
          1, 1, verb_check },
        { "show", "CLUSTER.yaml [KEY|/FILE]",
          "Show what holds and where it is written: every value, the variables and files of a node.", 'w', 1, 2,
          verb_show },
        { "resolve", "PACKAGE|@GROUP...", "Print what a request installs, one NEVRA a line.", 'r', 1, 1000,
          verb_resolve },
        { "boot", "CLUSTER.yaml NODE", "Boot a node of the inventory from the published artefacts, in QEMU.", 'o', 2, 2,
          verb_boot },
        { "rack", "up|ps|console|ssh|run|shell|status|cut|fault|down [ARGUMENT...]",
          "Boot a whole inventory in QEMU, on a network of its own, by PXE from kiln serve.", 'R', 1, 100000, verb_rack,
          verb_rack_arguments },
        { "serve", "CLUSTER.yaml [BUILD]",
          "Boot a rack: DHCP, TFTP and HTTP from the inventory and the published builds, and a page that shows each "
          "machine.",
          'n', 1, 2, verb_serve },
        { "secret", "put|list|remove FILE [NAME]",
          "Keep values that only nodes know in a file kiln.secrets, or in a config drive's image (.iso, .img).", 'e', 2,
          1000, verb_secret, verb_secret_arguments },
        { "status", "CLUSTER.yaml", "Ask every node of a running cluster how it is, and say what that is together.",
          'a', 1, 1, verb_status },
        { "rollout", "CLUSTER.yaml [BUILD]",
          "Bring a running cluster to a build, node by node, or back: prints the plan, and does it with --go.", 't', 1,
          2, verb_rollout },
        { "schema", "[SCHEMA]",
          "Print the JSON Schema of a kind of file, for editors, or of what a verb prints with --json; without a name: "
          "which there are.",
          's', 0, 1, verb_schema },
};
const size_t verb_table_count = lengthof(verb_table);

const struct verb *verb_find(const char *name) {
        for (size_t i = 0; i < verb_table_count; i++)
                if (strcmp(verb_table[i].name, name) == 0)
                        return &verb_table[i];
        return NULL;
}
