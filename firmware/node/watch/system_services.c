// SPDX-License-Identifier: MIT
#include "firmware/node/watch/system_services.h"

#include <assert.h>

#include "base/run.h"
#include "firmware/node/network/network_writer.h"

bool services_decide_again(const char *name, struct err *err) {
        const struct network_writer *writer = network_writer_find(name);
        assert(writer);
        // In one transaction, so that their order holds.
        return run_command(err, "systemctl", "restart", "kiln-node.service", writer->service, NULL);
}

bool services_start_missing(struct err *err) {
        return run_command(err, "systemctl", "--no-block", "start", "default.target", NULL);
}
