// SPDX-License-Identifier: MIT
// kiln rack: sub-verbs, each with what it may be given.
#include <errno.h>
#include <string.h>

#include "base/locations.h"
#include "base/mistake.h"
#include "base/strings.h"
#include "rack/virtual_rack.h"
#include "verbs/verb.h"
#include "verbs/verb_common.h"

struct order {
        const struct options *options;
        struct virtual_rack_name where;
        struct strings words; // behind the sub-verb
        struct arena arena;
};

// ---- up ----

static bool is_cluster_file(const char *word) {
        size_t length = strlen(word);
        bool has_ending = (length > 5 && strcmp(word + length - 5, ".yaml") == 0) ||
                          (length > 4 && strcmp(word + length - 4, ".yml") == 0);
        return has_ending || strchr(word, '/');
}

// As kiln serve and kiln status are told of the cluster, too.
static void add_profile_words(struct order *order, struct strings *ret) {
        const struct options *options = order->options;
        struct arena *arena = &order->arena;
        if (options->release) {
                strings_add_once(arena, ret, arena_printf(arena, "--release=%s", options->release));
        }
        for (size_t i = 0; i < options->set.count; i++)
                strings_add_once(arena, ret, arena_printf(arena, "--set=%s", options->set.items[i]));
        for (size_t i = 0; i < options->allow_outside.count; i++)
                strings_add_once(arena, ret,
                                 arena_printf(arena, "--allow-outside=%s",
                                              locations_absolute(arena, options->allow_outside.items[i])));
}

static bool order_up(struct order *order, const char *cluster_path, const struct strings *nodes, struct err *err) {
        const struct options *options = order->options;
        struct profile_options profile = { .release = options->release,
                                           .set = options->set,
                                           .allow_outside = options->allow_outside };
        struct virtual_rack_options up = {
                .where = order->where,
                .cluster_path = locations_absolute(&order->arena, cluster_path),
                .out = locations_absolute(&order->arena, options_out_dir(options)),
                .build = options->build,
                .nodes = *nodes,
                .memory = options->memories,
                .accelerator = options->accelerator,
                .at_once = number_or(options->at_once, 0),
                .processors = processor_count(),
                .detach = options->detach,
                .seed = options->seed,
        };
        struct cluster *cluster = NULL;
        if (options->disks)
                up.disks = locations_absolute(&order->arena, options->disks);
        add_profile_words(order, &up.serve_words);
        bool ok = cluster_load(cluster_path, &profile, &cluster, err);
        up.cluster = cluster;
        if (ok)
                show_warnings(cluster);
        ok = ok && virtual_rack_up(&up, err);
        cluster_free(cluster);
        return ok;
}

// A cluster file starts a rack; without one the rack that is up is meant, and if none is, the usual cluster file.
static bool rack_up(struct order *order, struct err *err) {
        struct strings nodes = order->words;
        const char *cluster_path = USUAL_CLUSTER;
        bool is_up = false, has_file = nodes.count > 0 && is_cluster_file(nodes.items[0]);
        if (has_file) {
                cluster_path = nodes.items[0];
                nodes = (struct strings){ nodes.items + 1, nodes.count - 1 };
        } else if (!virtual_rack_is_up(&order->where, &is_up, err)) {
                return false;
        }
        if (is_up)
                return virtual_rack_power_on(&order->where, &nodes, err);
        return order_up(order, cluster_path, &nodes, err);
}

// ---- the others ----

static bool rack_ps(struct order *order, struct err *err) {
        return virtual_rack_list(&order->where, order->options->json, err);
}

static bool rack_console(struct order *order, struct err *err) {
        return virtual_rack_console(&order->where, order->words.items[0], err);
}

static bool rack_ssh(struct order *order, struct err *err) {
        struct strings words = { order->words.items + 1, order->words.count - 1 };
        return virtual_rack_ssh(&order->where, order->words.items[0], &words, err);
}

static bool rack_run(struct order *order, struct err *err) {
        return virtual_rack_run(&order->where, &order->words, err);
}

static bool rack_shell(struct order *order, struct err *err) { return virtual_rack_shell(&order->where, err); }

static bool rack_status(struct order *order, struct err *err) {
        return virtual_rack_status(&order->where, &order->words, err);
}

static bool rack_cut(struct order *order, struct err *err) {
        return virtual_rack_cut(&order->where, &order->words, err);
}

static bool rack_fault(struct order *order, struct err *err) {
        const char *value = "";
        if (order->words.count > 2)
                value = order->words.items[2];
        return virtual_rack_fault(&order->where, order->words.items[0], order->words.items[1], value, err);
}

static bool rack_down(struct order *order, struct err *err) { return virtual_rack_down(&order->where, err); }

static const struct sub_verb {
        const char *name, *arguments;
        size_t least, most; // words behind it
        bool (*run)(struct order *order, struct err *err);
} sub_verbs[] = {
        { "up", "[CLUSTER.yaml] [NODE...]", 0, 100000, rack_up },
        { "ps", "", 0, 0, rack_ps },
        { "console", "NODE", 1, 1, rack_console },
        { "ssh", "NODE [-- OPTION...] [COMMAND...]", 1, 1000, rack_ssh },
        { "run", "-- COMMAND...", 1, 1000, rack_run },
        { "shell", "", 0, 0, rack_shell },
        { "status", "[-- OPTION...]", 0, 1000, rack_status },
        { "cut", "NODE...", 1, 100000, rack_cut },
        { "fault", "KIND NODE|any|any:ROLE [VALUE]", 2, 3, rack_fault },
        { "down", "", 0, 0, rack_down },
};

static const struct sub_verb *find_sub_verb(const char *name) {
        for (size_t i = 0; i < lengthof(sub_verbs); i++)
                if (strcmp(sub_verbs[i].name, name) == 0)
                        return &sub_verbs[i];
        return NULL;
}

const char *verb_rack_arguments(const char *sub_verb) {
        const struct sub_verb *found = find_sub_verb(sub_verb);
        return found ? found->arguments : NULL;
}

static bool refuse_sub_verb(const char *name, struct err *err) {
        struct nearest nearest = { .wanted = name };
        for (size_t i = 0; i < lengthof(sub_verbs); i++)
                nearest_offer(&nearest, sub_verbs[i].name);
        fail(err, ERR_USAGE, 0, "kiln rack has no `%s`", name);
        if (nearest.best)
                return hint(err, "is %s meant? kiln rack --help lists them", nearest.best);
        return hint(err, "kiln rack --help lists what there is");
}

bool verb_rack(const struct options *options, struct err *err) {
        struct order order = { .options = options,
                               .where = { options->state_dir, options->rack },
                               .words = { options->arguments + 1, options->argument_count - 1 } };
        const char *name = options->arguments[0];
        const struct sub_verb *found = find_sub_verb(name);
        if (!found)
                return refuse_sub_verb(name, err);
        if (order.words.count < found->least || order.words.count > found->most) {
                fail(err, ERR_USAGE, 0, "kiln rack %s: %s", name,
                     order.words.count < found->least ? "an argument is missing" : "too many arguments");
                return hint(err, "usage: kiln rack [OPTION]... %s %s", name, found->arguments);
        }
        bool ok = found->run(&order, err);
        arena_release(&order.arena);
        return ok;
}
