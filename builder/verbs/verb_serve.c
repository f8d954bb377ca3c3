// SPDX-License-Identifier: MIT
// kiln serve.
#include <stdint.h>

#include "base/locations.h"
#include "base/strings.h"
#include "serve/serve.h"
#include "verbs/verb.h"
#include "verbs/verb_common.h"

static bool choose_dhcp(const struct options *options, enum serve_dhcp *ret, struct err *err) {
        if (options->proxy && options->no_dhcp)
                return fail(err, ERR_USAGE, 0, "--proxy and --no-dhcp contradict each other");
        *ret = SERVE_DHCP_FULL;
        if (options->proxy)
                *ret = SERVE_DHCP_PROXY;
        if (options->no_dhcp)
                *ret = SERVE_DHCP_NONE;
        return true;
}

bool verb_serve(const struct options *options, struct err *err) {
        struct arena arena = { 0 };
        struct serve_options serve = {
                .cluster_path = options->arguments[0],
                .profile = { .release = options->release, .set = options->set },
                .out = options_out_dir(options),
                .address = options->listen,
                .interface = options->interface,
                .http_port = number_or(options->http_port, 0),
                .no_tftp = options->no_tftp,
                .uplink = options->uplink,
                .transfers = number_or(options->transfers, 0),
                .state_dir = options->state_dir,
                .token_file = options->token,
                .user = options->user,
                .jobs = processor_count(),
        };
        for (size_t i = 0; i < options->allow_outside.count; i++)
                strings_add_once(&arena, &serve.profile.allow_outside,
                                 locations_absolute(&arena, options->allow_outside.items[i]));
        if (options->argument_count > 1)
                serve.build = options->arguments[1];
        bool ok = choose_dhcp(options, &serve.dhcp, err);
        if (ok && serve.http_port > UINT16_MAX)
                ok = fail(err, ERR_USAGE, 0, "--http-port %u: a port is at most %d", serve.http_port, UINT16_MAX);
        if (ok && options->print_config)
                ok = serve_print_config(&serve, err);
        else if (ok && options->check)
                ok = serve_check(&serve, err);
        else if (ok)
                ok = serve_run(&serve, err);
        arena_release(&arena);
        return ok;
}
