// SPDX-License-Identifier: MIT
// kiln boot.
#include "boot/boot.h"
#include "verbs/verb.h"
#include "verbs/verb_common.h"

static const char *artefacts_dir(struct arena *arena, const struct options *options, const struct cluster *cluster) {
        if (options->artefacts)
                return options->artefacts;
        return arena_printf(arena, "%s/%s/current", options_out_dir(options), cluster->name);
}

static bool boot_loaded(const struct options *options, struct cluster *cluster, struct arena *arena, struct err *err) {
        struct boot_options boot = {
                .cluster = cluster,
                .node = options->arguments[1],
                .artefacts = artefacts_dir(arena, options, cluster),
                .medium = options->medium,
                .firmware = options->firmware,
                .network = options->network,
                .serial = options->serial,
                .mac = options->mac,
                .memory = options->memory,
                .accelerator = options->accelerator,
                .entry = options->entry,
                .config_drive = options->config_drive,
                .state_disk = options->state_disk,
                .cards = options->cards,
                .forwards = options->forwards,
                .ssh = options->ssh,
                .qemu = options->qemu,
        };
        return boot_node(&boot, err);
}

bool verb_boot(const struct options *options, struct err *err) {
        struct cluster *cluster = NULL;
        struct arena arena = { 0 };
        bool ok = options_load_cluster(options, &cluster, err);
        if (ok)
                show_warnings(cluster);
        ok = ok && boot_loaded(options, cluster, &arena, err);
        cluster_free(cluster);
        arena_release(&arena);
        return ok;
}
