// SPDX-License-Identifier: MIT
// argv, the table of verbs, the exit code; the only place that prints an error.
#include <errno.h>
#include <jansson.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/interrupt.h"
#include "base/mem.h"
#include "base/mistake.h"
#include "base/progress.h"
#include "rootfs/rootfs.h"
#include "verbs/manual.h"
#include "verbs/options.h"
#include "verbs/verbs.h"

static const struct verb verbs[] = {
        { "build", "CLUSTER.yaml", "Bake the images of every role of a cluster and publish them.", 'b', 1, 1,
          verb_build },
        { "lock", "CLUSTER.yaml [PACKAGE...]", "Write down the very packages of every role, for builds to obey.", 'l',
          1, 1000, verb_lock },
        { "fetch", "CLUSTER.yaml", "Download all that a build needs, so that it works --offline.", 'f', 1, 1,
          verb_fetch },
        { "verify", "BUILD [CLUSTER.yaml]", "Check a published build, make it again and say where the two differ.", 'v',
          1, 2, verb_verify },
        { "cache", "", "Say what the cache holds, or remove what is no longer needed.", 'k', 0, 0, verb_cache },
        { "check", "CLUSTER.yaml", "Check a cluster's profiles and say what it is; nothing is fetched or written.", 'c',
          1, 1, verb_check },
        { "resolve", "PACKAGE|@GROUP...", "Print what a request installs, one NEVRA a line.", 'r', 1, 1000,
          verb_resolve },
        { "boot", "CLUSTER.yaml NODE", "Boot a node of the inventory from the published artefacts, in QEMU.", 'o', 2, 2,
          verb_boot },
        { "schema", "cluster|release|role", "Print the keys of a kind of profile: JSON Schema for editors, or --text.",
          's', 1, 1, verb_schema },
};

static void print_usage(FILE *to) {
        fputs("usage: kiln VERB [OPTION]... ARGUMENT...\n\n", to);
        for (size_t i = 0; i < lengthof(verbs); i++)
                fprintf(to, "  %-8s %-25s %s\n", verbs[i].name, verbs[i].arguments, verbs[i].summary);
        fputs("\nkiln VERB --help lists a verb's options; kiln --version prints the version;\n"
              "kiln manual and kiln completion print the man page and bash's completion.\n\nexit codes:\n",
              to);
#define X(name, code, meaning) fprintf(to, "  %3d  %s\n", code, meaning);
        ERR_KINDS(X)
#undef X
}

static const struct verb *find_verb(const char *name) {
        for (size_t i = 0; i < lengthof(verbs); i++)
                if (!strcmp(verbs[i].name, name))
                        return &verbs[i];
        return NULL;
}

static void report_unknown_verb(const char *name) {
        struct nearest nearest = { .wanted = name };
        for (size_t i = 0; i < lengthof(verbs); i++)
                nearest_offer(&nearest, verbs[i].name);
        if (!*name)
                print_usage(stderr);
        else if (nearest.best)
                fprintf(stderr, "kiln: there is no verb %s\nhint: is %s meant? kiln --help lists them\n", name,
                        nearest.best);
        else
                fprintf(stderr, "kiln: there is no verb %s\nhint: kiln --help lists them\n", name);
}

static int report(const struct err *err, bool json) {
        auto_buf text = { 0 }, hint = { 0 };
        mistake_printable(&text, err->text, strlen(err->text));
        if (err->hint)
                mistake_printable(&hint, err->hint, strlen(err->hint));
        if (json) {
                json_t *object = json_pack("{ss ss ss ss*}", "event", "error", "kind", err_kind_name(err->kind), "text",
                                           buf_text(&text), "hint", hint.data);
                auto_free char *line = object ? json_dumps(object, JSON_COMPACT) : NULL;
                fprintf(stderr, "%s\n", line ? line : "{\"event\":\"error\"}");
                json_decref(object);
        } else {
                fprintf(stderr, "kiln: %s\n", buf_text(&text));
                if (hint.data)
                        fprintf(stderr, "hint: %s\n", hint.data);
        }
        return err_exit_code(err->kind);
}

static enum progress_mode choose_mode(const struct options *options) {
        if (options->json)
                return PROGRESS_JSON;
        if (options->quiet)
                return PROGRESS_QUIET;
        if (isatty(STDERR_FILENO))
                return PROGRESS_TERMINAL;
        return options->verbose ? PROGRESS_PLAIN : PROGRESS_QUIET;
}

static int run_verb(const struct verb *verb, int argc, char **argv) {
        auto_err err = { 0 };
        struct options options = { 0 };
        bool ok = options_parse(verb, argc, argv, &options, &err);
        if (ok && options.help) {
                options_help(verb);
        } else if (ok) {
                progress_setup(choose_mode(&options));
                ok = verb->run(&options, &err);
        }
        // Whatever a failing call made of it, work that stopped after Ctrl-C was stopped by it.
        if (!ok && interrupt_requested() && err.kind != ERR_INTERRUPTED)
                (void)!interrupt_check(&err);
        int status = ok ? 0 : report(&err, options.json);
        if (ok && (fflush(stdout) != 0 || ferror(stdout))) {
                fail(&err, ERR_SYSTEM, errno, "write standard output");
                status = report(&err, options.json);
        }
        options_release(&options);
        return status;
}

int main(int argc, char **argv) {
        sandbox_main(argc, argv);
        setlocale(LC_ALL, "C.UTF-8"); // the same words and sorting everywhere
        umask(022);
        interrupt_install();
        const char *name = argc > 1 ? argv[1] : "";
        if (!strcmp(name, "--version") || !strcmp(name, "version")) {
                puts("kiln " KILN_VERSION);
                return 0;
        }
        if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
                const struct verb *verb = argc > 2 ? find_verb(argv[2]) : NULL;
                verb ? options_help(verb) : print_usage(stdout);
                return 0;
        }
        if (!strcmp(name, "manual") || !strcmp(name, "completion")) {
                (*name == 'm' ? manual_print : completion_print)(verbs, lengthof(verbs));
                return 0;
        }
        const struct verb *verb = find_verb(name);
        if (!verb) {
                report_unknown_verb(name);
                return err_exit_code(ERR_USAGE);
        }
        return run_verb(verb, argc - 2, argv + 2);
}
